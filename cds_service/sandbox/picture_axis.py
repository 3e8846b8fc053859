"""Where a day and a percentage lie in the picture, and where a label has room. Lengths are SVG user units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate, pairwise
from math import log10

FLOOR, CEILING = 0.01, 100.0
"""Percent at the foot and the head of the logarithmic axis; what is less stands at the foot."""
TICK_ROOM = 66.0
CHARACTER = 6.7
LINE = 16.0


@dataclass(frozen=True)
class TimeAxis:
    """Days to x. Every two neighbouring days get some room, so that empty years do not squeeze the rest."""

    days: tuple[int, ...]
    edges: tuple[float, ...]

    @classmethod
    def over(cls, days: Iterable[date], left: float, right: float) -> TimeAxis:
        """An axis from the first of *days* at *left* to the last at *right*."""
        known = sorted({day.toordinal() for day in days})
        if len(known) == 1:
            known.insert(0, known[0] - 1)
        whole, count = known[-1] - known[0], len(known) - 1
        shares = [(b - a) / whole + 1 / count for a, b in pairwise(known)]
        edges = accumulate((share / 2 * (right - left) for share in shares), initial=left)
        return cls(tuple(known), tuple(edges))

    def x(self, day: date) -> float:
        """Where *day* lies; a day off the axis lies at its end."""
        number = min(max(day.toordinal(), self.days[0]), self.days[-1])
        at = min(bisect_right(self.days, number), len(self.days) - 1)
        share = (number - self.days[at - 1]) / (self.days[at] - self.days[at - 1])
        return round(self.edges[at - 1] + share * (self.edges[at] - self.edges[at - 1]), 1)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Starts of years, or of months where the whole is short, as many as have room."""
        first, last = date.fromordinal(self.days[0]), date.fromordinal(self.days[-1])
        by_month = (last - first).days < 800
        kept: list[tuple[float, str]] = []
        for start in _starts(first, last, by_month=by_month):
            x = self.x(start)
            if not kept or x - kept[-1][0] >= TICK_ROOM:
                kept.append((x, start.isoformat()[:7] if by_month else str(start.year)))
        return tuple(kept)


def _starts(first: date, last: date, *, by_month: bool) -> Iterable[date]:
    start = first.replace(day=1) if by_month else date(first.year, 1, 1)
    while start <= last:
        if start >= first:
            yield start
        start = (start + timedelta(31)).replace(day=1) if by_month else date(start.year + 1, 1, 1)


@dataclass(frozen=True)
class LogAxis:
    """Percent to y: 100 % at *top*, 0.01 % and less at *bottom*."""

    top: float
    bottom: float

    def y(self, percent: float) -> float:
        held = min(max(percent, FLOOR), CEILING)
        share = log10(held / FLOOR) / log10(CEILING / FLOOR)
        return round(self.bottom - share * (self.bottom - self.top), 1)


@dataclass
class Room:
    """Rectangles already taken."""

    left: float
    right: float
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def take(self, x1: float, x2: float, y: float) -> None:
        self.taken.append((x1, x2, y - LINE / 2, y + LINE / 2))

    def free(self, x1: float, x2: float, y: float) -> bool:
        """Nothing lies between *x1* and *x2* on the line around *y*, and both are in the picture."""
        top, bottom = y - LINE / 2, y + LINE / 2
        inside = self.left <= x1 and x2 <= self.right
        return inside and all(x2 <= a or b <= x1 or bottom <= c or d <= top for a, b, c, d in self.taken)

    def place(self, text: str, x1: float, x2: float, y: float) -> tuple[float, float, str] | None:
        """Where *text* has room beside a mark from *x1* to *x2*: x, y and text-anchor; None when nowhere."""
        width = len(text) * CHARACTER
        for shift in (0.0, -LINE, LINE, -2 * LINE, 2 * LINE):
            for start, end, x, anchor in ((x2, x2 + width, x2, "start"), (x1 - width, x1, x1, "end")):
                if self.free(start, end, y + shift):
                    self.take(start, end, y + shift)
                    return round(x, 1), round(y + shift, 1), anchor
        return None
