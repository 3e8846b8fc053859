"""What is fetched, when, from whom, and how a good server's answers are put together."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from cds_service.chart.bundle import Bundle, Prefetched, parted
from cds_service.chart.select import select
from cds_service.ehr.fill import CallBack, Filled
from cds_service.ehr.server import LONGEST_URL, FhirServer
from cds_service.hooks.envelope import FhirAuthorization, parse
from cds_service.outbound.address import parse_address
from cds_service.outbound.fetch import Deadline, NotFetched, Outbound
from tests.ehr.bad_server import (
    PATIENCE,
    BadServer,
    Behaviour,
    Visit,
    answer,
    bundle,
    by_kind,
    eventually,
    ids_in,
    no_outbound_thread_left,
    proper,
    serving,
    silent,
)
from tests.ehr.sites import CONDITIONS, PATIENT, TOKEN, Registered, call_back, ehr, hook_request, site

WANTED = {"patient": PATIENT, "conditions": CONDITIONS}
OBSERVATIONS = "Observation?patient={{context.patientId}}&code=" + ",".join(["http://loinc.org|1-8"] * 100)


@pytest.fixture(autouse=True)
def _leave_no_thread() -> Iterator[None]:
    yield
    assert no_outbound_thread_left()


def test_the_missing_keys_are_fetched_as_the_templates_say() -> None:
    with ehr(by_kind(Condition=answer(bundle("c1")))) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, WANTED)
    assert filled.outcomes == {"patient": "fetched", "conditions": "fetched"}
    assert ids_in(filled.prefetch["conditions"]) == ["c1"]
    assert select(filled.prefetch, {}).incomplete == []
    assert sorted(server.targets) == ["/fhir/Condition?patient=p1&_count=500", "/fhir/Patient/p1"]
    for visit in server.visits:
        assert visit.method == "GET"
        assert visit.headers["authorization"] == f"Bearer {TOKEN}"
        assert visit.headers["accept"] == "application/fhir+json, application/json;q=0.9"


def test_text_that_is_not_ascii_comes_through() -> None:
    with ehr(answer('{"resourceType":"Patient","id":"p1","name":[{"family":"Bücher"}]}'.encode())) as (
        server,
        registered,
    ):
        filled = call_back().fill(hook_request(server.base), registered, {"patient": PATIENT})
    assert "Bücher" in bytes(filled.prefetch["patient"]).decode()


def test_a_key_that_came_is_left_alone_whatever_came() -> None:
    given = {"patient": b"null", "conditions": b'{"resourceType":"OperationOutcome","issue":[]}', "extra": b"{}"}
    with ehr(proper) as (server, registered):
        filled = call_back().fill(hook_request(server.base, given), registered, WANTED)
    assert filled == Filled(given, {})
    assert server.connections == 0


def test_keys_that_came_stand_beside_those_that_were_fetched() -> None:
    given = {"conditions": b'{"resourceType":"Bundle"}'}
    with ehr(proper) as (server, registered):
        filled = call_back().fill(hook_request(server.base, given), registered, WANTED)
    assert filled.outcomes == {"patient": "fetched"}
    assert filled.prefetch["conditions"] == given["conditions"]
    assert sorted(filled.prefetch) == ["conditions", "patient"]


def test_all_keys_are_fetched_at_the_same_time() -> None:
    meeting = threading.Barrier(4, timeout=PATIENCE)

    def meet(visit: Visit) -> None:
        meeting.wait()
        proper(visit)

    wanted = WANTED | {"procedures": "Procedure?patient=x", "medications": "MedicationRequest?patient=x"}
    with ehr(meet) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, wanted)
    assert set(filled.outcomes.values()) == {"fetched"}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_server_may_be_written_with_or_without_its_last_slash(slash: str) -> None:
    with ehr(proper) as (server, registered):
        filled = call_back().fill(hook_request(server.base + slash), registered, WANTED)
    assert set(filled.outcomes.values()) == {"fetched"}


# When nothing may be asked, the keys stay absent.


def assert_not_tried(server: BadServer, filled: Filled, why: str) -> None:
    assert filled.prefetch == {}
    assert filled.outcomes == {"patient": why, "conditions": why}
    assert server.connections == 0


@pytest.mark.parametrize("tail", ["/", "/R4", "x", "?a=b", "/../fhir"])
def test_a_server_the_site_is_not_registered_with_is_not_called(tail: str) -> None:
    with serving(proper) as server:
        base = server.base.removesuffix("/fhir") + "/other"
        filled = call_back().fill(hook_request(server.base + tail), site(base), WANTED)
        assert_not_tried(server, filled, "no allowed FHIR server")


def test_a_caller_nobody_knows_gets_no_call_back() -> None:
    with serving(proper) as server:
        filled = call_back().fill(hook_request(server.base), None, WANTED)
        assert_not_tried(server, filled, "no allowed FHIR server")


def test_without_a_server_there_is_nothing_to_call() -> None:
    with ehr(proper) as (server, registered):
        filled = call_back().fill(hook_request(None), registered, WANTED)
        assert_not_tried(server, filled, "no allowed FHIR server")


@pytest.mark.parametrize(
    "authorization",
    [None, FhirAuthorization(TOKEN, "MAC"), FhirAuthorization(TOKEN, expires_in=0), FhirAuthorization("a b")],
)
def test_without_a_usable_token_nothing_is_called(authorization: FhirAuthorization | None) -> None:
    with ehr(proper) as (server, registered):
        request = hook_request(server.base, fhir_authorization=authorization)
        assert_not_tried(server, call_back().fill(request, registered, WANTED), "no usable token")


@pytest.mark.parametrize("patient_id", ["..", ".", "", "a/b", "a?b", "p1\n", "p" * 65, "ß", "p1%2f.."])
def test_a_patient_id_that_is_no_id_is_put_into_no_address(patient_id: str) -> None:
    with ehr(proper) as (server, registered):
        request = hook_request(server.base, patient_id=patient_id)
        assert_not_tried(server, call_back().fill(request, registered, WANTED), "template cannot be filled")


def test_a_template_with_a_token_we_cannot_fill_is_not_sent() -> None:
    with ehr(proper) as (server, registered):
        filled = call_back().fill(
            hook_request(server.base), registered, {"encounter": "Encounter?subject={{context.encounterId}}"}
        )
    assert filled.outcomes == {"encounter": "template cannot be filled"}
    assert server.connections == 0


# Long searches.


def test_a_search_too_long_for_a_url_is_posted() -> None:
    with ehr(proper) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, {"observations": OBSERVATIONS})
    assert filled.outcomes == {"observations": "fetched"}
    (visit,) = server.visits
    assert (visit.method, visit.target) == ("POST", "/fhir/Observation/_search")
    assert visit.headers["content-type"] == "application/x-www-form-urlencoded"
    sent = parse_qs(visit.body.decode(), strict_parsing=True)
    assert sent["patient"] == ["p1"]
    assert sent["code"] == [",".join(["http://loinc.org|1-8"] * 100)]


@pytest.mark.parametrize(("length", "method"), [(LONGEST_URL, "GET"), (LONGEST_URL + 1, "POST")])
def test_the_longest_url_is_2000_characters(length: int, method: str) -> None:
    with ehr(proper) as (server, registered):
        template = "Observation?code=".ljust(length - len(server.base) - 1, "a")
        call_back().fill(hook_request(server.base), registered, {"observations": template})
    assert server.visits[0].method == method


@pytest.mark.parametrize("status", [404, 405, 415, 501])
def test_a_server_that_takes_no_posted_search_is_asked_once_more_by_get(status: int) -> None:
    def behave(visit: Visit) -> None:
        (answer(b"", f"{status} No") if visit.method == "POST" else answer(bundle("o1")))(visit)

    with ehr(behave) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, {"observations": OBSERVATIONS})
    assert [visit.method for visit in server.visits] == ["POST", "GET"]
    assert "code=http://loinc.org%7C1-8" in server.visits[1].target
    assert ids_in(filled.prefetch["observations"]) == ["o1"]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_any_other_refusal_of_a_posted_search_stands(status: int) -> None:
    with ehr(answer(b"", f"{status} No")) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, {"observations": OBSERVATIONS})
    assert filled.outcomes == {"observations": f"status {status}"}
    assert len(server.visits) == 1


# Pages.


def three_pages(second: str, third: str) -> Behaviour:
    """Conditions c1 to c3 on three pages, linked as *second* and *third* say."""

    def behave(visit: Visit) -> None:
        page = parse_qs(visit.target.partition("?")[2]).get("page", ["1"])[0]
        origin = f"http://127.0.0.1:{visit.connection.getsockname()[1]}"
        following = {"1": second, "2": third, "3": None}[page]
        link = following.format(origin=origin) if following is not None else None
        answer(bundle(f"c{page}", following=link))(visit)

    return behave


@pytest.mark.parametrize(
    ("second", "third"),
    [
        pytest.param("{origin}/fhir/Condition?page=2", "{origin}/fhir/Condition?page=3", id="absolute"),
        pytest.param("{origin}/fhir?page=2", "{origin}/fhir?page=3", id="at the base itself"),
        pytest.param("Condition?page=2", "/fhir/Condition?page=3", id="relative"),
        pytest.param("?page=2", "?page=3", id="relative, the query only"),
    ],
)
def test_pages_are_joined_in_their_order(second: str, third: str) -> None:
    with ehr(three_pages(second, third)) as (server, registered):
        filled = call_back().fill(hook_request(server.base), registered, {"conditions": CONDITIONS})
    assert filled.outcomes == {"conditions": "fetched"}
    joined = filled.prefetch["conditions"]
    assert isinstance(joined, Bundle)
    assert joined.link == []
    assert ids_in(filled.prefetch["conditions"]) == ["c1", "c2", "c3"]
    assert select(filled.prefetch, {}).incomplete == []
    assert len(server.visits) == 3
    assert all(visit.headers["authorization"] == f"Bearer {TOKEN}" for visit in server.visits)


def test_all_pages_of_a_key_have_at_most_32_mib() -> None:
    def behave(visit: Visit) -> None:
        following = "?page=2" if "page" not in visit.target else "?page=3"
        note = {"resource": {"resourceType": "Condition", "id": "big", "note": "x" * (15 << 20)}}
        answer(bundle(following=following) | {"entry": [note]})(visit)

    with ehr(behave) as (server, registered):
        filled = call_back(30.0).fill(hook_request(server.base), registered, {"conditions": CONDITIONS})
    assert len(server.visits) == 3
    assert filled.outcomes == {"conditions": "fetched in part"}
    assert ids_in(filled.prefetch["conditions"]) == ["big", "big"]


def first_page(server: BadServer, following: str) -> Prefetched:
    return parted(json.dumps(bundle("c1", following=following.format(base=server.base))).encode())


@pytest.mark.parametrize("following", ["{base}/Condition?page=2", "Condition?page=2"])
def test_page_one_that_the_ehr_sent_is_followed(following: str) -> None:
    with ehr(three_pages("", "{origin}/fhir/Condition?page=3")) as (server, registered):
        request = hook_request(server.base, {"conditions": first_page(server, following), "patient": b"null"})
        filled = call_back().fill(request, registered, {}, ["conditions", "patient", "observations"])
    assert filled.outcomes == {"conditions": "fetched"}
    assert ids_in(filled.prefetch["conditions"]) == ["c1", "c2", "c3"]
    assert filled.prefetch["patient"] == b"null"


def test_page_one_is_followed_from_the_body_it_came_in() -> None:
    with ehr(three_pages("", "?page=3")) as (server, registered):
        call = {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "fhirServer": server.base,
            "fhirAuthorization": {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300},
            "prefetch": {"conditions": bundle("c1", following="Condition?page=2")},
        }
        filled = call_back().fill(parse(json.dumps(call).encode()), registered, {}, ["conditions"])
    assert ids_in(filled.prefetch["conditions"]) == ["c1", "c2", "c3"]


def test_page_one_stays_as_it_was_when_a_later_page_is_not_to_be_had() -> None:
    for following, visits in (("http://evil.example/fhir", 0), ("Condition?page=2", 2)):
        with ehr(three_pages("", "http://evil.example/fhir")) as (server, registered):
            given = {"conditions": first_page(server, following)}
            filled = call_back().fill(hook_request(server.base, given), registered, {}, ["conditions"])
        assert filled.prefetch == given
        assert filled.outcomes == {"conditions": "fetched in part"}
        assert len(server.visits) == min(visits, 1)


def test_page_one_stays_as_it_was_when_nothing_may_be_called() -> None:
    given = {"conditions": parted(json.dumps(bundle("c1", following="Condition?page=2")).encode())}
    filled = call_back().fill(hook_request("http://127.0.0.1:1/fhir", given), None, {}, ["conditions"])
    assert filled == Filled(given, {"conditions": "no allowed FHIR server"})


@pytest.mark.parametrize(
    "value",
    [
        b"null",
        b"{",
        b"[1]",
        b'{"next"',
        b'{"resourceType":"Patient"}',
        json.dumps(bundle("c1")).encode(),
        json.dumps(bundle("c1", following="Condition?page=2") | {"type": "collection"}).encode(),
    ],
)
def test_what_is_not_page_one_of_several_is_not_followed(value: bytes) -> None:
    given = {"conditions": parted(value)}
    with ehr(proper) as (server, registered):
        assert call_back().fill(hook_request(server.base, given), registered, {}, ["conditions"]) == Filled(given, {})
    assert server.connections == 0


def test_missing_keys_and_later_pages_share_one_budget() -> None:
    budget = 0.4
    began = time.monotonic()
    with ehr(silent) as (server, registered):
        given = {"conditions": first_page(server, "Condition?page=2")}
        filled = call_back(budget).fill(hook_request(server.base, given), registered, WANTED, ["conditions"])
        assert time.monotonic() - began < budget + 0.1
        assert len(server.visits) == 2
    assert filled.outcomes == {"patient": "timed out", "conditions": "fetched in part"}
    assert filled.prefetch["conditions"] == given["conditions"]


# Connections that last.


def test_pages_and_later_calls_go_over_the_connections_there_are() -> None:
    with serving(three_pages("?page=2", "?page=3"), lasting=True) as server:
        back, registered = call_back(), site(server.base)
        for token in ("canary-1", "canary-2"):
            request = hook_request(server.base, fhir_authorization=FhirAuthorization(token))
            filled = back.fill(request, registered, {"conditions": CONDITIONS})
            assert ids_in(filled.prefetch["conditions"]) == ["c1", "c2", "c3"]
        assert server.connections == 1
    sent = [visit.headers["authorization"] for visit in server.visits]
    assert sent == ["Bearer canary-1"] * 3 + ["Bearer canary-2"] * 3


def test_two_sites_with_one_server_share_no_connection() -> None:
    with serving(proper, lasting=True) as server:
        back = call_back()
        for name in ("one", "two", "one", "two"):
            back.fill(hook_request(server.base), site(server.base, name=name), {"patient": PATIENT})
        assert server.connections == 2


# The bulkhead.


def test_no_more_calls_are_made_at_once_than_there_are_slots() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(visit: Visit) -> None:
        entered.set()
        leave.wait(PATIENCE)
        proper(visit)

    results: list[Filled] = []
    with ehr(hold) as (server, registered):
        back = call_back(slots=1)
        request = hook_request(server.base)
        first = threading.Thread(target=lambda: results.append(back.fill(request, registered, {"patient": PATIENT})))
        first.start()
        assert entered.wait(PATIENCE)
        began = time.monotonic()
        given = {"observations": first_page(server, "Observation?page=2")}
        busy = back.fill(hook_request(server.base, given), registered, WANTED, ["observations"])
        assert time.monotonic() - began < 0.1
        leave.set()
        first.join(PATIENCE)
        again = back.fill(request, registered, WANTED)
    assert busy.outcomes == {"patient": "busy", "conditions": "busy", "observations": "busy"}
    assert busy.prefetch["observations"] == given["observations"]
    assert select(busy.prefetch, {}).failed == ["conditions", "patient"]
    assert [filled.outcomes for filled in results] == [{"patient": "fetched"}]
    assert set(again.outcomes.values()) == {"fetched"}


def test_a_name_look_up_that_hangs_keeps_its_slot_but_not_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        answered.wait(PATIENCE)
        raise socket.gaierror

    base = "http://ehr.example.org/fhir"
    back: CallBack = call_back(0.2, slots=1)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    filled = back.fill(hook_request(base), site(base), WANTED)
    assert time.monotonic() - began < 0.2 + 0.1
    assert set(filled.outcomes.values()) == {"timed out"}
    assert back.fill(hook_request(base), site(base), {"patient": PATIENT}).outcomes == {"patient": "busy"}
    answered.set()
    assert eventually(
        lambda: back.fill(hook_request(base), site(base), {"patient": PATIENT}).outcomes == {"patient": "unknown host"}
    )


# Nothing leaks.


def test_nothing_of_a_call_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ehr(by_kind(Condition=answer(b"canary", "500 canary"))) as (server, registered):
        filled = call_back().fill(hook_request(server.base, patient_id="canary"), registered, WANTED)
    assert caplog.records == []
    assert "canary" not in repr(filled)


def test_a_server_as_one_call_may_use_it_shows_no_token_and_leaves_its_base_for_nobody() -> None:
    with serving(proper) as elsewhere, serving(proper) as server:
        registered: Registered = site(server.base)
        base = registered.fhir_bases[0].address
        mine = FhirServer(Outbound(), base, True, None, registered.name, TOKEN, Deadline(PATIENCE))
        assert TOKEN not in repr(mine)
        with pytest.raises(NotFetched, match="refused address"):
            mine.get(parse_address(elsewhere.base), 100)
    assert elsewhere.connections == 0
