"""Counts under five are not told, and neither is what would give them away.

A report states sums: a line's parts make its total, and the lines of a table make the report's. Whoever knows
all of a sum but one part knows that part too. So this plays the reader: it derives from what is published
what each hidden count can be, and hides more until none of the small ones can be told.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, assert_never

SMALLEST = 5
_NO_LIMIT = 10**12


class Hidden(Enum):
    """Why a count is not told. The text is what a reader sees in its place."""

    SMALL = "<5"
    WITHHELD = "withheld"

    def __str__(self) -> str:
        return self.value


Cell = int | Hidden
"""A count as it may be published."""

Name = TypeVar("Name", bound=Hashable)
_Key = tuple[Name, str]
"""A line and a column."""
_Limits = tuple[int, int]


def is_small(count: int) -> bool:
    """It is of so few that they could be known."""
    return 0 < count < SMALLEST


def alone(count: int) -> Cell:
    """A count that is part of no published sum."""
    return Hidden.SMALL if is_small(count) else count


def suppress(
    lines: Mapping[Name, Mapping[str, int]], families: Sequence[tuple[Name, Sequence[Name]]] = ()
) -> dict[Name, dict[str, Cell]]:
    """*lines* as they may be published together.

    The first column of each line is the sum of the others. *families* names lines that are the sum of others.
    """
    page = _Page(lines, families)
    while (leak := page.leak()) is not None:
        page.hide_more(leak)
    page.tell_what_hides_nothing()
    return {
        name: {column: page.hidden.get((name, column), count) for column, count in line.items()}
        for name, line in lines.items()
    }


@dataclass(frozen=True)
class _Sum(Generic[Name]):
    total: _Key[Name]
    parts: Sequence[_Key[Name]]

    @property
    def members(self) -> list[_Key[Name]]:
        return [*self.parts, self.total]


class _Page(Generic[Name]):
    """What is about to be published, and what of it is hidden so far."""

    def __init__(
        self, lines: Mapping[Name, Mapping[str, int]], families: Sequence[tuple[Name, Sequence[Name]]]
    ) -> None:
        self.values = {(name, column): count for name, line in lines.items() for column, count in line.items()}
        self.hidden = {key: Hidden.SMALL for key, count in self.values.items() if is_small(count)}
        self._within = {name: _across(name, list(line)) for name, line in lines.items()}
        self._roots = {whole for whole, _ in families}.difference(*(parts for _, parts in families))
        self._between = [_down(whole, parts, column) for whole, parts in families for column in lines[whole]]

    def leak(self) -> _Sum[Name] | None:
        """A sum from which, with the others, a reader can tell a small count; None when there is none."""
        return self._leak_by_limits() or self._leak_by_algebra()

    def _leak_by_algebra(self) -> _Sum[Name] | None:
        """A small count may follow from many sums at once, where no single one narrows it."""
        for key in _solved(self._touched(), self.hidden):
            if is_small(self.values[key]):
                return self._within[key[0]]
        return None

    def _leak_by_limits(self) -> _Sum[Name] | None:
        """A small count may have one value left between what the others can be at least and at most."""
        limits = {key: _first_limits(count, self.hidden.get(key)) for key, count in self.values.items()}
        touched, changed = self._touched(), True
        while changed:
            changed = False
            for each in touched:
                for key, narrowed in _narrowed(each, limits):
                    if narrowed == limits[key]:
                        continue
                    limits[key], changed = narrowed, True
                    if is_small(self.values[key]) and narrowed[0] == narrowed[1]:
                        return each
        return None

    def hide_more(self, leak: _Sum[Name]) -> None:
        """Withhold of the smallest line in the leak, or near any hidden count; when none is left, say less."""
        near = self._touched()
        for told in (self._told([leak]), self._told(near), self._told(near, roots=True)):
            if told:
                key = min(told, key=self._loss)
                self.hidden |= dict.fromkeys([key, *self._told_by_the_rest(key, leak)], Hidden.WITHHELD)
                return
        self.hidden = dict.fromkeys(self.hidden, Hidden.WITHHELD)

    def _told(self, sums: Iterable[_Sum[Name]], roots: bool = False) -> list[_Key[Name]]:
        """The counts one could withhold; of a line that is part of no other, only for its own sake."""
        return [
            key
            for each in sums
            for key in each.members
            if key not in self.hidden and self.values[key]
            if roots or key[0] not in self._roots or each is self._within[key[0]]
        ]

    def tell_what_hides_nothing(self) -> None:
        """Counts that were withheld on the way, and need not be now that others are: the largest first."""
        for key in sorted(self.hidden, key=self._loss, reverse=True):
            if not is_small(self.values[key]):
                why = self.hidden.pop(key)
                if self.leak() is not None:
                    self.hidden[key] = why

    def _told_by_the_rest(self, key: _Key[Name], leak: _Sum[Name]) -> list[_Key[Name]]:
        """One hidden count in a line follows from the others: all go, unless the line has hidden ones already."""
        line = self._within[key[0]]
        if line is leak:
            return []
        return [part for part in line.parts if part not in self.hidden and self.values[part]]

    def _touched(self) -> list[_Sum[Name]]:
        sums = [*self._within.values(), *self._between]
        return [each for each in sums if any(key in self.hidden for key in each.members)]

    def _loss(self, key: _Key[Name]) -> tuple[bool, int, int]:
        """How little is lost by hiding it. A line with one part that is not zero hides nothing: its total tells it."""
        line = self._within[key[0]]
        one_part = sum(self.values[part] > 0 for part in line.parts) == 1
        return one_part, self.values[line.total], self.values[key]


def _across(name: Name, columns: Sequence[str]) -> _Sum[Name]:
    total, *parts = columns
    return _Sum((name, total), [(name, part) for part in parts])


def _down(whole: Name, parts: Sequence[Name], column: str) -> _Sum[Name]:
    return _Sum((whole, column), [(part, column) for part in parts])


def _first_limits(count: int, why: Hidden | None) -> _Limits:
    """What the sign alone says. A withheld count of five or more is held for one by whoever knows this program."""
    match why:
        case None:
            return count, count
        case Hidden.SMALL:
            return 1, SMALLEST - 1
        case Hidden.WITHHELD:
            return (SMALLEST if count >= SMALLEST else 1), _NO_LIMIT
        case never:
            assert_never(never)


def _narrowed(each: _Sum[Name], limits: Mapping[_Key[Name], _Limits]) -> list[tuple[_Key[Name], _Limits]]:
    """The limits that follow for each member from those of the others."""
    low, high = sum(limits[key][0] for key in each.parts), sum(limits[key][1] for key in each.parts)
    least, most = limits[each.total]
    found = [(each.total, (max(least, low), min(most, high)))]
    for key in each.parts:
        own_low, own_high = limits[key]
        found.append((key, (max(own_low, least - (high - own_high)), min(own_high, most - (low - own_low)))))
    return found


_PRIME = 2**61 - 1
"""Sums are solved modulo a large prime: exact for coefficients of one, and whole numbers stay short."""


def _solved(sums: Iterable[_Sum[Name]], unknown: Collection[_Key[Name]]) -> list[_Key[Name]]:
    """The unknowns with one solution, by elimination. Each row is a combination of sums, as coefficients."""
    rows: dict[_Key[Name], dict[_Key[Name], int]] = {}
    for each in sums:
        row = {key: 1 for key in each.parts if key in unknown}
        if each.total in unknown:
            row[each.total] = -1 % _PRIME
        for key in [key for key in row if key in rows]:
            row = _less(row, rows[key], key)
        if row:
            pivot, factor = next(iter(row.items()))
            row = {key: entry * pow(factor, -1, _PRIME) % _PRIME for key, entry in row.items()}
            rows = {key: _less(other, row, pivot) for key, other in rows.items()} | {pivot: row}
    return [key for key, row in rows.items() if len(row) == 1]


def _less(row: dict[_Key[Name], int], other: Mapping[_Key[Name], int], key: _Key[Name]) -> dict[_Key[Name], int]:
    """*row* without *key*, by taking away as much of *other*, whose entry for it is one."""
    if not (factor := row.get(key, 0)):
        return row
    entries = {each: (row.get(each, 0) - factor * other.get(each, 0)) % _PRIME for each in {**row, **other}}
    return {each: entry for each, entry in entries.items() if entry}
