"""The tables. A change here needs a migration in ``migrations/versions`` and its number in ``revision.py``.

A new database is made of these, an older one is migrated to them; tests hold the two together.

Times are milliseconds since 1970-01-01 UTC. No column can name a patient: ``patient`` is a keyed digest, there
only where a site asked for it, and a comment is kept only where a site asked for that.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

seen_token = Table(
    "seen_token",
    metadata,
    Column("token", LargeBinary(32), primary_key=True, comment="SHA-256 of issuer and jti"),
    Column("expires", Float, nullable=False, index=True, comment="seconds since 1970-01-01 UTC"),
)

issued_card = Table(
    "issued_card",
    metadata,
    Column("card", String(36), primary_key=True, comment="the card's uuid"),
    Column("issued", BigInteger, nullable=False, index=True),
    Column("service", String(64), nullable=False),
    Column("client", String(64), nullable=False, comment="the registry's name of the site; none in demo mode"),
    Column("class", String(32), nullable=False),
    Column("rule", String(16), nullable=False),
    Column("digest", String(80), nullable=False, comment="of the catalogue"),
    Column("display", String(16), nullable=False, comment="shown, silent or repeated"),
    Column("patient", LargeBinary(32), comment="keyed digest of issuer and patient"),
    Column("evidence", LargeBinary(32), comment="keyed digest of class, Ph status and what decided"),
    Index("issued_card_patient_evidence", "patient", "evidence"),
)

issued_suggestion = Table(
    "issued_suggestion",
    metadata,
    Column("suggestion", String(36), primary_key=True, comment="the suggestion's uuid"),
    Column("card", String(36), ForeignKey("issued_card.card", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(64), nullable=False, comment="expert-review or genetic-testing"),
)

feedback_event = Table(
    "feedback_event",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", LargeBinary(32), nullable=False, unique=True, comment="digest: the same item again is no new event"),
    Column("received", BigInteger, nullable=False, index=True),
    Column("client", String(64), nullable=False),
    Column("card", String(36), index=True, comment="empty when what came is no uuid; not in issued_card: unmatched"),
    Column("outcome", String(16), nullable=False, comment="accepted or overridden"),
    Column("happened", BigInteger, nullable=False, comment="outcomeTimestamp"),
)

accepted_suggestion = Table(
    "accepted_suggestion",
    metadata,
    Column("event", ForeignKey("feedback_event.id", ondelete="CASCADE"), primary_key=True),
    Column("suggestion", String(36), primary_key=True),
)

override_reason = Table(
    "override_reason",
    metadata,
    Column("event", ForeignKey("feedback_event.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, comment="0, 1, … in the order given"),
    Column("system", String(256)),
    Column("code", String(64), comment="one of the card's, or other"),
    Column("comment", Text, comment="only where comments are kept"),
)
