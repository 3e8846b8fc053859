"""F5: whatever the FHIR server does, the call goes on within its budget and the key says what became of it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.chart.select import select
from cds_service.ehr.fill import CallBack, Filled
from cds_service.hooks.envelope import FhirAuthorization
from cds_service.outbound.fetch import Outbound
from tests.ehr.bad_server import (
    PATIENCE,
    BadServer,
    Behaviour,
    Visit,
    answer,
    bundle,
    by_kind,
    drip,
    flood,
    ids_in,
    make_tls,
    no_outbound_thread_left,
    proper,
    raw,
    reset,
    serving,
    silent,
)
from tests.ehr.sites import CONDITIONS, PATIENT, TOKEN, Registered, call_back, ehr, hook_request, site

BUDGET = 0.5
WITHIN = 0.1
"""Seconds past the budget at which the caller has gone on (fault table, F5)."""
WANTED = {"patient": PATIENT, "conditions": CONDITIONS}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
HALF = json.dumps(bundle("c1")).encode()[:-10]
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "canary"}]}


@pytest.fixture(autouse=True)
def _leave_no_thread() -> Iterator[None]:
    yield
    assert no_outbound_thread_left()


def fill(base: str, registered: Registered) -> Filled:
    """Both keys, within the budget."""
    began = time.monotonic()
    filled = call_back(BUDGET).fill(hook_request(base), registered, WANTED)
    assert time.monotonic() - began < BUDGET + WITHIN
    return filled


def issue_code(filled: Filled, key: str) -> str:
    """The code of the one issue under *key*, which the reader takes as "could not be read"."""
    assert key in select(filled.prefetch, {}).failed
    (issue,) = json.loads(bytes(filled.prefetch[key]))["issue"]
    assert sorted(issue) == ["code", "severity"]
    return str(issue["code"])


def nothing_more_comes(server: BadServer) -> None:
    """S-50: no call once the answer is given."""
    before = (server.connections, len(server.visits))
    assert no_outbound_thread_left()
    assert (server.connections, len(server.visits)) == before


@pytest.mark.parametrize(
    ("behave", "why", "code"),
    [
        pytest.param(answer(OUTCOME, "400 Bad Request"), "status 400", "transient", id="400"),
        pytest.param(answer(OUTCOME, "401 Unauthorized"), "status 401", "login", id="401"),
        pytest.param(answer(OUTCOME, "403 Forbidden"), "status 403", "forbidden", id="403"),
        pytest.param(answer(OUTCOME, "404 Not Found"), "status 404", "not-found", id="404"),
        pytest.param(answer(b"", "429 Slow Down", Retry_After="3600"), "status 429", "throttled", id="429"),
        pytest.param(answer(b"", "500 Oops"), "status 500", "transient", id="500"),
        pytest.param(answer(b"", "502 Bad Gateway"), "status 502", "transient", id="502"),
        pytest.param(answer(b"", "503 Busy", Retry_After="3600"), "status 503", "transient", id="503"),
        pytest.param(reset, "broken answer", "transient", id="reset"),
        pytest.param(raw(OK + b"Content-Length: 999\r\n\r\n" + HALF), "broken answer", "transient", id="half a body"),
        pytest.param(raw(OK + b"\r\n" + HALF), "not FHIR JSON", "structure", id="half a body, length unsaid"),
        pytest.param(answer(b"<html>Sign in</html>", media="text/html"), "not FHIR JSON", "structure", id="HTML"),
        pytest.param(answer(b"<html>Sign in</html>"), "not FHIR JSON", "structure", id="HTML called JSON"),
        pytest.param(answer(bundle(), media="text/plain"), "not FHIR JSON", "structure", id="JSON called text"),
        pytest.param(answer(b"", media="application/fhir+json"), "not FHIR JSON", "structure", id="nothing"),
        pytest.param(answer(b'{"resourceType":'), "not FHIR JSON", "structure", id="invalid JSON"),
        pytest.param(answer(b"[" * 100_000), "not FHIR JSON", "structure", id="deep JSON"),
        pytest.param(
            answer(b'{"entry":' + b"[" * 9999 + b"]" * 9999 + b"}"), "not FHIR JSON", "structure", id="deep entry"
        ),
        pytest.param(answer(b'"a string"'), "not FHIR JSON", "structure", id="a string"),
        pytest.param(answer(json.dumps(bundle("c1")).encode("utf-16")), "not FHIR JSON", "structure", id="UTF-16"),
        pytest.param(answer(b'{"resourceType":"B\xfcndel"}'), "not FHIR JSON", "structure", id="Latin-1"),
        pytest.param(answer(OUTCOME), "another resource", "structure", id="an OperationOutcome as the body"),
        pytest.param(answer(bundle() | {"type": "history"}), "another resource", "structure", id="another Bundle"),
        pytest.param(
            answer(gzip.compress(b" " * 10**8), Content_Encoding="gzip"),
            "compressed answer",
            "transient",
            id="gzip bomb",
        ),
        pytest.param(flood(OK + b"\r\n", b" " * (1 << 20)), None, None, id="an endless body"),
        pytest.param(silent, "timed out", "timeout", id="accepts and never answers"),
        pytest.param(drip(OK, b"X"), "timed out", "timeout", id="drips headers"),
        pytest.param(drip(OK + b"\r\n", b"{"), "timed out", "timeout", id="drips a body"),
    ],
)
def test_a_key_that_fails_is_named_and_the_others_are_there(
    behave: Behaviour, why: str | None, code: str | None
) -> None:
    with ehr(by_kind(Condition=behave)) as (server, registered):
        filled = fill(server.base, registered)
        nothing_more_comes(server)
    assert filled.outcomes["patient"] == "fetched"
    assert json.loads(bytes(filled.prefetch["patient"]))["id"] == "p1"
    # How much of an endless body comes in the time is the machine's affair: it is one limit or the other.
    assert filled.outcomes["conditions"] in ([why] if why else ["too large", "timed out"])
    assert issue_code(filled, "conditions") in ([code] if code else ["too-costly", "timeout"])
    assert b"canary" not in bytes(filled.prefetch["conditions"])
    assert all(visit.headers["authorization"] == f"Bearer {TOKEN}" for visit in server.visits)
    assert len(server.visits) == 2


@pytest.mark.parametrize("patient", [{"resourceType": "Patient", "id": "p2"}, {"resourceType": "Person", "id": "p1"}])
def test_a_read_that_answers_with_something_else_has_failed(patient: dict[str, str]) -> None:
    with ehr(by_kind(Patient=answer(patient))) as (server, registered):
        filled = fill(server.base, registered)
    assert filled.outcomes == {"patient": "another resource", "conditions": "fetched"}


@pytest.mark.parametrize("body", [b"{", b'{"resourceType":1}', b"[" * 100_000])
def test_a_read_that_answers_with_no_resource_has_failed(body: bytes) -> None:
    with ehr(by_kind(Patient=answer(body))) as (server, registered):
        filled = fill(server.base, registered)
    assert filled.outcomes["patient"] == "not FHIR JSON"
    assert issue_code(filled, "patient") == "structure"


def test_a_missing_patient_is_said_to_be_not_found() -> None:
    with ehr(by_kind(Patient=answer(b"", "404 Not Found"))) as (server, registered):
        assert issue_code(fill(server.base, registered), "patient") == "not-found"


def test_a_redirect_takes_the_token_nowhere() -> None:
    with serving(proper) as elsewhere:
        moved = answer(b"", "307 Moved", Location=f"{elsewhere.base}/Condition")
        with ehr(moved) as (server, registered):
            filled = fill(server.base, registered)
    assert set(filled.outcomes.values()) == {"redirect"}
    assert elsewhere.connections == 0


def test_a_server_that_is_not_there() -> None:
    with serving(proper) as server:
        base = server.base
    filled = fill(base, site(base))
    assert set(filled.outcomes.values()) == {"could not connect"}
    assert issue_code(filled, "patient") == "transient"


def test_a_name_that_does_not_resolve() -> None:
    base = "http://no-such-host.invalid/fhir"
    filled = fill(base, site(base, internal=False))
    assert set(filled.outcomes.values()) <= {"unknown host", "timed out"}
    assert issue_code(filled, "conditions") in ("transient", "timeout")


def test_a_base_that_leads_to_a_private_address_is_not_called() -> None:
    with serving(proper) as server:
        filled = fill(server.base, site(server.base, internal=False))
    assert set(filled.outcomes.values()) == {"refused address"}
    assert issue_code(filled, "conditions") == "security"
    assert server.connections == 0


def test_a_certificate_for_another_host(tmp_path: Path) -> None:
    context, ca_file = make_tls(tmp_path, "elsewhere.example")
    with serving(proper, tls=context) as server:
        filled = fill(server.base, site(server.base, ca_file=ca_file))
    assert set(filled.outcomes.values()) == {"TLS failed"}
    assert server.visits == []


def test_the_right_certificate_of_a_site_s_own_authority(tmp_path: Path) -> None:
    context, ca_file = make_tls(tmp_path, "localhost")
    with serving(proper, tls=context) as server:
        filled = fill(server.base, site(server.base, ca_file=ca_file))
    assert set(filled.outcomes.values()) == {"fetched"}


# Pages that are not to be had: what was read is kept, and says that it is not all.


@pytest.mark.parametrize(
    "following",
    [
        pytest.param("http://{elsewhere}/fhir/Condition?page=2", id="another origin"),
        pytest.param("//{elsewhere}/fhir/Condition?page=2", id="another origin, scheme left out"),
        pytest.param("http://{server}@{elsewhere}/fhir/Condition?page=2", id="the base as user name"),
        pytest.param("http://{elsewhere}\\@{server}/fhir/Condition?page=2", id="a backslash"),
        pytest.param("https://{server}/fhir/Condition?page=2", id="another scheme"),
        pytest.param("http://{server}/fhir/../admin", id="dot segments out of the base"),
        pytest.param("http://{server}/fhir/%2e%2e/admin", id="encoded dot segments"),
        pytest.param("../../admin", id="relative, out of the base"),
        pytest.param("/admin", id="relative, from the root"),
        pytest.param("http://{server}/fhirx/Condition", id="a path that only begins alike"),
        pytest.param("http://{server}/fhir/Condition?a=\tb", id="a tab"),
        pytest.param("file:///etc/passwd", id="a file"),
    ],
)
def test_a_next_link_that_leaves_the_base_is_not_followed(following: str) -> None:
    with serving(proper) as elsewhere:
        links: list[str] = []

        def page_one(visit: Visit) -> None:
            answer(bundle("c1", following=links[0]))(visit)

        with ehr(by_kind(Condition=page_one)) as (server, registered):
            origins = {"server": f"127.0.0.1:{server.port}", "elsewhere": f"127.0.0.1:{elsewhere.port}"}
            links.append(following.format(**origins))
            filled = fill(server.base, registered)
    assert elsewhere.connections == 0
    assert len(server.visits) == 2
    assert_part(filled, ["c1"])


def assert_part(filled: Filled, ids: list[str]) -> None:
    assert filled.outcomes["conditions"] == "fetched in part"
    assert ids_in(filled.prefetch["conditions"]) == ids
    assert "conditions" in select(filled.prefetch, {}).incomplete


def paged(later: Behaviour) -> Behaviour:
    """Page one points to page two; page two is *later*."""

    def behave(visit: Visit) -> None:
        first = "page=" not in visit.target
        (answer(bundle("c1", following="Condition?page=2")) if first else later)(visit)

    return by_kind(Condition=behave)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(answer(b"", "500 Oops"), id="500"),
        pytest.param(answer(b"", "302 Found", Location="http://127.0.0.1:1/"), id="redirect"),
        pytest.param(reset, id="reset"),
        pytest.param(answer(OUTCOME), id="an OperationOutcome"),
        pytest.param(raw(OK + b"Content-Length: 999\r\n\r\n" + HALF), id="half a body"),
        pytest.param(silent, id="never answers"),
        pytest.param(drip(OK + b"\r\n", b" "), id="drips"),
    ],
)
def test_a_later_page_that_fails_leaves_the_earlier_ones_as_a_part(later: Behaviour) -> None:
    with ehr(paged(later)) as (server, registered):
        filled = fill(server.base, registered)
        nothing_more_comes(server)
    assert len(server.visits) == 3
    assert_part(filled, ["c1"])


def test_pages_that_name_one_another_for_ever_end_at_the_first_seen_twice() -> None:
    with ehr(paged(answer(bundle("c2", following="Condition?page=2")))) as (server, registered):
        filled = fill(server.base, registered)
    assert len(server.visits) == 3
    assert_part(filled, ["c1", "c2"])


def test_pages_without_end_stop_at_twenty() -> None:
    counted: list[str] = []

    def behave(visit: Visit) -> None:
        counted.append("c")
        page = len(counted)
        answer(bundle(f"c{page}", following=f"?page={page + 1}"))(visit)

    with ehr(by_kind(Condition=behave)) as (server, registered):
        filled = call_back(PATIENCE).fill(hook_request(server.base), registered, {"conditions": CONDITIONS})
    assert_part(filled, [f"c{page}" for page in range(1, 21)])
    assert len(server.visits) == 20


def test_nothing_is_called_once_the_answer_is_given() -> None:
    """S-50: page one, with its next link, arrives just after the caller has gone on."""
    arrived: list[bool] = []

    def late(visit: Visit) -> None:
        answered.wait(PATIENCE)
        answer(bundle("c1", following="Condition?page=2"))(visit)
        arrived.append(True)

    answered = threading.Event()
    with ehr(by_kind(Condition=late)) as (server, registered):
        filled = fill(server.base, registered)
        answered.set()
        nothing_more_comes(server)
    assert filled.outcomes["conditions"] == "timed out"
    assert len(server.visits) == 2


def test_the_token_is_not_kept_for_the_next_call() -> None:
    outbound = Outbound()
    with ehr(proper) as (server, registered):
        back = CallBack(outbound, budget=PATIENCE, slots=1)
        back.fill(hook_request(server.base), registered, {"patient": PATIENT})
        other = hook_request(server.base, fhir_authorization=FhirAuthorization("another", "Bearer"))
        back.fill(other, registered, {"patient": PATIENT})
    assert [visit.headers["authorization"] for visit in server.visits] == [f"Bearer {TOKEN}", "Bearer another"]
    assert TOKEN not in repr(vars(outbound)) + repr(vars(back))
