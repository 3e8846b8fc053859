"""Used tokens, the cards that were issued, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seen_token",
        sa.Column("token", sa.LargeBinary(32), primary_key=True, comment="SHA-256 of issuer and jti"),
        sa.Column("expires", sa.Float, nullable=False, index=True, comment="seconds since 1970-01-01 UTC"),
    )
    op.create_table(
        "issued_card",
        sa.Column("card", sa.String(36), primary_key=True, comment="the card's uuid"),
        sa.Column("issued", sa.BigInteger, nullable=False, index=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column(
            "client", sa.String(64), nullable=False, comment="the registry's name of the site; none in demo mode"
        ),
        sa.Column("class", sa.String(32), nullable=False),
        sa.Column("rule", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False, comment="of the catalogue"),
        sa.Column("display", sa.String(16), nullable=False, comment="shown, silent or repeated"),
        sa.Column("patient", sa.LargeBinary(32), comment="keyed digest of issuer and patient"),
        sa.Column("evidence", sa.LargeBinary(32), comment="keyed digest of class, Ph status and what decided"),
        sa.Index("issued_card_patient_evidence", "patient", "evidence"),
    )
    op.create_table(
        "issued_suggestion",
        sa.Column("suggestion", sa.String(36), primary_key=True, comment="the suggestion's uuid"),
        sa.Column(
            "card",
            sa.String(36),
            sa.ForeignKey("issued_card.card", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("kind", sa.String(64), nullable=False, comment="expert-review or genetic-testing"),
    )
    _create_feedback()


def _create_feedback() -> None:
    op.create_table(
        "feedback_event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column(
            "item",
            sa.LargeBinary(32),
            nullable=False,
            unique=True,
            comment="digest: the same item again is no new event",
        ),
        sa.Column("received", sa.BigInteger, nullable=False, index=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column(
            "card",
            sa.String(36),
            index=True,
            comment="empty when what came is no uuid; not in issued_card: unmatched",
        ),
        sa.Column("outcome", sa.String(16), nullable=False, comment="accepted or overridden"),
        sa.Column("happened", sa.BigInteger, nullable=False, comment="outcomeTimestamp"),
    )
    event = sa.ForeignKey("feedback_event.id", ondelete="CASCADE")
    op.create_table(
        "accepted_suggestion",
        sa.Column("event", sa.Integer, event, primary_key=True),
        sa.Column("suggestion", sa.String(36), primary_key=True),
    )
    op.create_table(
        "override_reason",
        sa.Column("event", sa.Integer, sa.ForeignKey("feedback_event.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, comment="0, 1, … in the order given"),
        sa.Column("system", sa.String(256)),
        sa.Column("code", sa.String(64), comment="one of the card's, or other"),
        sa.Column("comment", sa.Text, comment="only where comments are kept"),
    )
