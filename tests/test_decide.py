"""When an answer is refused, when it is silent, and what happens to evidence that is no valid FHIR."""

from __future__ import annotations

import json

import pytest

from cds_service.chart.read import AnotherPatient
from cds_service.decide import DataNotHad
from cds_service.errors import BadRequest, PreconditionFailed
from cds_service.service import CardService, view_of_file
from tests.charts import PATIENT, Chart, chart, knowledge, relapsed_b


@pytest.mark.parametrize("key", ["patient", "conditions"])
def test_a_required_key_never_supplied_is_refused_by_name(key: str) -> None:
    with pytest.raises(DataNotHad) as refused:
        relapsed_b().not_supplied(key).assess()
    assert refused.value.key == key


@pytest.mark.parametrize("key", ["patient", "conditions"])
def test_a_required_key_that_failed_is_refused_by_name(key: str) -> None:
    with pytest.raises(DataNotHad) as refused:
        relapsed_b().failed(key).assess()
    assert refused.value.key == key


def test_conditions_that_hold_another_type_are_as_good_as_missing() -> None:
    made = relapsed_b().prefetch()
    made["conditions"] = json.dumps({"resourceType": "Observation", "id": "x"}).encode()
    with pytest.raises(DataNotHad, match="no Condition"):
        relapsed_b().assess(made)


def test_a_resources_type_and_not_its_key_decides_how_it_is_read() -> None:
    made = relapsed_b().prefetch()
    made["problems"] = made.pop("conditions")
    assert relapsed_b().assess(made).rule == "R7"


@pytest.mark.parametrize("value", [b"null", b'{"resourceType": "Bundle"}', b'{"resourceType": "Bundle", "entry": []}'])
def test_no_conditions_is_an_answer_and_not_a_refusal(value: bytes) -> None:
    made = chart().prefetch()
    made["conditions"] = value
    assert chart().assess(made).classification == "not_all"


@pytest.mark.parametrize("key", ["observations", "procedures", "medications", "administrations"])
def test_an_optional_key_that_failed_turns_silence_into_a_question(key: str) -> None:
    quiet = chart().all_b("2025-01-01").remission("2025-03-01")
    assert not quiet.assess().speaks
    answer = quiet.copy().failed(key).assess()
    assert answer.classification == "indeterminate"
    assert answer.speaks


@pytest.mark.parametrize("key", ["observations", "procedures", "medications", "administrations"])
def test_an_optional_key_never_supplied_stays_silent_and_is_named_elsewhere(key: str) -> None:
    assert not chart().all_b("2025-01-01").remission("2025-03-01").not_supplied(key).assess().speaks
    facts = relapsed_b().not_supplied(key).assess().assessment.facts
    assert facts.absent_keys == (key,)


@pytest.mark.parametrize("status", ["remission", "treatment"])
def test_an_unfollowed_page_is_incomplete(status: str) -> None:
    quiet = chart().all_b("2026-10-20")
    if status == "remission":
        quiet = quiet.remission("2026-10-25")
    assert quiet.unfollowed("observations").assess().classification == "indeterminate"


def test_a_chart_without_all_stays_silent_when_an_optional_key_fails() -> None:
    assert not chart().failed("observations").assess().speaks


def test_a_deceased_patient_gets_no_card() -> None:
    assert not relapsed_b().died().assess().speaks
    assert not relapsed_b().died("2026-10-30").assess().speaks


def _service() -> CardService:
    return CardService(knowledge(), "http://127.0.0.1:8080")


def test_a_foreign_patient_is_refused() -> None:
    made = relapsed_b()
    prefetch = made.prefetch()
    prefetch["patient"] = json.dumps({"resourceType": "Patient", "id": "someone-else"}).encode()
    request = {
        "hook": "patient-view",
        "hookInstance": "6f1f8b1e-0000-4000-8000-000000000001",
        "context": {"userId": "Practitioner/example", "patientId": PATIENT},
        "prefetch": {key: json.loads(value) for key, value in prefetch.items()},
    }
    with pytest.raises(BadRequest) as refused:
        _service().decide(view_of_file(json.dumps(request).encode()), made.today)
    assert "someone-else" not in str(refused.value.outcome())


def test_a_refusal_for_lacking_data_names_the_key() -> None:
    made = relapsed_b()
    body = {
        "hook": "patient-view",
        "hookInstance": "6f1f8b1e-0000-4000-8000-000000000001",
        "context": {"userId": "Practitioner/example", "patientId": PATIENT},
        "prefetch": {"patient": made.patient()},
    }
    with pytest.raises(PreconditionFailed) as refused:
        _service().decide(view_of_file(json.dumps(body).encode()), made.today)
    assert "conditions" in json.dumps(refused.value.outcome())


def test_a_bundle_with_odd_entries_is_still_read() -> None:
    made = relapsed_b()
    entries: list[object] = [{"resource": made.patient()}, {"resource": 7}, {"fullUrl": "urn:uuid:nothing"}]
    entries += [{"resource": resource} for resource in made.resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    decision = _service().decide(view_of_file(json.dumps(bundle).encode()), made.today)
    assert decision.classification.value == "relapsed"


def _with_invalid_marrow() -> Chart:
    return relapsed_b().marrow(80, "2026-10-20").but_last(issued="not a time")


def test_cited_evidence_that_is_not_valid_fhir_is_set_aside_and_the_chart_read_again() -> None:
    answer = _with_invalid_marrow().assess()
    assert "not-valid-fhir-r4" in answer.aside
    assert {u.fact.when.text for u in answer.assessment.verdict.used if u.purpose == "return in the marrow"} == {
        "2026-10-10"
    }


def test_a_patient_whose_id_is_no_text_is_taken_for_another() -> None:
    made = relapsed_b().prefetch()
    odd = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": 7}}]}
    made["patient"] = json.dumps(odd).encode()
    with pytest.raises(AnotherPatient):
        relapsed_b().assess(made)
