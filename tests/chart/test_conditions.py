"""Conditions: what a diagnosis, a status and a history code are worth."""

from __future__ import annotations

import pytest

from cds_service.clinical.facts import Lineage, StatusKind
from cds_service.clinical.truth import Truth
from tests.chart import asides, facts, why
from tests.charts import (
    AML,
    B_ALL,
    B_COMBINED,
    C91_00,
    C91_01,
    C91_02,
    CLL,
    GENERIC_RECURRENCE,
    GENERIC_REMISSION,
    GVHD,
    HISTORY,
    ICD10CM,
    LYMPHOMA,
    MENINGEAL,
    MIXED,
    NMDP_STAGE,
    PARTIAL_REMISSION,
    PH_NEGATIVE_B_ALL,
    PH_POSITIVE_ALL,
    SECONDARY_BRAIN,
    SNOMED,
    T_ALL,
    Code,
    chart,
    concept,
)

CNS_IN_ACUTE_LEUKEMIA: Code = (SNOMED, "61301000119102")
CNS_IN_REMISSION: Code = (SNOMED, "61291000119103")
CNS_STAGE: Code = ("http://fhir.ch/ig/ch-crl/CodeSystem/nkrs-cogallstaging", "CNS2")
HISTORY_OF_CAR_T: Code = (ICD10CM, "Z92.850")
HISTORY_OF_ALLOGRAFT: Code = (SNOMED, "152621000119105")
BREAST_CANCER: Code = (ICD10CM, "C50.919")


@pytest.mark.parametrize("word", ["refuted", "entered-in-error", "provisional", "differential", "unconfirmed"])
def test_a_diagnosis_that_is_not_confirmed_is_set_aside_with_its_own_word(word: str) -> None:
    read = chart().all_b("2025-01-01", verification=word)
    assert facts(read).diagnoses == ()
    assert why(read) == {word}


def test_a_diagnosis_without_a_verification_status_is_accepted() -> None:
    (found,) = facts(chart().all_b("2025-01-01", verification=None)).diagnoses
    assert found.lineage is Lineage.B_CELL
    assert found.active


def test_a_verification_word_of_a_foreign_code_system_says_nothing() -> None:
    read = chart().all_b("2025-01-01").but_last(verificationStatus=concept(("urn:other", "refuted")))
    assert len(facts(read).diagnoses) == 1


@pytest.mark.parametrize(
    ("code", "lineage", "ph", "combined"),
    [
        (C91_00, Lineage.UNKNOWN, Truth.UNKNOWN, False),
        (B_ALL, Lineage.B_CELL, Truth.UNKNOWN, False),
        (T_ALL, Lineage.T_CELL, Truth.UNKNOWN, False),
        (B_COMBINED, Lineage.B_CELL, Truth.UNKNOWN, True),
        (PH_POSITIVE_ALL, Lineage.UNKNOWN, Truth.YES, False),
        (PH_NEGATIVE_B_ALL, Lineage.B_CELL, Truth.NO, False),
    ],
)
def test_a_diagnosis_says_what_its_code_says(code: Code, lineage: Lineage, ph: Truth, combined: bool) -> None:
    (found,) = facts(chart().condition(code, "2025-01-01")).diagnoses
    assert (found.lineage, found.ph, found.combined) == (lineage, ph, combined)


def test_one_diagnosis_coded_b_and_t_has_a_conflicting_lineage() -> None:
    (found,) = facts(chart().all_b("2025-01-01", also=[T_ALL])).diagnoses
    assert found.lineage is Lineage.CONFLICTING


def test_one_diagnosis_coded_ph_positive_and_ph_negative_leaves_ph_unknown() -> None:
    (found,) = facts(chart().condition(PH_POSITIVE_ALL, "2025-01-01", also=[PH_NEGATIVE_B_ALL])).diagnoses
    assert found.ph is Truth.UNKNOWN


def test_a_leukemia_code_beside_a_combined_term_is_leukemia() -> None:
    (found,) = facts(chart().condition(B_COMBINED, "2025-01-01", also=[C91_00])).diagnoses
    assert not found.combined


# -- dates -----------------------------------------------------------------------------------------


def test_a_diagnosis_without_recorded_date_stands_at_its_encounter() -> None:
    read = chart().add("Encounter", status="finished", period={"start": "2025-02-03", "end": "2025-02-05"})
    read.condition(C91_01, None, category=None).but_last(encounter={"reference": "Encounter/r0"})
    (found,) = facts(read).statements
    assert (found.when.text, found.dated) == ("2025-02-03/2025-02-05", True)


