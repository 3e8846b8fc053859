"""Whose a resource is, which version counts, reports, the patient; then every reason to set one aside."""

from __future__ import annotations

import json

import pytest

from cds_service.chart.read import AnotherPatient
from cds_service.chart.set_aside import SET_ASIDE_REASONS
from tests.chart import facts, from_prefetch, on_server, rows, why
from tests.charts import (
    AML,
    B_ALL,
    DEXAMETHASONE,
    GENERIC_RECURRENCE,
    GENERIC_REMISSION,
    HISTORY,
    ICD10CM,
    INTRATHECAL,
    LOINC,
    MENINGEAL,
    MERCAPTOPURINE,
    OURS,
    PARTIAL_REMISSION,
    SECONDARY_BRAIN,
    SNOMED,
    VALUE,
    VINCRISTINE,
    Chart,
    Json,
    chart,
    concept,
    quantity,
    relapsed_b,
)

DAY = "2026-10-10"
MARROW = (LOINC, "11150-0")


# -- whose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("Patient/p2", "another-patient"),
        ("https://ehr.example/fhir/Patient/p1", "another-patient"),
        ("Group/p1", "another-patient"),
        (None, "subject-not-stated"),
    ],
)
def test_a_result_of_another_patient_or_of_nobody_is_set_aside(reference: str | None, reason: str) -> None:
    written = chart().marrow(62, DAY).but_last(subject={"reference": reference})
    assert facts(written).marrow == ()
    assert why(written) == {reason}


def test_a_version_of_the_patient_is_the_patient() -> None:
    assert len(facts(chart().marrow(62, DAY).but_last(subject={"reference": "Patient/p1/_history/3"})).marrow) == 1


@pytest.mark.parametrize(
    ("server", "theirs"),
    [("https://ehr.example/fhir", 1), ("https://ehr.example/fhir/", 1), ("https://other.example/fhir", 0)],
)
def test_an_absolute_reference_means_the_patient_on_the_clients_own_server(server: str, theirs: int) -> None:
    written = chart().marrow(62, DAY).but_last(subject={"reference": "https://ehr.example/fhir/Patient/p1"})
    assert len(on_server(written, server).marrow) == theirs


def test_the_full_url_of_the_patient_means_the_patient() -> None:
    written = chart().marrow(62, DAY).but_last(subject={"reference": "urn:uuid:p"})
    entry = {"fullUrl": "urn:uuid:p", "resource": written.patient()}
    raw = json.dumps({"resourceType": "Bundle", "entry": [entry]}).encode()
    assert len(from_prefetch(written, patient=raw).marrow) == 1


def test_a_foreign_patient_is_refused() -> None:
    with pytest.raises(AnotherPatient):
        from_prefetch(chart(), patient=b'{"resourceType": "Patient", "id": "p2"}')


@pytest.mark.parametrize(
    ("written", "deceased"),
    [(chart(), False), (chart().died(), True), (chart().died("2026-01-01"), True)],
)
def test_a_patient_is_dead_by_flag_or_by_date(written: Chart, deceased: bool) -> None:
    assert facts(written).deceased is deceased


def test_a_patient_without_a_birth_date_has_none() -> None:
    assert facts(chart().born(None)).birth is None


# -- versions --------------------------------------------------------------------------------------


def twice(first: Json, second: Json) -> Chart:
    """Two entries of one id: marrow 62 % and marrow 3 %."""
    written = chart().marrow(62, DAY).but_last(**first).marrow(3, DAY).but_last(**second)
    written.resources[1]["id"] = "r0"
    return written


def updated(when: str) -> Json:
    return {"meta": {"lastUpdated": when}}


def test_of_two_versions_the_last_updated_counts() -> None:
    written = twice(updated("2026-10-12T00:00:00Z"), updated("2026-10-11T00:00:00Z"))
    assert [m.value.text for m in facts(written).marrow] == ["62"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        (updated("2026-10-12T00:00:00Z"), {}),
        (updated("2026-10-12T00:00:00Z"), updated("2026-10-12T00:00:00Z")),
    ],
)
def test_of_two_versions_without_an_order_both_are_kept(first: Json, second: Json) -> None:
    assert {m.value.text for m in facts(twice(first, second)).marrow} == {"62", "3"}


@pytest.mark.parametrize("element", ["id", "nothing"])
def test_the_same_entry_twice_is_one_result(element: str) -> None:
    written = chart().marrow(62, DAY)
    written.resources[0].pop(element, None)
    written.resources.append(dict(written.resources[0]))
    assert len(facts(written).marrow) == 1


def test_a_result_without_an_id_has_a_name_of_its_own() -> None:
    written = chart().marrow(62, DAY).marrow(3, DAY)
    for resource in written.resources:
        del resource["id"]
    names = {m.ref for m in facts(written).marrow}
    assert len(names) == 2
    assert all(name.startswith("Observation/unidentified-") for name in names)


