"""Observations: marrow, blood, phenotype, status, fluid, judgements."""

from __future__ import annotations

import pytest

from cds_service.clinical.facts import Cells, StatusKind, Test
from tests.chart import asides, component, facts, why
from tests.charts import (
    GENERIC_REMISSION,
    LOINC,
    OURS,
    PARTIAL_REMISSION,
    SNOMED,
    SPECIMENS,
    VALUE,
    Chart,
    Code,
    chart,
    concept,
    quantity,
    relapsed_b,
)

DAY = "2026-10-10"
MRD_FLOW: Code = (LOINC, "67128-9")
MRD_MOLECULAR: Code = (LOINC, "104273-8")
MARROW: Code = (LOINC, "11150-0")
CANCER_STATUS: Code = (LOINC, "97509-4")
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def coded(kind: str, value: str, **more: object) -> Chart:
    return chart().observation((OURS, kind), DAY, (VALUE, value), **more)  # type: ignore[arg-type]


# -- status and date -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("entered-in-error", "entered-in-error"),
        ("cancelled", "cancelled"),
        ("registered", "registered"),
        ("unknown", "status-unknown"),
        ("done", "status-unknown"),
    ],
)
def test_a_result_that_is_not_final_is_set_aside(status: str, reason: str) -> None:
    read = chart().marrow(62, DAY, status=status)
    assert facts(read).marrow == ()
    assert why(read) == {reason}


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_amended_and_corrected_results_are_final(status: str) -> None:
    (found,) = facts(chart().marrow(62, DAY, status=status)).marrow
    assert (found.preliminary, found.doubt, found.value.text) == (False, False, "62")


def test_a_preliminary_marrow_is_kept_apart() -> None:
    (found,) = facts(chart().marrow(62, DAY, status="preliminary")).marrow
    assert found.preliminary


@pytest.mark.parametrize("kind", ["fit", "donor"])
def test_a_preliminary_judgement_is_set_aside(kind: str) -> None:
    read = getattr(chart(), kind)(DAY).but_last(status="preliminary")
    assert facts(read).judgements == ()
    assert why(read) == {"preliminary"}


@pytest.mark.parametrize(
    ("elements", "text"),
    [
        ({"effectiveDateTime": "2026-10"}, "2026-10"),
        ({"effectiveDateTime": "2025"}, "2025"),
        ({"effectiveDateTime": "2026-10-10T23:30:00-05:00"}, "2026-10-11"),
        ({"effectiveDateTime": "2026-10-10T00:30:00+02:00"}, "2026-10-09"),
        ({"effectiveDateTime": "2026-10-10T12:00:00"}, "2026-10-09/2026-10-11"),
        ({"effectiveInstant": "2026-10-10T12:00:00Z"}, "2026-10-10"),
        ({"effectivePeriod": {"start": "2026-10-01", "end": "2026-10-03"}}, "2026-10-01/2026-10-03"),
        ({"effectivePeriod": {"start": "2026-10-01"}}, "2026-10-01"),
        ({"effectivePeriod": {"end": "2026-10-03"}}, "2026-10-03"),
        ({"issued": "2026-10-12T12:00:00Z"}, "2026-10-12"),
        ({"effectiveDateTime": "2026-10-10", "issued": "2026-10-12T12:00:00Z"}, "2026-10-10"),
        ({"effectiveDateTime": "October", "issued": "2026-10-12T12:00:00Z"}, "2026-10-12"),
    ],
)
def test_a_result_lies_where_its_own_time_says(elements: dict[str, object], text: str) -> None:
    read = chart().observation(MARROW, None, 62).but_last(**elements)
    assert [m.when.text for m in facts(read).marrow] == [text]


def test_a_result_without_a_time_lies_when_its_specimen_was_collected() -> None:
    read = chart().specimen("s", collected="2026-10-08")
    read.observation(MARROW, None, 62, specimen="s", issued="2026-10-12T12:00:00Z")
    assert [m.when.text for m in facts(read).marrow] == ["2026-10-08"]


