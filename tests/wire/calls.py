"""The application as the wire tests call it: the real service, in parts a test can look into."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

from flask import Flask

from cds_service.app import Parts, create_app
from cds_service.books import Books
from cds_service.catalogue import load
from cds_service.comments import Comments, keeping
from cds_service.ehr.fill import CallBack
from cds_service.hooks.envelope import HookRequest
from cds_service.knowledge import Knowledge
from cds_service.lifecycle import Lifecycle
from cds_service.service import Answer, CardService
from cds_service.settings import Settings
from cds_service.store.database import Database, database_url
from cds_service.store.feedback import FeedbackStore
from cds_service.store.ledger import Ledger
from cds_service.store.remembered import Remembered
from cds_service.trust.clients import Client
from cds_service.trust.door import Door, Replay
from cds_service.trust.door import Remembered as SeenHere
from cds_service.trust.keys import KeyRing
from cds_service.watch import Watch
from tests.charts import TODAY as CHART_TODAY

MAX_BODY = 100_000
BASE_URL = "http://127.0.0.1:8080"
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
HOOK = "/cds-services/relapsed-refractory-all"
FEEDBACK = f"{HOOK}/feedback"
TODAY = date.fromisoformat(CHART_TODAY)


@cache
def knowledge() -> Knowledge:
    return load()


class Observed(CardService):
    """The service; a test sees what reached it, and may have it fail."""

    def __init__(self, call_back: CallBack | None = None) -> None:
        super().__init__(knowledge(), BASE_URL, (lambda: call_back) if call_back is not None else None)
        self.seen: list[tuple[HookRequest, date, Client | None]] = []
        self.raises: BaseException | None = None

    def answer(self, request: HookRequest, today: date, client: Client | None = None) -> Answer:
        self.seen.append((request, today, client))
        if self.raises is not None:
            raise self.raises
        return super().answer(request, today, client)


def no_keys(client: Client) -> bytes:
    raise AssertionError(f"the keys of {client.name} were asked for")


def application(
    service: CardService,
    settings: Settings,
    clients: Sequence[Client] = (),
    *,
    replay: Replay | None = None,
    database: Database | None = None,
    comments: Comments = "off",
    draining: bool = False,
    store_up: bool = True,
) -> Flask:
    """The application on *service*, open or not as *settings* say."""
    watch = Watch(service.digest, {system for system, _ in service.knowledge.meanings}, settings.patient_key)
    door = Door(
        tuple(clients),
        KeyRing(no_keys, time.monotonic),
        replay or SeenHere(),
        settings.base_url,
        time.time,
        open_to_all=settings.demo,
    )
    lifecycle = Lifecycle()
    if draining:
        lifecycle.stop()
    books = books_of(database or absent_database(), settings.patient_key, comments)
    return create_app(Parts(service, settings, door, watch, books, lifecycle, lambda: store_up))


def books_of(database: Database, key: bytes | None = None, comments: Comments = "off") -> Books:
    reasons = [(reason.system, reason.code) for reason in knowledge().override_reasons]
    feedback = FeedbackStore(database, reasons, keeping(comments, ["already on a trial"]))
    return Books(knowledge(), Ledger(database), feedback, Remembered(database, key) if key else None)


def absent_database() -> Database:
    """A database that cannot be opened: nothing is kept, and hooks are answered."""
    return Database(database_url("sqlite:////nowhere/at/all/store.db"), time.monotonic)


def hook_call(**changes: Any) -> dict[str, Any]:
    """A valid call; a change of ... leaves the field out."""
    call = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "conditions": None},
    } | changes
    return {name: value for name, value in call.items() if value is not ...}


def body_of(call: Any) -> bytes:
    return json.dumps(call).encode()