# -- other FHIR versions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        chart().all_b("2025-01-01").but_last(clinicalStatus="active"),
        chart().all_b("2025-01-01").but_last(verificationStatus="confirmed"),
        chart().all_b("2025-01-01").but_last(dateRecorded="2025-01-01"),
        chart().all_b("2025-01-01").but_last(assertedDate="2025-01-01"),
        chart().marrow(62, DAY).but_last(category=concept(("urn:x", "laboratory"))),
        chart().marrow(62, DAY).but_last(comment="see above"),
        chart().chemotherapy("2025-01-01").but_last(notDone=False),
        chart().administration(VINCRISTINE, "2025-01-01").but_last(notGiven=True),
        chart().statement(VINCRISTINE, "2025-01-01").but_last(taken="n"),
        chart().request(VINCRISTINE, "2025-01-01").but_last(context={"reference": "Encounter/e"}),
        chart().report(DAY).but_last(codedDiagnosis=[]),
    ],
)
def test_a_resource_of_an_older_fhir_version_is_set_aside(written: Chart) -> None:
    found = facts(written)
    assert (found.diagnoses, found.marrow, found.treatments, found.reports) == ((), (), (), ())
    assert why(written) == {"unsupported-fhir-version"}


# -- references ------------------------------------------------------------------------------------


def test_a_specimen_that_cannot_be_read_safely_is_not_at_hand() -> None:
    written = chart().specimen("s").observation((LOINC, "67128-9"), DAY, 1, specimen="s")
    raw = written.prefetch()["observations"].replace(b'"id": "s"', b'"id": "s", "id": "s"')
    found = from_prefetch(written, observations=raw)
    assert (found.marrow, rows(found)) == ((), {"Observation/r1": {"specimen-not-known-to-be-marrow"}})


# -- reports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["final", "preliminary", "partial", "appended", "amended"])
def test_a_report_on_file_is_dated_and_not_interpreted(status: str) -> None:
    (found,) = facts(chart().report(DAY).but_last(status=status)).reports
    assert (found.about, found.when.text) == ("marrow", DAY)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"status": "entered-in-error"}, "entered-in-error"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "registered"}, "status-unknown"),
        ({"effectiveDateTime": None}, "no-date"),
        ({"effectiveDateTime": "2027-01-01"}, "dated-after-today"),
    ],
)
def test_a_report_that_cannot_be_used_is_set_aside(elements: Json, reason: str) -> None:
    written = chart().report(DAY).but_last(**elements)
    assert facts(written).reports == ()
    assert why(written) == {reason}


def test_a_report_with_coded_results_is_told_by_its_results() -> None:
    written = chart().report(DAY, result=[{"reference": "Observation/r1"}]).marrow(62, DAY)
    found = facts(written)
    assert (found.reports, len(found.marrow)) == ((), 1)


def test_a_report_about_something_else_is_not_mentioned() -> None:
    assert facts(chart().report(DAY, code="11150-0")).reports == ()


def contained(status: str = "final", **elements: object) -> Chart:
    inside = {"resourceType": "Observation", "id": "o", "status": "final", "code": concept(MARROW)}
    inside["valueQuantity"] = quantity(62)
    other = {"resourceType": "Practitioner", "id": "x"}
    written = chart().report(DAY, contained=[other, inside], result=[{"reference": "#o"}])
    return written.but_last(status=status, **elements)


def test_a_result_inside_a_report_has_the_reports_subject_and_time() -> None:
    (found,) = facts(contained()).marrow
    assert (found.ref, found.when.text, found.specimen) == ("Observation/r0#o", DAY, None)


def test_a_result_inside_a_report_is_of_the_reports_only_specimen() -> None:
    (found,) = facts(contained(specimen=[{"reference": "Specimen/s"}])).marrow
    assert found.specimen == "Specimen/s"


def test_a_result_inside_a_report_on_two_specimens_is_of_neither() -> None:
    both = [{"reference": "Specimen/s"}, {"reference": "Specimen/t"}]
    assert [m.specimen for m in facts(contained(specimen=both)).marrow] == [None]


def test_a_result_inside_a_report_entered_in_error_is_not_used() -> None:
    assert facts(contained("entered-in-error")).marrow == ()


# -- keys ------------------------------------------------------------------------------------------


def test_a_key_that_was_not_supplied_is_told_apart_from_one_that_failed() -> None:
    found = facts(chart().not_supplied("procedures").failed("medications"))
    assert (found.absent_keys, found.unread_keys) == (("procedures",), ("medications",))


# -- every reason ----------------------------------------------------------------------------------

TWO_CODES = chart().marrow(62, DAY)
TWO_CODES.resources[0]["code"]["coding"] += concept((LOINC, "26446-5"))["coding"]

