"""Invented feedback: 10,000 events on about 12,000 cards, 26 weeks, 3 clients. ``python -m tests.report.simulate URL``

The same seed gives the same rows. Everything is kept as plain rows too, so that tests can count them by hand.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert

from cds_service.store.database import FOR_OPERATORS, Database, database_url
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    metadata,
    override_reason,
)
from tests.charts import knowledge

Row = dict[str, Any]
FIRST_MONDAY = date(2026, 3, 30)
START = int(datetime(2026, 3, 30, tzinfo=UTC).timestamp()) * 1000
DAY = 86_400_000
WEEKS = 26
CARDS, EVENTS = 12_000, 10_000
CLIENTS = ("north-hospital", "south-hospital", "day-clinic")
CLIENT_WEIGHTS = (60, 30, 10)
SPEAKING = ("relapsed", "refractory", "indeterminate")
WEIGHTS = {"R7": 30, "R10": 12, "R11": 14, "R18": 10, "R12": 6, "R14": 5, "R8": 5, "R3": 8, "R5": 3, "R11a": 0.06}
OVERRIDDEN = {"R7": 0.25, "R10": 0.4, "R11": 0.55, "R18": 0.95, "R3": 0.93, "R11a": 0.5}
"""The share of a rule's answered cards that clinicians override."""


@dataclass
class Simulated:
    """The rows of each table."""

    cards: list[Row] = field(default_factory=list)
    suggestions: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    accepted: list[Row] = field(default_factory=list)
    reasons: list[Row] = field(default_factory=list)


def simulate(seed: int = 1, cards: int = CARDS, events: int = EVENTS) -> Simulated:
    """*cards* issued cards and exactly *events* events on them, on other clients' cards, and on no card at all."""
    chance, made = random.Random(seed), Simulated()
    rules = [rule for rule in knowledge().rules.values() if rule.classification in SPEAKING]
    weights = [WEIGHTS.get(rule.id, 1.5) for rule in rules]
    for _ in range(cards):
        rule = chance.choices(rules, weights)[0]
        made.cards.append(_card(chance, rule.id, rule.classification))
        _offer(chance, made, made.cards[-1])
    offered: dict[str, list[str]] = {}
    for row in made.suggestions:
        offered.setdefault(row["card"], []).append(row["suggestion"])
    waiting = chance.sample(made.cards, int(cards * 0.72))
    while len(made.events) < events:
        _answer(chance, made, waiting.pop() if waiting else chance.choice(made.cards), offered)
    return _first_events(made, events)


def _first_events(made: Simulated, events: int) -> Simulated:
    """Without what a last answer of two events added beyond *events*."""
    made.events = made.events[:events]
    made.accepted = [row for row in made.accepted if row["event"] <= events]
    made.reasons = [row for row in made.reasons if row["event"] <= events]
    return made


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _card(chance: random.Random, rule: str, classification: str) -> Row:
    client = chance.choices(CLIENTS, CLIENT_WEIGHTS)[0]
    issued = START + int(chance.random() * WEEKS * 7 * DAY)
    live = client != "day-clinic" or issued >= START + 8 * 7 * DAY
    return {
        "card": _uuid(chance),
        "issued": issued,
        "service": "relapsed-refractory-all",
        "client": client,
        "class": classification,
        "rule": rule,
        "digest": "sha256:simulated",
        "display": chance.choices(("shown", "repeated"), (92, 8))[0] if live else "silent",
    }


def _offer(chance: random.Random, made: Simulated, card: Row) -> None:
    kinds = ["expert-review"] + ["genetic-testing"] * (chance.random() < 0.4)
    made.suggestions += [{"suggestion": _uuid(chance), "card": card["card"], "kind": kind} for kind in kinds]


def _answer(chance: random.Random, made: Simulated, card: Row, offered: dict[str, list[str]]) -> None:
    """One event, now and then a second of the other outcome, from the card's client and sometimes from another."""
    about, client = card["card"], card["client"]
    match chance.random():
        case draw if draw < 0.01:
            about = None
        case draw if draw < 0.03:
            about = _uuid(chance)
        case draw if draw < 0.04:
            client = CLIENTS[(CLIENTS.index(client) + 1) % len(CLIENTS)]
    overridden = chance.random() < OVERRIDDEN.get(card["rule"], 0.35)
    outcomes = ["overridden" if overridden else "accepted"]
    if chance.random() < 0.05:
        outcomes.append(chance.choice(("accepted", "overridden")))
    for outcome in outcomes:
        _event(chance, made, {"client": client, "card": about, "outcome": outcome}, card, offered)


def _event(chance: random.Random, made: Simulated, event: Row, card: Row, offered: dict[str, list[str]]) -> None:
    number = len(made.events) + 1
    happened = card["issued"] + int(chance.expovariate(1 / (0.2 * DAY)))
    made.events.append(
        {"id": number, "item": number.to_bytes(32), "received": happened + 900, "happened": happened} | event
    )
    if event["outcome"] == "accepted":
        taken = [each for each in offered[card["card"]] if chance.random() < 0.8]
        made.accepted += [{"event": number, "suggestion": each} for each in taken]
    else:
        made.reasons += _reasons(chance, number)


def _reasons(chance: random.Random, event: int) -> Iterable[Row]:
    known = [(reason.system, reason.code) for reason in knowledge().override_reasons]
    choices = [*known, (None, "other"), (None, None)]
    weights = [2, 9, 6, 20, 40, 8, 0.05, 4, 6]
    for position in range(chance.choices((0, 1, 2), (15, 75, 10))[0]):
        system, code = chance.choices(choices, weights)[0]
        yield {"event": event, "position": position, "system": system, "code": code, "comment": None}


def write(connection: Connection, made: Simulated) -> None:
    """Put every row into its table; the tables are there."""
    rows = {
        issued_card: made.cards,
        issued_suggestion: made.suggestions,
        feedback_event: made.events,
        accepted_suggestion: made.accepted,
        override_reason: made.reasons,
    }
    for table in metadata.sorted_tables:
        for first in range(0, len(rows.get(table, [])), 1000):
            connection.execute(insert(table), rows[table][first : first + 1000])


if __name__ == "__main__":
    Database(database_url(sys.argv[1]), time.monotonic, FOR_OPERATORS).run(
        lambda connection: write(connection, simulate())
    )
