"""The timeline as a picture: what stands where, and the table that says the same in words. Pure.

Blasts and MRD stand over a logarithmic axis; what was recorded, given or tested stands in lanes below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from cds_service.clinical.facts import (
    BloodBlasts,
    CarT,
    Diagnosis,
    Directed,
    Fact,
    GeneticTest,
    GrowthFactor,
    MarrowResult,
    PhResult,
    Statement,
    StatusKind,
    Test,
    Transplant,
    Treatment,
)
from cds_service.clinical.percent import HUNDRED, ZERO, Percent
from cds_service.clinical.when import BEGINNING, When
from cds_service.decision import Decision
from cds_service.knowledge import Knowledge
from cds_service.sandbox.picture_axis import CHARACTER, LogAxis, Room, TimeAxis
from cds_service.sandbox.picture_rows import Row, rows_of

LEFT, RIGHT = 128.0, 900.0
TOP, BOTTOM = 34.0, 254.0
EDGE = 948.0
ROW, GAP = 20.0, 10.0
HALF = 6.0
"""Half the size of a mark."""
MAX_MARKS = 300
"""The picture shows the newest of more; the table has them all."""
YEARS_AHEAD = 2
UNDATED: Mapping[str, When] = MappingProxyType({})
LANES = ("Status recorded", "Treatment", "BCR::ABL1", "Other findings", "Set aside")
PERIODS = (Treatment, Directed, GrowthFactor)


@dataclass(frozen=True, slots=True)
class Mark:
    """A row in the picture: an outline, perhaps the span of a vague date or a period, perhaps a label."""

    row: Row
    outline: str
    span: tuple[float, float, float] | None
    period: bool
    label: str
    label_at: tuple[float, float, str] | None


@dataclass(frozen=True, slots=True)
class Picture:
    height: float
    marks: tuple[Mark, ...]
    rows: tuple[Row, ...]
    lanes: tuple[tuple[str, float], ...]
    lines: tuple[tuple[float, str, str], ...]
    """Thresholds: y, the value, what it is."""
    grid: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    today: float
    left_out: int
    summary: str


def picture(decision: Decision, knowledge: Knowledge, dates: Mapping[str, When] = UNDATED) -> Picture:
    """The picture of *decision*; *dates* places what was set aside, where its resource has a date."""
    rows = rows_of(decision, knowledge, dates)
    stated = {statement.ref for statement in decision.assessment.facts.statements}
    dated = [row for row in rows if _is_drawn(row, decision.today, stated)]
    drawn = dated[-MAX_MARKS:]
    axis = TimeAxis.over(_days(drawn, decision.today), LEFT + 20, RIGHT - 10)
    scale = LogAxis(TOP, BOTTOM)
    marks = _measured_marks([row for row in drawn if _lane(row) is None], axis, scale)
    lanes, below = [], BOTTOM + 34
    for name in LANES:
        members = [row for row in drawn if _lane(row) == name]
        if members:
            placed, count = _lane_marks(members, axis, below)
            lanes.append((name, below))
            marks += placed
            below += count * ROW + 14
    return Picture(
        height=below + 24,
        marks=tuple(sorted(marks, key=lambda mark: rows.index(mark.row))),
        rows=rows,
        lanes=tuple(lanes),
        lines=_thresholds(knowledge, scale),
        grid=tuple((scale.y(value), f"{value:g} %") for value in (100.0, 10.0, 0.1)),
        ticks=axis.ticks(),
        today=axis.x(decision.today),
        left_out=len(rows) - len(drawn),
        summary=_summary(rows),
    )


def _thresholds(knowledge: Knowledge, scale: LogAxis) -> tuple[tuple[float, str, str], ...]:
    limits = knowledge.limits
    named = (
        (limits.m3_floor, "M3 from"),
        (limits.m1_limit, "M2 from"),
        (limits.second_test, "second test"),
        (limits.mrd_positive, "MRD positive"),
    )
    return tuple((scale.y(float(value)), f"{value} %", name) for value, name in named)


def _summary(rows: tuple[Row, ...]) -> str:
    decided = [row for row in rows if row.role == "decided"]
    aside = sum(row.role == "aside" for row in rows)
    said = "; ".join(f"{row.text}, {row.date}" for row in decided) or "no single fact"
    return f"{len(rows)} entries, {aside} of them set aside. The class was decided by: {said}."


# -- marks ---------------------------------------------------------------------------------------------------


def _is_drawn(row: Row, today: date, stated: set[str]) -> bool:
    """Dated, not so far ahead of today that it would squeeze all else, and no diagnosis that a status repeats."""
    repeated = isinstance(row.fact, Diagnosis) and row.ref in stated and row.role in ("other", "aside")
    return row.when is not None and row.when.last.year <= today.year + YEARS_AHEAD and not repeated


def _days(rows: Iterable[Row], today: date) -> Iterable[date]:
    whens = [row.when for row in rows if row.when is not None]
    yield today
    yield from (when.last.date() for when in whens)
    yield from (when.first.date() for when in whens if when.first != BEGINNING)


def _lane(row: Row) -> str | None:
    """The lane of *row*; None for what has a percentage."""
    match row.fact:
        case None:
            return "Set aside"
        case MarrowResult() | BloodBlasts():
            return None
        case Statement():
            return "Status recorded"
        case Treatment() | Transplant() | CarT() | Directed() | GrowthFactor():
            return "Treatment"
        case PhResult() | GeneticTest():
            return "BCR::ABL1"
        case _:
            return "Other findings"


def _extent(row: Row, axis: TimeAxis) -> tuple[float, float]:
    assert row.when is not None  # only dated rows are drawn
    return axis.x(row.when.first.date()), axis.x(row.when.last.date())


def _is_vague(row: Row) -> bool:
    """Not known to the day, or a period: drawn as a span."""
    return row.when is not None and row.when.first.date() != row.when.last.date()


def _measured_marks(rows: list[Row], axis: TimeAxis, scale: LogAxis) -> list[Mark]:
    """Marks of percentages; those that decided the class get their labels first."""
    room, made = Room(LEFT, EDGE), []
    points = []
    for row in rows:
        x1, x2 = _extent(row, axis)
        x, y = (x1 + x2) / 2, scale.y(_height(row.fact))
        room.take(x - HALF - 2, x + HALF + 2, y)
        points.append((row, x1, x2, x, y))
    for row, x1, x2, x, y in sorted(points, key=lambda point: point[0].role != "decided"):
        decided = row.role == "decided"
        label = f"{_value(row.fact)}, {row.date}" if decided else _value(row.fact)
        at = room.place(label, x - HALF - 3, x + HALF + 3, y)
        span = (x1, x2, y) if _is_vague(row) else None
        made.append(Mark(row, _outline(row.fact, x, y), span, False, label, at))
    return made


def _percent(fact: Fact | None) -> Percent:
    assert isinstance(fact, MarrowResult | BloodBlasts)  # only these have no lane
    return fact.value


def _height(fact: Fact | None) -> float:
    """The number as it was reported: the end of the interval that a comparator names."""
    value = _percent(fact)
    return float(value.low if value.high == HUNDRED and value.low > ZERO else value.high)


def _value(fact: Fact | None) -> str:
    return f"{_percent(fact).text} %"


def _lane_marks(rows: list[Row], axis: TimeAxis, top: float) -> tuple[list[Mark], int]:
    """Marks with their labels, each in the first line of the lane that has room; and how many lines."""
    ends: list[float] = []
    made = []
    for row in rows:
        x1, x2 = _extent(row, axis)
        period = isinstance(row.fact, PERIODS) and _is_vague(row)
        x = x1 if period else (x1 + x2) / 2
        label = f"{row.text}, {row.date}" if row.role == "decided" else row.text
        left, at, anchor = _beside(x, x2 if period else x, len(label) * CHARACTER)
        width = len(label) * CHARACTER
        start, end = min(x1 - HALF, left), max(x2 + HALF, left + width)
        line = next((number for number, taken in enumerate(ends) if taken <= start), len(ends))
        ends[line : line + 1] = [end + GAP]
        y = top + line * ROW
        span = (x1, x2, y) if _is_vague(row) else None
        made.append(Mark(row, _outline(row.fact, x, y), span, period, label, (at, y, anchor)))
    return made, len(ends)


def _beside(x1: float, x2: float, width: float) -> tuple[float, float, str]:
    """A label right of what lies from *x1* to *x2*, or else left of it: its left edge, its x and text-anchor."""
    start, end = x2 + HALF + 4, x1 - HALF - 4
    if start + width <= EDGE or end - width < LEFT:
        return start, round(start, 1), "start"
    return end - width, round(end, 1), "end"


def _outline(fact: Fact | None, x: float, y: float) -> str:
    """SVG path of a shape that tells the kind without colour."""
    match fact:
        case MarrowResult(test=Test.FLOW):
            return _closed((x, y - 7.5), (x + 7.5, y), (x, y + 7.5), (x - 7.5, y))
        case MarrowResult(test=Test.MOLECULAR) | Statement(kind=StatusKind.REMISSION):
            return _closed((x - 7, y - 6), (x + 7, y - 6), (x, y + 7))
        case Statement(kind=StatusKind.RELAPSE):
            return _closed((x - 7, y + 6), (x + 7, y + 6), (x, y - 7))
        case None:
            return f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
        case MarrowResult() | PhResult() | GeneticTest():
            return f"M{x - HALF:.1f} {y:.1f}a{HALF} {HALF} 0 1 0 {2 * HALF} 0a{HALF} {HALF} 0 1 0 {-2 * HALF} 0z"
        case _:
            return _closed((x - 5.5, y - 5.5), (x + 5.5, y - 5.5), (x + 5.5, y + 5.5), (x - 5.5, y + 5.5))


def _closed(*points: tuple[float, float]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "z"