REASONS: dict[str, Chart] = {
    "abl-class-is-not-ph": chart().ph("positive", DAY, code="96494-0"),
    "absolute-count": chart().observation((LOINC, "30376-8"), DAY, 3),
    "another-patient": chart().marrow(62, DAY, patient="p2"),
    "autologous-transplant": chart().condition((SNOMED, "108631000119101"), "2025-01-01"),
    "awaiting-transplant": chart().condition((SNOMED, "698303004"), "2025-01-01"),
    "blasts-of-another-leukemia": chart()
    .all_b("2023-01-01")
    .remission("2023-06-01")
    .condition(AML, "2026-10-12", clinical="active")
    .marrow(62, DAY),
    "cancelled": chart().marrow(62, DAY, status="cancelled"),
    "cns-stage": chart().all_b("2025-01-01", stage=("http://fhir.ch/ig/ch-crl/CodeSystem/nkrs-cogallstaging", "CNS1")),
    "codes-disagree": TWO_CODES,
    "comparator-unknown": chart().marrow(62, DAY, comparator="~"),
    "corticosteroid-alone": chart().administration(DEXAMETHASONE, DAY),
    "dated-after-today": chart().marrow(62, "2027-01-01"),
    "differential": chart().all_b("2025-01-01", verification="differential"),
    "display-names-another-concept": chart().marrow(62, DAY, display="Blasts/100 leukocytes in Blood"),
    "entered-in-error": chart().marrow(62, DAY, status="entered-in-error"),
    "extramedullary-no-longer-active": chart().condition(MENINGEAL, "2025-01-01", clinical="resolved"),
    "generic-fish-result": chart().observation((LOINC, "62356-1"), DAY, "POS"),
    "history-code": chart().condition(HISTORY, "2025-01-01"),
    "intrathecal-alone": chart().procedure(INTRATHECAL, DAY),
    "log-ratio": chart().ph(4, DAY, code="50195-7"),
    "maintenance-alone": chart().administration(MERCAPTOPURINE, DAY),
    "malformed": chart().marrow(62, DAY).but_last(component="none"),
    "marker-percentage": chart().observation((LOINC, "13842-0"), DAY, 3),
    "medication-not-coded": chart().add("MedicationStatement", medicationReference={"display": "vincristine"}),
    "myeloblasts": chart().observation((LOINC, "747-6"), DAY, 3),
    "negative-in-remission": relapsed_b().ph("positive", "2025-01-01").ph("negative", "2025-03-02"),
    "no-date": chart().observation(MARROW, None, 62),
    "no-unit": chart().marrow(62, DAY, unit=None),
    "no-value": chart().observation(MARROW, DAY),
    "not-a-complete-status": chart().condition(PARTIAL_REMISSION, "2025-01-01"),
    "not-an-order": chart().request(VINCRISTINE, DAY, intent="plan"),
    "not-completed": chart().chemotherapy(DAY, status="not-done"),
    "not-given": chart().administration(VINCRISTINE, DAY, status="not-done"),
    "not-valid-fhir-r4": relapsed_b().but_last(note="no list of Annotations"),
    "performance-status": chart().observation((LOINC, "89247-1"), DAY, 1),
    "ph-result-undecided": chart().fish(3, DAY),
    "preliminary": chart().ph("positive", DAY, status="preliminary"),
    "provisional": chart().all_b("2025-01-01", verification="provisional"),
    "refractory-no-longer-active": chart().refractory("2025-01-01", clinical="inactive"),
    "refuted": chart().all_b("2025-01-01", verification="refuted"),
    "registered": chart().marrow(62, DAY, status="registered"),
    "relapse-no-longer-active": chart().relapse("2025-01-01", clinical="resolved"),
    "relapse-of-unnamed-disease": chart().condition(GENERIC_RECURRENCE, "2025-01-01"),
    "remission-of-unnamed-disease": chart().condition(GENERIC_REMISSION, "2025-01-01"),
    "site-in-remission": chart().condition((SNOMED, "61291000119103"), "2025-01-01"),
    "site-without-leukemia": chart().condition(SECONDARY_BRAIN, "2025-01-01"),
    "specimen-not-known-to-be-marrow": chart().observation((LOINC, "67128-9"), DAY, 1),
    "specimen-not-marrow": chart().flow(62, DAY, site="blood"),
    "status-unknown": chart().marrow(62, DAY, status="unknown"),
    "subject-not-stated": chart().marrow(62, DAY).but_last(subject={}),
    "text-not-interpreted": chart().marrow("sheets of blasts", DAY),
    "transplant-donor-not-stated": chart().condition((ICD10CM, "Z94.84"), "2025-01-01"),
    "treatment-without-detail": chart().condition((ICD10CM, "Z51.11"), "2025-01-01"),
    "unconfirmed": chart().condition(B_ALL, "2025-01-01", verification="unconfirmed"),
    "unit-ambiguous": chart().marrow(0.62, DAY, unit="1"),
    "unit-not-usable": chart().marrow(62, DAY, unit="K/uL"),
    "unsupported-fhir-version": chart().all_b("2025-01-01").but_last(clinicalStatus="active"),
    "value-impossible": chart().marrow(6200, DAY),
    "value-not-understood": chart().observation((OURS, "cd19-expression"), DAY, (VALUE, "dim")),
}


def test_every_reason_has_a_chart() -> None:
    assert set(REASONS) == SET_ASIDE_REASONS


@pytest.mark.parametrize("reason", sorted(SET_ASIDE_REASONS))
def test_every_reason_is_given_by_the_chart_that_deserves_it(reason: str) -> None:
    assert reason in why(REASONS[reason])
