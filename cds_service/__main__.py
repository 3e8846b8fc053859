"""The command line. Every error is one line that says what to do.

Each command loads what it needs, and nothing of what another does: what is imported here, all of them wait for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TextIO

import click

from cds_service.collector import loading
from cds_service.report import FORMS, Form
from cds_service.setup_sheet import EHRS
from cds_service.store_commands import store

if TYPE_CHECKING:
    from flask import Flask

    from cds_service.assemble import Checked
    from cds_service.decision import Decision
    from cds_service.knowledge import Knowledge
    from cds_service.lifecycle import Lifecycle
    from cds_service.service import CardService

DEMO = """DEMO MODE: answers anyone on this machine. Synthetic data only.
  {base}/              the stories: choose one, change it, see why
  {base}/cds-services  discovery, for the CDS Hooks sandbox
  {base}/fhir          the stories as a FHIR R4 server"""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
Today = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
@click.version_option(package_name="rr-all-cds")
def main() -> None:
    """CDS Hooks service for relapsed and refractory acute lymphoblastic leukemia (ALL)."""


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)


def _checked(mode: str | None, code: int) -> Checked:
    from cds_service.assemble import Unfit, check

    try:
        return check(os.environ, mode)
    except Unfit as error:
        _fail("\n".join(error.faults), code)


def _knowledge() -> Knowledge:
    """The catalogue with the site's own cards, for the commands that answer nobody."""
    return _checked("demo", 1).knowledge


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mode", type=click.Choice(["demo", "production"]))
def serve(host: str, port: int, mode: str | None) -> None:
    """Run the service."""
    with loading():
        checked = _checked(mode, 2)
        if checked.settings.demo and host not in LOOPBACK:
            _fail(f"--host {host}: demo mode answers anyone, so it listens on this machine only; use 127.0.0.1", 2)
        app, lifecycle = _assembled(checked, host, port)  # pragma: no cover - as _listen below
    _listen(app, lifecycle, host, port)  # pragma: no cover


def _assembled(checked: Checked, host: str, port: int) -> tuple[Flask, Lifecycle]:  # pragma: no cover - as _listen
    """The application, and a line that says it is there."""
    from cds_service import logs
    from cds_service.assemble import assemble
    from cds_service.lifecycle import Lifecycle

    if checked.settings.demo and "CDS_BASE_URL" not in os.environ:
        checked = replace(checked, settings=replace(checked.settings, base_url=f"http://{host}:{port}"))
    logs.configure(sys.stderr)
    lifecycle = Lifecycle()
    app = assemble(checked, lifecycle)
    if checked.settings.demo:
        click.echo(DEMO.format(base=checked.settings.base_url), err=True)
    else:
        logs.info("started", mode="production", callers=len(checked.clients), digest=checked.knowledge.digest)
    return app, lifecycle


def _listen(app: Flask, lifecycle: Lifecycle, host: str, port: int) -> None:  # pragma: no cover - in its own process
    """Answer until told to stop; tests start this for real and talk to it."""
    from cds_service.server import serve as serve_until_stopped

    parts = app.extensions["cds_service"]
    try:
        serve_until_stopped(app, host=host, port=port, max_body=parts.settings.max_body, lifecycle=lifecycle)
    except OSError as error:
        _fail(f"--host {host} --port {port}: {error.strerror}; choose another, or end what listens there", 2)
    finally:
        parts.books.close()


def _decision(file: BinaryIO, today: datetime | None) -> tuple[Decision, CardService]:
    from cds_service.errors import ServiceError
    from cds_service.service import CardService, view_of_file
    from cds_service.settings import DEMO_BASE_URL

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
    from rich.console import Console

    from cds_service.change import changes_json, what_would_change
    from cds_service.compose import assessment_json
    from cds_service.timeline_text import assessment_text, show_assessment

    decision, service = _decision(file, today)
    knowledge = service.knowledge
    if form == "json":
        changes = what_would_change(decision.assessment, knowledge, decision.today)
        _print(assessment_json(decision, knowledge) | {"would_change": changes_json(changes, knowledge)})
    elif (terminal := Console()).is_terminal:
        show_assessment(decision, knowledge, terminal)
    else:
        click.echo(assessment_text(decision, knowledge))


