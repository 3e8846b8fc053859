"""Feedback that was acknowledged is kept, once; an answered card is not shown again until something changes."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from calls import FEEDBACK, HOOK, Observed, absent_database, application, hook_call
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Row, select
from test_callers import BASE, bearer

from cds_service.settings import Settings
from cds_service.store.database import Database
from cds_service.store.ledger import MOST_WAITING, Ledger
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    override_reason,
)
from tests.charts import TODAY as CHART_TODAY
from tests.charts import Chart, relapsed_b
from tests.conftest import Lines
from tests.trust import client as site

KEY = b"0123456789abcdef0123456789abcdef"
PATIENCE = 5.0


def item(card: str, **changes: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-01-31T12:00:00Z"} | changes


def send(client: FlaskClient, *items: dict[str, Any], **headers: str) -> int:
    return client.post(FEEDBACK, json={"feedback": list(items)}, headers=headers).status_code


def rows(database: Database, table: Any) -> list[Row[Any]]:
    return database.run(lambda connection: list(connection.execute(select(table))))


def written(app: Flask, database: Database) -> list[Row[Any]]:
    """The ledger, once all that was noted is there."""
    ledger: Ledger = app.extensions["cds_service"].books.ledger
    deadline = time.monotonic() + PATIENCE
    while ledger.waiting:
        assert time.monotonic() < deadline
    return rows(database, issued_card)


def view(chart: Chart, **changes: Any) -> dict[str, Any]:
    context = {"userId": "Practitioner/1", "patientId": chart.patient()["id"]}
    prefetch = {key: json.loads(value) for key, value in chart.prefetch().items()}
    return hook_call(context=context, prefetch=prefetch) | changes


def shown(client: FlaskClient, chart: Chart | None = None) -> list[dict[str, Any]]:
    response = client.post(HOOK, json=view(chart or relapsed_b()), headers=bearer(HOOK))
    assert response.status_code == 200
    cards: list[dict[str, Any]] = response.get_json()["cards"]
    return cards


# Kept, once.


def test_feedback_is_on_disk_before_it_is_acknowledged(client: FlaskClient, database: Database) -> None:
    card = str(uuid.uuid4())
    assert send(client, item(card)) == 200
    (event,) = rows(database, feedback_event)
    assert (event.card, event.outcome, event.client) == (card, "overridden", "none")
    assert event.happened == 1_769_860_800_000


def test_the_same_item_again_is_acknowledged_and_is_no_new_event(client: FlaskClient, database: Database) -> None:
    card = str(uuid.uuid4())
    for sent in (item(card), item(card), item(card.upper(), outcomeTimestamp="2026-01-31T13:00:00+01:00")):
        assert send(client, sent) == 200
    assert len(rows(database, feedback_event)) == 1
    assert 'cds_feedback_items_total{item="repeated"} 2.0' in client.get("/metrics").text


def test_the_same_item_twice_in_one_batch_is_one_event(client: FlaskClient, database: Database) -> None:
    card = str(uuid.uuid4())
    assert send(client, item(card), item(card), item(str(uuid.uuid4()))) == 200
    assert len(rows(database, feedback_event)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"outcomeTimestamp": "2026-01-31T12:00:01Z"}, id="another time"),
        pytest.param({"outcome": "accepted", "acceptedSuggestions": [{"id": "s1"}]}, id="another outcome"),
        pytest.param({"overrideReason": {"reason": {"code": "on-a-trial"}}}, id="a reason"),
    ],
)
def test_what_differs_is_another_event(client: FlaskClient, database: Database, changes: dict[str, Any]) -> None:
    card = str(uuid.uuid4())
    assert send(client, item(card), item(card, **changes)) == 200
    assert len(rows(database, feedback_event)) == 2


def test_one_item_sent_three_times_at_once_is_one_event_with_the_same_replies(app: Flask, database: Database) -> None:
    cards = [str(uuid.uuid4()) for _ in range(10)]
    answers: list[bytes] = []

    def thrice(card: str) -> None:
        answers.append(app.test_client().post(FEEDBACK, json={"feedback": [item(card)]}).data)

    threads = [threading.Thread(target=thrice, args=(card,)) for card in cards for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b'{"received":1}'] * 30
    assert sorted(event.card for event in rows(database, feedback_event)) == sorted(cards)


def test_a_batch_keeps_suggestions_and_every_reason_in_epics_spelling_too(
    client: FlaskClient, database: Database
) -> None:
    card, suggestion = str(uuid.uuid4()), str(uuid.uuid4())
    reasons = [{"code": "on-a-trial", "system": "urn:rr-all:override-reason"}, {"code": "patient-refuses"}]
    accepted = item(card, outcome="accepted", acceptedSuggestions=[{"id": suggestion}, {"id": suggestion}])
    assert send(client, accepted, item(card, overrideReasons=reasons)) == 200
    assert [row.suggestion for row in rows(database, accepted_suggestion)] == [suggestion]
    assert [(row.position, row.code) for row in rows(database, override_reason)] == [
        (0, "on-a-trial"),
        (1, "patient-refuses"),
    ]


def test_a_code_the_card_does_not_offer_is_kept_as_other_and_an_id_that_is_no_uuid_not_at_all(
    client: FlaskClient, database: Database, tmp_path: Path
) -> None:
    odd = item("canary-card", overrideReason={"reason": {"code": "canary", "system": "canary", "display": "canary"}})
    assert send(client, odd, item("canary-2", outcome="accepted", acceptedSuggestions=[{"id": "canary"}])) == 200
    assert [event.card for event in rows(database, feedback_event)] == [None, None]
    assert [(row.system, row.code) for row in rows(database, override_reason)] == [(None, "other")]
    assert rows(database, accepted_suggestion) == []
    database.close()
    assert not any(b"canary" in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("comments", "kept"),
    [("off", None), ("redact", "already on […] trial […]"), ("store", "already on a Smith trial since 3/4/26")],
)
def test_a_comment_is_kept_as_the_site_wishes(
    service: Observed, settings: Settings, database: Database, comments: Any, kept: str | None
) -> None:
    client = application(service, settings, database=database, comments=comments).test_client()
    text = "already on a Smith trial since 3/4/26"
    send(client, item(str(uuid.uuid4()), overrideReason={"reason": {"code": "on-a-trial"}, "userComment": text}))
    assert [row.comment for row in rows(database, override_reason)] == [kept]


def test_while_the_database_is_away_nothing_is_acknowledged_and_hooks_are_answered(
    service: Observed, settings: Settings
) -> None:
    client = application(service, settings, database=absent_database()).test_client()
    refused = client.post(FEEDBACK, json={"feedback": [item(str(uuid.uuid4()))]})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.get_json()["issue"][0]["code"] == "transient"
    assert client.post(HOOK, json=view(relapsed_b())).get_json()["cards"]


# The ledger.


def test_each_card_is_in_the_ledger_with_its_suggestions_and_no_patient(app: Flask, database: Database) -> None:
    (card,) = app.test_client().post(HOOK, json=view(relapsed_b())).get_json()["cards"]
    (row,) = written(app, database)
    assert (row.card, row.client, row.display) == (card["uuid"], "none", "shown")
    assert row._mapping["class"] == "relapsed"
    assert row.rule.startswith("R7")
    assert (row.patient, row.evidence) == (None, None)
    made = {row.suggestion: row.kind for row in rows(database, issued_suggestion)}
    assert sorted(made) == sorted(each["uuid"] for each in card["suggestions"])
    assert "expert-review" in made.values()


def test_a_chart_without_a_card_is_not_in_the_ledger(app: Flask, database: Database) -> None:
    app.test_client().post(HOOK, json=hook_call())
    assert written(app, database) == []


def test_cards_wait_while_the_database_is_away_and_the_oldest_go_first_when_too_many(tmp_path: Path) -> None:
    from cds_service.store.database import FOR_FEEDBACK, database_url
    from cds_service.store.ledger import IssuedCard

    folder = tmp_path / "later"
    database = Database(database_url(f"sqlite:///{folder}/store.db"), time.monotonic, FOR_FEEDBACK)
    ledger = Ledger(database)
    for at in range(MOST_WAITING + 3):
        ledger.note(IssuedCard(f"card-{at}", at, "s", "c", "relapsed", "R7", "d", "shown"))
    assert (ledger.waiting, ledger.dropped) == (MOST_WAITING, 3)
    folder.mkdir()
    deadline = time.monotonic() + 20
    while ledger.waiting:
        assert time.monotonic() < deadline
    kept = rows(database, issued_card)
    assert (len(kept), min(row.issued for row in kept)) == (MOST_WAITING, 3)
    ledger.close()


def test_closing_the_ledger_writes_what_waits_and_gives_up_on_a_database_that_is_away(
    app: Flask, database: Database
) -> None:
    app.test_client().post(HOOK, json=view(relapsed_b()))
    app.extensions["cds_service"].books.close()
    assert len(rows(database, issued_card)) == 1
    from cds_service.store.ledger import IssuedCard

    away = Ledger(absent_database())
    away.note(IssuedCard("card", 1, "s", "c", "relapsed", "R7", "d", "shown"))
    away.close(seconds=PATIENCE)
    assert away.waiting == 1
    Ledger(database).close()


# Fewer, better cards.


def production(service: Observed, database: Database, **changes: Any) -> FlaskClient:
    settings = Settings("production", BASE, today=date.fromisoformat(CHART_TODAY), patient_key=KEY)
    return application(service, settings, [site(**changes)], database=database).test_client()


def answer(client: FlaskClient, card: dict[str, Any], database: Database, **changes: Any) -> None:
    written(client.application, database)
    assert send(client, item(card["uuid"], **changes), **bearer(FEEDBACK)) == 200


def test_a_silent_site_gets_no_card_and_is_counted(service: Observed, database: Database, log: Lines) -> None:
    client = production(service, database, silent=True)
    assert shown(client) == []
    (row,) = written(client.application, database)
    assert row.display == "silent"
    assert log()[-1]["card"] == "silent"
    assert 'card="silent",class="relapsed"' in client.get("/metrics").text


@pytest.mark.parametrize("outcome", ["overridden", "accepted"])
def test_an_answered_card_is_not_shown_again(service: Observed, database: Database, outcome: str) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    (again,) = shown(client)
    assert again["uuid"] != card["uuid"]
    more = {"outcome": outcome, "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    answer(client, card, database, **(more if outcome == "accepted" else {}))
    assert shown(client) == []
    assert [row.display for row in written(client.application, database)] == ["shown", "shown", "repeated"]
    assert 'card="repeated",class="relapsed"' in client.get("/metrics").text


def test_it_is_shown_again_when_the_deciding_evidence_changes(service: Observed, database: Database) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    answer(client, card, database)
    assert shown(client) == []
    assert shown(client, relapsed_b().marrow(71, "2026-10-28"))


def test_something_irrelevant_does_not_bring_it_back(service: Observed, database: Database) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    answer(client, card, database)
    asked = view(relapsed_b())
    lab = {"resourceType": "Observation", "id": "na", "status": "final", "code": {"text": "Sodium"}}
    asked["prefetch"]["observations"]["entry"].insert(0, {"resource": lab})
    assert client.post(HOOK, json=asked, headers=bearer(HOOK)).get_json()["cards"] == []


def test_another_patient_of_the_same_evidence_sees_the_card(service: Observed, database: Database) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    answer(client, card, database)
    text = json.dumps(view(relapsed_b())).replace(relapsed_b().patient()["id"], "another-patient")
    assert client.post(HOOK, json=json.loads(text), headers=bearer(HOOK)).get_json()["cards"]


def test_after_the_days_have_passed_it_is_shown_again(service: Observed, database: Database) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    answer(client, card, database)

    def age(connection: Connection) -> None:
        connection.execute(feedback_event.update().values(received=feedback_event.c.received - 31 * 86_400_000))

    assert shown(client) == []
    database.run(age)
    assert shown(client)


def test_off_by_default_nothing_is_remembered(service: Observed, database: Database) -> None:
    client = production(service, database)
    (card,) = shown(client)
    answer(client, card, database)
    assert shown(client)
    assert all((row.patient, row.evidence) == (None, None) for row in written(client.application, database))


def test_feedback_of_one_site_does_not_silence_another(service: Observed, database: Database) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    written(client.application, database)
    other = application(service, Settings("production", BASE), [replace(site(), name="other")], database=database)
    assert send(other.test_client(), item(card["uuid"]), **bearer(FEEDBACK)) == 200
    assert shown(client)


def test_while_the_database_is_away_cards_are_shown(service: Observed) -> None:
    assert shown(production(service, absent_database(), remember_days=30))


def test_nothing_that_is_kept_names_the_patient(service: Observed, database: Database, tmp_path: Path) -> None:
    client = production(service, database, remember_days=30)
    (card,) = shown(client)
    answer(client, card, database, overrideReason={"userComment": "canary"})
    shown(client)
    written(client.application, database)
    database.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    patient = relapsed_b().patient()["id"].encode()
    assert card["uuid"].encode() in kept
    assert not [text for text in (patient, b"canary", b"Practitioner", KEY) if text in kept]


def test_remembering_needs_the_sites_key(tmp_path: Path) -> None:
    from cds_service.assemble import Unfit, check
    from tests.test_assemble import registry

    with pytest.raises(Unfit, match=r"client\.site\.remember_days: needs CDS_PATIENT_KEY"):
        check({"CDS_CLIENTS": str(registry(tmp_path, remember_days=30))}, "demo")
    assert check({"CDS_CLIENTS": str(registry(tmp_path, remember_days=30)), "CDS_PATIENT_KEY": "k" * 32}, "demo")
