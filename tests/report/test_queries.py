"""Which card counts, as what, in which week, and for whom."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cds_service.hooks.feedback import FeedbackItem
from cds_service.report.figures import Report
from cds_service.report.queries import find
from cds_service.report.tally import Found, Scope
from cds_service.report.write import make_report
from cds_service.store.database import Database
from cds_service.store.feedback import FeedbackStore
from cds_service.store.ledger import IssuedCard, Ledger
from tests.report.ledgers import Book, at, named
from tests.report.simulate import Simulated


def found(book: Book, database: Database, scope: Scope | None = None) -> Found:
    book.write(database)
    return database.run(lambda connection: find(connection, scope or Scope()))


def counts(what: Found) -> list[tuple[int, int, int]]:
    return [(tally.cards, tally.accepted, tally.overridden) for tally in what.tallies]


def weeks(report: Report) -> list[str]:
    return [line.name for line in report.by_week]


@pytest.mark.parametrize(
    ("outcomes", "counted"),
    [
        pytest.param([], (1, 0, 0), id="nothing"),
        pytest.param(["accepted"], (1, 1, 0), id="accepted"),
        pytest.param(["overridden"], (1, 0, 1), id="overridden"),
        pytest.param(["overridden", "overridden"], (1, 0, 1), id="overridden twice"),
        pytest.param(["overridden", "accepted"], (1, 1, 0), id="overridden, then accepted"),
        pytest.param(["accepted", "overridden"], (1, 1, 0), id="accepted, then overridden"),
    ],
)
def test_a_card_counts_once(database: Database, outcomes: list[str], counted: tuple[int, int, int]) -> None:
    book = Book()
    book.card("one")
    for outcome in outcomes:
        book.event("one", outcome)
    assert counts(found(book, database)) == [counted]


def test_what_another_client_says_of_a_card_is_matched_to_none(database: Database) -> None:
    book = Book()
    book.card("one")
    book.event("one", "overridden", client="south")
    book.event("never issued", "accepted")
    book.event(None, "accepted")
    what = found(book, database)
    assert counts(what) == [(1, 0, 0)]
    assert what.events == {None: 3}


def test_cards_that_were_not_shown_and_what_is_said_of_them_are_in_no_rate(database: Database) -> None:
    book = Book()
    for display in ("silent", "repeated"):
        book.cards(6, "overridden", display=display)
    made = book.report(database)
    assert (made.total.shown, made.by_rule, made.reasons) == (0, (), ())
    assert (made.apart.silent_cards, made.apart.repeated_cards, made.apart.events_on_not_shown) == (6, 6, 12)


@pytest.mark.parametrize(
    ("issued", "week"),
    [
        pytest.param("2026-06-07T23:59:59.999Z", "2026-06-01", id="the last moment of a Sunday"),
        pytest.param("2026-06-08T00:00:00.000Z", "2026-06-08", id="the first of a Monday"),
        pytest.param("2026-06-08T00:00:00.001Z", "2026-06-08", id="the next"),
        pytest.param("2026-06-08T01:00:00.000+02:00", "2026-06-01", id="Monday in Berlin, Sunday in UTC"),
        pytest.param("2027-01-01T12:00:00.000Z", "2026-12-28", id="a week over two years"),
    ],
)
def test_weeks_begin_on_monday_in_utc(database: Database, issued: str, week: str) -> None:
    book = Book()
    book.cards(5, issued=issued)
    assert weeks(book.report(database)) == [week]


@pytest.mark.parametrize(
    ("issued", "inside"),
    [
        pytest.param("2026-05-31T23:59:59.999Z", False, id="before the first day"),
        pytest.param("2026-06-01T00:00:00.000Z", True, id="as it begins"),
        pytest.param("2026-06-30T23:59:59.999Z", True, id="as the last day ends"),
        pytest.param("2026-07-01T00:00:00.000Z", False, id="after it"),
    ],
)
def test_the_first_and_the_last_day_belong_to_the_period(database: Database, issued: str, inside: bool) -> None:
    book = Book()
    book.suggestion("s", book.card("one", issued))
    book.override("one", ("s", "a"))
    book.rows.events[0]["received"] = at(issued)
    what = found(book, database, Scope(since=date(2026, 6, 1), until=date(2026, 6, 30)))
    assert bool(what.tallies) == inside
    assert bool(what.reasons) == inside
    assert bool(what.suggestions) == inside
    assert bool(what.events) == inside


def test_a_card_of_the_period_counts_as_answered_whenever_it_was_answered(database: Database) -> None:
    book = Book()
    book.event(book.card("one"), "accepted", "2026-09-01T00:00:00.000Z")
    assert counts(found(book, database, Scope(until=date(2026, 6, 30)))) == [(1, 1, 0)]


def test_a_report_on_one_client_holds_nothing_of_another(database: Database) -> None:
    book = Book()
    book.cards(6, "accepted", client="north")
    book.cards(7, "overridden", client="south")
    made = book.report(database, Scope(client="south"))
    assert [(line.name, line.shown) for line in made.by_client] == [("south", 7)]
    assert (made.total.overridden, made.apart.events_on_shown) == (7, 7)


def test_a_reason_counts_once_for_a_card_and_not_for_one_that_was_accepted(database: Database) -> None:
    book = Book()
    book.override(book.card("one"), ("s", "a"), (None, "other"))
    book.override("one", ("s", "a"))
    book.override(book.card("two"), (None, None), comment="no code")
    book.override(book.card("three"), ("s", "a"))
    book.accept("three")
    what = found(book, database)
    assert what.reasons == {("s", "a"): 1, (None, "other"): 1}
    assert what.overridden_without_code == 1


def test_a_suggestion_counts_once_and_only_on_its_own_card(database: Database) -> None:
    book = Book()
    for name in ("one", "two"):
        book.suggestion(f"review of {name}", book.card(name))
        book.suggestion(f"test of {name}", name, "genetic-testing")
    book.accept("one", "review of one", "test of two")
    book.accept("one", "review of one")
    assert found(book, database).suggestions == {"expert-review": (2, 1), "genetic-testing": (2, 0)}


def test_what_the_service_itself_wrote_is_counted_and_an_item_sent_again_is_not(database: Database) -> None:
    ledger = Ledger(database)
    for number in range(6):
        ledger.note(
            IssuedCard(
                card=named(f"c{number}"),
                issued=at("2026-06-03T12:00:00Z"),
                service="relapsed-refractory-all",
                client="north",
                classification="relapsed",
                rule="R7",
                digest="sha256:1",
                display="shown",
                suggestions={named(f"s{number}"): "expert-review"},
            )
        )
    ledger.close()
    store = FeedbackStore(database, [("s", "a")], lambda comment: None)
    moment = datetime(2026, 6, 3, 12, 5, tzinfo=UTC)
    items = [FeedbackItem(named(f"c{n}").upper(), "accepted", moment, (named(f"s{n}"),)) for n in range(5)]
    assert store.keep([*items, *items], "north", at("2026-06-03T12:06:00Z")) == 5
    assert store.keep(items, "north", at("2026-06-03T12:07:00Z")) == 0
    what = database.run(lambda connection: find(connection, Scope()))
    assert counts(what) == [(6, 5, 0)]
    assert what.suggestions == {"expert-review": (6, 5)}
    assert what.events == {"shown": 5}


def test_both_databases_count_a_period_of_one_client_alike(filled: Database, simulated: Simulated) -> None:
    scope = Scope(since=date(2026, 5, 4), until=date(2026, 6, 28), client="north-hospital")
    first, end = at("2026-05-04T00:00:00Z"), at("2026-06-29T00:00:00Z")
    cards = [
        card
        for card in simulated.cards
        if card["client"] == "north-hospital" and first <= card["issued"] < end and card["display"] == "shown"
    ]
    made = make_report(filled, scope)
    assert made.total.shown == len(cards)
    assert len(weeks(made)) == 8
