"""Threads that wait for more work: as many as are needed, used again, and gone when nothing comes."""

from __future__ import annotations

import gc
import threading
import weakref

from cds_service.outbound.threads import IDLE_NAME, Threads
from tests.ehr.bad_server import PATIENCE, eventually


class Seen:
    """The thread that called it, once there is one."""

    def __init__(self) -> None:
        self.thread = threading.main_thread()

    def __call__(self) -> None:
        self.thread = threading.current_thread()

    @property
    def waits(self) -> bool:
        return self.thread.name == IDLE_NAME

    @property
    def gone(self) -> bool:
        return not self.thread.is_alive()


def test_work_is_given_to_a_thread_that_waits() -> None:
    threads, first, second = Threads(PATIENCE), Seen(), Seen()
    threads.run(first)
    assert eventually(lambda: threads.waiting == 1)
    threads.run(second)
    assert eventually(lambda: second.waits)
    assert first.thread is second.thread


def test_as_many_work_side_by_side_as_there_is_work() -> None:
    threads, waiting = Threads(PATIENCE), Seen()
    threads.run(waiting)
    assert eventually(lambda: waiting.waits)
    meeting = threading.Barrier(4, timeout=PATIENCE)
    for _ in range(3):
        threads.run(meeting.wait)
    meeting.wait()


def test_a_thread_for_which_nothing_comes_ends() -> None:
    threads, seen = Threads(0.0), Seen()
    threads.run(seen)
    assert eventually(lambda: seen.gone)
    again = Seen()
    threads.run(again)
    assert eventually(lambda: again.gone)


def test_a_thread_that_waits_holds_nothing_of_what_it_did() -> None:
    threads, seen = Threads(PATIENCE), Seen()
    held = weakref.ref(seen)
    threads.run(seen)
    assert eventually(lambda: threads.waiting == 1)
    del seen
    gc.collect()
    assert held() is None
