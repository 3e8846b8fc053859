"""What a reader sees: the page, its charts, and the tables in a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import get_args

import pytest

from cds_service.report import text
from cds_service.report.charts import Bars, override_whiskers, weekly_bars
from cds_service.report.figures import Line, Report, Suggested
from cds_service.report.page import report_html
from cds_service.report.rates import wilson
from cds_service.report.suppression import Cell, Hidden
from cds_service.report.tally import Scope
from cds_service.report.text import report_text
from cds_service.report.write import Form, make_report, write_report
from cds_service.store.database import Database
from tests.charts import knowledge
from tests.report.ledgers import Book
from tests.test_about import Outline

WITHHELD = Hidden.WITHHELD


@pytest.fixture
def small(database: Database) -> Report:
    """A site with a rule that is overridden too often and one that was hardly shown."""
    book = Book()
    book.cards(12, "accepted", rule="R7")
    book.cards(6, "overridden", rule="R7")
    book.cards(1, "accepted", rule="R18", **{"class": "indeterminate"})
    book.cards(20, "overridden", rule="R18", **{"class": "indeterminate"}, issued="2026-06-10T12:00:00Z")
    book.cards(7, "overridden", rule="R99", client="south<b>")
    book.cards(5, display="silent")
    return book.report(database)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(re.sub(r"<(rect|line|circle)([^>]*)/>", r"<\1\2></\1>", page))
    assert parser.open == []
    return parser


def table(page: str, caption: str) -> list[list[str]]:
    body = page.partition(f"<caption>{caption}</caption>")[2].partition("</tbody>")[0].partition("<tbody>")[2]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


# The page.


def test_the_page_is_well_formed_and_every_link_in_it_leads_somewhere(small: Report) -> None:
    found = outline(report_html(small, knowledge()))
    assert set(found.targets) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert len(found.targets) >= 9


def test_a_served_page_has_no_script_and_no_style_of_its_own(small: Report) -> None:
    page = report_html(small, knowledge())
    assert not {"script", "style"} & outline(page).tags
    assert not re.search(r"\s(style|on\w+)=", page)
    assert '<link rel="stylesheet" href="static/report.css">' in page


def test_a_page_in_a_file_carries_its_style_and_asks_for_nothing_else(small: Report) -> None:
    page = report_html(small, knowledge(), standalone=True)
    assert "color-scheme: light dark" in page
    assert not re.search(r'(src|href)="(?!#)', page)


def test_a_name_cannot_become_markup(small: Report) -> None:
    page = report_html(small, knowledge())
    assert "south&lt;b&gt;" in page
    assert "<b>" not in page


def test_each_table_of_the_page_holds_the_figures(small: Report) -> None:
    page = report_html(small, knowledge())
    assert table(page, "Cards by rule") == [
        ["R7 Relapsed, marrow at 25 % or more", "18", "withheld", "withheld", "0", "–", "–"],
        ["R18 No rule decides", "21", "&lt;5", "withheld", "0", "–", "–"],
        ["R99", "7", "0", "7", "0", "100.0 % (64.6–100.0)", "100.0 % (64.6–100.0)"],
    ]
    assert table(page, "Cards by client")[0] == [
        *("north", "39", "13", "26", "0"),
        *("100.0 % (91.0–100.0)", "66.7 % (51.0–79.4)"),
    ]
    assert [row[0] for row in table(page, "Cards by week")] == ["2026-W23 (01 Jun)", "2026-W24 (08 Jun)"]
    assert [row[0] for row in table(page, "Cards by class")] == ["indeterminate", "relapsed"]


def test_what_was_called_out_stands_on_top_with_or_without_its_counts(small: Report) -> None:
    page = report_html(small, knowledge())
    assert "<strong>R18 No rule decides</strong> (indeterminate): over 90 %; the counts are withheld" in page
    told = replace(small.called_out[0], accepted=0, overridden=1250)
    page = report_html(replace(small, called_out=(told,)), knowledge())
    assert "99.7–100.0) of 1,250 answered cards" in page


def test_where_nothing_is_called_out_the_page_says_so(small: Report) -> None:
    page = report_html(replace(small, called_out=()), knowledge())
    assert "No rule was overridden more than 90 % of 20 answered cards or more." in page


def test_a_page_on_nothing_says_that_there_is_nothing(database: Database) -> None:
    page = report_html(make_report(database, Scope()), knowledge())
    assert page.count("No card was shown.") == 4
    assert page.count("None to tell.") == 2
    assert "<svg" not in page


def test_charts_have_a_title_and_a_description_for_those_who_do_not_see_them(small: Report) -> None:
    page = report_html(small, knowledge())
    charts = re.findall(r'<svg [^>]*role="img" aria-labelledby="([\w-]+) ([\w-]+)"', page)
    assert charts == [("whiskers-title", "whiskers-desc"), ("bars-title", "bars-desc")]
    for title, description in charts:
        assert f'<title id="{title}">' in page
        assert f'<desc id="{description}">' in page


# Charts.


def week(at: int, *cells: Cell) -> Line:
    monday = date(2026, 1, 5) + timedelta(weeks=at)
    return Line(monday.isoformat(), *cells)


def kinds(bars: Bars) -> list[list[str]]:
    return [[mark.kind for mark in bar.marks] for bar in bars.bars]


def test_a_bar_is_as_high_as_its_count_and_its_parts_stand_on_each_other() -> None:
    found = weekly_bars([week(0, 100, 50, 30, 20), week(1, 50, 50, 0, 0)])
    assert kinds(found) == [["accepted", "overridden", "unanswered"], ["accepted"]]
    first = found.bars[0].marks
    assert [mark.height for mark in first] == [110.0, 66.0, 44.0]
    assert [round(mark.y + mark.height, 1) for mark in first] == [found.base, first[0].y, first[1].y]


def test_what_is_not_told_is_not_drawn() -> None:
    found = weekly_bars([week(0, 100, WITHHELD, 30, WITHHELD), week(1, WITHHELD, Hidden.SMALL, 0, Hidden.SMALL)])
    assert kinds(found) == [["untold"], []]
    assert [bar.hidden for bar in found.bars] == [False, True]


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        pytest.param(0, [0, 1], id="nothing"),
        pytest.param(1, [0, 1], id="one"),
        pytest.param(5, [0, 1, 2, 3, 4, 5], id="five"),
        pytest.param(6, [0, 2, 4, 6], id="six"),
        pytest.param(465, [0, 100, 200, 300, 400, 500], id="hundreds"),
        pytest.param(501, [0, 200, 400, 600], id="just above"),
        pytest.param(10_000, [0, 2000, 4000, 6000, 8000, 10_000], id="thousands"),
    ],
)
def test_the_axis_has_round_numbers(largest: int, ticks: list[int]) -> None:
    assert [count for count, _ in weekly_bars([week(0, largest, largest, 0, 0)]).ticks] == ticks


@pytest.mark.parametrize("weeks", [1, 9, 10, 26, 156])
def test_labels_of_weeks_do_not_run_into_each_other(weeks: int) -> None:
    found = weekly_bars([week(at, 10, 10, 0, 0) for at in range(weeks)])
    labelled = [bar.middle for bar in found.bars if bar.label]
    assert 1 <= len(labelled) <= 9
    assert all(after - before >= 68 for before, after in pairwise(labelled))


def test_whiskers_span_the_interval_on_an_axis_of_percent() -> None:
    line, rare = Line("R18", 1000, 50, 950, 0), Line("R3", 9, Hidden.SMALL, WITHHELD, 0)
    found = override_whiskers([line, rare], [line])
    first, second = found.rows
    span = found.right - found.left
    rate = wilson(950, 1000)
    assert [first.low, first.share, first.high] == [
        round(found.left + span * x, 1) for x in (rate.low, rate.share, rate.high)
    ]
    assert (first.called_out, second.called_out, second.share) == (True, False, None)
    assert dict(found.ticks)[100] == found.right
    assert found.limit == round(found.left + 0.9 * span, 1)


def test_the_longest_name_of_a_rule_has_room_beside_the_chart() -> None:
    longest = max(len(f"▲ {rule.id} {rule.title}") for rule in knowledge().rules.values())
    assert longest * 6.7 <= override_whiskers([], []).left - 12


# The terminal.


def test_the_text_holds_every_table_with_numbers_to_the_right(small: Report) -> None:
    told = report_text(small, knowledge())
    assert told.startswith("Feedback on cards: from the first card to the last (UTC), all clients\n")
    assert "OVERRIDDEN MORE THAN 90 % OF THE TIME (of 20 answers or more)\n  R18 No rule decides: –\n" in told
    lines = told.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("By client"))
    assert lines[at + 2].split()[:5] == ["north", "39", "13", "26", "0"]
    assert len({len(line) for line in lines[at : at + 4]}) == 1
    for title in ("All cards", "By rule", "By class", "By week", "Why overridden", "Suggestions", "Counted apart"):
        assert any(line.startswith(title) for line in lines)


def test_the_text_names_the_period_and_the_client(database: Database) -> None:
    scope = Scope(since=date(2026, 6, 1), until=date(2026, 6, 30), client="north")
    told = report_text(make_report(database, scope), knowledge())
    assert told.startswith("Feedback on cards: from 2026-06-01 to 2026-06-30 (UTC), north\n")
    assert "By rule\nnone\n" in told
    assert "OVERRIDDEN" not in told


def test_suggestions_go_by_their_label_and_an_unknown_kind_by_its_own_name(small: Report) -> None:
    offered = (Suggested("expert-review", 40, 10, 30), Suggested("gone", 40, 10, 30))
    told = report_text(replace(small, suggestions=offered), knowledge())
    assert re.search(r"^Ask for expert review +40 +10 +25\.0 % \(14\.2–40\.2\)$", told, re.MULTILINE)
    assert re.search(r"^gone +40", told, re.MULTILINE)


def test_no_line_of_a_note_is_wider_than_a_page(small: Report) -> None:
    notes = report_text(small, knowledge()).partition("\nNotes\n")[2].splitlines()
    assert max(map(len, notes)) <= text.WIDTH
    assert all(line.startswith(("- ", "  ")) for line in notes)


# As the operator asked.


@pytest.mark.parametrize("form", get_args(Form))
def test_each_form_is_written_as_asked(database: Database, form: Form) -> None:
    book, out = Book(), io.StringIO(newline="")
    book.cards(6, "accepted")
    book.write(database)
    write_report(database, knowledge(), form, Scope(), out)
    starts = {"text": "Feedback on cards", "html": "<!doctype html>\n", "csv": "intervention,", "json": "[\n{"}
    assert out.getvalue().startswith(starts[form])
    assert out.getvalue().endswith("\n")
