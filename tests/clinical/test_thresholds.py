"""Each threshold and window just below, at and just above."""

from __future__ import annotations

import pytest

from tests.charts import (
    AML,
    CYCLE,
    VINCRISTINE,
    chart,
    relapsed_b,
)
from tests.clinical.patients import ago, in_remission, plus, untreated

# -- thresholds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blasts", "rule"),
    [
        pytest.param(4.9, "R16", id="just below 5 %"),
        pytest.param(5, "R11", id="at 5 %, nothing else agrees"),
        pytest.param(5.1, "R11", id="just above 5 %"),
        pytest.param(24.9, "R11", id="just below 25 %"),
        pytest.param(25, "R7", id="at 25 %"),
        pytest.param(25.1, "R7", id="just above 25 %"),
    ],
)
def test_a_marrow_after_remission(blasts: float, rule: str) -> None:
    assert in_remission().marrow(blasts, "2026-10-10").assess().rule == rule


@pytest.mark.parametrize(
    ("value", "comparator", "rule"),
    [
        pytest.param(5, "<", "R16", id="below 5 %"),
        pytest.param(5, ">=", "R11", id="5 % or more, perhaps less than 25 %"),
        pytest.param(25, ">=", "R7", id="25 % or more"),
        pytest.param(25, ">", "R7", id="above 25 %"),
        pytest.param(24, ">", "R11", id="above 24 % may be below 25 %"),
    ],
)
def test_a_comparator_says_less_than_a_number(value: float, comparator: str, rule: str) -> None:
    assert in_remission().marrow(value, "2026-10-10", comparator=comparator).assess().rule == rule


def test_up_to_5_percent_is_neither_below_nor_at_it() -> None:
    answer = in_remission().marrow(5, "2026-10-10", comparator="<=").assess()
    assert answer.classification == "indeterminate"


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        pytest.param(0.99, "R11", id="just below 1 %"),
        pytest.param(1, "R8", id="at 1 %"),
        pytest.param(1.01, "R8", id="just above 1 %"),
    ],
)
def test_the_second_test_beside_flow_of_8_percent(second: float, rule: str) -> None:
    """Flow is the burden; the other method confirms at 1 %."""
    patient = in_remission().flow(8, "2026-10-10").molecular(second, "2026-10-10")
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("mrd", "rule"),
    [
        pytest.param(0.99, "R16", id="just below 1 %"),
        pytest.param(1, "R11", id="at 1 %"),
        pytest.param(1.01, "R11", id="just above 1 %"),
    ],
)
def test_mrd_alone_after_remission(mrd: float, rule: str) -> None:
    assert in_remission().flow(mrd, "2026-10-10").assess().rule == rule


@pytest.mark.parametrize(
    ("mrd", "positive"),
    [
        pytest.param(0.0099, False, id="just below 0.01 %"),
        pytest.param(0.01, True, id="at 0.01 %"),
        pytest.param(0.0101, True, id="just above 0.01 %"),
    ],
)
def test_mrd_in_remission(mrd: float, positive: bool) -> None:
    answer = in_remission().flow(mrd, "2026-10-10").assess()
    assert answer.classification == "in_remission"
    assert ("mrd_positive" in answer.modifiers) is positive


@pytest.mark.parametrize(
    ("blasts", "rule"),
    [
        pytest.param(25.9, "R16", id="just below 26 %: hematogones"),
        pytest.param(26, "R11", id="at 26 %: the tests clash"),
        pytest.param(26.1, "R11", id="just above 26 %"),
    ],
)
def test_morphology_against_a_negative_flow(blasts: float, rule: str) -> None:
    assert in_remission().marrow(blasts, "2026-10-10").flow(0, "2026-10-10").assess().rule == rule


@pytest.mark.parametrize(
    ("ratio", "unit", "rule"),
    [
        pytest.param(9.9, "%", "R16", id="just below 10 %"),
        pytest.param(10, "%", "R2", id="at 10 %"),
        pytest.param(10.1, "%", "R2", id="just above 10 %"),
        pytest.param(0.099, "1", "R16", id="0.099 as a fraction"),
        pytest.param(0.1, "1", "R2", id="0.10 as a fraction"),
        pytest.param(0.101, "1", "R2", id="0.101 as a fraction"),
    ],
)
def test_a_transcript_ratio_on_a_flow_negative_marrow(ratio: float, unit: str, rule: str) -> None:
    patient = in_remission().flow(0, "2026-10-10").ratio(ratio, "2026-10-10", unit=unit)
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("cells", "cutoff", "ph"),
    [
        pytest.param(0, None, "negative", id="none"),
        pytest.param(4.9, None, "unknown", id="just below the default cut-off"),
        pytest.param(5, None, "positive", id="at the default cut-off"),
        pytest.param(5.1, None, "positive", id="just above the default cut-off"),
        pytest.param(0.9, 1, "unknown", id="just below the laboratory's cut-off"),
        pytest.param(1, 1, "positive", id="at the laboratory's cut-off"),
        pytest.param(1.1, 1, "positive", id="just above the laboratory's cut-off"),
        pytest.param(6, 8, "unknown", id="above the default but below the laboratory's cut-off"),
    ],
)
def test_fish_against_its_cutoff(cells: float, cutoff: float | None, ph: str) -> None:
    assert relapsed_b().fish(cells, "2026-10-10", cutoff=cutoff).assess().ph == ph


