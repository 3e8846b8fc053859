"""What clients asked and were told, held against what the database has in the end."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import create_engine, select

from cds_service.store.database import database_url
from cds_service.store.tables import feedback_event


@dataclass(frozen=True)
class Operation:
    """One post of one item. *status* and *body* are missing when no answer came. Times are monotonic seconds."""

    item: str
    invoked: float
    ended: float
    status: int | None = None
    body: bytes = b""

    @property
    def acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def seconds(self) -> float:
        return self.ended - self.invoked


class History:
    """Every operation, in the order of its end. Threads may add at the same time."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._changed = threading.Condition()
        self._acknowledged: set[str] = set()

    def add(self, operation: Operation) -> None:
        with self._changed:
            self.operations.append(operation)
            if operation.acknowledged:
                self._acknowledged.add(operation.item)
            self._changed.notify_all()

    @property
    def acknowledged(self) -> set[str]:
        with self._changed:
            return set(self._acknowledged)

    def until_acknowledged(self, many: int, seconds: float) -> bool:
        """Whether *many* items were acknowledged within *seconds*."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._acknowledged) >= many, seconds)

    def faults(self, stored: Sequence[str | None]) -> list[str]:
        """What is wrong with *stored*, the cards of all events: lost, doubled or invented; replies that differ."""
        events, invoked = Counter(stored), {operation.item for operation in self.operations}
        return [
            *(f"lost: {item}" for item in sorted(self._acknowledged - events.keys())),
            *(f"doubled: {item}" for item, times in events.items() if times > 1),
            *(f"invented: {item}" for item in events if item not in invoked),
            *(f"differing replies: {item}" for item in self._contradicted()),
        ]

    def _contradicted(self) -> list[str]:
        replies: dict[str, set[bytes]] = defaultdict(set)
        for operation in self.operations:
            if operation.acknowledged:
                replies[operation.item].add(operation.body)
        return [item for item, bodies in replies.items() if len(bodies) > 1]


def stored(url: str) -> list[str | None]:
    """The card of each event, read past the service's own code for opening a database."""
    engine = create_engine(database_url(url))
    try:
        with engine.connect() as connection:
            return list(connection.execute(select(feedback_event.c.card)).scalars())
    finally:
        engine.dispose()
