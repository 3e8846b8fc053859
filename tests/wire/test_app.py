"""What a caller sees over HTTP: answers, refusals, and the headers of both."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calls import BASE_URL, FEEDBACK, HOOK, MAX_BODY, TODAY, Observed, application, body_of, hook_call, knowledge
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from cds_service.errors import ServiceError, Unavailable
from cds_service.settings import Settings
from tests.conftest import Lines

ITEM = {"card": "c1", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T12:00:00Z"}
PAGES = ["/cds-services", "/healthz", "/readyz", "/metrics", "/version", "/openapi.json", "/about", "/static/about.css"]


def call(client: FlaskClient, path: str = HOOK, body: Any = None, **headers: str) -> TestResponse:
    data = body if isinstance(body, bytes) else body_of(hook_call() if body is None else body)
    return client.post(path, data=data, headers={"Content-Type": "application/json"} | headers)


def issue(response: TestResponse, status: int) -> dict[str, Any]:
    """The one issue of an error answer that has all an error answer must have."""
    assert response.status_code == status
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    outcome = json.loads(response.data)
    assert outcome["resourceType"] == "OperationOutcome"
    (found,) = outcome["issue"]
    assert found["severity"] == "error"
    assert found["code"]
    assert found["diagnostics"]
    assert_nothing_empty(outcome)
    return dict(found)


def assert_nothing_empty(value: Any, at: str = "$") -> None:
    """Point 3: no null, empty string, array or object but `cards` and `services`."""
    assert value not in (None, "", [], {}) or at in ("$.cards", "$.services"), at
    if isinstance(value, dict):
        for key, child in value.items():
            assert_nothing_empty(child, f"{at}.{key}")
    elif isinstance(value, list):
        for child in value:
            assert_nothing_empty(child, f"{at}[]")


# Answers.


def test_discovery_lists_the_service_as_the_specification_names_things(client: FlaskClient) -> None:
    listed = client.get("/cds-services").get_json()
    assert_nothing_empty(listed)
    text = knowledge().service
    assert listed == {
        "services": [
            {
                "hook": "patient-view",
                "title": text.title,
                "description": text.description,
                "id": "relapsed-refractory-all",
                "usageRequirements": text.usage_requirements,
                "prefetch": dict(text.prefetch),
            }
        ]
    }


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/"])
def test_one_trailing_slash_is_tolerated(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200
    assert call(client, f"{HOOK}/").status_code == 200


def test_a_hook_call_reaches_the_core_and_its_answer_the_caller(client: FlaskClient, service: Observed) -> None:
    response = call(client)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.get_json() == {"cards": []}
    assert response.headers["Cache-Control"] == "no-store"
    ((request, today, client_known),) = service.seen
    assert (request.patient_id, today, client_known) == ("p1", TODAY, None)


def test_without_a_set_day_today_is_the_day_in_utc(service: Observed) -> None:
    client = application(service, Settings("demo", BASE_URL)).test_client()
    before = datetime.now(UTC).date()
    assert call(client).status_code == 200
    ((_, today, _),) = service.seen
    assert before <= today <= before + timedelta(days=1)


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"']
)
def test_json_is_accepted_with_a_charset(client: FlaskClient, media: str) -> None:
    assert call(client, **{"Content-Type": media}).status_code == 200


def test_a_bearer_token_nobody_asked_for_breaks_nothing(client: FlaskClient) -> None:
    for token in ("Bearer a.b.c", "bearer x", "Basic !", "Bearer " + "x" * 9000):
        assert call(client, Authorization=token).status_code == 200
        assert client.get("/cds-services", headers={"Authorization": token}).status_code == 200


def test_feedback_is_answered_with_how_many_items_came(client: FlaskClient) -> None:
    response = call(client, FEEDBACK, {"feedback": [ITEM, ITEM | {"card": "unknown"}]})
    assert (response.status_code, response.get_json()) == (200, {"received": 2})
    assert response.headers["Cache-Control"] == "no-store"


def test_the_operations_pages_answer(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "up"}
    assert client.get("/readyz").get_json() == {"status": "ready", "digest": knowledge().digest}
    version = client.get("/version").get_json()
    assert (version["catalogue"], version["digest"]) == (knowledge().version, knowledge().digest)
    assert version["cdsHooks"] == "2.0.1"
    assert_nothing_empty(version)


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("image/png", "text/html"),
    ],
)
def test_about_is_a_page_unless_json_is_asked_for(client: FlaskClient, accept: str, mimetype: str) -> None:
    response = client.get("/about", headers={"Accept": accept})
    assert (response.status_code, response.mimetype) == (200, mimetype)
    assert "Accept" in response.headers["Vary"]
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_openapi_document_describes_every_route_and_its_schemas_hold(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    rules = {
        (rule.rule, method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods or ()
        if method in ("GET", "POST") and not rule.rule.startswith("/static")
    }
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == rules
    for name in ("HookRequest", "Feedback", "HookResponse"):
        root = document | {"$ref": f"#/components/schemas/{name}"}
        Draft202012Validator(root).validate(
            {"HookRequest": hook_call(), "Feedback": {"feedback": [ITEM]}, "HookResponse": {"cards": []}}[name]
        )


# Point 2: 412 only when required data cannot be had.


def test_required_data_neither_prefetched_nor_fetchable_is_412(client: FlaskClient) -> None:
    found = issue(call(client, body=hook_call(prefetch={})), 412)
    assert found["expression"] == ["prefetch.patient"]


def test_conditions_looked_for_and_not_found_are_not_412(client: FlaskClient) -> None:
    assert call(client, body=hook_call()).get_json() == {"cards": []}


def test_a_server_that_may_not_be_called_is_no_source_of_required_data(client: FlaskClient) -> None:
    issue(call(client, body=hook_call(prefetch={}, fhirServer="http://ehr.example.org")), 412)


# Point 5, over HTTP.


def test_a_patient_id_with_its_type_is_400_naming_the_field_and_not_the_value(client: FlaskClient) -> None:
    context = {"userId": "Practitioner/1", "patientId": "Patient/canary"}
    response = call(client, body=hook_call(context=context))
    assert issue(response, 400)["expression"] == ["context.patientId"]
    assert b"canary" not in response.data


# Point 8: CORS before everything, on everything.


@pytest.mark.parametrize("path", [*PAGES, HOOK, FEEDBACK, "/nowhere"])
def test_a_preflight_is_answered_everywhere(client: FlaskClient, path: str) -> None:
    asked = {"Origin": "https://sandbox.cds-hooks.org", "Access-Control-Request-Headers": "authorization"}
    response = client.options(path, headers=asked)
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://sandbox.cds-hooks.org"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("path", [*PAGES, HOOK, "/nowhere"])
def test_every_answer_has_the_headers_a_browser_needs(client: FlaskClient, path: str) -> None:
    with client.get(path, headers={"Origin": "http://localhost:3000"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert "Origin" in response.headers["Vary"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert uuid.UUID(response.headers["X-Request-Id"]).version == 4


def test_an_origin_that_is_none_is_not_repeated(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Origin": "a b"}).headers["Access-Control-Allow-Origin"] == "*"


# Point 10: called twice, at the same time.


def test_the_same_call_twice_at_once_is_answered_twice_alike(port: int) -> None:
    answers: list[tuple[int, bytes]] = []

    def once() -> None:
        answers.append(over_socket(port, body_of(hook_call())))

    threads = [threading.Thread(target=once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, b'{"cards":[]}')] * 2


# Refusals.


@pytest.mark.parametrize("path", ["/nowhere", "/cds-services/another", "/cds-services/another/feedback", "//healthz"])
def test_an_unknown_address_is_404(client: FlaskClient, path: str) -> None:
    assert issue(call(client, path), 404)["code"] == "not-found"
    assert issue(client.get(path), 404)


@pytest.mark.parametrize("path", [HOOK, FEEDBACK])
def test_getting_what_takes_a_post_is_405(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert issue(response, 405)
    assert response.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("path", PAGES[:-1])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_posting_to_a_page_is_405(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)
    assert issue(response, 405)
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "text/xml",
        "application/fhir+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
    ],
)
@pytest.mark.parametrize("path", [HOOK, FEEDBACK])
def test_another_media_type_is_415(client: FlaskClient, path: str, media: str) -> None:
    assert issue(call(client, path, **{"Content-Type": media}), 415)["expression"] == ["Content-Type"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_content_encoding_is_415(client: FlaskClient, encoding: str) -> None:
    assert issue(call(client, **{"Content-Encoding": encoding}), 415)["expression"] == ["Content-Encoding"]
    assert call(client, **{"Content-Encoding": "Identity"}).status_code == 200


def test_a_body_as_long_as_allowed_is_read_and_one_byte_more_is_413(client: FlaskClient) -> None:
    body = body_of(hook_call()).ljust(MAX_BODY)
    assert call(client, body=body).status_code == 200
    assert issue(call(client, body=body + b" "), 413)
    assert issue(call(client, body=body + b" " * 1000), 413)


@pytest.mark.parametrize("path", [HOOK, FEEDBACK])
@pytest.mark.parametrize("body", [b"", b" ", b"{", b"[]", b"null", b"\xff", b"{}", b"[" * 5000, b"\xef\xbb\xbf{}"])
def test_a_body_that_is_not_what_the_specification_describes_is_400(
    client: FlaskClient, path: str, body: bytes
) -> None:
    issue(call(client, path, body), 400)


class Canary(Exception):
    """Carries what must not come out."""


@pytest.mark.parametrize(
    "error", [Canary("canary"), RecursionError("canary"), KeyError("canary"), MemoryError("canary")]
)
def test_an_unforeseen_error_is_500_and_logged_by_its_type_alone(
    client: FlaskClient, service: Observed, log: Lines, error: Exception
) -> None:
    service.raises = error
    response = call(client)
    assert issue(response, 500)["code"] == "exception"
    assert b"cards" not in response.data
    unforeseen, audit = log()
    assert unforeseen["event"] == "unforeseen"
    assert unforeseen["error"] == type(error).__name__
    assert unforeseen["place"].startswith("calls.py:")
    assert unforeseen["request_id"] == audit["request_id"] == response.headers["X-Request-Id"]
    assert "canary" not in str((unforeseen, audit))
    assert b"canary" not in response.data
    assert "cds_unforeseen_errors_total 1.0" in client.get("/metrics").text


def test_a_refusal_of_the_service_keeps_its_status_and_headers(client: FlaskClient, service: Observed) -> None:
    service.raises = Unavailable("Later.", retry_after=7)
    response = call(client)
    assert issue(response, 503)["code"] == "transient"
    assert response.headers["Retry-After"] == "7"


def test_an_error_of_no_particular_kind_is_a_500() -> None:
    assert ServiceError("No.").outcome()["issue"][0]["code"] == "exception"
    assert ServiceError("No.").status == 500


def test_other_faults_of_http_are_400(client: FlaskClient, service: Observed) -> None:
    from werkzeug.exceptions import BadGateway, ImATeapot

    service.raises = ImATeapot()
    issue(call(client), 400)
    service.raises = BadGateway()
    issue(call(client), 500)


@given(st.sampled_from([HOOK, FEEDBACK]), st.binary(max_size=200), st.sampled_from([b"", body_of(hook_call())[:-1]]))
@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_give_a_server_error(client: FlaskClient, path: str, tail: bytes, head: bytes) -> None:
    assert call(client, path, head + tail).status_code < 500


# On a real socket.


def over_socket(port: int, body: Any, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", HOOK, body, {"Content-Type": "application/json"} | headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    connection.close()
    return answer


def test_a_chunked_body_is_read_whole(port: int) -> None:
    body = body_of(hook_call()).ljust(MAX_BODY)
    parts = (body[at : at + 7001] for at in range(0, len(body), 7001))
    assert over_socket(port, parts) == (200, b'{"cards":[]}')


@pytest.mark.parametrize("excess", [1, 2, 50_000])
def test_a_chunked_body_padded_beyond_the_limit_is_413_and_never_cut(port: int, excess: int) -> None:
    body = body_of(hook_call()).ljust(MAX_BODY + excess)
    status, answer = over_socket(port, iter([body]))
    assert status == 413
    assert json.loads(answer)["resourceType"] == "OperationOutcome"


def test_a_long_body_announced_by_its_length_is_413(port: int) -> None:
    assert over_socket(port, b" " * (3 * MAX_BODY))[0] == 413


def test_a_post_without_any_body_is_400(port: int) -> None:
    assert over_socket(port, None)[0] == 400


def test_a_body_that_never_ends_keeps_nobody_else_waiting(port: int) -> None:
    head = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{{"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    try:
        for each in slow:
            each.sendall(head.encode())
        assert over_socket(port, body_of(hook_call()))[0] == 200
    finally:
        for each in slow:
            each.close()