@pytest.mark.parametrize(
    ("blasts", "rule"),
    [
        pytest.param(4.9, "R16", id="just below 5 %"),
        pytest.param(5, "R11", id="at 5 %"),
        pytest.param(5.1, "R11", id="just above 5 %"),
    ],
)
def test_blood_blasts_after_remission(blasts: float, rule: str) -> None:
    assert in_remission().blood(blasts, "2026-10-10").assess().rule == rule


# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(179, "R7", id="179 days"),
        pytest.param(180, "R7", id="180 days"),
        pytest.param(181, "R3", id="181 days"),
    ],
)
def test_the_age_of_the_newest_marrow(days: int, rule: str) -> None:
    assert in_remission().marrow(62, ago(days)).assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(179, "R10", id="179 days"),
        pytest.param(180, "R10", id="180 days"),
        pytest.param(181, "R3", id="181 days"),
    ],
)
def test_the_age_of_a_relapse_statement(days: int, rule: str) -> None:
    assert in_remission().relapse(ago(days)).assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(179, "R4", id="179 days"),
        pytest.param(180, "R4", id="180 days"),
        pytest.param(181, "R3", id="181 days"),
    ],
)
def test_the_age_of_disease_outside_the_marrow(days: int, rule: str) -> None:
    assert in_remission().extramedullary("present", ago(days)).assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(179, "R14", id="179 days"),
        pytest.param(180, "R14", id="180 days"),
        pytest.param(181, ("R3", "R18"), id="181 days"),
    ],
)
def test_the_age_of_a_refractory_statement(days: int, rule: str | tuple[str, ...]) -> None:
    patient = chart().all_b("2025-01-01").course("2025-01-10", "2025-02-10").refractory(ago(days))
    assert patient.assess().rule in ((rule,) if isinstance(rule, str) else rule)


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(179, "R2", id="179 days"),
        pytest.param(180, "R2", id="180 days"),
        pytest.param(181, "R7", id="181 days"),
    ],
)
def test_the_age_of_a_myeloid_entry_against_the_newest_marrow(days: int, rule: str) -> None:
    marrow = "2026-10-10"
    patient = (
        in_remission().condition(AML, plus(marrow, -days), clinical="active").marrow(62, marrow).relapse("2026-10-12")
    )
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(27, "R18", id="27 days after the first dose"),
        pytest.param(28, "R13", id="28 days after"),
        pytest.param(29, "R13", id="29 days after"),
    ],
)
def test_the_end_of_induction(days: int, rule: str) -> None:
    patient = untreated().course("2026-09-01", "2026-09-20").marrow(40, plus("2026-09-01", days))
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(27, "R17", id="27 days ago"),
        pytest.param(28, "R18", id="28 days ago"),
        pytest.param(29, "R18", id="29 days ago"),
    ],
)
def test_treatment_so_long_ago_is_documented_treatment(days: int, rule: str) -> None:
    assert untreated().chemotherapy(ago(days), ago(1)).assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(27, "R5", id="27 days before the marrow"),
        pytest.param(28, "R7", id="28 days before"),
        pytest.param(29, "R7", id="29 days before"),
    ],
)
def test_a_code_only_remission_before_a_marrow_with_disease(days: int, rule: str) -> None:
    patient = chart().all_b("2025-01-01").remission(plus("2026-10-10", -days)).marrow(62, "2026-10-10")
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(27, "R5", id="27 days after the marrow"),
        pytest.param(28, "R16", id="28 days after"),
        pytest.param(29, "R16", id="29 days after"),
    ],
)
def test_a_code_only_remission_after_a_marrow_with_disease(days: int, rule: str) -> None:
    patient = chart().all_b("2025-01-01").marrow(62, "2026-09-01").remission(plus("2026-09-01", days))
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(13, "R11a", id="13 days after"),
        pytest.param(14, "R11a", id="14 days after"),
        pytest.param(15, "R7", id="15 days after"),
    ],
)
def test_a_marrow_after_a_growth_factor(days: int, rule: str) -> None:
    patient = in_remission().growth_factor("2026-09-20").marrow(40, plus("2026-09-20", days))
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(2, "R16", id="2 days apart: one marrow"),
        pytest.param(3, "R16", id="3 days apart: one marrow"),
        pytest.param(4, "R11", id="4 days apart: two marrows"),
    ],
)
def test_flow_and_morphology_days_apart(days: int, rule: str) -> None:
    """Flow explains the morphological count only of its own marrow."""
    patient = in_remission().flow(0, "2026-10-06").marrow(12, plus("2026-10-06", days))
    assert patient.assess().rule == rule


