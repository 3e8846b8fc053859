"""What rules, reasons, suggestions and weeks are called. What the catalogue no longer knows keeps its code."""

from __future__ import annotations

from datetime import date

from cds_service.knowledge import Knowledge
from cds_service.report.figures import Line, Reason

NO_CODE = "No coded reason"
OTHER = "A reason the card does not offer"


def rule_name(line: Line, knowledge: Knowledge) -> str:
    rule = knowledge.rules.get(line.name)
    return f"{line.name} {rule.title}" if rule else line.name


def class_name(line: Line) -> str:
    return line.name.replace("_", " ")


def week_name(line: Line) -> str:
    """The ISO week and the Monday it begins with."""
    monday = date.fromisoformat(line.name)
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02} ({monday:%d %b})"


def reason_name(reason: Reason, knowledge: Knowledge) -> str:
    return coded_name(reason.system, reason.code, knowledge) if reason.code else NO_CODE


def coded_name(system: str | None, code: str, knowledge: Knowledge) -> str:
    """The display of a reason's code; one of the card's reasons always has its system."""
    if not system:
        return OTHER
    found = (known.display for known in knowledge.override_reasons if (known.system, known.code) == (system, code))
    return next(found, code)


def suggestion_name(kind: str, knowledge: Knowledge) -> str:
    suggestion = knowledge.suggestions.get(kind)
    return suggestion.label if suggestion else kind
