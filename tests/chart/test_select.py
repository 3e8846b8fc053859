"""Selection: which entries of the prefetched bundles are read, which are named, which are passed over."""

from __future__ import annotations

import json

import pytest

from cds_service.chart.select import select
from cds_service.decide import DataNotHad
from tests.chart import facts, from_prefetch, rows
from tests.charts import B_ALL, LOINC, Chart, Json, bundle, chart, concept, knowledge, relapsed_b

DAY = "2026-10-10"
MARROW = (LOINC, "11150-0")


def entries(*resources: object, **more: object) -> bytes:
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": r} for r in resources], **more}).encode()


def observation(**elements: object) -> Json:
    (made,) = chart().marrow(62, DAY).resources
    return made | elements


def outcome(*issues: Json) -> Json:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def unread(raw: bytes) -> tuple[str, ...]:
    return from_prefetch(chart(), observations=raw).unread_keys


def test_a_resource_is_read_by_its_type_and_not_by_its_key() -> None:
    found = from_prefetch(chart(), procedures=entries(observation()))
    assert [m.value.text for m in found.marrow] == ["62"]


def test_a_single_resource_in_place_of_a_bundle_is_read() -> None:
    found = from_prefetch(chart(), observations=json.dumps(observation()).encode())
    assert [m.value.text for m in found.marrow] == ["62"]


@pytest.mark.parametrize("raw", [b"null", b"{}", b'{"resourceType": "Bundle"}', b'{"resourceType":"Basic"}'])
def test_a_value_without_results_is_no_failure(raw: bytes) -> None:
    found = from_prefetch(chart(), observations=raw)
    assert (found.marrow, found.unread_keys, found.set_aside) == ((), (), ())


def test_a_value_that_is_no_object_is_no_result() -> None:
    found = from_prefetch(chart(), observations=b"[]")
    assert (found.marrow, found.set_aside) == ((), ())


def test_a_key_that_holds_only_an_outcome_was_not_read() -> None:
    assert facts(chart().failed("observations")).unread_keys == ("observations",)


def test_a_malformed_bundle_was_not_read() -> None:
    assert unread(b'{"resourceType": "Bundle", "entry": {"resource": {}}}') == ("observations",)


def test_malformed_conditions_are_data_that_were_not_had() -> None:
    with pytest.raises(DataNotHad) as told:
        from_prefetch(chart(), conditions=b'{"resourceType": "Bundle", "entry": 1}')
    assert told.value.key == "conditions"


def test_a_bundle_with_a_next_page_was_not_read_to_its_end() -> None:
    found = facts(chart().marrow(62, DAY).unfollowed("observations"))
    assert (found.unread_keys, len(found.marrow)) == (("observations",), 1)


@pytest.mark.parametrize("link", [{"relation": "self", "url": "https://x"}, {"relation": "next"}])
def test_a_link_that_leads_nowhere_is_no_next_page(link: Json) -> None:
    assert unread(entries(link=[link])) == ()


@pytest.mark.parametrize("entry", ["null", "{}", '{"search": {"mode": "match"}}'])
def test_an_empty_entry_is_passed_over(entry: str) -> None:
    raw = '{"resourceType":"Bundle","entry":[' + entry + "," + json.dumps({"resource": observation()}) + "]}"
    found = from_prefetch(chart(), observations=raw.encode())
    assert ([m.value.text for m in found.marrow], found.unread_keys) == (["62"], ())


@pytest.mark.parametrize(
    ("issues", "failed"),
    [
        ([{"severity": "information", "code": "informational"}], False),
        ([{"severity": "warning", "code": "not-found"}], False),
        ([{"severity": "warning", "code": "incomplete"}], True),
        ([{"severity": "information", "code": "suppressed"}], True),
        ([{"severity": "error", "code": "not-found"}], True),
        ([{"severity": "fatal", "code": "exception"}], True),
        ([{}], True),
        ([], True),
    ],
)
def test_an_outcome_among_the_entries_tells_whether_data_are_lacking(issues: list[Json], failed: bool) -> None:
    assert unread(entries(observation(), outcome(*issues))) == (("observations",) if failed else ())


def test_two_outcomes_among_the_entries_name_the_key_once() -> None:
    assert unread(entries(outcome(), outcome())) == ("observations",)


def test_an_outcome_that_cannot_be_read_is_a_failure() -> None:
    assert unread(entries({"resourceType": "OperationOutcome", "issue": "none"})) == ("observations",)


# -- malformed entries -----------------------------------------------------------------------------


def test_a_malformed_relevant_entry_is_named() -> None:
    found = from_prefetch(chart(), observations=entries(observation(component="none")))
    assert (found.marrow, rows(found)) == ((), {"Observation/r0": {"malformed"}})


def test_a_malformed_relevant_entry_without_id_is_named_as_such() -> None:
    found = from_prefetch(chart(), observations=entries(observation(component="none", id=None)))
    assert rows(found) == {"Observation/(without id)": {"malformed"}}


