"""The newest revision of the tables: made at once in a new database, reached through Alembic from an older one."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, select

from cds_service.store.tables import metadata

NEWEST = "0001"
"""The last of ``migrations/versions``; a test holds the two together. Asking Alembic for it would cost its import."""

_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, as Alembic makes it."""


class NotUpgraded(Exception):
    """No way is known from the revision the tables have to the newest; they were left as they are."""


def bring_up_to_date(connection: Connection) -> None:
    """In the transaction of *connection*. Raises :class:`NotUpgraded`, and SQLAlchemy's errors."""
    if not connection.dialect.has_table(connection, _version.name):
        _make_tables(connection)
    elif list(connection.scalars(select(_version.c.version_num))) != [NEWEST]:
        from cds_service.store.upgrade import upgrade  # most starts find the tables as they should be

        upgrade(connection)


def _make_tables(connection: Connection) -> None:
    """Nothing to migrate, so no steps to take. A table that is there already is not ours, and an error."""
    metadata.create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=False)
    connection.execute(insert(_version).values(version_num=NEWEST))