def test_an_encounter_that_is_not_at_hand_gives_no_date() -> None:
    read = chart().condition(C91_01, None).but_last(encounter={"reference": "Encounter/elsewhere"})
    (found,) = facts(read).statements
    assert (found.when.text, found.dated) == ("up to 2026-11-01", False)


def test_a_diagnosis_without_any_date_lies_some_time_up_to_its_last_edit() -> None:
    (found,) = facts(chart().condition(C91_01, None, updated="2025-06-01T00:00:00Z")).statements
    assert (found.when.text, found.dated) == ("up to 2025-06-01", False)


def test_a_problem_list_status_lies_from_its_recording_to_its_last_edit() -> None:
    read = chart().remission("2025-03-01", category="problem", updated="2025-06-01T00:00:00Z")
    (found,) = facts(read).statements
    assert (found.when.text, found.dated, found.aged.text) == ("2025-03-01/2025-06-01", False, "2025-06-01")


def test_a_problem_list_status_without_last_edit_lies_up_to_today() -> None:
    (found,) = facts(chart().remission("2025-03-01", category="problem")).statements
    assert (found.when.text, found.aged.text) == ("2025-03-01/2026-11-01", "2025-03-01")


def test_a_last_edit_in_the_future_counts_as_today() -> None:
    read = chart().remission("2025-03-01", category="problem", updated="2030-06-01T00:00:00Z")
    (found,) = facts(read).statements
    assert (found.when.text, found.aged.text) == ("2025-03-01/2026-11-01", "2025-03-01")


def test_an_encounter_diagnosis_recorded_after_today_is_set_aside() -> None:
    read = chart().relapse("2026-12-24")
    assert facts(read).statements == ()
    assert why(read) == {"dated-after-today"}


def test_onset_before_recording_is_kept_as_the_onset_and_never_as_the_status_date() -> None:
    read = chart().relapse("2026-10-12", onset="2024-12-01")
    (diagnosis,) = facts(read).diagnoses
    (statement,) = facts(read).statements
    assert diagnosis.onset is not None
    assert (diagnosis.onset.text, statement.when.text) == ("2024-12-01", "2026-10-12")


def test_onset_after_recording_is_not_used() -> None:
    (found,) = facts(chart().all_b("2025-01-01", onset="2026-01-01")).diagnoses
    assert found.onset is None


def test_a_period_of_onset_whose_end_precedes_its_start_is_no_date() -> None:
    inverted = {"start": "2024-05-01", "end": "2024-01-01"}
    (found,) = facts(chart().all_b("2025-01-01").but_last(onsetPeriod=inverted)).diagnoses
    assert found.onset is None


# -- status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("remission", StatusKind.REMISSION),
        ("relapse", StatusKind.RELAPSE),
        ("recurrence", StatusKind.RELAPSE),
    ],
)
def test_the_clinical_status_of_an_all_condition_is_a_statement(word: str, kind: StatusKind) -> None:
    (found,) = facts(chart().all_b("2025-01-01", clinical=word)).statements
    assert found.kind is kind


@pytest.mark.parametrize("word", ["resolved", "inactive"])
def test_a_relapse_that_is_over_is_set_aside(word: str) -> None:
    read = chart().relapse("2025-01-01", clinical=word)
    assert facts(read).statements == ()
    assert asides(read) == {"Condition/r0": {"relapse-no-longer-active"}}


def test_an_abated_refractory_disease_is_set_aside() -> None:
    assert why(chart().refractory("2025-01-01", abated="2025-05-01")) == {"refractory-no-longer-active"}


def test_a_resolved_remission_code_still_says_remission() -> None:
    (found,) = facts(chart().remission("2025-01-01", clinical="resolved")).statements
    assert found.kind is StatusKind.REMISSION


@pytest.mark.parametrize(
    ("stage", "kind"),
    [("CR", StatusKind.REMISSION), ("RE", StatusKind.RELAPSE), ("IF", StatusKind.REFRACTORY)],
)
def test_a_registry_stage_of_an_all_condition_is_a_statement(stage: str, kind: StatusKind) -> None:
    (found,) = facts(chart().all_b("2025-01-01", stage=(NMDP_STAGE, stage))).statements
    assert found.kind is kind


def test_a_cns_stage_is_named_and_not_read_as_disease_outside_the_marrow() -> None:
    read = chart().all_b("2025-01-01", stage=CNS_STAGE)
    assert facts(read).extramedullary == ()
    assert why(read) == {"cns-stage"}


