"""The command line: serve, assess, cards, check, setup-sheet. Every error is one line that says what to do."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, NoReturn

import click

from cds_service.app import create_app
from cds_service.catalogue import CatalogueError, load
from cds_service.compose import assessment_json, hook_response
from cds_service.decision import Decision
from cds_service.errors import ServiceError
from cds_service.knowledge import Knowledge
from cds_service.service import CardService, new_id, view_of_file
from cds_service.settings import DEMO_BASE_URL, Settings, SettingsError, read_settings
from cds_service.setup_sheet import EHRS, setup_sheet
from cds_service.timeline_text import assessment_text

LOOPBACK = ("127.0.0.1", "::1", "localhost")
Today = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
@click.version_option(package_name="rr-all-cds")
def main() -> None:
    """CDS Hooks service for relapsed and refractory acute lymphoblastic leukemia (ALL)."""


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)


def _settings(mode: str | None) -> Settings:
    try:
        return read_settings(os.environ, mode)
    except SettingsError as error:
        _fail("\n".join(error.faults), 2)


def _knowledge() -> Knowledge:
    """The catalogue with the site's own cards, for the commands that need no other setting."""
    settings = _settings("demo")
    try:
        return load(site=settings.cards)
    except CatalogueError as error:
        _fail("\n".join(error.faults), 1)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mode", type=click.Choice(["demo", "production"]))
def serve(host: str, port: int, mode: str | None) -> None:
    """Run the service."""
    settings = _settings(mode)
    if settings.demo and host not in LOOPBACK:
        _fail(f"--host {host}: demo mode answers anyone, so it listens on this machine only; use 127.0.0.1", 2)
    _listen(settings, host, port)  # pragma: no cover - as _listen below


def _listen(settings: Settings, host: str, port: int) -> None:  # pragma: no cover - run in a process of its own
    """Answer until told to stop; a test starts this for real and talks to it."""
    import waitress

    base = settings.base_url
    if settings.demo and "CDS_BASE_URL" not in os.environ:
        base = f"http://{host}:{port}"
    service = CardService(_knowledge(), base)
    click.echo(f"Demo mode: open, synthetic data only. {base}/cds-services  {base}/about", err=True)
    waitress.serve(
        create_app(service, settings),
        host=host,
        port=port,
        threads=8,
        connection_limit=4000,
        channel_timeout=10,
        # Above the cap of the application, whose refusal has an OperationOutcome and CORS headers.
        max_request_body_size=2 * settings.max_body + 65536,
        ident=None,
        _quiet=True,
    )


def _decision(file: BinaryIO, today: datetime | None) -> tuple[Decision, CardService]:
    service = CardService(_knowledge(), DEMO_BASE_URL)
    day: date = today.date() if today else datetime.now(UTC).date()
    try:
        return service.decide(view_of_file(file.read()), day), service
    except ServiceError as error:
        _fail(f"{getattr(file, 'name', '-')}: {error}", 2)


@main.command()
@click.argument("file", type=click.File("rb"))
@click.option("--today", type=Today, help="The day to assess as of; default is today (UTC).")
@click.option("--format", "form", type=click.Choice(["json", "text"]), default="json", show_default=True)
def assess(file: BinaryIO, today: datetime | None, form: str) -> None:
    """Print the assessment of FILE (or -): a hook request, or a Bundle with one Patient."""
    decision, service = _decision(file, today)
    if form == "text":
        click.echo(assessment_text(decision, service.knowledge))
    else:
        _print(assessment_json(decision, service.knowledge))


@main.command()
@click.argument("file", type=click.File("rb"))
@click.option("--today", type=Today, help="The day to assess as of; default is today (UTC).")
def cards(file: BinaryIO, today: datetime | None) -> None:
    """Print the hook response for FILE (or -)."""
    decision, service = _decision(file, today)
    _print(hook_response(decision, service.knowledge, service.base_url, new_id, with_assessment=False))


def _print(body: dict[str, Any]) -> None:
    click.echo(json.dumps(body, indent=2, ensure_ascii=False))


@main.command()
def check() -> None:
    """Load and cross-check cards/ and settings; print every fault; exit 1 if there is any."""
    faults: list[str] = []
    site = None
    try:
        site = read_settings(os.environ, os.environ.get("CDS_MODE") or "demo").cards
    except SettingsError as error:
        faults += error.faults
    try:
        knowledge = load(site=site)
    except CatalogueError as error:
        faults += error.faults
    else:
        click.echo(f"cards {knowledge.version} {knowledge.digest}: {len(knowledge.meanings)} codes, no fault")
    if faults:
        _fail("\n".join(faults), 1)


@main.command("setup-sheet")
@click.option("--ehr", type=click.Choice(EHRS), default="generic", show_default=True)
def setup_sheet_command(ehr: str) -> None:
    """Print what an EHR analyst must type: URLs, prefetch queries, keys, scopes."""
    settings = _settings("demo")
    click.echo(setup_sheet(_knowledge(), settings.base_url, ehr))


if __name__ == "__main__":
    main()
