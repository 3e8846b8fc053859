"""Rates with their uncertainty, who is called out, and figures that an independent count agrees with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cds_service.report.figures import Line, Reason, Suggested, report
from cds_service.report.queries import find
from cds_service.report.rates import Rate, rate, wilson
from cds_service.report.suppression import SMALLEST, Cell, Hidden
from cds_service.report.tally import Found, Scope
from cds_service.report.write import make_report
from cds_service.store.database import Database
from tests.report.ledgers import Book
from tests.report.simulate import EVENTS, WEEKS, Row, Simulated

EMPTY = Found(tallies=[], events={}, reasons={}, overridden_without_code=0, suggestions={})


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, table I"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe 1998, table I, few"),
        pytest.param(0, 20, 0.0000, 0.1611, id="Newcombe 1998, table I, none"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe 1998, table I, one"),
        pytest.param(29, 29, 0.8830, 1.0000, id="all"),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = wilson(count, of)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.low <= found.share == count / of <= found.high


def test_a_rate_is_read_as_percent_with_its_interval() -> None:
    assert str(Rate(0.9, 0.8512, 1.0)) == "90.0 % (85.1–100.0)"


@pytest.mark.parametrize(
    ("count", "of"),
    [
        pytest.param(0, 0, id="of nothing"),
        pytest.param(Hidden.SMALL, 20, id="of a small count"),
        pytest.param(10, Hidden.WITHHELD, id="of a withheld total"),
    ],
)
def test_there_is_no_rate_of_what_is_not_told(count: Cell, of: Cell) -> None:
    assert rate(count, of) is None


def test_a_line_without_its_parts_has_no_rate_at_all() -> None:
    line = Line("R7", shown=113, accepted=Hidden.SMALL, overridden=Hidden.WITHHELD, unanswered=60)
    assert (line.answered, line.answer_rate, line.acceptance_rate, line.override_rate) == (
        Hidden.WITHHELD,
        None,
        None,
        None,
    )


def test_an_empty_ledger_makes_an_empty_report() -> None:
    made = report(EMPTY, Scope())
    assert made.total == Line("", shown=0, accepted=0, overridden=0, unanswered=0)
    assert (made.by_rule, made.by_week, made.called_out, made.reasons, made.suggestions) == ((), (), (), (), ())


# Called out.


@pytest.mark.parametrize(
    ("accepted", "overridden", "called_out"),
    [
        pytest.param(2, 18, False, id="at 90 % of twenty"),
        pytest.param(1, 19, True, id="above 90 % of twenty"),
        pytest.param(3, 17, False, id="below 90 % of twenty"),
        pytest.param(0, 19, False, id="all of nineteen"),
        pytest.param(0, 20, True, id="all of twenty"),
        pytest.param(99, 901, True, id="just above 90 % of a thousand"),
        pytest.param(100, 900, False, id="at 90 % of a thousand"),
        pytest.param(101, 899, False, id="just below 90 % of a thousand"),
    ],
)
def test_a_rule_overridden_more_than_ninety_percent_of_the_time_is_called_out(
    database: Database, accepted: int, overridden: int, called_out: bool
) -> None:
    book = Book()
    book.cards(accepted, "accepted", rule="R18")
    book.cards(overridden, "overridden", rule="R18")
    book.cards(30, rule="R18")
    book.cards(30, "accepted", rule="R7")
    found = [line.name for line in book.report(database).called_out]
    assert found == (["R18"] if called_out else [])


def test_a_rule_is_called_out_even_where_its_counts_are_not_told(database: Database) -> None:
    book = Book()
    book.cards(1, "accepted", rule="R18")
    book.cards(40, "overridden", rule="R18")
    [line] = book.report(database).called_out
    assert (line.name, line.accepted, line.override_rate) == ("R18", Hidden.SMALL, None)


# Lines.


def test_rules_stand_by_number_and_a_rule_whose_class_changed_stands_twice(database: Database) -> None:
    book = Book()
    for rule, classification in [("R11a", "x"), ("R9", "x"), ("R11", "x"), ("R9", "y"), ("R7", "x")]:
        book.cards(5, rule=rule, **{"class": classification})
    found = [(line.name, line.group) for line in book.report(database).by_rule]
    assert found == [("R7", "x"), ("R9", "x"), ("R9", "y"), ("R11", "x"), ("R11a", "x")]


def test_reasons_stand_by_frequency_and_those_without_a_code_last(database: Database) -> None:
    book = Book()
    for number in range(20):
        book.override(book.card(f"c{number}"), *([("s", "b")] if number < 6 else [("s", "a")] if number < 13 else []))
    assert book.report(database).reasons == (
        Reason("s", "a", 7, wilson(7, 20)),
        Reason("s", "b", 6, wilson(6, 20)),
        Reason("", "", 7, wilson(7, 20)),
    )


@pytest.mark.parametrize(
    ("rare", "told"),
    [
        pytest.param(0, [12, 9], id="none"),
        pytest.param(4, [12, Hidden.WITHHELD, Hidden.SMALL], id="four: the next follows"),
        pytest.param(5, [12, 9, 5], id="five"),
    ],
)
def test_a_rare_reason_is_not_told_nor_given_away(database: Database, rare: int, told: list[Cell]) -> None:
    book = Book()
    for code, many in (("a", 12), ("b", 9), ("c", rare)):
        for number in range(many):
            book.override(book.card(f"{code}{number}"), ("s", code))
    assert [reason.cards for reason in book.report(database).reasons] == told


def test_one_rare_reason_by_itself_is_just_not_told(database: Database) -> None:
    book = Book()
    book.cards(20, "overridden")
    book.write(database)
    found = database.run(lambda connection: find(connection, Scope()))
    made = report(replace(found, reasons={("s", "a"): 2}, overridden_without_code=0), Scope())
    assert [reason.cards for reason in made.reasons] == [Hidden.SMALL]


def test_where_the_overridden_cards_are_not_told_their_reasons_are_not_either(database: Database) -> None:
    book = Book()
    book.cards(20, "accepted")
    book.override(book.card("one"), ("s", "a"))
    assert book.report(database).reasons == ()


def test_suggestions_are_told_with_their_rate(database: Database) -> None:
    book = Book()
    for number in range(20):
        book.suggestion(f"s{number}", book.card(f"c{number}"))
        if number < 8:
            book.accept(f"c{number}", f"s{number}")
    assert book.report(database).suggestions == (Suggested("expert-review", 20, 8, 12),)
    assert Suggested("expert-review", 20, 8, 12).rate == wilson(8, 20)


def test_where_the_accepted_cards_are_not_told_suggestions_are_not_either(database: Database) -> None:
    book = Book()
    book.cards(20)
    book.suggestion("s", book.card("one"))
    book.accept("one", "s")
    assert book.report(database).suggestions == ()


# Against a count by hand.


class ByHand:
    """What became of each shown card, worked out card by card."""

    def __init__(self, rows: Simulated) -> None:
        self.shown = [card for card in rows.cards if card["display"] == "shown"]
        said: dict[tuple[str, str], list[Row]] = {}
        for event in rows.events:
            said.setdefault((event["card"], event["client"]), []).append(event)
        self.events = {card["card"]: said.get((card["card"], card["client"]), []) for card in rows.cards}

    def outcome(self, card: Row) -> str:
        outcomes = {event["outcome"] for event in self.events[card["card"]]}
        return "accepted" if "accepted" in outcomes else "overridden" if outcomes else "unanswered"

    def lines(self, kind: Callable[[Row], object]) -> dict[object, Counter[str]]:
        found: dict[object, Counter[str]] = {}
        for card in self.shown:
            found.setdefault(kind(card), Counter()).update(["shown", self.outcome(card)])
        return found


def monday(card: Row) -> str:
    day = datetime.fromtimestamp(card["issued"] / 1000, UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def agree(lines: Iterable[Line], counted: dict[object, Counter[str]], key: Callable[[Line], object]) -> int:
    """Every count told is the one counted; every one of one to four is not told. Returns how many are not told."""
    lines, untold = list(lines), 0
    assert {key(line) for line in lines} == set(counted)
    for line in lines:
        for column in ("shown", "accepted", "overridden", "unanswered"):
            cell, count = getattr(line, column), counted[key(line)][column]
            untold += isinstance(cell, Hidden)
            assert cell == count or isinstance(cell, Hidden)
            assert isinstance(cell, Hidden) or not 0 < cell < SMALLEST
    return untold


def test_the_simulation_holds_what_it_is_meant_to(simulated: Simulated) -> None:
    assert len(simulated.events) == EVENTS
    assert {card["display"] for card in simulated.cards} == {"shown", "silent", "repeated"}
    assert len({monday(card) for card in simulated.cards}) == WEEKS
    assert any(event["card"] is None for event in simulated.events)


def test_every_figure_agrees_with_a_count_by_hand(filled: Database, simulated: Simulated) -> None:
    made, by_hand = make_report(filled, Scope()), ByHand(simulated)
    assert agree([made.total], by_hand.lines(lambda card: ""), lambda line: line.name) == 0
    rules = by_hand.lines(lambda card: (card["rule"], card["class"]))
    assert agree(made.by_rule, rules, lambda line: (line.name, line.group)) > 0
    assert agree(made.by_class, by_hand.lines(lambda card: card["class"]), lambda line: line.name) == 0
    assert agree(made.by_week, by_hand.lines(monday), lambda line: line.name) == 0
    assert agree(made.by_client, by_hand.lines(lambda card: card["client"]), lambda line: line.name) == 0
    assert [line.name for line in made.called_out] == ["R3", "R18"]


def test_what_is_apart_agrees_with_a_count_by_hand(filled: Database, simulated: Simulated) -> None:
    apart, by_hand = make_report(filled, Scope()).apart, ByHand(simulated)
    display = Counter(card["display"] for card in simulated.cards)
    on = Counter({"unmatched": EVENTS})
    for card in simulated.cards:
        about = "shown" if card["display"] == "shown" else "not shown"
        on.update({about: len(by_hand.events[card["card"]]), "unmatched": -len(by_hand.events[card["card"]])})
    assert (apart.silent_cards, apart.repeated_cards) == (display["silent"], display["repeated"])
    assert (apart.events_on_shown, apart.events_on_not_shown) == (on["shown"], on["not shown"])
    assert apart.unmatched_events == on["unmatched"]
    assert on["unmatched"] > 100


def test_reasons_agree_with_a_count_by_hand(filled: Database, simulated: Simulated) -> None:
    by_hand, codes = ByHand(simulated), dict[int, set[tuple[str, str]]]()
    for row in simulated.reasons:
        if row["code"]:
            codes.setdefault(row["event"], set()).add((row["system"] or "", row["code"]))
    counted: Counter[tuple[str, str]] = Counter()
    for card in by_hand.shown:
        if by_hand.outcome(card) == "overridden":
            given = set[tuple[str, str]]().union(*(codes.get(e["id"], set()) for e in by_hand.events[card["card"]]))
            counted.update(given or {("", "")})
    told = {(each.system, each.code): each.cards for each in make_report(filled, Scope()).reasons}
    assert set(told) == set(counted)
    assert [key for key, cell in told.items() if cell is Hidden.SMALL] == [k for k, n in counted.items() if n < 5]
    assert {k: n for k, n in told.items() if isinstance(n, int)}.items() <= counted.items()


def test_suggestions_agree_with_a_count_by_hand(filled: Database, simulated: Simulated) -> None:
    by_hand = ByHand(simulated)
    shown, taken = {card["card"] for card in by_hand.shown}, set()
    matched = {event["id"] for events in by_hand.events.values() for event in events}
    taken = {row["suggestion"] for row in simulated.accepted if row["event"] in matched}
    ours = [row for row in simulated.suggestions if row["card"] in shown]
    offered = Counter(row["kind"] for row in ours)
    accepted = Counter(row["kind"] for row in ours if row["suggestion"] in taken)
    told = {each.kind: (each.offered, each.accepted) for each in make_report(filled, Scope()).suggestions}
    assert told == {kind: (offered[kind], accepted[kind]) for kind in offered}
