"""A slice of the fuzzing, and the proof that its judge would notice."""

from __future__ import annotations

import json
import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.corpus.service import open_service
from tests.fuzz import mutate, odd
from tests.fuzz.judge import Seen, faults, timed
from tests.fuzz.run import TODAY, Figures, fuzz, post

RUNS = 1500
JSON = {"Content-Type": "application/json"}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}


def test_hostile_requests_break_nothing_and_reach_no_answer_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        figures = fuzz(RUNS, seed=7, seconds=120, folder=tmp_path)
    assert figures.runs == RUNS
    assert figures.faults == {}
    assert {"200", "400", "412", "415"} <= figures.statuses.keys()
    assert set(figures.kinds) == {"structure", "bytes", "irrelevant", "raw", "schema"}
    assert odd.CANARY not in caplog.text + "".join(capfd.readouterr())


def test_every_chart_is_answered_before_it_is_mutated_and_holds_canaries(tmp_path: Path) -> None:
    client = open_service(TODAY, tmp_path).test_client()
    for chart in mutate.charts():
        assert chart.count(odd.CANARY) > 10
        seen = post(client, chart.encode())
        assert (seen.status, list(faults(seen))) in [(200, []), (400, []), (412, [])]


def test_the_same_seed_makes_the_same_requests_and_another_makes_others() -> None:
    def first(seed: int) -> list[bytes]:
        rng = Random(seed)
        return [mutate.request(rng).body for _ in range(50)]

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        pytest.param(200, {"cards": []}, [], id="nothing to say"),
        pytest.param(200, {"cards": [{"summary": "x" * 139}]}, [], id="a summary as long as allowed"),
        pytest.param(200, {"cards": [{"summary": "x" * 140}]}, ["summary too long or empty"], id="one character more"),
        pytest.param(200, {"cards": [{"summary": "𝔁" * 70}]}, ["summary too long or empty"], id="too long in UTF-16"),
        pytest.param(200, {"cards": [{"summary": "a\nb"}]}, ["summary of two lines"], id="two lines"),
        pytest.param(200, {"cards": [{"summary": "a"}] * 2}, ["cards that are not one or none"], id="two cards"),
        pytest.param(200, {"cards": None}, ["empty $.cards", "cards that are not one or none"], id="no list"),
        pytest.param(200, {}, ["empty $", "no cards"], id="no cards"),
        pytest.param(200, {"cards": [], "extension": {"a": [{"b": ""}]}}, ["empty $.extension.a[].b"], id="empty"),
        pytest.param(200, {"cards": [{"summary": odd.CANARY}]}, ["canary in the answer"], id="a canary"),
        pytest.param(400, OUTCOME, [], id="an error"),
        pytest.param(400, {"error": "x"}, ["an error that is no OperationOutcome"], id="another error"),
        pytest.param(500, OUTCOME, ["status 500"], id="a server error"),
        pytest.param(503, OUTCOME, ["status 503"], id="another server error"),
    ],
)
def test_the_judge_notices(status: int, body: dict[str, Any], found: list[str]) -> None:
    raw = json.dumps(body, ensure_ascii=False).encode()
    assert list(faults(Seen(status, JSON, raw, 0.1), of_hook=True)) == found


def test_the_judge_notices_what_is_slow_what_is_no_json_and_a_canary_in_a_header() -> None:
    assert list(faults(Seen(200, JSON, b'{"cards":[]}', 2.5))) == ["took 2.5 s"]
    assert list(faults(Seen(200, {"Content-Type": "image/png"}, b"x", 0.1))) == ["media type image/png"]
    assert list(faults(Seen(204, {"X-Echo": odd.CANARY}, b"", 0.1))) == ["canary in the answer"]


def test_a_request_is_slow_only_when_it_is_slow_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 9.0, 10.0, 10.5])
    monkeypatch.setattr("tests.fuzz.judge.time.monotonic", lambda: next(clock))
    assert timed(lambda: "x") == ("x", 0.5)


def test_figures_of_two_processes_are_added_and_said_in_one_line() -> None:
    one = Figures.from_json(Figures(2, 0.25, Counter({"200": 2}), Counter({"raw": 2})).as_json())
    one.add(
        Figures.from_json('{"runs":1,"slowest":0.5,"statuses":{"500":1},"kinds":{"raw":1},"faults":{"status 500":1}}')
    )
    assert one.line() == "3 requests (raw 3); 200: 2, 500: 1; slowest 500 ms; 5xx 1; canaries 0; faults 1"


def test_a_mutated_request_is_rarely_the_same_twice() -> None:
    rng = Random(3)
    bodies = list(islice((mutate.request(rng).body for _ in iter(int, 1)), 300))
    assert len(set(bodies)) > 270