def test_a_result_without_any_time_is_set_aside() -> None:
    assert why(chart().observation(MARROW, None, 62)) == {"no-date"}


def test_a_period_that_ends_before_it_starts_is_no_date() -> None:
    read = chart().observation(MARROW, None, 62).but_last(effectivePeriod={"start": DAY, "end": "2026-10-01"})
    assert why(read) == {"no-date"}


def test_a_result_dated_after_today_is_set_aside() -> None:
    assert why(chart().marrow(62, "2026-11-02")) == {"dated-after-today"}


def test_a_result_of_this_year_may_be_of_today_or_before() -> None:
    assert len(facts(chart().marrow(62, "2026")).marrow) == 1


# -- codes -----------------------------------------------------------------------------------------


def test_two_codings_that_mean_different_things_are_set_aside() -> None:
    read = chart().marrow(62, DAY)
    read.resources[-1]["code"]["coding"] += concept((LOINC, "26446-5"))["coding"]
    assert (facts(read).marrow, facts(read).blood) == ((), ())
    assert why(read) == {"codes-disagree"}


def test_a_code_under_the_name_of_another_is_set_aside() -> None:
    read = chart().marrow(62, DAY, display="Blasts/100 leukocytes in Blood")
    assert facts(read).marrow == ()
    assert why(read) == {"display-names-another-concept"}


def test_a_local_name_of_a_code_changes_nothing() -> None:
    assert len(facts(chart().marrow(62, DAY, display="BM blasts, local name")).marrow) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("30376-8", "absolute-count"),
        ("747-6", "myeloblasts"),
        ("13842-0", "marker-percentage"),
        ("62356-1", "generic-fish-result"),
        ("89247-1", "performance-status"),
    ],
)
def test_a_result_that_no_rule_uses_is_named(code: str, reason: str) -> None:
    assert why(chart().observation((LOINC, code), DAY, 62)) == {reason}


def test_a_diagnosis_code_used_as_an_observation_says_nothing() -> None:
    found = facts(chart().observation((SNOMED, "277571004"), DAY, True))
    assert (found.diagnoses, found.set_aside) == ((), ())


@pytest.mark.parametrize(
    ("code", "about"),
    [("74233-8", "marrow"), ("101119-6", "flow cytometry"), ("104274-6", "MRD"), ("50659-2", "genetics")],
)
def test_a_narrative_result_is_on_file_and_not_interpreted(code: str, about: str) -> None:
    assert [r.about for r in facts(chart().observation((LOINC, code), DAY, "62 % blasts")).reports] == [about]


# -- marrow ----------------------------------------------------------------------------------------


def test_the_three_ways_to_count_a_marrow_are_told_apart() -> None:
    read = chart().marrow(62, DAY).flow(1, DAY).molecular(2, DAY)
    assert {m.test for m in facts(read).marrow} == {Test.MORPHOLOGY, Test.FLOW, Test.MOLECULAR}


@pytest.mark.parametrize("site", ["blood", "csf"])
def test_a_marrow_count_of_another_site_is_set_aside(site: str) -> None:
    read = chart().flow(62, DAY, site=site)
    assert facts(read).marrow == ()
    assert why(read) == {"specimen-not-marrow"}


def test_a_site_and_a_specimen_that_contradict_each_other_name_no_kind() -> None:
    read = chart().specimen("s", "blood").observation(MRD_FLOW, DAY, 1, specimen="s", site="marrow")
    assert why(read) == {"specimen-not-known-to-be-marrow"}


@pytest.mark.parametrize("code", [MRD_FLOW, MRD_MOLECULAR])
def test_mrd_of_any_specimen_needs_a_marrow(code: Code) -> None:
    assert why(chart().observation(code, DAY, 1)) == {"specimen-not-known-to-be-marrow"}
    assert len(facts(chart().observation(code, DAY, 1, site="marrow")).marrow) == 1
    assert len(facts(chart().specimen("s").observation(code, DAY, 1, specimen="s")).marrow) == 1


