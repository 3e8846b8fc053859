"""Medians with spread, of works done in turn so that a busy machine is busy for all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.server import COLLECT_AFTER

Work = Callable[[], object]
BASE = "orjson.loads"


@dataclass(frozen=True)
class Spread:
    """The median and, for the spread, the tenth and ninetieth percentile."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises :class:`ValueError` of no values: a median of nothing would pass for a figure."""
        if not values:
            raise ValueError("nothing was measured")
        ordered = sorted(values)
        return cls(*(_at(ordered, share) for share in (0.5, 0.1, 0.9)))


def _at(ordered: Sequence[float], share: float) -> float:
    """The value at *share* of the way through, between two neighbours where it falls there."""
    below, part = divmod((len(ordered) - 1) * share, 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + part * (high - low)


@dataclass(frozen=True)
class Figure:
    """Milliseconds, and where a base was measured beside it the ratio to that base, turn by turn."""

    ms: Spread
    ratio: Spread | None = None

    @classmethod
    def beside(cls, ms: Sequence[float], base: Sequence[float]) -> Figure:
        return cls(Spread.of(ms), Spread.of([one / other for one, other in zip(ms, base, strict=True)]))


def settle() -> None:
    """The collector as the server sets it: what is imported is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def once(work: Work) -> float:
    """CPU milliseconds of this process for *work*, and for letting go of what it made."""
    start = time.process_time_ns()
    work()
    return (time.process_time_ns() - start) / 1e6


def in_turn(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each work in each round, a b c a b c; one round more goes before and is not counted."""
    seen: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            seen[name].append(once(work))
    return {name: values[1:] for name, values in seen.items()}


def figures(seen: Mapping[str, Sequence[float]]) -> dict[str, Figure]:
    return {name: Figure.beside(values, seen[BASE]) for name, values in seen.items()}
