"""What would change an answer is found by asking the rules again, and holds for every value it names."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

import pytest

from cds_service.change import WORDS, Addition, Change, Span, addition_text, changes_json, what_would_change
from cds_service.clinical.options import Group
from cds_service.timeline_text import assessment_text
from tests.charts import Chart, chart, knowledge, relapsed_b
from tests.random_charts import random_chart
from tests.stories import stories, story

LIMITS = knowledge().limits


def changes(patient: Chart) -> tuple[Change, ...]:
    answer = patient.assess()
    return what_would_change(answer.assessment, knowledge(), answer.decision.today)


def leading_to(name: str, found: tuple[Change, ...]) -> set[str]:
    """What is said of every change to the class *name*."""
    return {
        addition_text(added, knowledge())
        for change in found
        if change.reclassifies and change.after.classification.value == name
        for added in change.additions
    }


def moves(found: tuple[Change, ...], said: str) -> set[tuple[str, Group, Group]]:
    """The options that the addition *said* moves."""
    return {move for change in found if any(added.said == said for added in change.additions) for move in change.moves}


def unconfirmed() -> Chart:
    return chart().all_b("2025-01-01").remission("2025-06-01").marrow(12, "2026-10-10")


def test_an_unconfirmed_marrow_would_be_confirmed_by_another_test_of_it() -> None:
    assert "MRD by flow 5 % or more in the marrow of 2026-10-10" in leading_to("relapsed", changes(unconfirmed()))


@pytest.mark.parametrize(("blasts", "expected"), [(4.9, "in_remission"), (5, "relapsed"), (25, "relapsed")])
def test_what_is_said_of_a_span_holds_at_its_ends(blasts: float, expected: str) -> None:
    said = leading_to(expected, changes(unconfirmed()))
    spans = {4.9: "below 5 %", 5: "from 5 to below 25 %", 25: "25 % or more"}
    assert f"a new marrow with blasts {spans[blasts]}" in said
    assert unconfirmed().marrow(blasts, "2026-11-01").assess().classification == expected


@pytest.mark.parametrize("slug", [s.slug for s in stories()][::9])
def test_whatever_is_listed_changes_the_class_or_an_option(slug: str) -> None:
    decision = story(slug).decide()
    for change in what_would_change(decision.assessment, knowledge(), decision.today):
        assert change.additions
        assert (change.before.classification, change.before.groups) != (
            change.after.classification,
            change.after.groups,
        )


def test_changes_of_the_class_come_first_and_no_outcome_twice() -> None:
    found = changes(relapsed_b())
    assert [c.reclassifies for c in found] == sorted((c.reclassifies for c in found), reverse=True)
    assert len({c.after for c in found}) == len(found)


def test_an_antigen_lost_closes_what_is_directed_at_it() -> None:
    moved = moves(changes(relapsed_b()), "cd22_negative")
    assert moved == {("inotuzumab-ozogamicin", Group.FITS, Group.DOES_NOT_FIT)}


def test_fitness_and_a_donor_are_named_together_where_neither_alone_opens_the_transplant() -> None:
    opened = ("allogeneic-transplant", Group.DEPENDS, Group.FITS)
    assert opened in moves(changes(relapsed_b()), "fit_with_donor")


def test_a_donor_alone_is_enough_once_fitness_is_on_record() -> None:
    found = changes(relapsed_b().fit("2026-10-30"))
    said = [added.said for change in found for added in change.additions]
    assert "donor-available_yes" in said
    assert "fit_with_donor" not in said


def test_an_age_not_on_record_is_asked_for_in_the_spans_of_the_labels() -> None:
    said = [addition_text(a, knowledge()) for c in changes(relapsed_b().born(None)) for a in c.additions]
    assert "a birth date that gives an age below 1 years" in said
    assert "a birth date that gives an age 26 years or more" in said


def test_a_vague_birth_date_is_asked_for_within_what_is_known() -> None:
    decision = story("born-2000").decide()
    found = what_would_change(decision.assessment, knowledge(), decision.today)
    ages = [a.span for c in found for a in c.additions if a.said == "age"]
    assert ages == [Span(Decimal(18), Decimal(26)), Span(Decimal(26), None)]


def test_a_chart_without_the_diagnosis_would_be_changed_by_it() -> None:
    bare = chart().marrow(70, "2026-10-10")
    assert bare.assess().classification == "not_all"
    assert any(a.said == "diagnosis" for c in changes(bare) for a in c.additions)


def test_leukemia_outside_the_marrow_that_is_gone_would_change_an_isolated_relapse() -> None:
    decision = story("g13-isolated-cns-relapse").decide()
    found = what_would_change(decision.assessment, knowledge(), decision.today)
    assert any("leukemia no longer found" in said for said in leading_to("in_remission", found))


def test_donor_cells_are_asked_about_after_a_transplant_only() -> None:
    def asked(patient: Chart) -> bool:
        return any(a.said == "donor_cells" for c in changes(patient) for a in c.additions)

    assert asked(relapsed_b().transplant("2025-09-01"))
    assert not asked(relapsed_b())


def test_a_marrow_of_today_is_followed_by_a_later_one_not_joined_by_it() -> None:
    said = leading_to("in_remission", changes(unconfirmed().marrow(12, "2026-11-01")))
    assert "a new marrow with blasts below 5 %" in said


def test_a_result_of_the_year_one_is_no_obstacle() -> None:
    old = chart().all_b("0001-01-01").marrow(70, "0001-01-01")
    assert isinstance(changes(old), tuple)


def test_a_leap_day_has_the_same_spans_of_age() -> None:
    patient = chart(today="2028-02-29").all_b("2027-01-01").remission("2027-06-01").marrow(70, "2028-02-20").born(None)
    assert any(a.said == "age" for c in changes(patient) for a in c.additions)


def test_as_data_it_names_the_facts_the_class_and_the_moves() -> None:
    found = changes(relapsed_b())
    data = changes_json(found, knowledge())
    assert len(data) == len(found)
    assert {
        "if_any": ["a new CD22 result: negative"],
        "classification": "relapsed",
        "rule": "R7",
        "options": [{"id": "inotuzumab-ozogamicin", "from": "fits", "to": "does_not_fit"}],
    } in data


def test_every_addition_has_words_and_a_span_without_ends_is_any_value() -> None:
    assert set(knowledge().words["change"]) == WORDS
    assert addition_text(Addition("blood", span=Span(None, None)), knowledge()) == "new blood blasts of any value"


def test_hundred_random_charts_each_have_an_answer_that_says_what_would_change_it() -> None:
    for seed in range(100):
        answer = random_chart(Random(seed)).assess()
        for change in what_would_change(answer.assessment, knowledge(), date(2026, 11, 1)):
            assert all(addition_text(added, knowledge()) for added in change.additions)


def test_the_text_form_names_facts_and_what_they_do() -> None:
    text = assessment_text(unconfirmed().assess().decision, knowledge())
    assert "What would change it (any one of)" in text
    assert "a relapse recorded now\n    -> relapsed (R8)\n    -> the options are listed" in text
    relapsed = assessment_text(relapsed_b().assess().decision, knowledge())
    assert "a new CD22 result: negative\n    -> Inotuzumab ozogamicin (Besponsa): does not fit" in relapsed
    assert "-> no options are listed" in relapsed
