"""Connections between two exchanges: few, not for long, and found again only by who may use them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from urllib3.util.connection import is_connection_dropped

from cds_service.outbound.connection import Connection

MOST = 8
"""Connections kept for one route; a call asks for six keys at once."""
MOST_IN_ALL = 64
"""Beside the callers' connections the process has 128 open files to spare."""
SECONDS = 15.0
"""How long one may lie unused."""


@dataclass(frozen=True)
class Route:
    """Whose connection it is, where it leads, and what was checked when it was opened."""

    site: str
    scheme: str
    host: str
    port: int
    internal: bool
    ca_file: Path | None


@dataclass(frozen=True)
class _Idle:
    since: float
    route: Route
    connection: Connection


class Kept:
    """Without a thread of its own: what has become too old is closed when the next exchange begins, of any site."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []
        """The newest last."""

    def take(self, route: Route) -> Connection | None:
        """The one used last, unless it has something to read: the other side closed it, or says what nobody asked."""
        self._close_old()
        while (idle := self._newest(route)) is not None:
            if not is_connection_dropped(idle.connection):
                return idle.connection
            idle.connection.close()
        return None

    def keep(self, route: Route, connection: Connection) -> None:
        """In place of the oldest where there is no more room."""
        with self._lock:
            self._idle.append(_Idle(self._clock(), route, connection))
            same = [idle for idle in self._idle if idle.route == route]
            superfluous = [*same[:-MOST], *self._idle[:-MOST_IN_ALL]]
            self._forget(superfluous)
        _close(superfluous)

    def _newest(self, route: Route) -> _Idle | None:
        with self._lock:
            newest = next((idle for idle in reversed(self._idle) if idle.route == route), None)
            self._forget([newest])
        return newest

    def _close_old(self) -> None:
        with self._lock:
            until = self._clock() - SECONDS
            old = [idle for idle in self._idle if idle.since <= until]
            self._forget(old)
        _close(old)

    def _forget(self, gone: Collection[_Idle | None]) -> None:
        self._idle = [idle for idle in self._idle if idle not in gone]


def _close(gone: Iterable[_Idle]) -> None:
    for idle in gone:
        idle.connection.close()
