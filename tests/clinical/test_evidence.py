"""What is set aside, what stays silent, what is missing, and what a later remission makes history."""

from __future__ import annotations

import pytest

from tests.charts import (
    LOINC,
    Chart,
    chart,
    relapsed_b,
)
from tests.clinical.patients import in_remission, one_course, rule_and_class, untreated

# -- what is set aside -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered", "unknown"])
def test_a_marrow_of_such_a_status_is_set_aside(status: str) -> None:
    answer = in_remission().marrow(62, "2026-10-10", status=status).assess()
    assert answer.classification == "in_remission"
    assert answer.aside


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional", "differential", "unconfirmed"])
def test_a_condition_so_verified_is_set_aside(verification: str) -> None:
    answer = in_remission().relapse("2026-10-10", verification=verification).assess()
    assert answer.classification == "in_remission"
    assert verification in answer.aside


def test_a_condition_without_verification_is_accepted() -> None:
    assert in_remission().relapse("2026-10-10", verification=None).assess().rule == "R10"


def test_a_marrow_dated_tomorrow_is_set_aside() -> None:
    answer = in_remission().marrow(62, "2026-11-02").assess()
    assert answer.classification == "in_remission"
    assert "dated-after-today" in answer.aside


def test_a_marrow_of_today_counts() -> None:
    assert in_remission().marrow(62, "2026-11-01").assess().rule == "R7"


def test_another_patients_marrow_is_set_aside() -> None:
    answer = in_remission().marrow(62, "2026-10-10", patient="p2").assess()
    assert answer.classification == "in_remission"
    assert "another-patient" in answer.aside


def test_a_unit_that_is_not_usable_is_set_aside() -> None:
    answer = in_remission().marrow(62, "2026-10-10", unit="10*9/L").assess()
    assert "unit-not-usable" in answer.aside
    assert answer.classification == "in_remission"


def test_a_code_with_the_display_of_another_concept_is_set_aside() -> None:
    answer = in_remission().marrow(62, "2026-10-10", display="Blasts/100 leukocytes in Blood").assess()
    assert answer.classification != "relapsed"


@pytest.mark.parametrize("unit", ["%", "percent", "{Blasts}/100{cells}", "/100", "% OF CELLS"])
def test_labels_laboratories_send_for_percent(unit: str) -> None:
    assert in_remission().marrow(62, "2026-10-10", unit=unit).assess().rule == "R7"


@pytest.mark.parametrize("value", [-1, 101])
def test_an_impossible_percentage_is_set_aside(value: float) -> None:
    answer = in_remission().marrow(value, "2026-10-10").assess()
    assert "value-impossible" in answer.aside
    assert answer.classification == "in_remission"


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        pytest.param(0.9, "R16", id="below 1: may be anything"),
        pytest.param(1, "R11", id="at 1"),
        pytest.param(100, "R11", id="at 100"),
        pytest.param(101, "R16", id="above 100"),
    ],
)
def test_a_unitless_marrow_may_only_raise_a_question(number: float, rule: str) -> None:
    patient = chart().all_b("2026-07-01").remission("2026-08-01").marrow(number, "2026-10-10", unit=None)
    assert patient.assess().rule == rule


def test_a_unitless_marrow_without_remission_answers_nothing() -> None:
    assert one_course().marrow(62, "2026-10-10", unit=None).assess().classification != "refractory"


def test_a_log_ratio_is_no_blast_percentage() -> None:
    assert in_remission().ph(62, "2026-10-10", code="50195-7").assess().classification == "in_remission"


def test_mrd_in_blood_is_no_marrow() -> None:
    patient = in_remission().specimen("b", "blood").flow(62, "2026-10-10", specimen="b")
    assert patient.assess().classification == "in_remission"


def test_flow_of_any_specimen_counts_when_the_specimen_is_marrow() -> None:
    patient = in_remission().specimen("m", "marrow").observation((LOINC, "67128-9"), "2026-10-10", 62, specimen="m")
    assert patient.assess().rule == "R7"


