"""The values facts are made of: three-valued truth, uncertain dates, measured percentages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.percent import Percent, plain
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import BEGINNING, When, latest

YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))


def day(text: str) -> When:
    found = When.parse(text)
    assert found is not None
    return found


# -- truth ---------------------------------------------------------------------------------------------


def test_an_unknown_is_never_used_as_a_yes_or_a_no() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)


def test_a_bool_is_a_yes_or_a_no() -> None:
    assert (Truth.of(True), Truth.of(False)) == (YES, NO)


# -- dates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025-03-02", date(2025, 3, 2), date(2025, 3, 2)),
    ],
)
def test_a_partial_date_is_all_of_it(text: str, first: date, last: date) -> None:
    assert (day(text).first.date(), day(text).last.date()) == (first, last)
    assert day(text).text == text


def test_an_instant_is_read_in_utc() -> None:
    moment = datetime(2025, 3, 1, 23, 30, tzinfo=UTC)
    assert day("2025-03-02T01:30:00+02:00") == When(moment, moment)
    assert day("2025-03-01T23:30Z") == When(moment, moment)


def test_a_time_without_an_offset_may_be_anywhere_on_earth() -> None:
    found = day("2025-03-02T12:00:00")
    assert found.last - found.first == timedelta(hours=26)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2025-13", "2025-02-30", "2025-1-1", None, 2025, "2025-01-01T25:00:00Z", "0000"),
        *("2025-12-11\n", "2025-12-11T10:00:00Z\n", "٢٠٢٥-12-11"),
    ],
)
def test_what_is_no_date_is_absent(text: object) -> None:
    assert When.parse(text) is None


def test_an_offset_beyond_the_calendar_is_no_date() -> None:
    assert When.parse("0001-01-01T00:00:00+14:00") is None


def test_the_same_day_is_unordered_and_the_same_moment_is_not_before_itself() -> None:
    assert day("2025-03-02").before(day("2025-03-02")) is UNKNOWN
    assert day("2025-03-02T01:00:00Z").before(day("2025-03-02T01:00:00Z")) is NO


@given(DAYS, DAYS)
def test_days_are_ordered_as_the_calendar_orders_them(one: date, other: date) -> None:
    expected = YES if one < other else UNKNOWN if one == other else NO
    assert When.day(one).before(When.day(other)) is expected
    assert When.day(one).days_until(When.day(other)) == ((other - one).days,) * 2


@given(DAYS, DAYS, st.sampled_from([7, 10]))
def test_a_vaguer_date_never_turns_a_sure_order_around(one: date, other: date, length: int) -> None:
    vague = day(one.isoformat()[: 4 if length == 7 else 7])
    sure = When.day(one).before(When.day(other))
    assert vague.before(When.day(other)) in (sure, UNKNOWN)


@pytest.mark.parametrize(
    ("other", "answer"), [("2025-01-28", NO), ("2025-01-29", YES), ("2025-01-30", YES), ("2025-01", UNKNOWN)]
)
def test_at_least_28_days_later(other: str, answer: Truth) -> None:
    assert day("2025-01-01").at_least_days_before(day(other), 28) is answer


@pytest.mark.parametrize(("text", "answer"), [("2025-01-09", NO), ("2025-01-10", YES), ("2025-01", UNKNOWN)])
def test_on_or_after_a_day(text: str, answer: Truth) -> None:
    assert day(text).on_or_after_day(day("2025-01-10")) is answer


def test_a_range_of_days_is_written_as_one() -> None:
    assert day("2025-01-01").until(day("2025-01-03")).text == "2025-01-01/2025-01-03"
    assert When(BEGINNING, day("2025-01-03").last).text == "up to 2025-01-03"


def test_the_latest_of_several_and_of_none() -> None:
    assert latest([day("2025"), day("2025-06-01")]) == day("2025")
    assert latest([]) is None


# -- percentages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "comparator", "answer"),
    [
        ("4.9", None, NO),
        ("5", None, YES),
        ("5.1", None, YES),
        ("5", "<", NO),
        ("5", "<=", UNKNOWN),
        ("10", "<", UNKNOWN),
        ("5", ">", YES),
        ("5", ">=", YES),
        ("4", ">=", UNKNOWN),
    ],
)
def test_reaching_5_percent(value: str, comparator: str | None, answer: Truth) -> None:
    assert Percent.of(value, comparator).reaches(Decimal(5)) is answer


@pytest.mark.parametrize(
    ("value", "comparator", "answer"), [("0", None, NO), ("0.001", None, YES), ("0.01", "<", UNKNOWN), ("0", ">", YES)]
)
def test_above_zero(value: str, comparator: str | None, answer: Truth) -> None:
    assert Percent.of(value, comparator).above_zero is answer


@pytest.mark.parametrize(
    ("value", "comparator", "text"),
    [("62.0", None, "62"), ("0.01", "<", "<0.01"), ("5", "<=", "<=5"), ("90", ">", ">90"), ("90", ">=", ">=90")],
)
def test_a_percentage_is_shown_with_its_comparator(value: str, comparator: str | None, text: str) -> None:
    assert Percent.of(value, comparator).text == text


def test_a_comparator_fhir_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="comparator"):
        Percent.of("5", "~")


@given(st.decimals(0, 100, places=12))
def test_a_shown_number_is_short_and_never_an_exponent(number: Decimal) -> None:
    text = plain(number)
    assert "e" not in text.lower()
    assert len(text) <= 20