@main.command()
@click.argument("file", type=click.File("rb"))
@click.option("--today", type=Today, help="The day to assess as of; default is today (UTC).")
def cards(file: BinaryIO, today: datetime | None) -> None:
    """Print the hook response for FILE (or -)."""
    decision, service = _decision(file, today)
    _print(service.respond(decision, with_assessment=False))


def _print(body: dict[str, Any]) -> None:
    click.echo(json.dumps(body, indent=2, ensure_ascii=False))


@main.command("check")
def check_command() -> None:
    """Load and cross-check cards/, settings and client registry; print every fault; exit 1 if there is any."""
    checked = _checked(os.environ.get("CDS_MODE") or "demo", 1)
    knowledge, names = checked.knowledge, ", ".join(client.name for client in checked.clients)
    click.echo(f"cards {knowledge.version} {knowledge.digest}: {len(knowledge.meanings)} codes, no fault")
    unset = "" if os.environ.get("CDS_MODE") else " (CDS_MODE is not set; serve would choose production)"
    click.echo(f"{checked.settings.mode} mode{unset}; may call: {names}")


@main.command("verify-jwt")
@click.argument("file", type=click.File("r"))
@click.option("--path", default="", help="The path that was called; default is the hook's.")
def verify_jwt(file: TextIO, path: str) -> None:
    """Explain the JWT in FILE (or -): each check, and what to do. Exit 1 if it would be refused."""
    from cds_service.assemble import explain_token

    checked = _checked(os.environ.get("CDS_MODE") or "demo", 2)
    path = path or f"/cds-services/{checked.knowledge.service.id}"
    lines = explain_token(checked, file.read().strip().removeprefix("Bearer ").strip(), path)
    click.echo("\n".join(lines))
    sys.exit(1 if any(line.startswith("WRONG") for line in lines) else 0)


def _opened(out: str | None) -> AbstractContextManager[TextIO]:
    """The file, or standard output; line ends as they are written."""
    return open(out, "w", encoding="utf-8", newline="") if out else nullcontext(sys.stdout)


@main.command("report")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True)
@click.option("--since", type=Today, help="The first day, in UTC.")
@click.option("--until", type=Today, help="The last day, in UTC.")
@click.option("--client", help="Only this site of the registry.")
@click.option("--out", type=click.Path(dir_okay=False), help="A file; default is standard output.")
def report_command(
    form: Form, since: datetime | None, until: datetime | None, client: str | None, out: str | None
) -> None:
    """Feedback analytics (text, html), or every feedback event as a row (csv, json)."""
    from cds_service.report.tally import Scope
    from cds_service.report.write import write_report
    from cds_service.store.database import FOR_OPERATORS, Database, StoreDown, database_url

    checked = _checked("demo", 1)
    database = Database(database_url(checked.settings.database_url), time.monotonic, FOR_OPERATORS)
    scope = Scope(since.date() if since else None, until.date() if until else None, client)
    try:
        with _opened(out) as file:
            write_report(database, checked.knowledge, form, scope, file)
    except StoreDown:
        _fail("The database of CDS_DATABASE_URL does not answer.", 1)


@main.command("setup-sheet")
@click.option("--ehr", type=click.Choice(EHRS), default="generic", show_default=True)
def setup_sheet_command(ehr: str) -> None:
    """Print what an EHR analyst must type: URLs, prefetch queries, keys, scopes."""
    from cds_service.setup_sheet import setup_sheet

    checked = _checked("demo", 1)
    if "CDS_BASE_URL" not in os.environ:
        click.echo("CDS_BASE_URL is not set: the addresses below are those of a demo on this machine.", err=True)
    click.echo(setup_sheet(checked.knowledge, checked.settings.base_url, ehr))


main.add_command(store)


if __name__ == "__main__":
    main()
