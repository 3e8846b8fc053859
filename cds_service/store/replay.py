"""``jti`` values that were used, shared by every process on one database.

A token is kept as a digest and for as long as it could be accepted. While the database is down each
process still knows the tokens it saw itself, and calls are answered: see ADR 7.
"""

from __future__ import annotations

import hashlib
import threading

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from cds_service.store.database import Database, StoreDown
from cds_service.store.tables import seen_token
from cds_service.trust.door import Remembered

PURGE_EVERY = 300.0
"""Seconds between two removals of expired tokens by one process."""


class StoredReplay:
    """The tokens seen by any process on *database*, and by this one whatever becomes of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = Remembered()
        self._lock = threading.Lock()
        self._purge_at = 0.0

    def first_use(self, issuer: str, token_id: str, expires: float, now: float) -> bool:
        """Whether *token_id* of *issuer* was not seen before; from now on it was. Times are seconds since 1970."""
        if not self._here.first_use(issuer, token_id, expires, now):
            return False
        row = {"token": hashlib.sha256(f"{issuer}\0{token_id}".encode()).digest(), "expires": expires}
        try:
            self._purge(now)
            self._database.run(lambda connection: connection.execute(insert(seen_token).values(row)))
        except IntegrityError:
            return False
        except StoreDown:
            pass
        return True

    def _purge(self, now: float) -> None:
        with self._lock:
            due = now >= self._purge_at
            if due:
                self._purge_at = now + PURGE_EVERY
        if due:
            expired = delete(seen_token).where(seen_token.c.expires < now)
            self._database.run(lambda connection: connection.execute(expired))
