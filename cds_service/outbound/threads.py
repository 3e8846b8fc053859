"""Threads that wait a while for more work, so that a caller seldom waits for new ones.

Starting a thread takes until it runs, twice a turn of the scheduler; on a busy machine, for six keys one after the
other, that is longer than all the rest of a call back to an EHR.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

BUSY_NAME = "outbound"
IDLE_NAME = "outbound, idle"
SECONDS = 15.0
"""How long a thread waits for work before it ends."""

Work = Callable[[], object]


class Threads:
    """As many as there is work at a time; *seconds* is how long each stays without any."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._change = threading.Condition()
        self._left: deque[Work] = deque()
        """No more than there are threads waiting."""
        self.waiting = 0
        """Threads without work."""

    def run(self, work: Work) -> None:
        """On a thread that waits, or else a new one. Raises :class:`RuntimeError` when the system has none to give.

        *work* raises nothing.
        """
        with self._change:
            if self.waiting > len(self._left):
                self._left.append(work)
                self._change.notify()
                return
        threading.Thread(target=self._stay, args=([work],), daemon=True).start()

    def _stay(self, first: list[Work]) -> None:
        """What was fetched must not live as long as the thread, so its work is taken from a list and let go of."""
        work: Work | None = first.pop()
        while work is not None:
            threading.current_thread().name = BUSY_NAME
            work()
            work = None
            threading.current_thread().name = IDLE_NAME
            work = self._next()

    def _next(self) -> Work | None:
        with self._change:
            self.waiting += 1
            self._change.wait_for(lambda: self._left, self._seconds)
            self.waiting -= 1
            return self._left.popleft() if self._left else None
