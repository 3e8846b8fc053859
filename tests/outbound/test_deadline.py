"""A deadline ends the waiting, whatever the work under it does."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from cds_service.outbound.deadline import GRACE, Deadline, run_until
from cds_service.outbound.not_fetched import BUSY, TIMED_OUT, NotFetched
from cds_service.outbound.threads import Threads
from tests.ehr.bad_server import PATIENCE, eventually, no_outbound_thread_left


def test_time_runs_out_on_the_clock_it_is_given() -> None:
    now = [100.0]
    deadline = Deadline(2.0, lambda: now[0])
    remaining = []
    for moment in (100.0, 101.5, 102.0, 103.0):
        now[0] = moment
        remaining.append((deadline.remaining(), deadline.over))
    assert remaining == [(2.0, False), (0.5, False), (0.0, True), (0.0, True)]


def test_no_time_is_left_after_the_cut() -> None:
    deadline = Deadline(60.0)
    deadline.require_time()
    deadline.cut()
    assert deadline.remaining() == 0.0
    with pytest.raises(NotFetched, match=TIMED_OUT):
        deadline.require_time()


def test_the_cut_wakes_whoever_reads_a_socket_it_holds() -> None:
    ours, theirs = socket.socketpair()
    deadline = Deadline(60.0)
    ours.settimeout(PATIENCE)
    with ours, theirs, deadline.holding(ours):
        deadline.cut()
        assert ours.recv(1) == b""


def test_the_cut_leaves_alone_what_is_held_no_longer() -> None:
    ours, theirs = socket.socketpair()
    deadline = Deadline(60.0)
    with ours, theirs:
        with deadline.holding(ours):
            pass
        deadline.cut()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_not_yet_connected_can_be_cut() -> None:
    deadline = Deadline(60.0)
    with socket.socket() as unconnected, deadline.holding(unconnected):
        deadline.cut()
    assert deadline.over


def test_jobs_run_side_by_side_and_tell_what_they_found() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def refuse() -> int:
        meeting.wait()
        raise NotFetched("status 404")

    results = run_until(Deadline(PATIENCE), {"one": meeting.wait, "two": refuse})
    assert results["one"] in (0, 1)
    assert isinstance(results["two"], NotFetched)
    assert results["two"].why == "status 404"


def test_the_caller_goes_on_at_the_deadline_and_keeps_what_was_told() -> None:
    release, gone = threading.Event(), threading.Event()
    began = time.monotonic()
    results = run_until(Deadline(0.2), {"quick": lambda: True, "stuck": lambda: release.wait(PATIENCE)}, ended=gone.set)
    assert time.monotonic() - began < 0.2 + 0.1
    assert results["quick"] is True
    assert isinstance(results["stuck"], NotFetched)
    assert results["stuck"].why == TIMED_OUT
    assert not gone.is_set()
    release.set()
    assert gone.wait(PATIENCE)
    assert no_outbound_thread_left()


def test_what_a_job_says_when_the_cut_wakes_it_still_counts() -> None:
    ours, theirs = socket.socketpair()
    deadline = Deadline(0.1)

    def read() -> bytes:
        with deadline.holding(ours):
            return b"woken" + ours.recv(1)

    with ours, theirs:
        assert run_until(deadline, {"": read}) == {"": b"woken"}
    assert GRACE < 0.1


def test_an_unforeseen_error_reaches_the_caller_and_stops_the_others() -> None:
    deadline = Deadline(PATIENCE)

    def fail() -> bool:
        raise LookupError("unforeseen")

    with pytest.raises(LookupError, match="unforeseen"):
        run_until(deadline, {"bad": fail, "waiting": lambda: eventually(lambda: deadline.over)})
    assert deadline.over
    assert no_outbound_thread_left()


def test_when_the_system_has_no_thread_left_the_answer_is_busy() -> None:
    ended = threading.Event()
    before = threading.stack_size(1 << 46)  # no machine has room for such a stack
    try:
        jobs = {"one": lambda: True, "two": lambda: True}
        results = run_until(Deadline(PATIENCE), jobs, ended.set, Threads())
    finally:
        threading.stack_size(before)
    assert [getattr(result, "why", None) for result in results.values()] == [BUSY, BUSY]
    assert ended.is_set()
