"""A ledger written by hand: a card in a word or two, and what was said of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from cds_service.report.figures import Report
from cds_service.report.tally import Scope
from cds_service.report.write import make_report
from cds_service.store.database import Database
from tests.report.simulate import Simulated, write

NOON = "2026-06-03T12:00:00.000Z"
"""A Wednesday."""


def at(moment: str) -> int:
    """Milliseconds since 1970."""
    return round(datetime.fromisoformat(moment).astimezone(UTC).timestamp() * 1000)


def named(name: str) -> str:
    """The uuid that stands for *name*."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


class Book:
    """Rows to be written; each method adds some."""

    def __init__(self) -> None:
        self.rows = Simulated()

    def card(self, name: str, issued: str = NOON, **changes: Any) -> str:
        row = {"service": "relapsed-refractory-all", "client": "north", "class": "relapsed", "rule": "R7"}
        row |= {"digest": "sha256:1", "display": "shown", "card": named(name), "issued": at(issued)}
        self.rows.cards.append(row | changes)
        return name

    def cards(self, many: int, outcome: str = "", **changes: Any) -> None:
        """*many* cards of a kind, each answered by *outcome* if there is one."""
        for _ in range(many):
            name = self.card(f"card {len(self.rows.cards)}", **changes)
            if outcome:
                self.event(name, outcome, client=changes.get("client", "north"))

    def suggestion(self, name: str, card: str, kind: str = "expert-review") -> None:
        self.rows.suggestions.append({"suggestion": named(name), "card": named(card), "kind": kind})

    def event(self, card: str | None, outcome: str, moment: str = NOON, client: str = "north") -> int:
        number = len(self.rows.events) + 1
        row = {"id": number, "item": number.to_bytes(32), "received": at(moment), "happened": at(moment)}
        self.rows.events.append(row | {"client": client, "card": card and named(card), "outcome": outcome})
        return number

    def accept(self, card: str, *suggestions: str) -> None:
        number = self.event(card, "accepted")
        self.rows.accepted += [{"event": number, "suggestion": named(each)} for each in suggestions]

    def override(self, card: str, *codes: tuple[str | None, str | None], comment: str | None = None) -> int:
        number = self.event(card, "overridden")
        self.rows.reasons += [
            {"event": number, "position": position, "system": system, "code": code, "comment": comment}
            for position, (system, code) in enumerate(codes)
        ]
        return number

    def write(self, database: Database) -> None:
        def work(connection: Connection) -> None:
            write(connection, self.rows)

        database.run(work)

    def report(self, database: Database, scope: Scope | None = None) -> Report:
        self.write(database)
        return make_report(database, scope or Scope())