def test_one_specimen_is_one_marrow_however_far_apart() -> None:
    patient = in_remission().flow(0, "2026-10-01", specimen="s").marrow(12, "2026-10-09", specimen="s")
    assert patient.assess().rule == "R16"


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(13, "R13", id="13 days before the first evidence"),
        pytest.param(14, "R13", id="14 days before"),
        pytest.param(15, "R17", id="15 days before: for something else"),
    ],
)
def test_treatment_before_the_first_evidence_of_all(days: int, rule: str) -> None:
    first = "2026-09-01"
    patient = chart().all_b(first).course(plus(first, -days), plus(first, 10)).marrow(40, "2026-10-10")
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("days", "modifier"),
    [
        pytest.param(13, "courses_not_documented", id="13 days: no course"),
        pytest.param(14, "one_course_only", id="14 days: a course"),
        pytest.param(15, "one_course_only", id="15 days: a course"),
    ],
)
def test_how_long_a_treatment_period_makes_a_course(days: int, modifier: str) -> None:
    patient = untreated().chemotherapy("2026-09-01", plus("2026-09-01", days)).marrow(40, "2026-10-10")
    answer = patient.assess()
    assert answer.rule == "R13"
    assert modifier in answer.modifiers


@pytest.mark.parametrize(
    ("gap", "rule"),
    [
        pytest.param(27, "R13", id="27 days apart: one course"),
        pytest.param(28, "R13", id="28 days apart: one course"),
        pytest.param(29, "R12", id="29 days apart: two courses"),
    ],
)
def test_infusions_so_far_apart(gap: int, rule: str) -> None:
    """Two pairs of infusions, each pair a fortnight long."""
    second = plus("2026-06-15", gap)
    patient = (
        chart().all_b("2026-05-25").administration(VINCRISTINE, "2026-06-01").administration(VINCRISTINE, "2026-06-15")
    )
    patient = patient.administration(VINCRISTINE, second).administration(VINCRISTINE, plus(second, 14))
    assert patient.marrow(40, "2026-10-10").assess().rule == rule


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        pytest.param(0, "R11", id="no other test"),
        pytest.param(1, "R11", id="one other test"),
        pytest.param(2, "R9", id="two other tests"),
    ],
)
def test_how_many_tests_make_a_submorphologic_relapse(others: int, rule: str) -> None:
    patient = in_remission().flow(2, "2026-10-10").relapse("2026-10-12")
    if others:
        patient.molecular(3, "2026-10-10")
    if others > 1:
        patient.marrow(3, "2026-10-10")
    assert patient.assess().rule == rule


@pytest.mark.parametrize(
    ("courses", "rule", "modifier"),
    [
        pytest.param(0, "R17", None, id="no course"),
        pytest.param(1, "R13", "one_course_only", id="one course"),
        pytest.param(2, "R12", None, id="two courses"),
        pytest.param(3, "R12", None, id="three courses"),
    ],
)
def test_how_many_courses(courses: int, rule: str, modifier: str | None) -> None:
    patient = chart().all_b("2026-04-25")
    for start, end in [("2026-05-01", "2026-05-28"), ("2026-06-05", "2026-07-05"), ("2026-07-20", "2026-08-15")][
        :courses
    ]:
        patient.procedure(CYCLE, start, end)
    answer = patient.marrow(40, "2026-10-10").assess()
    assert answer.rule == rule
    assert modifier is None or modifier in answer.modifiers


@pytest.mark.parametrize(
    ("days", "second"),
    [
        pytest.param(27, False, id="remission coded 27 days before the next relapse"),
        pytest.param(28, True, id="28 days before"),
        pytest.param(29, True, id="29 days before"),
    ],
)
def test_a_second_relapse_needs_a_remission_long_enough_before(days: int, second: bool) -> None:
    again = "2026-10-10"
    patient = chart().all_b("2023-01-01").remission("2023-04-01").relapse("2025-01-01").marrow(60, "2025-01-01")
    patient = patient.remission(plus(again, -days)).relapse(again)
    assert ("second_or_later_relapse" in patient.assess().modifiers) is second


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        pytest.param(27, "R17", id="27 days: no remission is implied"),
        pytest.param(28, "R7", id="28 days: a remission is implied"),
        pytest.param(29, "R7", id="29 days"),
    ],
)
def test_a_relapse_statement_implies_a_remission(days: int, rule: str) -> None:
    relapse = "2026-10-10"
    patient = chart().all_b(plus(relapse, -days)).relapse(relapse).marrow(62, "2026-10-12")
    answer = patient.assess()
    if rule == "R7":
        assert answer.rule == rule
    else:
        assert answer.rule != "R7"
        assert answer.classification == "indeterminate"