def test_mrd_of_the_specimen_in_which_marrow_blasts_were_counted_is_of_marrow() -> None:
    read = chart().marrow(62, DAY, specimen="s").observation(MRD_FLOW, DAY, 1, specimen="s")
    assert len(facts(read).marrow) == 2


@pytest.mark.parametrize("where", ["method", "bodySite"])
def test_the_collection_of_a_specimen_tells_its_kind(where: str) -> None:
    read = chart().specimen("s", None).but_last(collection={where: concept((SNOMED, SPECIMENS["marrow"]))})
    assert len(facts(read.observation(MRD_FLOW, DAY, 1, specimen="s")).marrow) == 1


@pytest.mark.parametrize(
    ("element", "identity"),
    [
        ({"accessionIdentifier": {"system": "urn:lab", "value": "A1"}}, "urn:lab|A1"),
        ({"identifier": [{"system": "urn:lab"}, {"value": "B2"}]}, "|B2"),
        ({}, "Specimen/s"),
    ],
)
def test_a_specimen_is_known_by_accession_identifier_or_reference(element: dict[str, object], identity: str) -> None:
    read = chart().specimen("s").but_last(**element).marrow(62, DAY, specimen="s")
    assert [m.specimen for m in facts(read).marrow] == [identity]


def test_a_specimen_inside_the_result_has_a_kind_and_no_identity() -> None:
    inside = {"resourceType": "Specimen", "id": "s", "type": concept((SNOMED, SPECIMENS["marrow"]))}
    read = chart().observation(MRD_FLOW, DAY, 1).but_last(contained=[inside], specimen={"reference": "#s"})
    assert [m.specimen for m in facts(read).marrow] == [None]


def test_a_marrow_in_words_is_a_report_and_no_number() -> None:
    read = chart().marrow("about 62 percent", DAY)
    assert (facts(read).marrow, [r.about for r in facts(read).reports]) == ((), ["marrow"])
    assert why(read) == {"text-not-interpreted"}


def test_a_marrow_without_a_value_is_set_aside() -> None:
    read = chart().marrow(None, DAY).but_last(dataAbsentReason=concept(("urn:x", "asked-unknown")))
    assert why(read) == {"no-value"}


@pytest.mark.parametrize(("number", "kept"), [(62, True), (1, True), (100, True), (0.5, False), (150, False)])
def test_a_marrow_count_without_a_unit_raises_a_question_between_1_and_100(number: float, kept: bool) -> None:
    read = chart().marrow(number, DAY, unit=None)
    assert [m.doubt for m in facts(read).marrow] == [True] * kept
    assert why(read) == {"no-unit"}


def test_a_flow_result_without_a_unit_raises_no_question() -> None:
    assert facts(chart().flow(62, DAY, unit=None)).marrow == ()


@pytest.mark.parametrize(("number", "kept"), [(0.62, ["0.62-62"]), (62, [])])
def test_a_marrow_in_plain_numbers_may_be_a_fraction_or_a_percentage(number: float, kept: list[str]) -> None:
    read = chart().marrow(number, DAY, unit="1")
    assert [f"{m.value.low}-{m.value.high.normalize():f}" for m in facts(read).marrow if m.doubt] == kept
    assert why(read) == {"unit-ambiguous"}


# -- components ------------------------------------------------------------------------------------


def test_a_component_with_a_code_of_its_own_is_a_result() -> None:
    parts = [component(MARROW, valueQuantity=quantity(62)), component(MARROW), component(("urn:x", "y"))]
    read = chart().observation(("urn:panel", "marrow"), DAY, components=parts)
    assert [m.value.text for m in facts(read).marrow] == ["62"]


def test_a_component_with_codes_that_disagree_is_no_result() -> None:
    part = component(MARROW, valueQuantity=quantity(62))
    part["code"]["coding"] += concept((LOINC, "26446-5"))["coding"]
    found = facts(chart().observation(("urn:panel", "marrow"), DAY, components=[part]))
    assert (found.marrow, found.blood) == ((), ())


