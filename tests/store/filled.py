"""A SQLite store with as many invented rows as asked for, made faster than feedback would make them."""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from pathlib import Path

START = 1_790_000_000_000


def fill(file: Path, many: int) -> None:
    """*many* rows over all tables, in an upgraded database: a third cards, a fifth feedback."""
    cards = [_uuid("card", at) for at in range(many // 3)]
    events = range(1, many // 5 + 1)
    answered = many // 15
    with sqlite3.connect(file) as connection:
        write = connection.executemany
        write("INSERT INTO seen_token VALUES (?, ?)", ((_digest("t", at), at + 0.1) for at in range(many // 10)))
        write(f"INSERT INTO issued_card VALUES ({_marks(10)})", (_card(at, uuid) for at, uuid in enumerate(cards)))
        suggestions = many - sum((many // 10, len(cards), len(events), answered, answered))
        made = ((_uuid("suggestion", at), cards[at % len(cards)], "expert-review") for at in range(suggestions))
        write("INSERT INTO issued_suggestion VALUES (?, ?, ?)", made)
        write(f"INSERT INTO feedback_event VALUES ({_marks(7)})", (_event(at, cards[at % len(cards)]) for at in events))
        accepted = ((at, _uuid("suggestion", at)) for at in range(1, answered + 1))
        write("INSERT INTO accepted_suggestion VALUES (?, ?)", accepted)
        reasons = ((at + answered, 0, None, "other", f"größer „{at}“") for at in range(1, answered + 1))
        write(f"INSERT INTO override_reason VALUES ({_marks(5)})", reasons)


def _card(at: int, card: str) -> tuple[object, ...]:
    digests = (_digest("patient", at), _digest("evidence", at)) if at % 2 else (None, None)
    return (card, START + at, "service", f"site-{at % 7}", "relapsed", "R7", "sha256:0", "shown", *digests)


def _event(at: int, card: str) -> tuple[object, ...]:
    outcome = "accepted" if at % 3 else "overridden"
    return (at, _digest("item", at), START + at, f"site-{at % 7}", card if at % 11 else None, outcome, START)


def _marks(many: int) -> str:
    return ", ".join("?" * many)


def _uuid(kind: str, at: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {at}"))


def _digest(kind: str, at: int) -> bytes:
    return hashlib.sha256(f"{kind} {at}".encode()).digest()
