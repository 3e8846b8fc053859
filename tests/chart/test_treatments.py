"""Procedures and medications: what documents treatment, and what does not."""

from __future__ import annotations

import pytest

from tests.chart import facts, why
from tests.charts import (
    ATC,
    BLINATUMOMAB,
    CHEMOTHERAPY,
    CYCLE,
    DASATINIB,
    DEXAMETHASONE,
    FILGRASTIM,
    INDUCTION,
    INOTUZUMAB,
    INTRATHECAL,
    MERCAPTOPURINE,
    RXNORM,
    SNOMED,
    TRANSPLANT,
    VINCRISTINE,
    Chart,
    Code,
    chart,
    concept,
    relapsed_b,
)

TISAGENLECLEUCEL: Code = (RXNORM, "1986438")
METFORMIN: Code = (RXNORM, "6809")
ROUTE: Code = (SNOMED, "72607000")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("entered-in-error", "entered-in-error"),
        ("preparation", "not-completed"),
        ("in-progress", "not-completed"),
        ("not-done", "not-completed"),
        ("stopped", "not-completed"),
    ],
)
def test_a_procedure_that_was_not_completed_is_no_treatment(status: str, reason: str) -> None:
    read = chart().chemotherapy("2025-01-10", "2025-02-10", status=status)
    assert facts(read).treatments == ()
    assert why(read) == {reason}


def test_a_completed_cycle_with_an_end_is_a_course() -> None:
    (found,) = facts(chart().procedure(CYCLE, "2025-01-10", "2025-01-12")).treatments
    assert (found.kind, found.course, found.ordered_only) == ("chemotherapy", True, False)


def test_a_cycle_without_an_end_is_treatment_and_no_course() -> None:
    (found,) = facts(chart().procedure(CYCLE, "2025-01-10")).treatments
    assert (found.end, found.course) == (None, False)


def test_chemotherapy_is_a_course_from_fourteen_days_on() -> None:
    read = chart().chemotherapy("2025-01-01", "2025-01-15").chemotherapy("2025-06-01", "2025-06-14")
    assert [t.course for t in facts(read).treatments] == [True, False]


def test_chemotherapy_that_ends_after_today_has_no_end_yet() -> None:
    (found,) = facts(chart().procedure(INDUCTION, "2026-10-20", "2026-11-20")).treatments
    assert (found.end, found.course, found.when.text) == (None, False, "2026-10-20")


def test_chemotherapy_at_a_date_lies_within_that_date() -> None:
    read = chart().add("Procedure", status="completed", code=concept(CHEMOTHERAPY), performedDateTime="2025-03")
    (found,) = facts(read).treatments
    assert (found.start.text, found.end) == ("2025-03", None)


def test_chemotherapy_with_only_an_end_lies_at_that_end() -> None:
    read = chart().add("Procedure", status="completed", code=concept(CHEMOTHERAPY), performedPeriod={"end": "2025-03"})
    (found,) = facts(read).treatments
    assert found.start.text == "2025-03"


def test_chemotherapy_without_a_date_is_set_aside() -> None:
    read = chart().add("Procedure", status="completed", code=concept(CHEMOTHERAPY))
    assert facts(read).treatments == ()
    assert why(read) == {"no-date"}


def test_chemotherapy_planned_for_next_year_is_set_aside() -> None:
    assert why(chart().chemotherapy("2027-01-01")) == {"dated-after-today"}


def test_an_allogeneic_transplant_and_car_t_cells_are_facts_of_their_own() -> None:
    found = facts(chart().transplant("2025-05-01").car_t("2026-01-05"))
    assert [f.when.text for f in (*found.transplants, *found.car_t)] == ["2025-05-01", "2026-01-05"]
    assert found.treatments == ()


def test_intrathecal_chemotherapy_alone_is_prophylaxis() -> None:
    read = chart().procedure(INTRATHECAL, "2025-01-10")
    assert facts(read).treatments == ()
    assert why(read) == {"intrathecal-alone"}


def test_intrathecal_chemotherapy_within_systemic_chemotherapy_is_treatment() -> None:
    read = chart().procedure(INTRATHECAL, "2025-01-10")
    read.resources[-1]["code"]["coding"] += concept(CHEMOTHERAPY)["coding"]
    assert [t.kind for t in facts(read).treatments] == ["chemotherapy"]
    assert why(read) == set()