def test_flow_of_an_unknown_specimen_does_not_count() -> None:
    answer = in_remission().observation((LOINC, "67128-9"), "2026-10-10", 62).assess()
    assert answer.classification == "in_remission"
    assert "specimen-not-known-to-be-marrow" in answer.aside


def test_an_onset_is_never_the_date_of_a_status() -> None:
    """Recorded in September, onset long before: the relapse is of September."""
    patient = in_remission().relapse("2026-10-10", onset="2024-01-01")
    assert patient.assess().rule == "R10"


def test_the_time_of_issue_counts_only_without_the_time_of_drawing() -> None:
    assert in_remission().marrow(62, None, issued="2026-10-10T08:00:00Z").assess().rule == "R7"  # type: ignore[arg-type]
    old = chart().all_b("2025-01-01").marrow(62, "2025-01-01", issued="2026-10-10T08:00:00Z").remission("2025-06-01")
    assert old.assess().rule == "R16"


def test_an_evening_abroad_is_the_next_day_in_utc() -> None:
    """23:00 at -05:00 on the ninth is the tenth: the same day as the remission is unordered."""
    patient = chart().all_b("2025-01-01").remission("2026-10-10").relapse("2026-10-09T23:00:00-05:00")
    assert patient.assess().rule == "R5"


# -- silence -------------------------------------------------------------------------------------------


def test_a_deceased_patient_gets_no_card() -> None:
    assert not relapsed_b().died().assess().speaks
    assert not relapsed_b().died("2026-10-20").assess().speaks


def test_a_patient_facing_view_gets_no_card() -> None:
    patient = relapsed_b()
    patient.patient_facing = True
    assert not patient.assess().speaks


@pytest.mark.parametrize("key", ["observations", "procedures", "medications", "administrations"])
def test_failed_data_break_the_silence_of_remission(key: str) -> None:
    answer = in_remission().failed(key).assess()
    assert (answer.classification, answer.reason) == ("indeterminate", "unread")
    assert dict(answer.assessment.verdict.values)["keys"] == key


def test_failed_data_break_the_silence_of_undocumented_treatment() -> None:
    assert untreated().failed("procedures").assess().classification == "indeterminate"


def test_an_unfollowed_page_is_failed_data() -> None:
    assert in_remission().unfollowed("observations").assess().classification == "indeterminate"


def test_failed_data_do_not_make_all_of_nothing() -> None:
    assert chart().failed("observations").assess().classification == "not_all"


@pytest.mark.parametrize("key", ["observations", "procedures", "medications", "administrations"])
def test_a_key_never_supplied_stays_silent(key: str) -> None:
    assert in_remission().not_supplied(key).assess().classification == "in_remission"


@pytest.mark.parametrize("key", ["observations", "procedures", "medications", "administrations"])
def test_a_null_key_was_looked_at_and_is_empty(key: str) -> None:
    assert in_remission().none(key).assess().classification == "in_remission"


# -- what is missing ---------------------------------------------------------------------------------


def test_a_bare_relapse_lists_what_is_missing() -> None:
    answer = chart().all_unspecified("2025-01-01").remission("2025-03-01").relapse("2026-10-12").born(None).assess()
    assert answer.rule == "R10"
    assert answer.missing >= {
        "lineage",
        "ph_status",
        "genetic_testing_since_relapse",
        "cd19_expression",
        "cd22_expression",
        "physical_fitness",
        "donor_availability",
        "age",
        "marrow_result",
        "confirmatory_test",
        "counts",
    }


def test_a_full_relapse_lists_only_the_counts_as_missing() -> None:
    answer = (
        relapsed_b()
        .phenotype("b-lymphoblastic", "2026-10-10")
        .ph("positive", "2026-10-10")
        .antigen("cd19", "positive", "2026-10-10")
        .antigen("cd22", "positive", "2026-10-10")
        .fit("2026-10-12")
        .donor("2026-10-12")
        .assess()
    )
    assert answer.missing == {"counts"}


def test_a_relapse_by_r7_without_a_second_source_says_so() -> None:
    alone = in_remission().marrow(62, "2026-10-10").assess()
    assert "unconfirmed_by_second_source" in alone.modifiers
    assert "confirmatory_test" in alone.missing
    assert "unconfirmed_by_second_source" not in relapsed_b().assess().modifiers


