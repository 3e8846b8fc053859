"""The report for a terminal: plain tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap

from cds_service.knowledge import Knowledge
from cds_service.report.figures import ENOUGH_ANSWERS, TOO_OFTEN, Line, Report
from cds_service.report.names import class_name, reason_name, rule_name, suggestion_name, week_name
from cds_service.report.notes import NOTES
from cds_service.report.rates import Rate
from cds_service.report.suppression import Cell

WIDTH = 110
NOT_TOLD = "–"
_COUNTED = ("Shown", "Accepted", "Overridden", "No answer", "Answered", "Overridden, of answered")


def report_text(report: Report, knowledge: Knowledge) -> str:
    """Every table of *report*, and the notes."""
    parts = [
        f"Feedback on cards: {report.scope}",
        f"Catalogue {knowledge.version}",
        *_called_out(report, knowledge),
        _lines("All cards", [report.total], lambda line: "all"),
        _lines("By rule", report.by_rule, lambda line: rule_name(line, knowledge)),
        _lines("By class", report.by_class, class_name),
        _lines("By week", report.by_week, week_name),
        _lines("By client", report.by_client, lambda line: line.name),
        _reasons(report, knowledge),
        _suggestions(report, knowledge),
        _apart(report),
        "\n".join(
            [
                "Notes",
                *(line for note in NOTES for line in wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def told(rate: Rate | None) -> str:
    """The rate, or a dash."""
    return NOT_TOLD if rate is None else str(rate)


def _called_out(report: Report, knowledge: Knowledge) -> list[str]:
    title = f"OVERRIDDEN MORE THAN {TOO_OFTEN} % OF THE TIME (of {ENOUGH_ANSWERS} answers or more)"
    names = [f"  {rule_name(line, knowledge)}: {told(line.override_rate)}" for line in report.called_out]
    return ["\n".join([title, *names])] if names else []


def _lines(title: str, lines: Sequence[Line], name: Callable[[Line], str]) -> str:
    rows = [(name(line), *map(str, _counts(line)), told(line.answer_rate), told(line.override_rate)) for line in lines]
    return _table((title, *_COUNTED), rows)


def _counts(line: Line) -> tuple[Cell, ...]:
    return line.shown, line.accepted, line.overridden, line.unanswered


def _reasons(report: Report, knowledge: Knowledge) -> str:
    rows = [(reason_name(each, knowledge), str(each.cards), told(each.rate)) for each in report.reasons]
    return _table(("Why overridden", "Cards", "Of overridden cards"), rows)


def _suggestions(report: Report, knowledge: Knowledge) -> str:
    rows = [
        (suggestion_name(each.kind, knowledge), str(each.offered), str(each.accepted), told(each.rate))
        for each in report.suggestions
    ]
    return _table(("Suggestions", "Offered", "Accepted", "Of offered"), rows)


def _apart(report: Report) -> str:
    apart = report.apart
    rows = [
        ("Cards not shown: silent site", str(apart.silent_cards)),
        ("Cards not shown: answered before", str(apart.repeated_cards)),
        ("Events on shown cards", str(apart.events_on_shown)),
        ("Events on cards not shown", str(apart.events_on_not_shown)),
        ("Events that match no card of their client", str(apart.unmatched_events)),
    ]
    return _table(("Counted apart", "Number"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows] if rows else [[header[0]], ["none"]]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False)]
    return "  ".join([line[0].ljust(widths[0]), *numbers]).rstrip()
