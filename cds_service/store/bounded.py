"""A PostgreSQL connection that is left when the server says nothing.

``statement_timeout`` is the server's to keep: one whose disk or host hangs keeps nothing, and would hold its callers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from psycopg import Connection, OperationalError

Steps = Generator[Any, Any, Any]


def connector(seconds: float) -> Callable[..., Connection[Any]]:
    """Connects like psycopg; each wait for the server ends after *seconds* with an OperationalError."""

    class Bounded(Connection[Any]):
        def wait(self, gen: Steps, *given: Any, **named: Any) -> Any:
            return super().wait(_until(time.monotonic() + seconds, gen, self), *given, **named)

    return Bounded.connect


def _until(deadline: float, steps: Steps, connection: Connection[Any]) -> Steps:
    """*steps* of psycopg's protocol; it asks several times a second whether to go on."""
    try:
        asked = next(steps)
        while True:
            ready = yield asked
            if not ready and time.monotonic() > deadline:
                connection.close()
                raise OperationalError("no answer in time")
            asked = steps.send(ready)
    except StopIteration as end:
        return end.value
