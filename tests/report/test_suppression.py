"""A count under five is not told, and cannot be worked out from what is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.report.suppression import Cell, Hidden, alone, is_small, suppress

SMALL, WITHHELD = Hidden.SMALL, Hidden.WITHHELD
Lines = dict[str, dict[str, int]]
Families = list[tuple[str, list[str]]]


def line(accepted: int, overridden: int, unanswered: int) -> dict[str, int]:
    shown = accepted + overridden + unanswered
    return {"shown": shown, "accepted": accepted, "overridden": overridden, "unanswered": unanswered}


def total(*lines: dict[str, int]) -> dict[str, int]:
    return {column: sum(each[column] for each in lines) for column in line(0, 0, 0)}


@pytest.mark.parametrize(
    ("count", "told"),
    [
        pytest.param(0, 0, id="nobody is nobody's secret"),
        pytest.param(1, SMALL, id="one"),
        pytest.param(4, SMALL, id="four"),
        pytest.param(5, 5, id="five"),
    ],
)
def test_one_to_four_are_not_told(count: int, told: Cell) -> None:
    assert alone(count) == told
    assert suppress({"all": line(count, 50, 60)})["all"]["accepted"] == told


def test_a_reader_sees_signs() -> None:
    assert (str(SMALL), str(WITHHELD)) == ("<5", "withheld")


def test_counts_of_five_and_more_are_all_told() -> None:
    rules = {"R7": line(10, 5, 20), "R8": line(0, 9, 6)}
    lines = {"all": total(*rules.values()), **rules}
    assert suppress(lines, [("all", ["R7", "R8"])]) == lines


def test_the_rest_of_a_line_does_not_give_a_small_count_away() -> None:
    told = suppress({"all": line(3, 50, 60)})["all"]
    assert told == {"shown": 113, "accepted": SMALL, "overridden": WITHHELD, "unanswered": 60}


def test_the_rest_of_a_table_does_not_give_a_small_count_away() -> None:
    rules = {"R7": line(3, 50, 60), "R8": line(20, 20, 20), "R9": line(70, 80, 90)}
    told = suppress({"all": total(*rules.values()), **rules}, [("all", ["R7", "R8", "R9"])])
    assert told["R7"]["accepted"] is SMALL
    assert told["R8"] == {"shown": 60, "accepted": WITHHELD, "overridden": WITHHELD, "unanswered": 20}
    assert told["R9"] == rules["R9"]
    assert told["all"] == total(*rules.values())


def test_two_small_counts_that_add_up_to_two_would_be_known_to_be_one_each() -> None:
    told = suppress({"all": line(1, 1, 30)})["all"]
    assert told == {"shown": 32, "accepted": SMALL, "overridden": SMALL, "unanswered": WITHHELD}


def test_a_withheld_count_is_known_to_be_five_at_least_by_whoever_knows_the_program() -> None:
    told = suppress({"all": line(1, 0, 5)})["all"]
    assert told == {"shown": WITHHELD, "accepted": SMALL, "overridden": 0, "unanswered": 5}


def test_where_even_the_signs_would_tell_all_are_the_same_sign() -> None:
    weeks = {name: line(1, 0, 0) for name in ("W1", "W2", "W3", "W4")}
    told = suppress({"all": total(*weeks.values()), **weeks}, [("all", list(weeks))])
    hidden = {cell for each in told.values() for cell in each.values() if cell}
    assert hidden == {WITHHELD}


def test_a_small_rule_is_not_found_through_its_class() -> None:
    rules = {"R7": line(40, 40, 40), "R12": line(2, 30, 30), "R13": line(30, 30, 30), "R18": line(50, 50, 50)}
    classes = {"relapsed": rules["R7"], "refractory": total(rules["R12"], rules["R13"]), "unclear": rules["R18"]}
    families = [
        ("all", list(classes)),
        ("relapsed", ["R7"]),
        ("refractory", ["R12", "R13"]),
        ("unclear", ["R18"]),
    ]
    told = suppress({"all": total(*classes.values()), **classes, **rules}, families)
    assert told["R13"]["accepted"] is WITHHELD
    assert told["refractory"] == classes["refractory"]


def test_what_need_not_be_withheld_is_told() -> None:
    rules = {"R7": line(12, 6, 0), "R18": line(1, 20, 0), "R99": line(0, 7, 0)}
    classes = {"relapsed": total(rules["R7"], rules["R99"]), "unclear": rules["R18"]}
    families = [("all", list(classes)), ("relapsed", ["R7", "R99"]), ("unclear", ["R18"])]
    told = suppress({"all": total(*classes.values()), **classes, **rules}, families)
    assert told["all"] == line(13, 33, 0)
    assert told["R99"] == rules["R99"]
    assert told["R7"] == {"shown": 18, "accepted": WITHHELD, "overridden": WITHHELD, "unanswered": 0}


def test_a_small_count_is_not_found_by_adding_up_many_sums() -> None:
    rules = {"R7": line(1, 4, 2), "R8": line(3, 0, 0), "R9": line(3, 0, 0)}
    lines, families = {"all": total(*rules.values()), **rules}, [("all", list(rules))]
    found = determined(lines, families, suppress(lines, families))
    assert not [key for key in found if is_small(lines[key[0]][key[1]])]
    assert determined(lines, families, {"all": {"shown": SMALL}}) == {("all", "shown")}


def determined(lines: Lines, families: Families, told: Mapping[str, Mapping[str, Cell]]) -> set[tuple[str, str]]:
    """The hidden counts that follow from the told ones by adding and subtracting, however cleverly."""
    hidden = [
        (name, column) for name, each in told.items() for column, cell in each.items() if isinstance(cell, Hidden)
    ]
    sums = [[((name, "shown"), -1)] + [((name, part), 1) for part in list(each)[1:]] for name, each in lines.items()]
    for whole, parts in families:
        sums += [[((whole, column), -1)] + [((part, column), 1) for part in parts] for column in lines[whole]]
    rows = [[Fraction(dict(each).get(key, 0)) for key in hidden] for each in sums]
    return {hidden[alone_in.index(1)] for alone_in in reduced(rows) if sum(map(bool, alone_in)) == 1}


def reduced(rows: Sequence[list[Fraction]]) -> list[list[Fraction]]:
    """The rows in reduced echelon form: a row with a single entry is an unknown that is known."""
    left, done = [row for row in rows if any(row)], list[list[Fraction]]()
    while left:
        row = left.pop()
        pivot = next(at for at, entry in enumerate(row) if entry)
        row = [entry / row[pivot] for entry in row]
        left = [each for each in (without(each, row, pivot) for each in left) if any(each)]
        done = [*(without(each, row, pivot) for each in done), row]
    return done


def without(row: list[Fraction], other: list[Fraction], pivot: int) -> list[Fraction]:
    return [entry - row[pivot] * taken for entry, taken in zip(row, other, strict=True)]


COUNT = st.one_of(st.integers(0, 9), st.integers(0, 200))
RULE = st.builds(line, COUNT, COUNT, COUNT)
CLASSES = st.lists(st.lists(RULE, min_size=1, max_size=4), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(CLASSES)
def test_no_small_count_follows_from_the_others_by_arithmetic(classes: list[list[dict[str, int]]]) -> None:
    rules = {f"rule {c}.{r}": rule for c, each in enumerate(classes) for r, rule in enumerate(each)}
    wholes = {f"class {c}": total(*each) for c, each in enumerate(classes)}
    lines = {"all": total(*wholes.values()), **wholes, **rules}
    families = [(f"class {c}", [f"rule {c}.{r}" for r in range(len(each))]) for c, each in enumerate(classes)]
    families.append(("all", list(wholes)))
    told = suppress(lines, families)
    assert all(
        isinstance(told[n][c], Hidden) for n, each in lines.items() for c, count in each.items() if 0 < count < 5
    )
    assert {(n, c) for n, c in determined(lines, families, told) if 0 < lines[n][c] < 5} == set()
