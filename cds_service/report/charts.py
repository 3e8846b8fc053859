"""Where the marks of the charts go, in the units of their drawings. Nothing is drawn that is not told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

from cds_service.report.figures import TOO_OFTEN, Line
from cds_service.report.suppression import Hidden

PARTS = ("accepted", "overridden", "unanswered")
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 48.0, 12.0, 700.0, 220.0
_MOST_LABELS = 9


@dataclass(frozen=True)
class Mark:
    """A piece of a bar: *kind* is one of :data:`PARTS`, or untold for a week whose parts are not told."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One week. *label* is empty where there is no room for it; *hidden* where not even the total is told."""

    x: float
    width: float
    marks: tuple[Mark, ...]
    label: str
    hidden: bool

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True)
class Bars:
    """Stacked bars; *ticks* are (count, y)."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, float], ...]
    left: float = _LEFT
    right: float = _LEFT + _PLOT_WIDTH
    base: float = _TOP + _PLOT_HEIGHT
    width: float = _LEFT + _PLOT_WIDTH + 8
    height: float = _TOP + _PLOT_HEIGHT + 28


def weekly_bars(weeks: Sequence[Line]) -> Bars:
    """Shown cards by week."""
    step, most = _scale(max((week.shown for week in weeks if isinstance(week.shown, int)), default=0))
    slot, every = _PLOT_WIDTH / max(1, len(weeks)), ceil(len(weeks) / _MOST_LABELS)
    bars = tuple(
        Bar(
            x=round(_LEFT + slot * (at + 0.12), 1),
            width=round(slot * 0.76, 1),
            marks=_marks(week, _PLOT_HEIGHT / most),
            label=week.name if at % every == 0 else "",
            hidden=isinstance(week.shown, Hidden),
        )
        for at, week in enumerate(weeks)
    )
    ticks = tuple((count, _y(count * _PLOT_HEIGHT / most)) for count in range(0, most + 1, step))
    return Bars(bars, ticks)


def _scale(largest: int) -> tuple[int, int]:
    """A round step of which three to six reach *largest*, and the axis' end."""
    unit = 10 ** max(0, ceil(log10(max(largest, 5) / 5)) - 1)
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor * 5 >= largest)
    return step, step * max(1, ceil(largest / step))


def _marks(week: Line, per_card: float) -> tuple[Mark, ...]:
    if isinstance(week.shown, Hidden):
        return ()
    counts = [(kind, getattr(week, kind)) for kind in PARTS]
    if any(isinstance(count, Hidden) for _, count in counts):
        counts = [("untold", week.shown)]
    marks, reached = [], 0
    for kind, count in counts:
        if count:
            reached += count
            marks.append(Mark(kind, _y(reached * per_card), round(count * per_card, 1)))
    return tuple(marks)


def _y(up: float) -> float:
    return round(_TOP + _PLOT_HEIGHT - up, 1)


@dataclass(frozen=True)
class Whisker:
    """One rule; *share* is None where its rate is not told."""

    y: float
    line: Line
    called_out: bool
    share: float | None = None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Whiskers:
    """Rates with their intervals on an axis of 0 to 100 %; *ticks* are (percent, x)."""

    rows: tuple[Whisker, ...]
    ticks: tuple[tuple[int, float], ...]
    limit: float
    base: float
    left: float
    right: float
    width: float
    height: float


_NAMES, _AXIS, _ROW = 372.0, 322.0, 24.0


def override_whiskers(rules: Sequence[Line], called_out: Sequence[Line]) -> Whiskers:
    """The share of answered cards that was overridden, by rule."""
    rows = tuple(_whisker(at, line, line in called_out) for at, line in enumerate(rules))
    base = _TOP + _ROW * len(rows)
    return Whiskers(
        rows=rows,
        ticks=tuple((percent, _x(percent / 100)) for percent in (0, 25, 50, 75, 100)),
        limit=_x(TOO_OFTEN / 100),
        base=base,
        left=_NAMES,
        right=_NAMES + _AXIS,
        width=_NAMES + _AXIS + 86,
        height=base + 28,
    )


def _whisker(at: int, line: Line, called_out: bool) -> Whisker:
    y, rate = _TOP + _ROW * (at + 0.5), line.override_rate
    if rate is None:
        return Whisker(y, line, called_out)
    return Whisker(y, line, called_out, _x(rate.share), _x(rate.low), _x(rate.high))


def _x(share: float) -> float:
    return round(_NAMES + _AXIS * share, 1)
