"""What is kept of a call: an audit line and counters, and nothing of the patient."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import replace
from typing import Any

import pytest
from calls import BASE_URL, FEEDBACK, HOOK, INSTANCE, TODAY, Observed, application, body_of, hook_call, knowledge
from flask.testing import FlaskClient

from cds_service import logs
from cds_service.settings import Settings
from tests.charts import relapsed_b
from tests.conftest import Lines

CANARY = "canary"
JSON = {"Content-Type": "application/json"}


def relapsed() -> dict[str, Any]:
    """The chart of a relapse, as of the day the application is told."""
    chart = relapsed_b()
    context = {"userId": "Practitioner/1", "patientId": chart.patient()["id"]}
    return hook_call(context=context, prefetch={key: json.loads(value) for key, value in chart.prefetch().items()})


def counted(client: FlaskClient, name: str) -> list[str]:
    return sorted(line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name}_total{{"))


def test_an_answer_leaves_one_line_that_says_what_was_answered_and_why(client: FlaskClient, log: Lines) -> None:
    response = client.post(HOOK, json=relapsed())
    (line,) = log()
    assert (line["event"], line["level"], line["route"], line["status"]) == ("answered", "info", "hook", 200)
    assert (line["class"], line["digest"], line["hook_instance"]) == ("relapsed", knowledge().digest, INSTANCE)
    assert line["rule"].startswith("R7")
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert line["milliseconds"] > 0
    assert "patient" not in line


def test_a_refusal_leaves_a_line_with_its_status(client: FlaskClient, log: Lines) -> None:
    client.post(HOOK, data=b"{", headers=JSON)
    client.post(FEEDBACK, data=b"{}", headers=JSON)
    assert [(line["event"], line["route"], line["status"]) for line in log()] == [
        ("refused", "hook", 400),
        ("refused", "feedback", 400),
    ]


def test_probes_and_pages_leave_no_line(client: FlaskClient, log: Lines) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/about", "/nowhere"):
        client.get(path)
    assert log() == []


def test_with_a_key_the_patient_is_a_hash_that_only_the_site_can_make(
    service: Observed, settings: Settings, log: Lines
) -> None:
    def hash_under(key: bytes, patient: str) -> str:
        client = application(service, replace(settings, patient_key=key)).test_client()
        client.post(HOOK, json=hook_call(context={"userId": "Practitioner/1", "patientId": patient}))
        line = log()[-1]
        assert patient not in line.values()
        return str(line["patient"])

    ours, other = b"k" * 32, b"q" * 32
    assert hash_under(ours, "patient-1") == hash_under(ours, "patient-1")
    assert len({hash_under(ours, "patient-1"), hash_under(ours, "patient-2"), hash_under(other, "patient-1")}) == 3


def test_answers_are_counted_by_class_and_rule(client: FlaskClient) -> None:
    for _ in range(2):
        client.post(HOOK, json=relapsed())
    client.post(HOOK, json=hook_call())
    found = counted(client, "cds_answers")
    assert any('card="shown",class="relapsed",rule="R7' in line and line.endswith(" 2.0") for line in found)
    assert any('card="none"' in line and line.endswith(" 1.0") for line in found)
    assert 'cds_calls_total{client="none",route="hook",status="200"} 3.0' in client.get("/metrics").text


def test_412_is_counted(client: FlaskClient) -> None:
    client.post(HOOK, json=hook_call(prefetch={}))
    assert counted(client, "cds_calls") == ['cds_calls_total{client="none",route="hook",status="412"} 1.0']


def test_what_is_set_aside_is_counted_by_reason_another_patients_too(client: FlaskClient) -> None:
    asked = relapsed()
    foreign = json.loads(json.dumps(asked["prefetch"]["conditions"]["entry"][0]))
    foreign["resource"] |= {"id": "of-another", "subject": {"reference": "Patient/another"}}
    asked["prefetch"]["conditions"]["entry"].append(foreign)
    client.post(HOOK, json=asked)
    assert 'cds_set_aside_total{reason="another-patient"} 1.0' in counted(client, "cds_set_aside")


def test_unknown_codes_are_counted_by_systems_we_know_and_the_rest_together(client: FlaskClient) -> None:
    asked = relapsed()
    entries = asked["prefetch"]["observations"]["entry"]
    for system in ("http://loinc.org", "urn:canary:1", "urn:canary:2"):
        odd = {"resourceType": "Observation", "id": "odd", "code": {"coding": [{"system": system, "code": "0-0"}]}}
        entries.append({"resource": odd})
    client.post(HOOK, json=asked)
    assert counted(client, "cds_unknown_codes") == [
        'cds_unknown_codes_total{system="http://loinc.org"} 1.0',
        'cds_unknown_codes_total{system="other"} 2.0',
    ]


def test_nothing_of_the_patient_is_in_a_line_or_a_counter(client: FlaskClient, log: Lines) -> None:
    asked = hook_call(
        context={"userId": f"Practitioner/{CANARY}", "patientId": CANARY, "encounterId": CANARY},
        prefetch={"patient": {"resourceType": "Patient", "id": CANARY, "name": [{"text": CANARY}]}, CANARY: None},
        fhirServer=f"https://{CANARY}.example.org",
        fhirAuthorization={"access_token": CANARY, "token_type": "Bearer", "expires_in": 300, "scope": CANARY},
    )
    headers = {"Authorization": f"Bearer {CANARY}", "User-Agent": CANARY, "Referer": f"https://{CANARY}/"}
    for body in (asked, asked | {"hook": CANARY}, asked | {"prefetch": {}}, asked | {"prefetch": {"patient": CANARY}}):
        client.post(f"{HOOK}?{CANARY}", data=body_of(body), headers={**JSON, **headers})
    kept = log()
    assert len(kept) == 4
    assert CANARY not in json.dumps(kept)
    assert CANARY not in client.get("/metrics").text


# The log.


def test_a_field_that_is_not_listed_is_dropped_and_a_long_one_cut(log: Lines) -> None:
    logs.info("answered", name=CANARY, tenant="x" * 1000, status=200, client="", reason=None)
    (line,) = log()
    assert set(line) == {"event", "level", "timestamp", "tenant", "status"}
    assert len(line["tenant"]) == logs.LONGEST


def test_of_a_librarys_message_only_its_name_and_place_are_kept(log: Lines) -> None:
    logging.getLogger("waitress.queue").warning("Failed to parse %s", f"https://ehr/Patient/{CANARY}")
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("waitress").exception("Exception while serving %s", CANARY)
    warnings.warn(CANARY, stacklevel=1)
    first, second, third = log()
    assert (first["event"], first["level"], first["logger"]) == ("library", "warning", "waitress.queue")
    assert (second["level"], second["error"]) == ("error", "ValueError")
    assert second["place"].startswith("test_watch:")
    assert third["logger"] == "py.warnings"
    assert CANARY not in str((first, second, third))


# Readiness.


@pytest.mark.parametrize(
    ("draining", "store_up", "status", "says"),
    [(False, True, 200, "ready"), (False, False, 200, "degraded"), (True, True, 503, "draining")],
)
def test_readiness_says_why(service: Observed, draining: bool, store_up: bool, status: int, says: str) -> None:
    app = application(service, Settings("demo", BASE_URL, today=TODAY), draining=draining, store_up=store_up)
    response = app.test_client().get("/readyz")
    assert (response.status_code, response.get_json()["status"]) == (status, says)
    assert ("reasons" in response.get_json()) == (says != "ready")
    assert f"cds_store_up {float(store_up)}" in app.test_client().get("/metrics").text
