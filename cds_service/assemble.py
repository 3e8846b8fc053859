"""From the environment to an application that may start; or every reason why it may not, all together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from flask import Flask

from cds_service import sandbox
from cds_service.about import Examples
from cds_service.app import Parts, create_app, today
from cds_service.books import Books
from cds_service.catalogue import CatalogueError, load
from cds_service.comments import keeping
from cds_service.decision import Decision
from cds_service.knowledge import Knowledge
from cds_service.lifecycle import Lifecycle
from cds_service.outbound.address import Address
from cds_service.outbound.deadline import Deadline
from cds_service.service import CardService
from cds_service.settings import Settings, SettingsError, read_settings
from cds_service.store.database import (
    FOR_FEEDBACK,
    FOR_HOOKS,
    Database,
    DatabaseUrlError,
    Patience,
    StoreDown,
    database_url,
)
from cds_service.store.feedback import FeedbackStore
from cds_service.store.ledger import Ledger
from cds_service.store.remembered import Remembered
from cds_service.store.replay import StoredReplay
from cds_service.trust.clients import Client, RegistryError, insecure, load_registry, sandbox_client
from cds_service.trust.door import Door
from cds_service.trust.jwks import MAX_KEY_SET
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import signatures
from cds_service.watch import Watch

if TYPE_CHECKING:
    from cds_service.ehr.fill import CallBack
    from cds_service.outbound.fetch import Outbound

CALL_BACK_SLOTS = 8
"""Calls that may wait for an EHR at the same time; the server has more threads than this."""
KEYS_WITHIN = 2.0
"""Seconds a client's JWKS may take."""


class Unfit(Exception):
    """The service must not start. *faults* has one line for each, with what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Checked:
    """Settings, catalogue and client registry, each without a fault and fit for one another."""

    settings: Settings
    knowledge: Knowledge
    clients: tuple[Client, ...]


def check(environ: Mapping[str, str], mode: str | None = None) -> Checked:
    """Everything that is read before the service starts. Raises :class:`Unfit` with all faults."""
    faults: list[str] = []
    try:
        settings = read_settings(environ, mode)
    except SettingsError as error:
        settings = error.settings
        faults += error.faults
    try:
        database_url(settings.database_url)
    except DatabaseUrlError as error:
        faults.append(f"CDS_DATABASE_URL: {error}")
    knowledge = _knowledge(settings, faults)
    clients = _clients(settings, knowledge, faults)
    if faults or knowledge is None:
        raise Unfit(faults)
    return Checked(settings, knowledge, clients)


def _knowledge(settings: Settings, faults: list[str]) -> Knowledge | None:
    try:
        return load(site=settings.cards)
    except CatalogueError as error:
        faults += error.faults
        return None


def _clients(settings: Settings, knowledge: Knowledge | None, faults: list[str]) -> tuple[Client, ...]:
    """The registry's clients; in demo mode the official sandbox too, whose private key everybody has."""
    keys = knowledge.service.prefetch if knowledge is not None else ()
    try:
        clients = load_registry(settings.clients, keys) if settings.clients is not None else ()
    except RegistryError as error:
        faults += error.faults
        return ()
    if settings.patient_key is None:
        faults += [_no_key(settings, client) for client in clients if client.remember_days]
    if not settings.demo:
        if settings.clients is not None:
            faults += [f"{settings.clients.name}: {fault}" for fault in insecure(clients)]
        return clients
    sandbox = sandbox_client()
    return clients if any(client.issuer == sandbox.issuer for client in clients) else (*clients, sandbox)


def _no_key(settings: Settings, client: Client) -> str:
    where = f"{settings.clients.name if settings.clients else ''}: client.{client.name}.remember_days"
    return f"{where}: needs CDS_PATIENT_KEY, under which a patient is remembered; set it, or use 0"