def test_two_components_with_values_are_not_the_result_of_the_whole() -> None:
    parts = [component(("urn:x", n), valueQuantity=quantity(62)) for n in "ab"]
    assert why(chart().observation(MARROW, DAY, components=parts)) == {"no-value"}


# -- blood -----------------------------------------------------------------------------------------


def test_blasts_in_blood_are_no_marrow() -> None:
    found = facts(chart().blood(12, DAY))
    assert ([b.value.text for b in found.blood], found.marrow) == (["12"], ())


@pytest.mark.parametrize(("value", "unit", "reason"), [(12, None, "no-unit"), (12, "K/uL", "unit-not-usable")])
def test_blasts_in_blood_need_a_unit(value: float, unit: str | None, reason: str) -> None:
    read = chart().blood(value, DAY, unit=unit)
    assert facts(read).blood == ()
    assert why(read) == {reason}


def test_blasts_in_blood_in_words_are_not_interpreted() -> None:
    assert why(chart().blood("rare", DAY)) == {"text-not-interpreted"}


# -- phenotype and antigens ------------------------------------------------------------------------


@pytest.mark.parametrize("cells", list(Cells))
def test_every_phenotype_is_read(cells: Cells) -> None:
    (found,) = facts(coded("leukemia-lineage", cells.value)).phenotypes
    assert (found.cells, found.site) == (cells, "marrow")


@pytest.mark.parametrize(("site", "kept"), [("marrow", "marrow"), ("blood", "blood"), ("csf", "other"), ("1", "other")])
def test_a_phenotype_belongs_to_its_site(site: str, kept: str) -> None:
    (found,) = facts(coded("leukemia-lineage", "b-lymphoblastic", site=site)).phenotypes
    assert found.site == kept


def test_a_phenotype_of_unknown_words_is_set_aside() -> None:
    assert why(coded("leukemia-lineage", "strange")) == {"value-not-understood"}


@pytest.mark.parametrize("expression", ["positive", "negative", "partial"])
@pytest.mark.parametrize("name", ["cd19", "cd22"])
def test_expression_of_an_antigen_is_read(name: str, expression: str) -> None:
    (found,) = facts(chart().antigen(name, expression, DAY)).antigens
    assert (found.name, found.expression) == (name, expression)


def test_expression_in_unknown_words_is_set_aside() -> None:
    assert why(chart().antigen("cd19", "dim", DAY)) == {"value-not-understood"}


def test_expression_whose_value_and_interpretation_disagree_is_set_aside() -> None:
    read = chart().antigen("cd19", "positive", DAY).but_last(interpretation=[concept((INTERPRETATION, "NEG"))])
    assert facts(read).antigens == ()
    assert why(read) == {"value-not-understood"}


# -- status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("complete-remission", StatusKind.REMISSION),
        ("relapse", StatusKind.RELAPSE),
        ("refractory", StatusKind.REFRACTORY),
    ],
)
def test_a_disease_status_is_a_dated_statement(value: str, kind: StatusKind) -> None:
    (found,) = facts(chart().status(value, DAY)).statements
    assert (found.kind, found.dated) == (kind, True)


def test_partial_remission_is_no_status() -> None:
    assert why(chart().observation((OURS, "disease-status"), DAY, PARTIAL_REMISSION)) == {"not-a-complete-status"}


def test_a_disease_status_without_a_value_is_set_aside() -> None:
    assert why(chart().observation((OURS, "disease-status"), DAY)) == {"no-value"}


@pytest.mark.parametrize(
    "focus", ["Condition/r0", "https://ehr.example/fhir/Condition/r0"], ids=["relative", "absolute"]
)
def test_a_cancer_status_of_remission_counts_when_its_focus_is_the_leukemia(focus: str) -> None:
    read = chart().all_b("2025-01-01").observation(CANCER_STATUS, DAY, GENERIC_REMISSION, focus=focus)
    (found,) = facts(read).statements
    assert (found.ref, found.kind) == ("Observation/r1", StatusKind.REMISSION)


