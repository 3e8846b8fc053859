"""The hot path stays short: what one more irrelevant observation costs is counted, not timed."""

from __future__ import annotations

import json
import math
import re
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bench.bars import Bar
from bench.call_back import ALL, FRESH, _compared, called_back
from bench.charts import LABS, LOINC, RELEVANT, SIZES, chart
from bench.contenders import Absent, Contender, running
from bench.fhir_server import KEYS
from bench.measure import Spread
from bench.peers.__main__ import QUESTIONS, codes
from bench.pipeline import REST, STAGES, Pipeline, one_by_stage
from cds_service.chart.select import select
from cds_service.hooks.envelope import parse

CALLS_AT_MOST = 6
"""Calls of Python and built-in functions for one more irrelevant observation; 4 when this was written."""
CALLS_OF_A_SHORT_CHART = 13_000
"""The same for a whole chart of 20 observations; 10,400 when this was written, half of them in libraries."""
BYTES_AT_MOST = 300
"""Memory held at the peak for one more irrelevant observation; decoded into dicts it takes ten times as much."""
SHORT, LONG = 500, 1000


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    made = Pipeline()
    made.answer(chart(SHORT))  # what is made once is made now
    return made


def test_one_more_irrelevant_observation_costs_few_calls(pipeline: Pipeline) -> None:
    short, long = (_calls(pipeline.answer, chart(size)) for size in (SHORT, LONG))
    assert 0 < (long - short) / (LONG - SHORT) <= CALLS_AT_MOST


def test_what_every_chart_costs_is_few_calls(pipeline: Pipeline) -> None:
    assert 0 < _calls(pipeline.answer, chart(20)) <= CALLS_OF_A_SHORT_CHART


def test_irrelevant_observations_are_never_decoded_into_dicts(pipeline: Pipeline) -> None:
    ours = (_peak(pipeline.answer, chart(LONG)) - _peak(pipeline.answer, chart(SHORT))) / (LONG - SHORT)
    dicts = (_peak(json.loads, chart(LONG)) - _peak(json.loads, chart(SHORT))) / (LONG - SHORT)
    assert 0 < ours <= BYTES_AT_MOST < dicts / 5


def test_the_answer_does_not_depend_on_what_is_irrelevant(pipeline: Pipeline) -> None:
    summaries = {json.loads(pipeline.answer(chart(size)))["cards"][0]["summary"] for size in (20, 50, SHORT, LONG)}
    assert len(summaries) == 1


def test_every_stage_of_the_table_is_called(pipeline: Pipeline) -> None:
    assert set(one_by_stage(pipeline, chart(20))) == {*STAGES, REST}


@pytest.mark.parametrize(("observations", "relevant"), [(20, RELEVANT), (500, RELEVANT), (500, 200)])
def test_a_chart_has_the_relevant_resources_it_says(pipeline: Pipeline, observations: int, relevant: int) -> None:
    body = chart(observations, relevant)
    found = select(parse(body).prefetch, pipeline.service.knowledge.meanings)
    assert len(found.resources) == relevant
    assert len(json.loads(body)["prefetch"]["observations"]["entry"]) == observations


def test_a_chart_too_short_for_its_relevant_resources_is_refused() -> None:
    with pytest.raises(ValueError, match="200 relevant resources do not fit among 20 observations"):
        chart(min(SIZES), 200)


def test_charts_are_the_same_bytes_in_every_run() -> None:
    chart.cache_clear()
    once = chart(50)
    chart.cache_clear()
    assert chart(50) == once


def test_no_everyday_laboratory_code_is_one_the_service_looks_for(pipeline: Pipeline) -> None:
    assert not [code for code, *_ in LABS if (LOINC, code) in pipeline.service.knowledge.meanings]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_peers_are_given_codes_for_each_question(question: str) -> None:
    assert all(code["system"] and code["code"] for code in codes(QUESTIONS[question]))
    assert codes(QUESTIONS[question])


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param(("build/no-such-peer/bin/python",), "FileNotFoundError.*make bench-peers", id="not installed"),
        pytest.param((sys.executable, "-c", "raise RuntimeError('too old')"), "RuntimeError: too old", id="it ends"),
        pytest.param((sys.executable, "-c", "raise SystemExit"), "no answer and no error", id="it ends silently"),
    ],
)
def test_a_peer_that_does_not_start_is_named_with_its_error(command: tuple[str, ...], why: str) -> None:
    with pytest.raises(Absent, match=why), running(Contender("a peer", command)):
        pass


def test_a_call_back_fetches_every_key_of_the_hook_and_each_alone(pipeline: Pipeline) -> None:
    templates = pipeline.service.knowledge.service.prefetch
    assert {re.split(r"[/?]", template)[0]: key for key, template in templates.items()} == KEYS
    seen = called_back(templates, observations=20, delay_ms=1, rounds=1)
    assert min(seen.all_keys.median, seen.nothing_kept.median, seen.slowest.median) > 1


def test_the_cost_of_a_call_back_is_counted_over_its_slowest_query_turn_by_turn() -> None:
    seen = _compared({ALL: [12.0, 33.0], FRESH: [50.0, 50.0], "a": [1.0, 40.0], "b": [10.0, 30.0]}, ["a", "b"])
    assert seen.slowest_key == "a"
    seen = _compared({ALL: [12.0, 33.0], FRESH: [50.0, 50.0], "a": [1.0, 30.0], "b": [10.0, 30.0]}, ["a", "b"])
    assert (seen.slowest_key, seen.cost.median) == ("b", pytest.approx(0.15))


def test_the_spread_is_the_median_and_the_tenth_and_ninetieth_percentile() -> None:
    assert Spread.of([float(value) for value in range(10, -1, -1)]) == Spread(5.0, 1.0, 9.0)
    assert Spread.of([1.0, 2.0]).median == 1.5


def test_a_bar_without_a_value_is_not_met() -> None:
    assert not Bar("at most", math.nan, 1.0).met
    assert not Bar("at least", math.nan, 1.0, at_least=True).met
    assert Bar("at most", 1.0, 1.0).met


def _calls(work: Callable[[bytes], object], body: bytes) -> int:
    """How often *work* calls a function, built-in ones too."""
    counted = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work(body)
    finally:
        sys.setprofile(None)
    return counted


def _peak(work: Callable[[bytes], object], body: bytes) -> int:
    """The most bytes *work* holds at a time."""
    tracemalloc.start()
    try:
        work(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
