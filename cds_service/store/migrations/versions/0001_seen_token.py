"""Tokens that were used, for as long as they could be used again."""

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
