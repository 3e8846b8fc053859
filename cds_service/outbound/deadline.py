"""A moment at which waiting ends, whatever the other side does.

A timeout on a socket starts anew with every byte, so a server that drips holds its reader for ever; and a name
look-up cannot be interrupted at all. So work runs on threads of its own, the caller stops waiting at the deadline,
and every socket opened under the deadline is shut, which wakes the threads that were left reading.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from cds_service.outbound.not_fetched import BUSY, TIMED_OUT, NotFetched
from cds_service.outbound.threads import Threads

T = TypeVar("T")

GRACE = 0.05
"""Seconds the caller waits, after the cut, for what the woken threads still have to say."""
_EVERYBODYS = Threads()


class Deadline:
    """*seconds* from now on a monotonic *clock*; or sooner, once it is cut."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._cut = False
        self._lock = threading.Lock()
        self._grips: set[socket.socket] = set()

    def remaining(self) -> float:
        """Seconds left; 0 when the moment has passed or the deadline was cut."""
        return 0.0 if self._cut else max(0.0, self._end - self._clock())

    @property
    def over(self) -> bool:
        return self.remaining() == 0.0

    def require_time(self) -> None:
        """Raises :class:`NotFetched` when none is left."""
        if self.over:
            raise NotFetched(TIMED_OUT)

    @contextmanager
    def holding(self, opened: socket.socket) -> Iterator[None]:
        """While this lasts, the cut shuts the connection of *opened*.

        It keeps a duplicate, because wrapping a socket in TLS takes the original's descriptor away; of the descriptor,
        because a socket under TLS will not duplicate itself.
        """
        grip = socket.fromfd(opened.fileno(), opened.family, opened.type)
        with self._lock:
            self._grips.add(grip)
        try:
            yield
        finally:
            with self._lock:
                self._grips.remove(grip)
            grip.close()

    def cut(self) -> None:
        """End now: nothing more is sent or read under this deadline."""
        with self._lock:
            self._cut = True
            for grip in self._grips:
                with suppress(OSError):  # not connected yet, or the other side closed it first
                    grip.shutdown(socket.SHUT_RDWR)


def run_until(
    deadline: Deadline,
    jobs: Mapping[str, Callable[[], T]],
    ended: Callable[[], None] = lambda: None,
    threads: Threads = _EVERYBODYS,
) -> dict[str, T | NotFetched]:
    """What each of *jobs* returned, or the :class:`NotFetched` it raised; each has a thread of its own.

    Returns within :data:`GRACE` of the deadline; a job that has still not ended by then is :data:`TIMED_OUT`.
    *ended* is called when the last thread has done, which may be later. Any other exception is raised here.
    """
    crew = _Crew[T](len(jobs), ended, threads)
    for key, job in jobs.items():
        crew.start(key, job)
    try:
        crew.listen(deadline.remaining())
    finally:
        if not crew.all_told:
            deadline.cut()
    crew.listen(GRACE)
    return {key: crew.results.get(key, NotFetched(TIMED_OUT)) for key in jobs}


class _Crew(Generic[T]):
    """*size* of *threads*, and what they told so far."""

    def __init__(self, size: int, ended: Callable[[], None], threads: Threads) -> None:
        self.results: dict[str, T | NotFetched] = {}
        self._size = size
        self._told: SimpleQueue[tuple[str, T | BaseException]] = SimpleQueue()
        self._left = size
        self._lock = threading.Lock()
        self._ended = ended
        self._threads = threads

    @property
    def all_told(self) -> bool:
        return len(self.results) == self._size

    def start(self, key: str, job: Callable[[], T]) -> None:
        try:
            self._threads.run(partial(self._run, key, job))
        except RuntimeError:  # the system has no thread to give
            self._told.put((key, NotFetched(BUSY)))
            self._leave()

    def _run(self, key: str, job: Callable[[], T]) -> None:
        result: T | BaseException
        try:
            result = job()
        except BaseException as error:  # noqa: BLE001 - raised again by the listener, not lost with the thread
            result = error
        # Left before it is told, so that whoever is told finds the place free.
        self._leave()
        self._told.put((key, result))

    def _leave(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._ended()

    def listen(self, seconds: float) -> None:
        """Take what is told until all is, or *seconds* have passed. Raises what a job raised, but NotFetched."""
        end = time.monotonic() + seconds
        with suppress(Empty):
            while not self.all_told:
                key, result = self._told.get(timeout=max(0.0, end - time.monotonic()))
                if isinstance(result, BaseException) and not isinstance(result, NotFetched):
                    raise result
                self.results[key] = result