@pytest.mark.parametrize(
    "entry",
    [
        {"resourceType": "Observation", "id": "x", "code": "glucose"},
        {"resourceType": "Observation", "id": "x", "code": {"coding": [{"system": 1, "code": [{}, 2]}]}},
        {"resourceType": "Basic", "id": 1, "code": concept(MARROW)},
        {"resourceType": 1, "code": concept(MARROW)},
        "text",
        None,
    ],
)
def test_a_malformed_irrelevant_entry_changes_nothing(entry: object) -> None:
    found = from_prefetch(chart(), observations=entries(entry, observation()))
    assert ([m.value.text for m in found.marrow], rows(found), found.unread_keys) == (["62"], {}, ())


def test_a_patient_of_unusual_shape_is_still_the_patient() -> None:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1990-05-05", "contained": "none"}
    found = from_prefetch(chart(), patient=json.dumps(patient).encode())
    assert found.birth is not None
    assert found.birth.text == "1990-05-05"


def test_a_code_nobody_knows_is_counted_by_its_system() -> None:
    other = concept(("urn:lab", "GLU"))
    other["coding"].append({"code": "no system"})
    found = select({"observations": entries({"resourceType": "Observation", "code": other})}, knowledge().meanings)
    assert (found.resources, found.unknown_systems) == ([], {"urn:lab": 1})


def test_a_code_nobody_knows_is_counted_once_however_often_it_stands_there() -> None:
    glucose, sodium = (concept(("urn:lab", code)) for code in ("GLU", "NA"))
    results = [{"resourceType": "Observation", "code": code} for code in (glucose, sodium, glucose)]
    beside = observation(component=[{"code": sodium}, {"code": concept(("urn:site", "K"))}])
    inside = {"resourceType": "Observation", "component": [{"code": concept(("urn:site", "K"))}, {"code": glucose}]}
    found = select({"observations": entries(*results, beside, inside)}, knowledge().meanings)
    assert found.unknown_systems == {"urn:lab": 2, "urn:site": 1}


@pytest.mark.parametrize("code", ["marrow", ["marrow"], {"coding": "marrow"}, {"coding": [MARROW[1]]}])
def test_a_report_with_a_contained_result_whose_code_is_none_is_named(code: object) -> None:
    """Whatever else it holds may have been meant to be read."""
    contained = [
        {"resourceType": "Observation", "code": concept(MARROW)},
        {"resourceType": "Observation", "code": code},
    ]
    report = {"resourceType": "DiagnosticReport", "id": "r", "code": concept(("urn:lab", "R")), "contained": contained}
    found = from_prefetch(chart(), observations=entries(report))
    assert rows(found) == {"DiagnosticReport/r": {"malformed"}}


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Observation"},
        {"resourceType": "Observation", "component": [{}]},
        {"resourceType": "Condition", "stage": [{}]},
        {"resourceType": "Condition", "contained": [{"resourceType": "Condition", "code": concept(B_ALL)}]},
    ],
)
def test_an_entry_without_a_known_code_of_its_own_is_not_relevant(resource: Json) -> None:
    assert select({"x": entries(resource)}, knowledge().meanings).resources == []


def test_a_diagnosis_known_by_its_stage_or_component_is_relevant() -> None:
    staged = {"resourceType": "Condition", "stage": [{"summary": concept(B_ALL)}]}
    panel = {"resourceType": "Observation", "component": [{"code": concept(MARROW)}]}
    assert select({"x": entries(staged, panel)}, knowledge().meanings).resources == [staged, panel]


# -- fullUrl ---------------------------------------------------------------------------------------


def with_urls(written: Chart, urls: list[str]) -> bytes:
    made = bundle(written.resources)
    for entry, url in zip(made["entry"], urls, strict=True):
        entry["fullUrl"] = url
    return json.dumps(made).encode()


@pytest.mark.parametrize("identified", [True, False])
def test_a_specimen_named_by_its_full_url_is_found(identified: bool) -> None:
    written = chart().specimen("s").observation((LOINC, "67128-9"), DAY, 1)
    written.but_last(specimen={"reference": "urn:uuid:specimen"})
    if not identified:
        del written.resources[0]["id"]
    raw = with_urls(written, ["urn:uuid:specimen", "urn:uuid:result"])
    (found,) = from_prefetch(chart(), observations=raw).marrow
    assert found.specimen == ("Specimen/s" if identified else "urn:uuid:specimen")


def test_a_report_whose_contained_results_are_no_list_is_read_as_a_report() -> None:
    made = relapsed_b().report("2026-10-20").but_last(contained="nothing")
    assert made.assess().rule == "R7"


def test_an_entry_of_another_type_and_of_the_wrong_shape_changes_nothing() -> None:
    odd = relapsed_b().add("Basket", code="apples")
    assert odd.assess().outcome == relapsed_b().assess().outcome


def test_a_value_whose_type_is_no_text_is_nothing_that_was_seen() -> None:
    selection = select({"conditions": b'{"resourceType": 5, "entry": 6}'}, {})
    assert (selection.types_seen, selection.failed, selection.resources) == ({"conditions": set()}, [], [])


def test_a_resource_that_has_a_bundles_members_in_another_shape_is_still_read() -> None:
    selection = select({"patient": b'{"resourceType": "Patient", "id": "p1", "link": 5}'}, {})
    assert [resource["id"] for resource in selection.resources] == ["p1"]
    assert selection.failed == []
