"""Our answer inside one process: whole, by stage, and beside the floors that decode the same bytes.

Stages are timed where the pipeline itself calls them, so the table shows what runs and not what is said to run.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from bench.charts import TODAY, chart
from bench.measure import BASE, Figure, Spread, Work, figures, in_turn, once
from cds_service import app
from cds_service.catalogue import load
from cds_service.hooks import envelope
from cds_service.service import CardService

STAGES = {
    "intake: UTF-8": ("cds_service.hooks.envelope", "require_utf8"),
    "envelope": ("cds_service.hooks.envelope", "parse"),
    "select": ("cds_service.decide", "select"),
    "read": ("cds_service.decide", "read"),
    "classify": ("cds_service.clinical.assess", "classify"),
    "assess": ("cds_service.decide", "assess"),
    "validate": ("cds_service.decide", "_invalid"),
    "compose": ("cds_service.service", "hook_response"),
    "encode": ("cds_service.app", "_json"),
}
"""Each stage and the name it is called by; its time leaves out the stages inside it."""
REST = "between the stages"
WHOLE = "whole answer"
ALONE = "orjson.loads with nothing else between"


class _Skipped(msgspec.Struct):
    resourceType: str = ""


class _SkippedCall(msgspec.Struct):
    prefetch: dict[str, _Skipped] = {}


class Pipeline:
    """From the bytes of a call to the bytes of its answer: what the application does, without HTTP."""

    def __init__(self) -> None:
        self.service = CardService(load(), "http://127.0.0.1:8080")

    def answer(self, body: bytes) -> bytes:
        answer = self.service.answer(envelope.parse(body), TODAY)
        return app._json(self.service.respond(answer.decision, with_assessment=False)).get_data()


class Stopwatch:
    """CPU time by stage; time in a stage within another counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open: list[str] = []
        self._last = 0

    def _count(self) -> None:
        now = time.process_time_ns()
        if self._open:
            self.spent[self._open[-1]] = self.spent.get(self._open[-1], 0.0) + (now - self._last) / 1e6
        self._last = now

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        self._count()
        self._open.append(stage)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            with self.within(stage):
                return work(*given, **named)

        return run


def _orjson() -> Callable[[bytes], object]:
    loads: Callable[[bytes], object] = importlib.import_module("orjson").loads
    return loads


def beside_the_floors(pipeline: Pipeline, body: bytes, rounds: int) -> dict[str, Figure]:
    """The whole answer and the floors, in turn, with ratios to orjson in the same turn."""
    orjson, skip = _orjson(), msgspec.json.Decoder(_SkippedCall).decode
    works: dict[str, Work] = {
        BASE: lambda: orjson(body),
        WHOLE: lambda: pipeline.answer(body),
        "json.loads": lambda: json.loads(body),
        "decode that skips entries": lambda: skip(body),
    }
    alone = in_turn({ALONE: lambda: orjson(body)}, rounds)
    return figures(in_turn(works, rounds) | alone)


def by_stage(pipeline: Pipeline, body: bytes, rounds: int) -> dict[str, Figure]:
    """Each stage with its ratio to orjson in the same turn; a stage nothing calls any more is left out."""
    orjson = _orjson()
    seen: dict[str, list[float]] = {}
    base: list[float] = []
    for _ in range(rounds + 1):
        base.append(once(lambda: orjson(body)))
        for stage, spent in one_by_stage(pipeline, body).items():
            seen.setdefault(stage, []).append(spent)
    return {stage: Figure.beside(values[1:], base[1:]) for stage, values in seen.items()}


def one_by_stage(pipeline: Pipeline, body: bytes) -> dict[str, float]:
    """CPU milliseconds of one answer by stage."""
    watch = Stopwatch()
    with ExitStack() as stack:
        for stage, (module, name) in STAGES.items():
            place = importlib.import_module(module)
            stack.enter_context(patch.object(place, name, watch.timed(stage, getattr(place, name))))
        with watch.within(REST):
            pipeline.answer(body)
    return watch.spent


def slope(pipeline: Pipeline, rounds: int, sizes: tuple[int, int] = (2000, 5000)) -> tuple[Spread, Spread]:
    """Microseconds for one more irrelevant observation, and its ratio to orjson's."""
    orjson = _orjson()
    short, long = (chart(size) for size in sizes)
    works: dict[str, Work] = {
        "short": lambda: pipeline.answer(short),
        "long": lambda: pipeline.answer(long),
        "base short": lambda: orjson(short),
        "base long": lambda: orjson(long),
    }
    seen = in_turn(works, rounds)
    ours = [long - short for long, short in zip(seen["long"], seen["short"], strict=True)]
    base = [long - short for long, short in zip(seen["base long"], seen["base short"], strict=True)]
    each = [1000 * spent / (sizes[1] - sizes[0]) for spent in ours]
    return Spread.of(each), Spread.of([one / other for one, other in zip(ours, base, strict=True)])