def test_a_card_on_isolated_disease_names_the_csf_as_missing() -> None:
    assert "csf_result" in in_remission().extramedullary("present", "2026-10-10").assess().missing
    assert "csf_result" not in in_remission().csf(3, "2026-10-10").assess().missing


def test_a_vague_remission_and_a_vague_relapse_conflict() -> None:
    assert rule_and_class(chart().all_b("2024-01-01").remission("2026").relapse("2026")) == ("R5", "indeterminate")


# -- what a later remission has superseded is history --------------------------------------------------


def second_remission() -> Chart:
    """Relapse in May with a marrow at 62 %, a coded second remission in September."""
    first = chart().all_b("2024-01-01").remission("2024-03-01").marrow(62, "2026-05-05").relapse("2026-05-06")
    return first.remission("2026-09-01")


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(second_remission().blood(30, "2026-10-10"), id="blood blasts"),
        pytest.param(second_remission().blood(30, "2026-10-10", status="preliminary"), id="preliminary blood blasts"),
        pytest.param(second_remission().marrow(30, "2026-10-10", unit=None), id="a marrow without unit"),
        pytest.param(second_remission().marrow(30, "2026-10-10", status="preliminary"), id="a preliminary marrow"),
        pytest.param(
            second_remission().marrow(10, "2026-10-10", comparator="<", status="preliminary"), id="a preliminary range"
        ),
        pytest.param(second_remission().flow(2, "2026-10-10"), id="MRD at 2 %"),
        pytest.param(second_remission().refractory("2026-10-10"), id="a refractory statement"),
        pytest.param(second_remission().refractory("2026"), id="a refractory statement some time this year"),
        pytest.param(second_remission().csf(4, "2026-09-01"), id="CSF blasts on the day of the remission"),
        pytest.param(second_remission().csf(4, "2026"), id="CSF blasts some time this year"),
    ],
)
def test_the_marrow_before_a_second_remission_is_no_new_relapse(patient: Chart) -> None:
    answer = patient.assess()
    assert answer.classification == "indeterminate"
    assert answer.options == {}


def test_the_second_remission_itself_is_silent() -> None:
    assert second_remission().assess().classification == "in_remission"


@pytest.mark.parametrize("status", ["2026-05", "2026"])
def test_a_vague_remission_does_not_outweigh_a_newer_relapse(status: str) -> None:
    """The relapse entry of yesterday is later than the remission and the marrow that have dates."""
    patient = chart().all_b("2026-01-01").remission("2026-05-05").marrow(0, "2026-08-03")
    patient = patient.status("complete-remission", status).relapse("2026-10-31", category=None)
    assert patient.assess().classification != "in_remission"


def test_results_and_a_phenotype_of_two_specimens_on_one_day() -> None:
    patient = in_remission().marrow(62, "2026-10-10", specimen="s1")
    assert patient.phenotype("b-lymphoblastic", "2026-10-10", specimen="s2").assess().classification == "relapsed"


@pytest.mark.parametrize("day", ["2026-10-10", "2026-10", "2026"])
def test_results_and_a_phenotype_of_one_vague_date(day: str) -> None:
    """A month is too vague to be one marrow; nothing breaks."""
    assert in_remission().marrow(62, day).phenotype("b-lymphoblastic", day).assess().classification in (
        "relapsed",
        "indeterminate",
    )


@pytest.mark.parametrize(
    ("patient", "rule"),
    [
        pytest.param(in_remission().marrow(70, "2026-10-10", status="preliminary"), "R11a", id="preliminary marrow"),
        pytest.param(
            in_remission().blood(70, "2026-10-10", status="preliminary"), "R11", id="preliminary blood blasts"
        ),
        pytest.param(in_remission().marrow(0.62, "2026-10-10", unit="1"), "R11", id="a marrow in an ambiguous unit"),
    ],
)
def test_a_new_sign_of_disease_is_not_called_old(patient: Chart, rule: str) -> None:
    """The diagnosis is more than 180 days old; what may be a relapse is not."""
    assert patient.assess().rule == rule
