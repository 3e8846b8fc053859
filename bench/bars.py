"""What the figures are held against: each bar with its value, and whether it is met."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.charts import RELEVANT
from bench.contenders import OURS
from bench.pipeline import WHOLE
from bench.run import BAR_SIZE, LARGEST, Found


@dataclass(frozen=True)
class Bar:
    """A value that must be at most, or at least, *limit*."""

    what: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """False when there is no value."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        value = "not measured" if math.isnan(self.value) else f"{self.value:.2f}"
        return f"{'met' if self.met else 'NOT MET':8}{value:>13} {sign} {self.limit:<5g} {self.what}"


PEER_BARS = (
    ("cql-execution, cql-exec-fhir", 20),
    ("FastAPI, fhir.resources bundles", 30),
    ("HealthChain, its FHIR objects", 4),
    ("HealthChain, dicts, no validation", 4),
)


def bars(found: Found) -> list[Bar]:
    return [*_in_process(found), *_process(found), *(_peer(found, *each) for each in PEER_BARS)]


def _in_process(found: Found) -> list[Bar]:
    whole = {size: seen[WHOLE].ratio for size, seen in found.pipeline[RELEVANT].items()}
    return [
        Bar(f"CPU of {BAR_SIZE} observations, × orjson.loads", _median(whole[BAR_SIZE]), 1.0),
        Bar(f"CPU of {LARGEST} observations, × orjson.loads", _median(whole[LARGEST]), 0.30),
        Bar("CPU of one more irrelevant observation, × orjson's", _median(found.slope_ratio), 0.25),
    ]


def _process(found: Found) -> list[Bar]:
    start, imports = found.starts["start"], found.starts["imports"]
    full = found.waits[BAR_SIZE][16]
    costs = [_median(seen.cost) for seen in found.call_backs.values()]
    return [
        Bar("memory growth, × body, the size where it is worst", max(map(_median, found.growth.values())), 3.0),
        Bar("CPU from start to first answer, × imports", start.cpu.median / imports.cpu.median, 2.0),
        Bar(f"p99 at 16 in flight, {BAR_SIZE} observations, × p50", full.p99 / full.p50, 10.0),
        Bar("call-back, cost over its slowest query, the delay where it is worst", max(costs), 0.20),
    ]


def _peer(found: Found, name: str, limit: float) -> Bar:
    mine, theirs = (found.peers.get(who, {}).get(BAR_SIZE) for who in (OURS, name))
    value = theirs.ms.median / mine.ms.median if mine and theirs else math.nan
    return Bar(f"CPU of {name} over HTTP, × ours", value, limit, at_least=True)


def _median(spread: object) -> float:
    return float(getattr(spread, "median", math.nan))
