"""The full runs, small: real processes on loopback, a real PostgreSQL, and the same criteria."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import away, full_disk, killed, thrice, two_processes
from tests.faults.service import Service, running, together
from tests.store.postgres import Cluster


def test_f1_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    seen = killed.run(tmp_path, items=100, clients=10, kills=1)
    assert (seen.faults, seen.integrity, seen.acknowledged, seen.events) == ([], "ok", 100, 100)
    assert seen.posts > 100


@pytest.fixture(scope="module")
def both(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    """Two processes on one PostgreSQL."""
    with together(tmp_path_factory.mktemp("both"), postgres.fresh(), 2) as services:
        yield services


def test_f2_an_item_sent_three_times_at_once_to_two_processes_is_one_event(both: list[Service]) -> None:
    history, faults = thrice.run(both, items=40, lanes=4)
    assert [fault for fault in faults if not fault.startswith("invented")] == []
    assert (len(history.operations), len(history.acknowledged)) == (120, 40)


def test_two_processes_know_each_others_tokens_items_and_answers(both: list[Service]) -> None:
    seen, history, faults = two_processes.run(both, posts=40, hooks=20, lanes=2)
    assert two_processes.met(seen, history, [fault for fault in faults if not fault.startswith("invented")])


def test_f3_with_a_full_disk_feedback_is_refused_and_hooks_are_answered(tmp_path: Path) -> None:
    assert full_disk.met(full_disk.run(tmp_path, hooks=10))


def test_f4_while_sqlite_is_locked_hooks_are_answered_and_feedback_is_refused_soon(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with running(tmp_path, f"sqlite:///{file}", "production") as service:
        seen = away.run(service, lambda: away.locked(file), seconds=1.0)
    assert (set(seen.during.statuses), seen.wrong, seen.faults) == ({200}, set(), [])
    assert seen.refused
    assert seen.slowest_refusal <= 2.0


def test_f4_while_postgresql_is_stopped_hooks_are_answered_and_it_is_found_again(
    tmp_path: Path, postgres: Cluster
) -> None:
    with running(tmp_path, postgres.fresh(), "production") as service:
        seen = away.run(service, lambda: away.stopped(postgres), seconds=1.0)
    assert (set(seen.during.statuses), seen.wrong, seen.faults) == ({200}, set(), [])
    assert seen.refused
    assert seen.slowest_refusal <= 2.0
