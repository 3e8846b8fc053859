"""The tables. A change here needs a migration in ``migrations/versions``; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import Column, Float, LargeBinary, MetaData, Table

metadata = MetaData()

seen_token = Table(
    "seen_token",
    metadata,
    Column("token", LargeBinary(32), primary_key=True, comment="SHA-256 of issuer and jti"),
    Column("expires", Float, nullable=False, index=True, comment="seconds since 1970-01-01 UTC"),
)