def test_a_procedure_for_which_the_donor_is_not_stated_is_no_allogeneic_transplant() -> None:
    found = facts(chart().procedure((SNOMED, "108631000119101"), "2025-01-10"))
    assert (found.transplants, found.treatments) == ((), ())


def test_a_procedure_with_one_code_under_the_name_of_another_is_set_aside() -> None:
    read = chart().chemotherapy("2025-01-10")
    named = concept(TRANSPLANT, "Chemotherapy cycle (procedure)")["coding"]
    read.resources[-1]["code"]["coding"] += named
    assert facts(read).treatments == facts(read).transplants == ()
    assert why(read) == {"display-names-another-concept"}


# -- medications -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (chart().administration(VINCRISTINE, "2025-01-10", status="not-done"), "not-given"),
        (chart().administration(VINCRISTINE, "2025-01-10", status="entered-in-error"), "entered-in-error"),
        (chart().statement(VINCRISTINE, "2025-01-10", status="not-taken"), "not-given"),
        (chart().statement(VINCRISTINE, "2025-01-10", status="intended"), "not-given"),
        (chart().request(VINCRISTINE, "2025-01-10", intent="plan"), "not-an-order"),
        (chart().request(VINCRISTINE, "2025-01-10", intent="proposal"), "not-an-order"),
        (chart().request(VINCRISTINE, "2025-01-10", status="cancelled"), "not-an-order"),
        (chart().request(VINCRISTINE, "2025-01-10").but_last(doNotPerform=True), "not-an-order"),
        (chart().administration(MERCAPTOPURINE, "2025-01-10"), "maintenance-alone"),
        (chart().administration(DEXAMETHASONE, "2025-01-10"), "corticosteroid-alone"),
        (chart().administration(VINCRISTINE, "2027-01-10"), "dated-after-today"),
    ],
)
def test_a_medication_that_documents_no_treatment_is_set_aside_with_its_reason(written: Chart, reason: str) -> None:
    assert facts(written).treatments == ()
    assert why(written) == {reason}


@pytest.mark.parametrize("status", ["active", "completed", "on-hold", "stopped"])
def test_a_request_is_an_order_and_never_a_use(status: str) -> None:
    (found,) = facts(chart().request(BLINATUMOMAB, "2025-01-10", status=status)).treatments
    assert (found.ordered_only, found.course) == (True, False)
    assert facts(chart().request(BLINATUMOMAB, "2025-01-10", status=status)).directed == ()


@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped"])
def test_an_administration_is_use(status: str) -> None:
    (found,) = facts(chart().administration(VINCRISTINE, "2025-01-10", status=status)).treatments
    assert (found.kind, found.ordered_only, found.course) == ("leukemia-agent", False, False)


def test_a_drug_taken_for_a_month_is_one_treatment_and_no_course() -> None:
    (found,) = facts(chart().statement(DASATINIB, "2025-01-10", "2025-02-10", status="active")).treatments
    assert (found.kind, found.when.text, found.course) == (
        "tyrosine-kinase-inhibitor", "2025-01-10/2025-02-10", False
    )  # fmt: skip


@pytest.mark.parametrize(("drug", "antigen"), [(BLINATUMOMAB, "cd19"), (INOTUZUMAB, "cd22")])
def test_an_antibody_given_is_directed_at_its_antigen(drug: Code, antigen: str) -> None:
    (found,) = facts(chart().administration(drug, "2025-01-10")).directed
    assert found.antigen == antigen


def test_a_car_t_product_given_is_car_t() -> None:
    (found,) = facts(chart().administration(TISAGENLECLEUCEL, "2025-01-10")).car_t
    assert found.when.text == "2025-01-10"


@pytest.mark.parametrize("element", ["dosage", "dosageInstruction"])
def test_a_drug_given_into_the_spinal_canal_is_prophylaxis(element: str) -> None:
    routed = {"route": concept(ROUTE)}
    read = chart().administration(VINCRISTINE, "2025-01-10").but_last(**{element: [routed]})
    assert facts(read).treatments == ()
    assert why(read) == {"intrathecal-alone"}


def test_an_administration_has_one_dosage_and_its_route_counts() -> None:
    read = chart().administration(VINCRISTINE, "2025-01-10").but_last(dosage={"route": concept(ROUTE)})
    assert why(read) == {"intrathecal-alone"}


def test_a_drug_for_something_else_is_not_mentioned() -> None:
    read = chart().administration(METFORMIN, "2025-01-10")
    assert (facts(read).treatments, why(read)) == ((), set())


