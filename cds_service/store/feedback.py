"""Feedback that was acknowledged is kept: appended once, committed before the answer.

Whether an item belongs to a card we issued is asked when it is read, because the ledger may be a moment behind.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from cds_service.hooks.feedback import FeedbackItem, OverrideReason
from cds_service.store.database import Database, insert_new
from cds_service.store.tables import accepted_suggestion, feedback_event, override_reason

OTHER = "other"
"""An override reason the card did not offer: a client's own code could say anything, so it is not kept."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Comment = Callable[[str], str | None]
"""What is kept of a comment."""


class FeedbackStore:
    """*reasons* are the (system, code) a card offers; *comment* says what to keep of free text."""

    def __init__(self, database: Database, reasons: Collection[tuple[str, str]], comment: Comment) -> None:
        self._database = database
        self._reasons = frozenset(reasons)
        self._comment = comment

    def keep(self, items: Sequence[FeedbackItem], client: str, received: int) -> int:
        """Append each of *items* that is new; how many were. *received* is in milliseconds since 1970.

        All are on disk when this returns. Raises :class:`StoreDown`, and then none is acknowledged.
        """
        # In one order everywhere: two batches that share items then wait for one another in turn, never both.
        by_digest = sorted({_digest(item, client): item for item in reversed(items)}.items())
        return self._database.run(
            lambda connection: sum(self._append(connection, *each, client, received) for each in by_digest)
        )

    def _append(self, connection: Connection, digest: bytes, item: FeedbackItem, client: str, received: int) -> bool:
        event = {
            "item": digest,
            "received": received,
            "client": client,
            "card": _uuid(item.card),
            "outcome": item.outcome,
            "happened": milliseconds(item.outcome_timestamp),
        }
        new = insert_new(connection, feedback_event).values(event).returning(feedback_event.c.id)
        made = connection.execute(new).scalar()
        if made is None:
            return False
        _insert_all(connection, accepted_suggestion, _suggestions(made, item))
        _insert_all(connection, override_reason, self._reason_rows(made, item))
        return True

    def _reason_rows(self, event: int, item: FeedbackItem) -> Iterable[dict[str, Any]]:
        for position, reason in enumerate(item.override_reasons):
            system, code = self._coding(reason)
            comment = self._comment(reason.user_comment) if reason.user_comment else None
            yield {"event": event, "position": position, "system": system, "code": code, "comment": comment}

    def _coding(self, reason: OverrideReason) -> tuple[str | None, str | None]:
        if reason.code is None:
            return None, None
        for system, code in self._reasons:
            if code == reason.code and reason.system in (system, None):
                return system, code
        return None, OTHER


def milliseconds(moment: datetime) -> int:
    """Since 1970-01-01 UTC."""
    return int(moment.timestamp() * 1000)


def _insert_all(connection: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    if found := list(rows):
        connection.execute(insert(table), found)


def _suggestions(event: int, item: FeedbackItem) -> Iterable[dict[str, Any]]:
    """Those that can be ours, each once."""
    for suggestion in dict.fromkeys(map(_uuid, item.accepted_suggestions)):
        if suggestion is not None:
            yield {"event": event, "suggestion": suggestion}


def _uuid(text: str) -> str | None:
    """A uuid in lower case; any other text is not kept, as nobody knows what it says."""
    lower = text.lower()
    return lower if _UUID.fullmatch(lower) else None


def _digest(item: FeedbackItem, client: str) -> bytes:
    """What makes two items the same: client, card, outcome, its time, suggestions and coded reasons."""
    said = [
        client,
        item.card.lower(),
        item.outcome,
        milliseconds(item.outcome_timestamp),
        sorted(text.lower() for text in item.accepted_suggestions),
        sorted([reason.system or "", reason.code or ""] for reason in item.override_reasons),
    ]
    return hashlib.sha256(json.dumps(said).encode()).digest()
