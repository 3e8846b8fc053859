"""The timeline picture: every fact is a row, every dated row a mark in its place, and no label on another."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest

from cds_service.clinical.when import When
from cds_service.sandbox import picture as pictures
from cds_service.sandbox.picture import LEFT, Mark, Picture, picture
from cds_service.sandbox.picture_axis import LINE, LogAxis, Room, TimeAxis
from cds_service.sandbox.picture_rows import BESIDE
from tests.charts import B_ALL, Chart, chart, knowledge, relapsed_b
from tests.stories import stories, story


def drawn(patient: Chart, **dates: str) -> Picture:
    """The picture; *dates* are of observations that are set aside."""
    whens = {f"Observation/{name}": When.day(date.fromisoformat(day)) for name, day in dates.items()}
    return picture(patient.assess().decision, knowledge(), whens)


def mark_of(found: Picture, text: str) -> Mark:
    (mark,) = [mark for mark in found.marks if mark.row.text == text]
    return mark


def points(mark: Mark) -> list[tuple[float, float]]:
    found = re.match(r"M([\d.-]+) ([\d.-]+)", mark.outline)
    assert found is not None
    return [(float(found[1]), float(found[2]))]


def test_what_decided_the_class_is_said_of_its_mark_and_row() -> None:
    found = drawn(relapsed_b())
    decided = [row for row in found.rows if row.role == "decided"]
    assert decided
    assert all(row.note.startswith("decided the class: ") and row.name.endswith(row.note) for row in decided)
    assert all(row.text in found.summary for row in decided)


def test_each_row_has_its_own_anchor_in_order_of_time() -> None:
    rows = drawn(relapsed_b()).rows
    assert [row.anchor for row in rows] == [f"fact-{number}" for number in range(1, len(rows) + 1)]
    assert all(a.when <= b.when for a, b in pairwise(rows) if a.when and b.when)


def test_more_blasts_stand_higher_and_later_results_further_right() -> None:
    found = drawn(chart().all_b("2025-01-01").marrow(90, "2025-01-02").flow(0.02, "2025-06-01").blood(8, "2026-10-01"))
    high, low, blood = (
        points(mark_of(found, text))[0]
        for text in ("marrow blasts 90 %", "marrow MRD by flow 0.02 %", "blood blasts 8 %")
    )
    assert high[1] < blood[1] < low[1]
    assert high[0] < low[0] < blood[0]


def test_each_threshold_is_a_line_with_its_value() -> None:
    lines = drawn(relapsed_b()).lines
    assert [value for _, value, _ in lines] == ["25 %", "5 %", "1 %", "0.01 %"]
    assert [y for y, _, _ in lines] == sorted(y for y, _, _ in lines)


def test_a_vague_date_is_a_span_and_a_course_a_period() -> None:
    found = drawn(chart().all_b("2025").course("2025-02-01", "2025-03-01"))
    (vague,) = [m for m in found.marks if m.row.kind == "diagnosis"]
    (course,) = [m for m in found.marks if m.row.kind == "treatment"]
    assert (vague.span is None, vague.period) == (False, False)
    assert (course.span is None, course.period) == (False, True)


def test_lanes_come_in_their_order_and_only_where_something_is() -> None:
    patient = relapsed_b().course("2025-02-01", "2025-03-01").ph("positive", "2026-10-12").molecular(3, "2026-10-12")
    names = [name for name, _ in drawn(patient).lanes]
    assert names == ["Status recorded", "Treatment", "BCR::ABL1", "Other findings"]
    assert drawn(chart()).lanes == ()


def test_what_is_set_aside_stands_with_its_reason_where_its_date_is_known() -> None:
    decision = story("marrow-entered-in-error").decide()
    (aside,) = decision.assessment.facts.set_aside
    without = picture(decision, knowledge())
    placed = picture(decision, knowledge(), {aside.ref: When.day(decision.today)})
    (row,) = [row for row in without.rows if row.role == "aside"]
    assert (row.date, row.text) == ("no date read", "entered in error")
    assert without.left_out == 1 + placed.left_out
    assert [mark.row.ref for mark in placed.marks if mark.row.role == "aside"] == [aside.ref]


def test_a_date_far_ahead_stands_in_the_table_only() -> None:
    decision = story("marrow-entered-in-error").decide()
    (aside,) = decision.assessment.facts.set_aside
    found = picture(decision, knowledge(), {aside.ref: When.day(date(2999, 1, 1))})
    assert aside.ref in {row.ref for row in found.rows} - {mark.row.ref for mark in found.marks}


def test_a_status_that_two_dated_sources_outweigh_is_set_aside_by_name() -> None:
    rows = [row for s in stories() for row in picture(s.decide(), knowledge()).rows if row.role == "aside"]
    assert any(row.note == f"set aside: {BESIDE}" for row in rows)


def test_a_negative_result_in_remission_keeps_its_place_and_says_why_it_does_not_count() -> None:
    patient = chart().all_b("2025-01-01").remission("2025-06-01").ph("negative", "2025-07-01")
    (aside,) = [mark for mark in drawn(patient).marks if mark.row.role == "aside"]
    assert "a response" in aside.row.note


def test_a_fact_without_a_beginning_is_dated_by_its_end() -> None:
    found = drawn(chart().condition(B_ALL, None))
    assert [row.date for row in found.rows] == ["up to 2026-11-01"]


def test_a_fact_that_decided_the_philadelphia_status_only_says_so() -> None:
    roles = {row.role: row.note for row in drawn(relapsed_b().ph("positive", "2026-10-12")).rows}
    assert roles["used"].startswith("used for: ")
    assert roles["other"] == ""


def test_only_the_newest_marks_are_drawn_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_MARKS", 2)
    found = drawn(relapsed_b())
    assert len(found.marks) == 2
    assert found.left_out == len(found.rows) - 2


def test_a_result_less_than_a_number_stands_at_it_and_one_more_than_a_number_too() -> None:
    def height(low: float, comparator: str) -> float:
        (mark,) = drawn(chart().all_b("2025-01-01").marrow(low, "2026-01-01", comparator=comparator)).marks[-1:]
        return points(mark)[0][1]

    assert height(90, ">") < height(5, "<")


@pytest.mark.parametrize("slug", [s.slug for s in stories()])
def test_no_mark_leaves_the_picture(slug: str) -> None:
    found = picture(story(slug).decide(), knowledge())
    assert len({mark.row.anchor for mark in found.marks}) == len(found.marks)
    for mark in found.marks:
        ((x, y),) = points(mark)
        assert LEFT - 10 <= x <= 960
        assert 0 < y < found.height


# -- axes and room ---------------------------------------------------------------------------------------------


def test_a_single_day_is_an_axis_of_its_own() -> None:
    axis = TimeAxis.over([date(2026, 1, 1)], 0, 100)
    assert axis.x(date(2026, 1, 1)) == 100
    assert axis.x(date(1990, 1, 1)) == 0


def test_days_keep_their_order_and_neighbours_get_room() -> None:
    days = [date(2010, 1, 1), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]
    places = [TimeAxis.over(days, 0, 900).x(day) for day in days]
    assert places[0] == 0
    assert places[-1] == 900
    assert all(b - a > 100 for a, b in pairwise(places))


def test_ticks_are_years_for_long_charts_and_months_for_short_ones_with_room_between() -> None:
    long = TimeAxis.over([date(2010, 3, 1), date(2026, 1, 1)], 0, 300).ticks()
    short = TimeAxis.over([date(2026, 1, 15), date(2026, 6, 15)], 0, 300).ticks()
    assert long[0][1] == "2011"
    assert short[0][1] == "2026-02"
    assert all(b[0] - a[0] >= 66 for found in (long, short) for a, b in pairwise(found))


def test_what_is_below_the_foot_stands_at_the_foot() -> None:
    axis = LogAxis(0, 400)
    assert [axis.y(value) for value in (100, 10, 1, 0.1, 0.01, 0)] == [0, 100, 200, 300, 400, 400]


def test_a_label_goes_right_then_left_then_off_its_line_then_nowhere() -> None:
    room = Room(0, 100)
    assert room.place("1 %", 40, 60, 50) == (60, 50, "start")
    assert room.place("1 %", 40, 60, 50) == (40, 50, "end")
    assert room.place("1 %", 40, 60, 50) == (60, 50 - LINE, "start")
    assert room.place("far too long a label", 40, 60, 50) is None
