"""``cds-service store …``: what an operator does with the database. Every error is one line that says what to do.

Each command loads the store itself: ``serve`` should not wait for what it does not use.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from cds_service.settings import Settings, SettingsError, read_settings

T = TypeVar("T")


@click.group()
def store() -> None:
    """Upgrade, back up, move and clean the database of CDS_DATABASE_URL."""


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


def _settings() -> Settings:
    """The settings as far as these commands need them: whatever else is wrong stops the service, not its upkeep."""
    try:
        return read_settings(os.environ, "demo")
    except SettingsError as error:
        return error.settings


def _try(operation: Callable[[], T]) -> T:
    from cds_service.store.database import DatabaseUrlError
    from cds_service.store.operations import NotDone

    try:
        return operation()
    except DatabaseUrlError as error:
        _fail(f"CDS_DATABASE_URL: {error}")
    except NotDone as error:
        _fail(str(error))


@store.command()
def upgrade() -> None:
    """Bring the tables to the newest revision; run before a new version, and safe to repeat."""
    from cds_service.store import operations

    _try(lambda: operations.upgrade(_settings().database_url))
    click.echo("The tables are up to date.")


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy an SQLite database to FILE while the service runs."""
    from cds_service.store import operations

    _try(lambda: operations.backup(_settings().database_url, file))
    click.echo(f"{file}: whole and checked.")


@store.command()
@click.option("--to", "target", required=True, help="URL of the new, empty database.")
def move(target: str) -> None:
    """Copy every table into another database, and compare counts and content. Stop the service first."""
    from cds_service.store import operations

    for table in _try(lambda: operations.move(_settings().database_url, target)):
        click.echo(f"{table.table}: {table.rows} rows, sha256 {table.digest[:16]}… at both ends")


@store.command()
@click.option("--older-than", "days", required=True, type=click.IntRange(1), help="Days to keep.")
def purge(days: int) -> None:
    """Remove cards and feedback older than so many days, and expired tokens."""
    from cds_service.store import operations

    gone = _try(lambda: operations.purge(_settings().database_url, days, time.time()))
    click.echo(f"Removed {gone.cards} cards, {gone.feedback} feedback events, {gone.tokens} expired tokens.")


@store.command()
@click.option("--issuer", required=True, help="The iss of the site whose patient this is.")
@click.option("--patient", required=True, help="The patient's FHIR id.")
def erase(issuer: str, patient: str) -> None:
    """Forget one patient: the digests on cards, and the comments on them. Needs CDS_PATIENT_KEY."""
    from cds_service.store import operations
    from cds_service.store.remembered import patient_digest

    settings = _settings()
    key = settings.patient_key
    if key is None:
        _fail("CDS_PATIENT_KEY: set the key the service runs with; without it no patient was remembered")
    gone = _try(lambda: operations.erase(settings.database_url, patient_digest(key, issuer, patient)))
    click.echo(f"Forgotten on {gone.cards} cards; removed {gone.comments} comments.")
