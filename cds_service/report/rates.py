"""A share and how sure one can be of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cds_service.report.suppression import Cell, Hidden

_Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Rate:
    """A share between 0 and 1 with its 95 % interval by Wilson's score method (J Am Stat Assoc 1927; 22: 209)."""

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.share:.1f} % ({100 * self.low:.1f}–{100 * self.high:.1f})"


def wilson(count: int, of: int) -> Rate:
    """*count* out of *of*, which is at least 1."""
    share, square = count / of, _Z * _Z
    middle = (count + square / 2) / (of + square)
    half = _Z / (of + square) * math.sqrt(count * (of - count) / of + square / 4)
    return Rate(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def rate(count: Cell, of: Cell) -> Rate | None:
    """None when either is not told or there is nothing to take a share of."""
    if isinstance(count, Hidden) or isinstance(of, Hidden) or not of:
        return None
    return wilson(count, of)
