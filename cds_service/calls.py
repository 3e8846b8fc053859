"""Which call is answered next, and by which thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger("cds_service")


class Call(Protocol):
    """A connection whose request has been read."""

    will_close: bool

    def service(self) -> None: ...


class Calls:
    """The calls that were read, and the threads that answer them.

    Threads of one process compute in turns, so running many at once answers none sooner and only makes the
    reading thread wait longer for its own turn. The next call is therefore begun when the last one is done, or
    has gone on for *young_seconds*: then it waits for an EHR, or is large, and must not hold up the others.
    None is begun while *behind* says that the reading thread is: what it has not read, it cannot refuse in time.
    """

    def __init__(self, threads: int, young_seconds: float, behind: Callable[[], bool]) -> None:
        self.young_seconds = young_seconds
        self.behind = behind
        self._queue: deque[Call] = deque()
        self._changed = threading.Condition()
        self._begun: dict[int, float] = {}
        self._watched = False
        self._stopping = False
        self._threads = [threading.Thread(target=self._answer, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, call: Call, first: bool) -> None:
        with self._changed:
            if first:
                self._queue.appendleft(call)
            else:
                self._queue.append(call)
            self._wake()

    def stop(self, seconds: float) -> None:
        """Let the threads end; those that are still busy after *seconds* are left to the end of the process."""
        with self._changed:
            self._stopping = True
            self._queue.clear()
            self._changed.notify_all()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _answer(self) -> None:
        while (call := self._next()) is not None:
            try:
                call.service()
            except Exception as error:  # noqa: BLE001 - a thread must outlive every call
                _log.error("unforeseen %s while answering", type(error).__name__)
                call.will_close = True

    def _next(self) -> Call | None:
        with self._changed:
            self._begun.pop(threading.get_ident(), None)
            while not self._stopping:
                if self._queue and not self._computing() and not self.behind():
                    self._begun[threading.get_ident()] = time.monotonic()
                    taken = self._queue.popleft()
                    self._wake()
                    return taken
                self._wait()
            return None

    def _wait(self) -> None:
        """Until something changes; one thread also looks again, as time changes the answers too."""
        if self._watched or not self._queue:
            self._changed.wait()
            return
        self._watched = True
        self._changed.wait(self.young_seconds)
        self._watched = False

    def _wake(self) -> None:
        if self._queue and not (self._watched and self._computing()):
            self._changed.notify()

    def _computing(self) -> bool:
        since = time.monotonic() - self.young_seconds
        return any(begun > since for begun in self._begun.values())