def test_a_referenced_drug_for_something_else_is_not_mentioned() -> None:
    read = chart().add(
        "MedicationStatement",
        status="active",
        contained=[{"resourceType": "Medication", "id": "m", "code": concept(METFORMIN)}],
        medicationReference={"reference": "#m"},
        effectiveDateTime="2025-01-10",
    )
    assert (facts(read).treatments, why(read)) == ((), set())


def test_a_drug_inside_the_resource_is_read() -> None:
    read = chart().add(
        "MedicationAdministration",
        status="completed",
        contained=[
            {"resourceType": "Medication", "id": "other", "code": concept(METFORMIN)},
            {"resourceType": "Medication", "id": "m", "code": concept(VINCRISTINE)},
        ],
        medicationReference={"reference": "#m"},
        effectiveDateTime="2025-01-10",
    )
    assert [t.kind for t in facts(read).treatments] == ["leukemia-agent"]


@pytest.mark.parametrize("reference", ["Medication/m", "https://ehr.example/fhir/Medication/m"])
def test_a_drug_elsewhere_in_the_bundle_is_read(reference: str) -> None:
    read = chart().add(
        "MedicationRequest",
        status="active",
        intent="order",
        medicationReference={"reference": reference},
        authoredOn="2025-01-10",
    )
    read.resources.append({"resourceType": "Medication", "id": "m", "code": concept(VINCRISTINE)})
    assert [t.ordered_only for t in facts(read).treatments] == [True]


@pytest.mark.parametrize("reference", ["#nothing", "Medication/nothing", "urn:uuid:nothing"])
def test_a_drug_that_is_not_at_hand_is_set_aside(reference: str) -> None:
    read = chart().add(
        "MedicationRequest",
        status="active",
        intent="order",
        medicationReference={"reference": reference},
        authoredOn="2025-01-10",
    )
    assert why(read) == {"medication-not-coded"}


def test_a_reference_to_something_that_is_no_drug_is_set_aside() -> None:
    read = (
        chart()
        .specimen("s")
        .add(
            "MedicationStatement",
            status="active",
            medicationReference={"reference": "Specimen/s"},
            effectiveDateTime="2025",
        )
    )
    assert why(read) == {"medication-not-coded"}


# -- growth factors --------------------------------------------------------------------------------


def test_a_growth_factor_given_is_kept_with_its_period() -> None:
    (found,) = facts(chart().growth_factor("2026-10-01", "2026-10-05")).growth_factors
    assert (found.start.text, found.end.text) == ("2026-10-01", "2026-10-05")


def test_a_growth_factor_ordered_lasts_until_its_dispensing_ends() -> None:
    read = chart().request(FILGRASTIM, "2026-10-01")
    read.but_last(dispenseRequest={"validityPeriod": {"start": "2026-10-01", "end": "2026-10-09"}})
    (found,) = facts(read).growth_factors
    assert found.end.text == "2026-10-09"


def test_a_growth_factor_given_once_ends_the_day_it_was_given() -> None:
    (found,) = facts(chart().growth_factor("2026-10-01")).growth_factors
    assert found.end.text == "2026-10-01"


def test_a_growth_factor_order_with_a_mangled_dispensing_ends_when_it_was_written() -> None:
    read = chart().request(FILGRASTIM, "2026-10-01").but_last(dispenseRequest={"validityPeriod": "October"})
    (found,) = facts(read).growth_factors
    assert found.end.text == "2026-10-01"


def test_the_codes_of_two_terminologies_for_one_drug_are_one_treatment() -> None:
    read = chart().administration(BLINATUMOMAB, "2025-01-10")
    read.resources[-1]["medicationCodeableConcept"]["coding"] += concept((ATC, "L01FX07"))["coding"]
    assert len(facts(read).treatments) == 1


def test_the_order_of_car_t_is_no_infusion() -> None:
    assert facts(chart().request(TISAGENLECLEUCEL, "2025-01-10")).car_t == ()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("58776007", "autologous-transplant", id="autologous"),
        pytest.param("234336002", "transplant-donor-not-stated", id="donor not stated"),
    ],
)
def test_a_transplant_procedure_that_is_not_known_to_be_allogeneic_is_set_aside_with_its_reason(
    code: str, reason: str
) -> None:
    done = {"coding": [{"system": "http://snomed.info/sct", "code": code}]}
    answer = relapsed_b().add("Procedure", status="completed", code=done, performedDateTime="2025-05-01").assess()
    assert reason in answer.aside
    assert "after_allogeneic_transplant" not in answer.modifiers