@pytest.mark.parametrize(
    ("code", "kind"), [(GENERIC_RECURRENCE, StatusKind.RELAPSE), (GENERIC_REMISSION, StatusKind.REMISSION)]
)
def test_a_generic_status_counts_beside_an_all_code(code: Code, kind: StatusKind) -> None:
    (found,) = facts(chart().all_b("2025-01-01", also=[code])).statements
    assert found.kind is kind


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (GENERIC_RECURRENCE, "relapse-of-unnamed-disease"),
        (GENERIC_REMISSION, "remission-of-unnamed-disease"),
        (PARTIAL_REMISSION, "not-a-complete-status"),
        (HISTORY, "history-code"),
        (SECONDARY_BRAIN, "site-without-leukemia"),
        (CNS_IN_REMISSION, "site-in-remission"),
        ((ICD10CM, "Z94.84"), "transplant-donor-not-stated"),
        ((SNOMED, "108631000119101"), "autologous-transplant"),
        ((SNOMED, "698303004"), "awaiting-transplant"),
        ((ICD10CM, "Z51.11"), "treatment-without-detail"),
    ],
)
def test_a_code_that_says_too_little_is_set_aside_with_its_reason(code: Code, reason: str) -> None:
    read = chart().condition(code, "2025-01-01")
    assert facts(read).statements == facts(read).transplants == ()
    assert why(read) == {reason}


def test_a_cancer_nobody_asked_about_with_a_registry_stage_is_no_status_of_leukemia() -> None:
    found = facts(chart().condition(BREAST_CANCER, "2025-01-01", stage=(NMDP_STAGE, "RE")))
    assert (found.diagnoses, found.statements, found.set_aside) == ((), (), ())


# -- other diseases, sites, history ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "active", "lineage"),
    [
        (LYMPHOMA, "lymphoma", True, Lineage.UNKNOWN),
        (AML, "myeloid", True, Lineage.UNKNOWN),
        ((ICD10CM, "C92.01"), "myeloid", False, Lineage.UNKNOWN),
        (MIXED, "mixed", True, Lineage.UNKNOWN),
        ((ICD10CM, "C83.70"), "other", True, Lineage.UNKNOWN),
        (CLL, "other", True, Lineage.B_CELL),
        ((ICD10CM, "C91.50"), "other", True, Lineage.T_CELL),
    ],
)
def test_another_disease_is_kept_with_its_kind_and_lineage(
    code: Code, kind: str, active: bool, lineage: Lineage
) -> None:
    (found,) = facts(chart().condition(code, "2025-01-01")).other_diseases
    assert (found.kind, found.active, found.lineage) == (kind, active, lineage)


def test_a_resolved_lymphoma_is_not_active() -> None:
    (found,) = facts(chart().condition(LYMPHOMA, "2020-01-01", clinical="resolved")).other_diseases
    assert (found.active, found.status) == (False, "resolved")


@pytest.mark.parametrize("code", [CNS_IN_ACUTE_LEUKEMIA, MENINGEAL])
def test_leukemia_of_the_nervous_system_is_disease_outside_the_marrow(code: Code) -> None:
    (found,) = facts(chart().condition(code, "2026-10-01")).extramedullary
    assert (found.present, found.site) == (True, "central nervous system")


def test_leukemia_of_the_nervous_system_that_is_over_is_set_aside() -> None:
    read = chart().condition(MENINGEAL, "2025-01-01", clinical="resolved")
    assert facts(read).extramedullary == ()
    assert why(read) == {"extramedullary-no-longer-active"}


@pytest.mark.parametrize("code", [GVHD, HISTORY_OF_ALLOGRAFT])
def test_graft_versus_host_disease_means_a_transplant_at_the_latest_then(code: Code) -> None:
    (found,) = facts(chart().condition(code, "2025-01-01")).transplants
    assert found.when.text == "up to 2025-01-01"


def test_a_history_of_car_t_means_that_it_was_given_at_the_latest_then() -> None:
    (found,) = facts(chart().condition(HISTORY_OF_CAR_T, "2025-01-01")).car_t
    assert found.when.text == "up to 2025-01-01"


def test_a_code_that_is_known_but_is_no_condition_says_nothing() -> None:
    found = facts(chart().condition(("http://loinc.org", "11150-0"), "2025-01-01"))
    assert (found.diagnoses, found.other_diseases, found.set_aside) == ((), (), ())


def test_two_codings_of_relapse_and_remission_are_two_statements() -> None:
    found = facts(chart().condition(C91_01, "2025-01-01", also=[C91_02])).statements
    assert {s.kind for s in found} == {StatusKind.REMISSION, StatusKind.RELAPSE}


def test_a_clinical_status_as_text_only_is_no_status() -> None:
    read = chart().all_b("2025-01-01").but_last(clinicalStatus={"text": "relapse"})
    (found,) = facts(read).diagnoses
    assert (found.status, facts(read).statements) == ("no clinical status", ())