@pytest.mark.parametrize("focus", [None, "Condition/other"])
def test_a_cancer_status_of_something_else_says_nothing(focus: str | None) -> None:
    read = chart().all_b("2025-01-01").observation(CANCER_STATUS, DAY, GENERIC_REMISSION, focus=focus)
    assert facts(read).statements == ()
    assert asides(read) == {"Observation/r1": {"not-a-complete-status"}}


def test_a_cancer_status_with_a_mangled_focus_says_nothing() -> None:
    read = chart().all_b("2025-01-01").observation(CANCER_STATUS, DAY, GENERIC_REMISSION)
    read.but_last(focus=[{"reference": 1}])
    assert facts(read).statements == ()
    assert why(read) == {"not-a-complete-status"}


# -- outside the marrow ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "more", "present", "site"),
    [
        ("present", {}, True, "outside the marrow"),
        ("absent", {}, False, "outside the marrow"),
        ("present", {"site": "csf"}, True, "cerebrospinal fluid"),
    ],
)
def test_disease_outside_the_marrow_is_present_or_absent(
    value: str, more: dict[str, str], present: bool, site: str
) -> None:
    (found,) = facts(chart().extramedullary(value, DAY, **more)).extramedullary
    assert (found.present, found.site) == (present, site)


def test_disease_outside_the_marrow_in_unknown_words_is_set_aside() -> None:
    assert why(chart().extramedullary("possible", DAY)) == {"value-not-understood"}


@pytest.mark.parametrize(("code", "site"), [("26447-3", "cerebrospinal fluid"), ("26448-1", "body fluid")])
@pytest.mark.parametrize(("number", "present"), [(3, True), (0, False)])
def test_any_blast_in_a_fluid_is_disease_there(code: str, site: str, number: int, present: bool) -> None:
    (found,) = facts(chart().observation((LOINC, code), DAY, number, unit="/uL")).extramedullary
    assert (found.present, found.site) == (present, site)


@pytest.mark.parametrize(
    ("value", "comparator", "reason"),
    [
        (3, "<", "value-not-understood"),
        (-3, None, "value-not-understood"),
        ("none seen", None, "value-not-understood"),
        (None, None, "no-value"),
    ],
)
def test_blasts_in_a_fluid_that_may_be_none_are_set_aside(value: object, comparator: str | None, reason: str) -> None:
    read = chart().observation((LOINC, "26447-3"), DAY, value, comparator=comparator)
    assert facts(read).extramedullary == ()
    assert why(read) == {reason}


# -- origin and judgements -------------------------------------------------------------------------


@pytest.mark.parametrize(("whose", "donor"), [("donor", True), ("recipient", False)])
def test_the_origin_of_the_cells_is_donor_or_recipient(whose: str, donor: bool) -> None:
    (found,) = facts(chart().origin(whose, DAY)).origins
    assert found.donor is donor


def test_an_origin_in_unknown_words_is_set_aside() -> None:
    assert why(chart().origin("mixed", DAY)) == {"value-not-understood"}


@pytest.mark.parametrize("about", ["physically-fit-for-transplant", "donor-available", "tolerates-chemotherapy"])
@pytest.mark.parametrize("answer", [True, False])
def test_a_judgement_is_a_boolean_or_a_coded_yes_or_no(about: str, answer: bool) -> None:
    read = chart().judgement(about, answer, DAY)
    read.observation((OURS, about), DAY, (VALUE, "yes" if answer else "no"))
    assert [(j.about, j.answer) for j in facts(read).judgements] == [(about, answer)] * 2


def test_a_judgement_in_words_is_set_aside() -> None:
    read = chart().observation((OURS, "donor-available"), DAY, "a sister, perhaps")
    assert facts(read).judgements == ()
    assert why(read) == {"value-not-understood"}


def test_blasts_in_cerebrospinal_fluid_with_an_unknown_comparator_are_set_aside() -> None:
    made = relapsed_b().csf(4, "2026-10-10")
    made.resources[-1]["valueQuantity"]["comparator"] = "~"
    assert "value-not-understood" in made.assess().aside
