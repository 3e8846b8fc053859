"""Everything that is measured, in one run: what :mod:`bench.table` prints and ``--json`` writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.call_back import CalledBack, call_backs
from bench.charts import RELEVANT, SIZES, chart
from bench.contenders import OURS, ours, peers
from bench.footprint import Took, Worker, growth, start_and_imports, worker
from bench.measure import Figure, Spread, settle
from bench.over_http import Waited, cpu_in_turn, waits
from bench.pipeline import Pipeline, beside_the_floors, by_stage, slope
from cds_service.catalogue import load

MANY_RELEVANT = 200
BAR_SIZE = 500
LARGEST = max(SIZES)


@dataclass(frozen=True)
class Plan:
    """How often each thing is measured."""

    rounds: Mapping[int, int]
    slope_rounds: int
    peers: Mapping[int, tuple[int, int]]
    ours: Mapping[int, tuple[int, int]]
    waits: Mapping[int, int]
    processes: int
    starts: int
    grown: tuple[int, ...]
    call_backs: Mapping[int, int]


FULL = Plan(
    rounds={20: 60, 50: 60, 500: 40, 2000: 20, 5000: 12},
    slope_rounds=12,
    peers={50: (7, 5), 500: (7, 3), 5000: (3, 1)},
    ours={20: (9, 10), 50: (9, 10), 500: (9, 5), 2000: (9, 2), 5000: (7, 1)},
    waits={20: 400, 50: 400, 500: 300, 2000: 100, 5000: 60},
    processes=3,
    starts=5,
    grown=(500, 2000, 5000),
    call_backs={50: 40, 200: 15},
)
QUICK = Plan(
    rounds={20: 10, 50: 10, 500: 7, 2000: 3, 5000: 3},
    slope_rounds=3,
    peers={500: (2, 1)},
    ours={500: (3, 3), 5000: (2, 1)},
    waits={500: 50},
    processes=1,
    starts=1,
    grown=(5000,),
    call_backs={50: 10, 200: 3},
)


@dataclass
class Found:
    """All figures. *pipeline* and *stages*: by relevant resources, then observations, then what was measured.

    *call_backs*: by the milliseconds the EHR takes for a query.
    """

    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pipeline: dict[int, dict[int, dict[str, Figure]]] = field(default_factory=dict)
    stages: dict[int, dict[int, dict[str, Figure]]] = field(default_factory=dict)
    slope_us: Spread | None = None
    slope_ratio: Spread | None = None
    http: dict[int, dict[int, Figure]] = field(default_factory=dict)
    peers: dict[str, dict[int, Figure]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    waits: dict[int, dict[int, Waited]] = field(default_factory=dict)
    growth: dict[int, Spread] = field(default_factory=dict)
    worker: Worker | None = None
    starts: dict[str, Took] = field(default_factory=dict)
    call_backs: dict[int, CalledBack] = field(default_factory=dict)


def measure(plan: Plan) -> Found:
    """Take every figure. What is about to be measured is told on standard error."""
    found = Found(os.getloadavg())
    _tell("inside one process")
    _in_process(plan, found)
    _tell("over HTTP, the peers in turn")
    _over_http(plan, found)
    _tell("wall time with many in flight")
    found.waits = waits(plan.waits, RELEVANT)
    _tell("calling the EHR back")
    found.call_backs = call_backs(load().service.prefetch, BAR_SIZE, plan.call_backs)
    _tell("memory and start")
    found.growth = {size: growth(size, plan.processes) for size in plan.grown}
    found.worker = worker()
    found.starts = start_and_imports(plan.starts)
    found.load_after = os.getloadavg()
    return found


def _over_http(plan: Plan, found: Found) -> None:
    few = {(size, RELEVANT): often for size, often in plan.peers.items()}
    seen, found.absent = cpu_in_turn((ours(), *peers()), few)
    found.peers = {name: {size: figure for (size, _), figure in by_chart.items()} for name, by_chart in seen.items()}
    _tell("over HTTP, this service")
    both = {(n, r): often for r in (RELEVANT, MANY_RELEVANT) for n, often in plan.ours.items() if _fits(n, r)}
    alone, why_not = cpu_in_turn((ours(),), both)
    found.absent |= why_not
    for (size, relevant), figure in alone.get(OURS, {}).items():
        found.http.setdefault(relevant, {})[size] = figure


def _in_process(plan: Plan, found: Found) -> None:
    pipeline = Pipeline()
    settle()
    for relevant in (RELEVANT, MANY_RELEVANT):
        sizes = [size for size in plan.rounds if _fits(size, relevant)]
        bodies = {size: chart(size, relevant) for size in sizes}
        found.pipeline[relevant] = {n: beside_the_floors(pipeline, b, plan.rounds[n]) for n, b in bodies.items()}
        found.stages[relevant] = {n: by_stage(pipeline, b, plan.rounds[n]) for n, b in bodies.items()}
    found.slope_us, found.slope_ratio = slope(pipeline, plan.slope_rounds)


def _tell(what: str) -> None:
    print(f"bench: {what} ...", file=sys.stderr, flush=True)


def _fits(size: int, relevant: int) -> bool:
    """Whether a chart of *size* observations has room for so many relevant ones."""
    return relevant == RELEVANT or size >= relevant
