"""From an older revision of the tables to the newest, step by step, by Alembic. Loaded only when there is a step."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from cds_service.store.revision import NotUpgraded

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Take every step, in the transaction of *connection*. Raises :class:`NotUpgraded`, and SQLAlchemy's errors."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NotUpgraded from error