def assemble(checked: Checked, lifecycle: Lifecycle | None = None) -> Flask:
    """The application. The database is opened here, and the service starts without it when it is away."""
    settings, knowledge = checked.settings, checked.knowledge
    outbound = cache(_way_out)
    call_back = cache(lambda: _call_back(outbound(), settings.budget))
    if not settings.demo:
        call_back()
        signatures()  # here, so that the first caller with a token waits for neither
    database = _opened(settings, FOR_HOOKS)
    watch = Watch(knowledge.digest, {system for system, _ in knowledge.meanings}, settings.patient_key)
    door = Door(
        checked.clients,
        _key_ring(outbound),
        StoredReplay(database),
        settings.base_url,
        time.time,
        open_to_all=settings.demo,
    )
    examples = cache(partial(Examples.of, sandbox.folder(), linked=settings.demo))
    service = CardService(knowledge, settings.base_url, call_back, examples)
    patient_database = _opened(settings, FOR_FEEDBACK)
    books = _books(settings, knowledge, database, patient_database)
    app = create_app(Parts(service, settings, door, watch, books, lifecycle or Lifecycle(), lambda: database.up))
    if settings.demo:
        _add_demo_pages(app, settings, service, books, patient_database)
    return app


def _add_demo_pages(
    app: Flask, settings: Settings, service: CardService, books: Books, patient_database: Database
) -> None:
    """What only testers may see: the stories, as pages and as a FHIR server, and the report."""
    from cds_service.report.route import report_page  # as below: production has none of these pages
    from cds_service.sandbox.fhir import fhir_endpoint
    from cds_service.sandbox.page import testers_page

    def enter(card: Mapping[str, Any], decision: Decision, patient_id: str) -> None:
        books.enter(card, decision, None, patient_id)

    stories = sandbox.folder()
    app.register_blueprint(testers_page(service, stories, lambda: today(settings), enter))
    app.register_blueprint(fhir_endpoint(stories, settings.base_url))
    app.register_blueprint(report_page(patient_database, service.knowledge))


def _opened(settings: Settings, patience: Patience) -> Database:
    """The database, its tables up to date, unless it is away."""
    database = Database(database_url(settings.database_url), time.monotonic, patience)
    with suppress(StoreDown):
        database.run(lambda connection: None)
    return database


def _books(settings: Settings, knowledge: Knowledge, database: Database, patient_database: Database) -> Books:
    """The books; what may wait a little uses *patient_database*, what a hook waits for *database*."""
    own_words = (*(statement.text for statement in knowledge.statements.values()), *_flat(knowledge.words))
    reasons = [(reason.system, reason.code) for reason in knowledge.override_reasons]
    feedback = FeedbackStore(patient_database, reasons, keeping(settings.comments, own_words))
    remembered = Remembered(database, settings.patient_key) if settings.patient_key else None
    return Books(knowledge, Ledger(patient_database), feedback, remembered)


def _flat(words: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for group in words.values():
        yield from group.values()


def explain_token(checked: Checked, token: str, path: str) -> list[str]:
    """Each check of *token*, as sent to *path* of this service, a line each; keys are fetched when they must be."""
    from cds_service.trust.explain import explain

    audience = checked.settings.base_url + path
    return explain(token, audience, checked.clients, _key_ring(_way_out).key_of, time.time())


def _way_out() -> Outbound:
    """Loads requests and urllib3, which the demo needs only when a site of a registry calls it."""
    from cds_service.outbound.fetch import Outbound

    return Outbound()


def _call_back(outbound: Outbound, budget: float) -> CallBack:
    from cds_service.ehr.fill import CallBack  # with the way out, and nothing else needs it

    return CallBack(outbound, budget=budget, slots=CALL_BACK_SLOTS)


def _key_ring(outbound: Callable[[], Outbound]) -> KeyRing:
    return KeyRing(lambda client: _jwks(outbound(), client), time.monotonic)


def _jwks(outbound: Outbound, client: Client) -> bytes:
    """The client's keys from the address in the registry. Raises NotFetched.

    The address may be a private one only for a site that has an internal FHIR base.
    """
    assert isinstance(client.keys, Address), "pinned keys are never fetched"
    accept = {"Accept": "application/jwk-set+json, application/json"}
    return outbound.send(
        client.keys,
        Deadline(KEYS_WITHIN),
        headers=accept,
        max_bytes=MAX_KEY_SET,
        internal=any(base.internal for base in client.fhir_bases),
        ca_file=client.ca_file,
    ).body
