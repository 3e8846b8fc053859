"""The ledger of issued cards: which card, by which rule, to which site. No patient, and no hook waits for it.

Cards are noted in memory and written by a thread of the ledger's own. While the database is away they wait,
the oldest going first when there are too many; what was dropped is counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from cds_service.store.database import Database, StoreDown, insert_new
from cds_service.store.tables import issued_card, issued_suggestion

MOST_WAITING = 10_000
AT_ONCE = 500
GATHER_SECONDS = 0.1
"""Between the first card and the write: those that come meanwhile go with it, as each write waits for the disk."""
RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class IssuedCard:
    """One card that was composed. *issued* is in milliseconds since 1970; *display* is shown, silent or repeated.

    *suggestions* maps each suggestion's uuid to its kind. *patient* and *evidence* are keyed digests, present
    only where a site asked that an answered card be remembered.
    """

    card: str
    issued: int
    service: str
    client: str
    classification: str
    rule: str
    digest: str
    display: str
    suggestions: Mapping[str, str] = field(default_factory=dict)
    patient: bytes | None = None
    evidence: bytes | None = None

    @property
    def row(self) -> dict[str, object]:
        kept = ("card", "issued", "service", "client", "rule", "digest", "display", "patient", "evidence")
        return {name: getattr(self, name) for name in kept} | {"class": self.classification}


class Ledger:
    """Takes cards at once and writes them soon. Close it before the process ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[IssuedCard] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.dropped = 0
        self._writer: threading.Thread | None = None

    def note(self, card: IssuedCard) -> None:
        """Keep *card*; it is written within a moment, or when the database is back."""
        with self._changed:
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(card)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_until_closed, name="ledger", daemon=True)
                self._writer.start()
            if len(self._waiting) in (1, AT_ONCE):  # the numbers the writer waits for
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, for at most *seconds*, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join(seconds)

    def _write_until_closed(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._changed.wait_for(lambda: len(self._waiting) >= AT_ONCE or self._closing, GATHER_SECONDS)
                batch = list(self._waiting)[:AT_ONCE]
                closing = self._closing
            if not batch:
                return
            if self._write(batch):
                self._forget(batch)
            elif closing:
                return
            else:
                self._pause()

    def _write(self, batch: Sequence[IssuedCard]) -> bool:
        try:
            self._database.run(lambda connection: _insert(connection, batch))
        except StoreDown:
            return False
        return True

    def _forget(self, written: Sequence[IssuedCard]) -> None:
        with self._changed:
            for card in written:
                if self._waiting and self._waiting[0] is card:
                    self._waiting.popleft()

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)


def _insert(connection: Connection, batch: Sequence[IssuedCard]) -> None:
    # A database that went away while it committed may have kept the batch that is now tried again.
    connection.execute(insert_new(connection, issued_card), [card.row for card in batch])
    suggestions = [
        {"suggestion": uuid, "card": card.card, "kind": kind}
        for card in batch
        for uuid, kind in card.suggestions.items()
    ]
    if suggestions:
        connection.execute(insert_new(connection, issued_suggestion), suggestions)
