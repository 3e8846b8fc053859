"""Every event leaves as a row, safe to open in a spreadsheet, however many there are."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import date

import pytest

from cds_service.report.export import AT_ONCE, COLUMNS, Event, events, write_csv, write_json
from cds_service.report.tally import Scope
from cds_service.store.database import Database
from tests.charts import knowledge
from tests.report.ledgers import Book, at, named
from tests.report.simulate import EVENTS, Simulated

THIRD_OF_JUNE = date(2026, 6, 3)
OWN = "urn:rr-all:override-reason"


def exported(book: Book, database: Database, scope: Scope | None = None) -> list[Event]:
    book.write(database)
    return list(events(database, knowledge(), scope or Scope()))


def as_csv(rows: list[Event]) -> str:
    out = io.StringIO(newline="")
    write_csv(rows, out)
    return out.getvalue()


def as_json(rows: list[Event]) -> str:
    out = io.StringIO()
    write_json(rows, out)
    return out.getvalue()


def row(**changes: str) -> Event:
    return dict.fromkeys(COLUMNS, "") | changes


def test_the_columns_of_the_rule_come_first_and_the_users_says_that_it_is_not_collected() -> None:
    assert COLUMNS[:7] == ("intervention", "action", "feedback", "comment", "user (not collected)", "date", "location")
    assert as_csv([]).split("\r\n")[0].split(",") == list(COLUMNS)


def test_an_event_on_a_card_of_its_client_says_all_that_is_kept(database: Database) -> None:
    book = Book()
    book.override(book.card("one"), (OWN, "goals-of-care"), (None, "other"), (OWN, "gone"), (None, None), comment="Why")
    assert exported(book, database) == [
        {
            "intervention": "relapsed-refractory-all",
            "action": "overridden",
            "feedback": "Goals of care; A reason the card does not offer; gone",
            "comment": "Why; Why; Why; Why",
            "user (not collected)": "",
            "date": "2026-06-03T12:00:00.000Z",
            "location": "north",
            "card": named("one"),
            "class": "relapsed",
            "rule": "R7",
            "catalogue": "sha256:1",
            "display": "shown",
            "matched": "yes",
            "accepted suggestions": "",
            "received": "2026-06-03T12:00:00.000Z",
        }
    ]


def test_an_accepted_suggestion_is_named_when_it_is_of_the_events_own_card(database: Database) -> None:
    book = Book()
    for name in ("one", "two"):
        book.suggestion(f"review of {name}", book.card(name))
        book.suggestion(f"test of {name}", name, "genetic-testing")
    book.accept("one", "test of one", "review of one", "review of two")
    [event] = exported(book, database)
    assert (event["action"], event["accepted suggestions"]) == ("accepted", "expert-review; genetic-testing")


@pytest.mark.parametrize(
    ("card", "client"),
    [
        pytest.param("one", "south", id="another client's card"),
        pytest.param("never issued", "north", id="a card that was never issued"),
        pytest.param(None, "north", id="no card at all"),
    ],
)
def test_an_event_that_matches_no_card_says_so_and_tells_nothing_of_any(
    database: Database, card: str | None, client: str
) -> None:
    book = Book()
    book.card("one")
    book.event(card, "overridden", client=client)
    [event] = exported(book, database)
    assert (event["matched"], event["location"], event["card"]) == ("no", client, named(card) if card else "")
    assert [event[name] for name in ("intervention", "class", "rule", "catalogue", "display")] == [""] * 5


def test_only_events_received_in_the_period_from_the_client_are_exported(database: Database) -> None:
    book = Book()
    day = at("2026-06-03T00:00:00Z")
    for number, received in enumerate((day - 1, day, day + 86_399_999, day + 86_400_000)):
        book.event(f"c{number}", "accepted")
        book.rows.events[-1]["received"] = received
    book.event("c9", "accepted", client="south")
    only = Scope(since=THIRD_OF_JUNE, until=THIRD_OF_JUNE, client="north")
    assert [event["card"] for event in exported(book, database, only)] == [named("c1"), named("c2")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_a_spreadsheet_would_compute_is_made_text(start: str) -> None:
    text = as_csv([row(comment=f"{start}HYPERLINK(1)", location="a=b-c@d+e")])
    [read] = list(csv.DictReader(io.StringIO(text, newline="")))
    assert read["comment"] == f"'{start}HYPERLINK(1)"
    assert read["location"] == "a=b-c@d+e"


def test_csv_is_as_rfc_4180_says() -> None:
    text = as_csv([row(intervention='say "no", then\r\nleave', location="Zürich")])
    assert text.endswith("\r\n")
    assert '"say ""no"", then\r\nleave",' in text
    [read] = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (read["intervention"], read["location"]) == ('say "no", then\r\nleave', "Zürich")


@pytest.mark.parametrize("many", [0, 1, 2])
def test_json_holds_the_same_rows_one_a_line(many: int) -> None:
    rows = [row(location=f"Zürich {number}") for number in range(many)]
    text = as_json(rows)
    assert json.loads(text) == rows
    assert len(text.splitlines()) == (many + 2 if many else 1)
    assert "\\u" not in text


def test_every_event_is_exported_once_in_the_order_it_came(filled: Database, simulated: Simulated) -> None:
    rows = list(events(filled, knowledge(), Scope()))
    assert [row["card"] for row in rows] == [event["card"] or "" for event in simulated.events]
    displays = {card["card"]: card["client"] for card in simulated.cards}
    matched = [displays.get(event["card"]) == event["client"] for event in simulated.events]
    assert [row["matched"] == "yes" for row in rows] == matched


def test_a_last_page_that_is_full_is_followed_by_an_empty_one(database: Database) -> None:
    book = Book()
    for number in range(AT_ONCE):
        book.event(f"c{number}", "accepted")
    assert len(exported(book, database)) == AT_ONCE


def test_an_export_holds_a_page_at_a_time(filled: Database) -> None:
    class Drain(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    tracemalloc.start()
    rows = events(filled, knowledge(), Scope())
    for _ in range(2 * AT_ONCE):
        next(rows)
    few = tracemalloc.get_traced_memory()[1]
    write_csv(rows, Drain())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.3 * few
    assert EVENTS > 5 * AT_ONCE
