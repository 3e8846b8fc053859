"""Data the EHR did not supply are asked of its FHIR server: the same card, or what is lacking is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from calls import FEEDBACK, HOOK, Observed, application, hook_call
from flask.testing import FlaskClient
from test_callers import BASE, bearer

from cds_service.ehr.fill import CallBack
from cds_service.outbound.address import parse_address
from cds_service.outbound.fetch import Outbound
from cds_service.settings import Settings
from cds_service.trust.clients import FhirBase
from tests.charts import TODAY as CHART_TODAY
from tests.charts import relapsed_b
from tests.conftest import Lines
from tests.ehr.bad_server import BadServer, Behaviour, answer, no_outbound_thread_left, serving, silent
from tests.trust import client as site

TOKEN = "canary-access-token"
KEYS = {
    "Patient": "patient",
    "Condition": "conditions",
    "Observation": "observations",
    "Procedure": "procedures",
    "MedicationRequest": "medications",
    "MedicationAdministration": "administrations",
}
EMPTY = {"resourceType": "Bundle", "type": "searchset"}


def chart() -> dict[str, Any]:
    return {key: json.loads(value) for key, value in relapsed_b().prefetch().items()}


def holding(values: Mapping[str, Any], **instead: Behaviour) -> Behaviour:
    """A server that has *values*, and behaves as told for some resource types."""

    def behave(visit: Any) -> None:
        kind = visit.kind
        (instead.get(kind) or answer(values.get(KEYS[kind]) or EMPTY))(visit)

    return behave


@pytest.fixture(autouse=True)
def _leave_no_thread() -> Iterator[None]:
    yield
    assert no_outbound_thread_left()


def client_of(server: BadServer, *, budget: float = 5.0, slots: int = 8, **changes: Any) -> FlaskClient:
    service = Observed(CallBack(Outbound(), budget=budget, slots=slots))
    known = site(fhir_bases=(FhirBase(parse_address(server.base), True),), **changes)
    return application(service, Settings("production", BASE, today=_today()), [known]).test_client()


def _today() -> Any:
    from datetime import date

    return date.fromisoformat(CHART_TODAY)


def asked(server: BadServer | None, prefetch: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    context = {"userId": "Practitioner/1", "patientId": relapsed_b().patient()["id"]}
    call = hook_call(context=context, prefetch=dict(prefetch))
    if server is not None:
        granted = {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/*.rs",
            "subject": "x",
        }
        call |= {"fhirServer": server.base, "fhirAuthorization": granted}
    return call | changes


def card(client: FlaskClient, call: Mapping[str, Any]) -> dict[str, Any]:
    response = client.post(HOOK, json=call, headers=bearer(HOOK))
    assert response.status_code == 200
    (found,) = response.get_json()["cards"]
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "uuid", json.dumps(found)))  # type: ignore[no-any-return]


def test_by_prefetch_and_by_call_back_the_card_is_the_same() -> None:
    whole = {key: chart().get(key) for key in KEYS.values()}
    with serving(holding(chart())) as server:
        client = client_of(server)
        by_prefetch = card(client, asked(server, whole))
        assert server.visits == []
        assert card(client, asked(server, {})) == by_prefetch
        half = {key: whole[key] for key in ("patient", "conditions")}
        assert card(client, asked(server, half)) == by_prefetch
    assert {visit.headers["authorization"] for visit in server.visits} == {f"Bearer {TOKEN}"}


def test_a_key_that_is_null_or_failed_is_not_asked_for_again() -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    given = dict.fromkeys(KEYS.values()) | chart() | {"procedures": failed}
    with serving(holding({})) as server:
        assert "procedures" in card(client_of(server), asked(server, given))["detail"]
    assert server.visits == []


def test_what_could_not_be_read_is_named_on_the_card() -> None:
    with serving(holding(chart(), Procedure=answer(b"", "403 Forbidden"))) as server:
        detail = card(client_of(server), asked(server, {}))["detail"]
    assert re.search(r"could not be read or not completely: .*procedures", detail)


def test_required_data_the_server_does_not_give_are_412_and_say_so() -> None:
    with serving(holding(chart(), Condition=answer(b"", "403 Forbidden"))) as server:
        response = client_of(server).post(HOOK, json=asked(server, {}), headers=bearer(HOOK))
    assert response.status_code == 412
    (issue,) = response.get_json()["issue"]
    assert issue["expression"] == ["prefetch.conditions"]
    assert "status 403" in issue["diagnostics"]
    assert TOKEN not in response.text


def test_a_page_the_ehr_left_behind_is_fetched() -> None:
    whole = chart()
    entries = whole["observations"]["entry"]
    with serving(holding({"observations": whole["observations"] | {"entry": entries[1:]}})) as server:
        link = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        first = whole["observations"] | {"entry": entries[:1], "link": link}
        by_pages = card(
            client_of(server), asked(server, dict.fromkeys(KEYS.values()) | whole | {"observations": first})
        )
        assert by_pages == card(client_of(server), asked(server, {key: whole.get(key) for key in KEYS.values()}))
    assert [visit.target for visit in server.visits] == ["/fhir/Observation?page=2"]


def test_a_page_that_cannot_be_fetched_leaves_the_key_incomplete_on_the_card() -> None:
    whole = dict.fromkeys(KEYS.values()) | chart()
    with serving(holding({}, Observation=answer(b"", "500 Internal Server Error"))) as server:
        link = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        whole["observations"] |= {"link": link}
        assert "not completely: observations" in card(client_of(server), asked(server, whole))["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fhirServer": "https://another.example.org/fhir"}, id="a server that is not the site's"),
        pytest.param({"fhirAuthorization": None}, id="no token"),
        pytest.param({"fhirServer": None, "fhirAuthorization": None}, id="no server"),
    ],
)
def test_without_leave_to_call_nothing_is_called(changes: dict[str, Any]) -> None:
    with serving(holding(chart())) as server:
        response = client_of(server).post(HOOK, json=asked(server, {}, **changes), headers=bearer(HOOK))
    assert response.status_code == 412
    assert server.visits == []


def test_a_silent_server_takes_the_budget_and_no_more() -> None:
    given = {key: chart().get(key) for key in KEYS.values() if key != "procedures"}
    with serving(silent) as server:
        client = client_of(server, budget=0.3)
        assert "procedures" in card(client, asked(server, given))["detail"]


def test_when_too_many_calls_wait_for_the_ehr_a_call_that_needs_it_is_told_when_to_come_back() -> None:
    """The bulkhead: a call that has its data is answered, one that lacks required data is 503."""
    import threading

    given = {key: chart().get(key) for key in KEYS.values()}
    with serving(silent) as server:
        client = client_of(server, budget=2.0, slots=1)
        stuck = threading.Thread(
            target=client.post, args=(HOOK,), kwargs={"json": asked(server, {}), "headers": bearer(HOOK)}
        )
        stuck.start()
        while not server.visits:
            assert stuck.is_alive()
        busy = client.post(HOOK, json=asked(server, {}), headers=bearer(HOOK))
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
        assert card(client, asked(server, given))["indicator"] == "info"
        assert stuck.is_alive()
        stuck.join()


def test_the_audit_names_each_key_and_what_became_of_it(log: Lines) -> None:
    with serving(holding(chart(), Procedure=answer(b"", "403 Forbidden"))) as server:
        client = client_of(server)
        card(client, asked(server, {}))
        (line,) = log()
        assert "observations fetched" in line["fetched"]
        assert "procedures status 403" in line["fetched"]
        assert TOKEN not in json.dumps(line)
        assert 'cds_fetches_total{key="procedures",outcome="status 403"} 1.0' in client.get("/metrics").text


def test_feedback_calls_nobody_back() -> None:
    item = {"card": "c1", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T12:00:00Z"}
    with serving(holding(chart())) as server:
        client_of(server).post(FEEDBACK, json={"feedback": [item]}, headers=bearer(FEEDBACK))
    assert server.visits == []


def test_an_epic_site_is_asked_by_category_as_its_searches_need() -> None:
    with serving(holding(chart())) as server:
        card(client_of(server, profile="epic"), asked(server, {}))
    targets = [visit.target for visit in server.visits]
    assert len([target for target in targets if target.startswith("/fhir/Condition?")]) == 2
    assert all(
        "category=" in target for target in targets if target.startswith(("/fhir/Condition", "/fhir/Observation"))
    )


def test_a_key_nobody_asked_for_is_neither_followed_nor_named_in_a_log_or_metric(log: Lines) -> None:
    with serving(holding(chart())) as server:
        client = client_of(server)
        link = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        given = {key: chart().get(key) for key in KEYS.values()} | {"canary": dict(EMPTY) | {"link": link}}
        card(client, asked(server, given))
        assert server.visits == []
        assert "canary" not in json.dumps(log()) + client.get("/metrics").text
