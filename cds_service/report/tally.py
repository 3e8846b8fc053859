"""What the database counted, before anything is told of it, and for which days and whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

SHOWN = "shown"


@dataclass(frozen=True)
class Scope:
    """What a report is about: whole days in UTC, *since* and *until* both included; one client or all."""

    since: date | None = None
    until: date | None = None
    client: str | None = None

    def __str__(self) -> str:
        first = f"from {self.since}" if self.since else "from the first card"
        last = f"to {self.until}" if self.until else "to the last"
        return f"{first} {last} (UTC), {self.client or 'all clients'}"


@dataclass(frozen=True)
class Tally:
    """Cards of one rule, class, client, week and display, and how many were answered. *week* is its Monday."""

    rule: str
    classification: str
    client: str
    week: date
    display: str
    cards: int
    accepted: int
    overridden: int


@dataclass(frozen=True)
class Found:
    """Everything a report is made of.

    *events* counts feedback by its card's display, None being of no card. *reasons* counts overridden cards by
    (system, code). *suggestions* holds by kind how many were offered and how many accepted.
    """

    tallies: Sequence[Tally]
    events: Mapping[str | None, int]
    reasons: Mapping[tuple[str | None, str], int]
    overridden_without_code: int
    suggestions: Mapping[str, tuple[int, int]]
