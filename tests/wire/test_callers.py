"""Production mode over HTTP: known callers are answered, everybody else gets the same 401."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from calls import FEEDBACK, HOOK, Observed, application, hook_call
from flask.testing import FlaskClient

from cds_service.settings import Settings
from cds_service.store.database import Database, database_url
from cds_service.store.replay import StoredReplay
from cds_service.trust.clients import Client
from tests.conftest import Lines
from tests.trust import client as site
from tests.trust import token

BASE = "https://cds.example.org"
ITEM = {"card": "c1", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T12:00:00Z"}


def production(service: Observed, *clients: Client, **parts: Any) -> FlaskClient:
    return application(service, Settings("production", BASE), clients or (site(),), **parts).test_client()


@pytest.fixture
def client(service: Observed, database: Database) -> FlaskClient:
    return production(service, database=database)


def bearer(path: str, **changes: Any) -> dict[str, str]:
    """The Authorization of a call to *path*, made now."""
    now = time.time()
    made = token(**({"aud": BASE + path, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())} | changes))
    return {"Authorization": f"Bearer {made}"}


def test_a_known_caller_is_answered(client: FlaskClient, service: Observed) -> None:
    assert client.post(HOOK, json=hook_call(), headers=bearer(HOOK)).get_json() == {"cards": []}
    ((_, _, caller),) = service.seen
    assert caller is not None
    assert caller.name == "site"


@pytest.mark.parametrize("path", [HOOK, FEEDBACK])
def test_without_a_token_there_is_no_answer(client: FlaskClient, service: Observed, path: str) -> None:
    assert client.post(path, json=hook_call()).status_code == 401
    assert service.seen == []


def test_every_refusal_is_the_same_to_the_caller(client: FlaskClient) -> None:
    """Best practices: a bare 401 without saying why."""
    good = bearer(HOOK)
    assert client.post(HOOK, json=hook_call(), headers=good).status_code == 200
    refused = [
        {},
        good,
        {"Authorization": "Basic eA=="},
        bearer(FEEDBACK),
        bearer(HOOK, iss="https://unknown.example.org"),
        bearer(HOOK, exp=time.time() - 100),
        bearer(HOOK, iat=...),
        {"Authorization": bearer(HOOK)["Authorization"] + "x"},
    ]
    answers = [client.post(HOOK, json=hook_call(), headers=headers) for headers in refused]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert answers[0].get_json()["resourceType"] == "OperationOutcome"
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {"*"}


def test_who_is_refused_is_refused_before_the_body_is_read(client: FlaskClient) -> None:
    assert client.post(HOOK, data=b"{", headers={"Content-Type": "application/json"}).status_code == 401


def test_a_preflight_needs_no_token(client: FlaskClient) -> None:
    for path in ("/cds-services", HOOK, FEEDBACK):
        assert client.options(path, headers={"Origin": "https://ehr.example.org"}).status_code == 204


def test_discovery_needs_no_token_but_judges_one_that_is_sent(client: FlaskClient) -> None:
    assert client.get("/cds-services").status_code == 200
    assert client.get("/cds-services", headers=bearer("/cds-services")).status_code == 200
    assert client.get("/cds-services", headers=bearer(HOOK)).status_code == 401


@pytest.mark.parametrize("audience", [FEEDBACK, HOOK, f"{FEEDBACK}/"])
def test_feedback_takes_a_token_for_itself_or_for_the_service(client: FlaskClient, audience: str) -> None:
    assert client.post(FEEDBACK, json={"feedback": [ITEM]}, headers=bearer(audience)).get_json() == {"received": 1}


def test_the_pages_for_operators_need_no_token(client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/version", "/openapi.json", "/about"):
        assert client.get(path).status_code == 200


def test_the_audience_is_the_configured_address_whatever_the_host_header_says(client: FlaskClient) -> None:
    headers = bearer(HOOK) | {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"}
    assert client.post(HOOK, json=hook_call(), headers=headers).status_code == 200
    forged = bearer(HOOK, aud=f"https://evil.example.org{HOOK}") | {"Host": "evil.example.org"}
    assert client.post(HOOK, json=hook_call(), headers=forged).status_code == 401


def test_a_replayed_token_is_refused_after_a_restart_too(service: Observed, tmp_path: Path) -> None:
    def restarted() -> FlaskClient:
        database = Database(database_url(f"sqlite:///{tmp_path}/store.db"), time.monotonic)
        return production(service, replay=StoredReplay(database))

    headers = bearer(HOOK)
    assert restarted().post(HOOK, json=hook_call(), headers=headers).status_code == 200
    assert restarted().post(HOOK, json=hook_call(), headers=headers).status_code == 401


def test_calls_are_answered_while_the_database_is_away(service: Observed, tmp_path: Path) -> None:
    database = Database(database_url(f"sqlite:///{tmp_path}/not-there/store.db"), time.monotonic)
    client = production(service, replay=StoredReplay(database))
    headers = bearer(HOOK)
    assert client.post(HOOK, json=hook_call(), headers=headers).status_code == 200
    assert client.post(HOOK, json=hook_call(), headers=headers).status_code == 401


def test_a_client_set_to_warn_may_use_a_token_twice_and_it_is_counted(service: Observed) -> None:
    client = production(service, site(replay="warn"))
    headers = bearer(HOOK)
    assert [client.post(HOOK, json=hook_call(), headers=headers).status_code for _ in range(2)] == [200, 200]
    assert 'cds_refused_tokens_total{reason="replayed"} 1.0' in client.get("/metrics").text


def test_the_log_says_who_called_and_why_a_token_was_refused_and_holds_no_token(
    client: FlaskClient, log: Lines
) -> None:
    good, late = bearer(HOOK, tenant="t1", jti="id-1"), bearer(HOOK, exp=time.time() - 100)
    client.post(HOOK, json=hook_call(), headers=good)
    client.post(HOOK, json=hook_call(), headers=late)
    answered, refused = log()
    assert (answered["client"], answered["tenant"], answered["token_id"]) == ("site", "t1", "id-1")
    assert (refused["status"], refused["reason"]) == (401, "expired")
    for sent in (good, late):
        for part in sent["Authorization"].removeprefix("Bearer ").split("."):
            assert part not in json.dumps(log())
    assert 'cds_refused_tokens_total{reason="expired"} 1.0' in client.get("/metrics").text


def test_a_sites_own_key_names_are_ours(service: Observed) -> None:
    client = production(service, site(prefetch_names={"problems": "conditions", "pt": "patient"}))
    prefetch = {"pt": {"resourceType": "Patient", "id": "p1"}, "problems": None}
    assert client.post(HOOK, json=hook_call(prefetch=prefetch), headers=bearer(HOOK)).get_json() == {"cards": []}


def test_a_sites_name_never_takes_the_place_of_a_key_that_came(service: Observed) -> None:
    client = production(service, site(prefetch_names={"problems": "conditions"}))
    prefetch = hook_call()["prefetch"] | {"problems": {"resourceType": "OperationOutcome", "issue": []}}
    assert client.post(HOOK, json=hook_call(prefetch=prefetch), headers=bearer(HOOK)).status_code == 200


def test_in_demo_mode_a_bad_token_is_nobody_in_particular(service: Observed, settings: Settings) -> None:
    client = application(service, settings, [site()]).test_client()
    assert client.post(HOOK, json=hook_call(), headers=bearer(HOOK, exp=1)).status_code == 200
    ((_, _, caller),) = service.seen
    assert caller is None
