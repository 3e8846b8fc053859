"""What the FHIR endpoint answers, request by request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds_service.sandbox.fhir_search import FILTERS, LARGEST_PAGE, PAGE, read_query, search
from cds_service.sandbox.fhir_stories import Stories
from tests.sandbox.fhir_service import ORIGIN, WITHIN, running
from tests.stories import stories, story

G01 = "g01-first-marrow-relapse"
RESULTS = len(story(G01).request["prefetch"]["observations"]["entry"])
MARROW = "http://loinc.org|11150-0"


@pytest.fixture(scope="module")
def fhir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The FHIR base address."""
    with running(tmp_path_factory.mktemp("fhir") / "store.db", "2026-10-01") as base_url:
        yield f"{base_url}/fhir"


def get(address: str, **headers: str) -> requests.Response:
    return requests.get(
        address, headers={name.replace("_", "-"): text for name, text in headers.items()}, timeout=WITHIN
    )


def found(address: str) -> dict[str, Any]:
    """The Bundle of a search that must succeed."""
    answer = get(address)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    return bundle


def ids(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return {each["relation"]: each["url"] for each in bundle["link"]}.get(relation)


def assert_refused(answer: requests.Response, status: int, code: str) -> None:
    """An OperationOutcome as FHIR JSON; a browser may read it."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"]
    (issue,) = OperationOutcome(**answer.json()).issue
    assert (issue.severity, issue.code) == ("error", code)


# --- metadata and media types


def test_metadata_is_a_capability_statement_of_r4(fhir: str) -> None:
    statement = get(f"{fhir}/metadata").json()
    read = CapabilityStatement(**statement)
    assert (read.fhirVersion, read.implementation.url) == ("4.0.1", fhir)
    listed = {each["type"]: tuple(p["name"] for p in each["searchParam"]) for each in statement["rest"][0]["resource"]}
    assert listed == dict(FILTERS)


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", "application/fhir+json"),
        ("application/fhir+json", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        ("application/json+fhir", "application/json+fhir"),
        ("application/json", "application/json"),
        ("application/fhir+xml;q=0.9, application/fhir+json;q=0.5", "application/fhir+json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/fhir+json"),
    ],
)
def test_json_is_named_as_the_caller_names_it(fhir: str, accept: str, given: str) -> None:
    answer = get(f"{fhir}/Patient/{G01}", Accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{given}; charset=utf-8")
    assert "Accept" in answer.headers["Vary"]


def test_no_accept_header_means_fhir_json(fhir: str) -> None:
    with requests.Session() as session:
        session.headers["Accept"] = None  # type: ignore[assignment]
        answer = session.get(f"{fhir}/metadata", timeout=WITHIN)
    assert "Accept" not in answer.request.headers
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"


@pytest.mark.parametrize("accept", ["application/fhir+xml", "text/html", "application/fhir+json;q=0"])
def test_anything_but_json_is_not_acceptable(fhir: str, accept: str) -> None:
    assert_refused(get(f"{fhir}/Patient/{G01}", Accept=accept), 406, "not-supported")


@pytest.mark.parametrize("format_", ["json", "application/json+fhir", "application%2Ffhir%2Bjson", "application/json"])
def test_format_wins_over_accept(fhir: str, format_: str) -> None:
    answer = get(f"{fhir}/Patient/{G01}?_format={format_}", Accept="application/fhir+xml")
    assert answer.json()["id"] == G01


def test_xml_by_format_is_not_acceptable(fhir: str) -> None:
    assert_refused(get(f"{fhir}/Patient/{G01}?_format=xml", Accept="*/*"), 406, "not-supported")


# --- read


def test_a_read_gives_the_resource_as_the_story_has_it(fhir: str) -> None:
    told = story(G01).request["prefetch"]["observations"]["entry"][0]["resource"]
    assert get(f"{fhir}/Observation/{told['id']}").json() == told


def test_of_two_versions_a_read_gives_the_newest_and_a_search_both(fhir: str) -> None:
    assert get(f"{fhir}/Observation/tvoor-observation-5").json()["meta"]["versionId"] == "2"
    assert found(f"{fhir}/Observation?_id=tvoor-observation-5")["total"] == 2


def test_a_patient_is_named_after_the_story(fhir: str) -> None:
    (name,) = get(f"{fhir}/Patient/{G01}").json()["name"]
    assert name == {"use": "anonymous", "family": "(invented)", "given": [story(G01).about["title"]]}


@pytest.mark.parametrize("path", ["Patient/nobody", "Observation/x", "Practitioner/x", "Practitioner", "", "a/b/c"])
def test_what_is_not_there_is_404(fhir: str, path: str) -> None:
    assert_refused(get(f"{fhir}/{path}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "Patient", "GET"),
        ("PUT", f"Patient/{G01}", "GET"),
        ("PATCH", f"Patient/{G01}", "GET"),
        ("DELETE", f"Patient/{G01}", "GET"),
        ("PUT", "Patient/_search", "POST"),
        ("POST", "", "GET"),
    ],
)
def test_nothing_can_be_written(fhir: str, method: str, path: str, allowed: str) -> None:
    answer = requests.request(method, f"{fhir}/{path}", json={"resourceType": "Patient"}, timeout=WITHIN)
    assert_refused(answer, 405, "not-supported")
    assert answer.headers["Allow"] == allowed


# --- search


def test_patients_are_listed_each_once_and_by_name(fhir: str) -> None:
    bundle = found(f"{fhir}/Patient")
    Bundle(**bundle)
    assert ids(bundle) == [each.request["context"]["patientId"] for each in stories()]
    assert bundle["total"] == len(stories()) <= PAGE
    assert all(entry["resource"]["name"][0]["given"][0] for entry in bundle["entry"])


def test_an_entry_says_where_it_is_and_that_it_matched(fhir: str) -> None:
    for entry in found(f"{fhir}/Condition?patient={G01}")["entry"]:
        assert entry["search"] == {"mode": "match"}
        assert get(entry["fullUrl"]).json() == entry["resource"]


@pytest.mark.parametrize("prefix", ["", "Patient/", "{fhir}/Patient/"])
@pytest.mark.parametrize("name", ["patient", "subject"])
def test_a_patient_is_found_by_id_reference_or_address(fhir: str, name: str, prefix: str) -> None:
    bundle = found(f"{fhir}/Condition?{name}={prefix.format(fhir=fhir)}{G01}")
    told = story(G01).request["prefetch"]["conditions"]["entry"]
    assert ids(bundle) == [entry["resource"]["id"] for entry in told]


def test_nobody_has_no_results_and_no_empty_entry(fhir: str) -> None:
    bundle = found(f"{fhir}/Observation?patient=nobody")
    assert bundle["total"] == 0
    assert "entry" not in bundle


def test_a_parameter_without_a_value_finds_nothing(fhir: str) -> None:
    assert found(f"{fhir}/Observation?patient=")["total"] == 0


@pytest.mark.parametrize(
    ("code", "total"),
    [
        (MARROW, 3),
        ("11150-0", 3),
        ("http://snomed.info/sct|11150-0", 0),
        ("|11150-0", 0),
        ("http://loinc.org|,nothing", 5),
        (f"{MARROW},nothing", 3),
        (f"nothing&code={MARROW}", 0),
        (f"11150-0&code={MARROW}", 3),
    ],
)
def test_a_code_is_matched_as_a_token(fhir: str, code: str, total: int) -> None:
    assert found(f"{fhir}/Observation?patient={G01}&code={code}")["total"] == total


def test_a_category_is_matched_as_a_token(fhir: str) -> None:
    assert found(f"{fhir}/Condition?patient={G01}&category=problem-list-item")["total"] == 1
    both = found(f"{fhir}/Condition?patient={G01}&category=problem-list-item,encounter-diagnosis")
    assert both["total"] == found(f"{fhir}/Condition?patient={G01}")["total"]


def test_a_medication_is_found_by_its_code(fhir: str) -> None:
    (given, *_) = found(f"{fhir}/MedicationAdministration")["entry"]
    code = given["resource"]["medicationCodeableConcept"]["coding"][0]["code"]
    assert given["resource"]["id"] in ids(found(f"{fhir}/MedicationAdministration?code={code}"))


@pytest.mark.parametrize(("order", "newest_first"), [("-date", True), ("date", False)])
def test_results_come_in_the_order_asked_for(fhir: str, order: str, newest_first: bool) -> None:
    bundle = found(f"{fhir}/Observation?_count={LARGEST_PAGE}&_sort={order}")
    resources = [entry["resource"] for entry in bundle["entry"]]
    dates = [each["effectiveDateTime"] for each in resources if "effectiveDateTime" in each]
    assert dates == sorted(dates, reverse=newest_first)
    assert dates[0] != dates[-1]


@pytest.mark.parametrize("order", ["-date", "date"])
def test_what_has_no_date_comes_last(fhir: str, order: str) -> None:
    entries = found(f"{fhir}/Procedure?_sort={order}")["entry"]
    dated = [any(name.startswith("performed") for name in entry["resource"]) for entry in entries]
    assert dated == sorted(dated, reverse=True)
    assert dated[0]


def test_pages_together_hold_each_result_once_in_the_order_of_one_page(fhir: str) -> None:
    whole = ids(found(f"{fhir}/Observation?patient={G01}&_sort=-date"))
    address: str | None = f"{fhir}/Observation?patient={G01}&_sort=-date&_count=2&_format=json"
    pages = []
    while address:
        bundle = found(address)
        assert link(bundle, "self") == address
        assert bundle["total"] == len(whole)
        pages.append(ids(bundle))
        address = link(bundle, "next")
    assert [each for page in pages for each in page] == whole
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert len(pages) > 2


def test_a_page_is_never_larger_than_the_limit(fhir: str) -> None:
    assert len(ids(found(f"{fhir}/Observation"))) == PAGE
    bundle = found(f"{fhir}/Observation?_count=100000")
    assert len(ids(bundle)) == LARGEST_PAGE < bundle["total"]


@pytest.mark.parametrize("asked", ["_summary=count", "_count=0"])
def test_the_total_alone_can_be_asked_for(fhir: str, asked: str) -> None:
    bundle = found(f"{fhir}/Observation?patient={G01}&{asked}")
    assert bundle["total"] == RESULTS
    assert "entry" not in bundle
    assert link(bundle, "next") is None


def test_get_and_post_find_the_same(fhir: str) -> None:
    asked = {"patient": G01, "code": MARROW, "_sort": "-date"}
    posted = requests.post(f"{fhir}/Observation/_search", data=asked, timeout=WITHIN)
    assert posted.json() == requests.get(f"{fhir}/Observation", params=asked, timeout=WITHIN).json()


def test_a_post_may_have_its_parameters_in_the_address(fhir: str) -> None:
    posted = requests.post(f"{fhir}/Observation/_search?patient={G01}", data={"code": MARROW}, timeout=WITHIN)
    assert posted.json()["total"] == 3
    without_body = requests.post(f"{fhir}/Observation/_search?patient={G01}", timeout=WITHIN)
    assert without_body.json()["total"] == RESULTS


def test_a_posted_search_is_a_form(fhir: str) -> None:
    answer = requests.post(f"{fhir}/Observation/_search", json={"patient": G01}, timeout=WITHIN)
    assert_refused(answer, 415, "not-supported")


UNSUPPORTED = ["nonsense=1", "date=ge2025-01-01", "_sort=code", "_summary=text"]


@pytest.mark.parametrize("asked", UNSUPPORTED)
def test_what_is_not_supported_is_ignored_and_the_self_link_says_so(fhir: str, asked: str) -> None:
    bundle = found(f"{fhir}/Observation?patient={G01}&{asked}")
    assert bundle["total"] == RESULTS
    assert link(bundle, "self") == f"{fhir}/Observation?patient={G01}"


@pytest.mark.parametrize("asked", [*UNSUPPORTED, "nonsense=1&page=2"])
def test_what_is_not_supported_is_refused_to_a_strict_caller(fhir: str, asked: str) -> None:
    answer = get(f"{fhir}/Observation?patient={G01}&{asked}", Prefer="return=minimal; handling=strict")
    assert_refused(answer, 400, "not-supported")


def test_a_strict_caller_may_ask_for_what_is_supported(fhir: str) -> None:
    asked = f"patient={G01}&code={MARROW}&_sort=-date&_count=2&_summary=false&page=2"
    assert get(f"{fhir}/Observation?{asked}", Prefer="handling=strict").json()["total"] == 3


def test_a_type_without_a_date_is_not_sorted(fhir: str) -> None:
    assert link(found(f"{fhir}/Condition?patient={G01}&_sort=-date"), "self") == f"{fhir}/Condition?patient={G01}"


@pytest.mark.parametrize("asked", ["code:in=x", "patient:Patient=x", "_id:missing=true"])
def test_a_modifier_is_refused_as_r4_asks(fhir: str, asked: str) -> None:
    assert_refused(get(f"{fhir}/Observation?{asked}"), 400, "not-supported")


@pytest.mark.parametrize("asked", ["_count=many", "_count=-1", "page=next", "_count=1e3"])
def test_a_number_that_is_none_is_refused_without_repeating_it(fhir: str, asked: str) -> None:
    name, _, value = asked.partition("=")
    answer = get(f"{fhir}/Observation?{asked}")
    assert_refused(answer, 400, "invalid")
    assert answer.json()["issue"][0]["expression"] == [name]
    assert value not in answer.text


# --- what stories say of a failed search


def test_a_search_that_failed_in_the_story_is_answered_with_the_storys_outcome(fhir: str) -> None:
    answer = get(f"{fhir}/Observation?patient=key-that-is-an-outcome")
    assert_refused(answer, 403, "forbidden")
    assert answer.json() == story("key-that-is-an-outcome").request["prefetch"]["observations"]


def test_a_key_the_story_lacks_is_refused(fhir: str) -> None:
    assert_refused(get(f"{fhir}/Observation?subject=Patient/no-observations-key"), 403, "forbidden")
    assert found(f"{fhir}/Condition?patient=no-observations-key")["total"] > 0


def test_others_are_found_although_one_storys_search_fails(fhir: str) -> None:
    assert found(f"{fhir}/Observation?patient={G01}")["total"] == RESULTS


@pytest.mark.parametrize(
    ("slug", "kind"), [("search-that-failed", "Observation"), ("epic-shaped-relapse", "Procedure")]
)
def test_an_outcome_among_a_storys_entries_comes_with_the_first_page(fhir: str, slug: str, kind: str) -> None:
    bundle = found(f"{fhir}/{kind}?patient={slug}")
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["outcome"]
    assert bundle["total"] == 0
    assert "entry" not in found(f"{fhir}/{kind}?patient={slug}&page=200")
    assert "entry" not in found(f"{fhir}/{kind}?patient={slug}&_summary=count")


# --- in a browser


def test_a_browser_may_call_from_anywhere(fhir: str) -> None:
    preflight = requests.options(
        f"{fhir}/Observation/_search",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        timeout=WITHIN,
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert get(f"{fhir}/metadata", Origin=ORIGIN).headers["Access-Control-Allow-Origin"] == ORIGIN


# --- the folder


def test_a_result_without_codes_or_with_odd_ones_is_found_by_neither(tmp_path: Path) -> None:
    """A story may be malformed on purpose; a search must not fail for it."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "story.toml").write_text('title = "Odd"')
    odd = [
        {"resourceType": "Observation", "id": "text", "code": "text"},
        {"resourceType": "Observation", "id": "none", "code": {"coding": [{"display": "no code"}, "text"]}},
        {"resourceType": "Observation", "id": "bare", "code": {"coding": [{"code": "a"}]}},
        {"resourceType": "Observation", "id": "spell", "effectivePeriod": {"start": "2026"}},
    ]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in odd]}
    request = {"context": {"patientId": "odd"}, "prefetch": {"observations": bundle, "procedures": None}}
    (tmp_path / "odd" / "request.json").write_text(json.dumps(request))
    odd_stories = Stories(tmp_path, "http://127.0.0.1/fhir")

    def total(asked: str) -> int:
        return int(search(odd_stories, read_query("Observation", [("code", asked)], strict=True))["total"])

    assert [total(asked) for asked in ("a", "|a", "", "|", "text")] == [1, 1, 0, 0, 0]
    assert odd_stories.read("Observation", "spell") is not None
