"""Sends the requests, judges the answers, keeps the figures."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from flask.testing import FlaskClient

from tests.corpus.service import FEEDBACK, HOOK, cards_without_ids, open_service
from tests.fuzz import mutate, odd
from tests.fuzz.by_schema import cases
from tests.fuzz.judge import Seen, faults, timed

TODAY = "2026-11-01"
BY_SCHEMA = 50
"""One request of so many is made from our own OpenAPI document; these take the most time to make."""
PATHS = (HOOK,) * 60 + (
    FEEDBACK,
    f"{HOOK}/",
    "/cds-services",
    "/cds-services/other",
    f"/{odd.CANARY}",
    "/about",
    "/readyz",
)
MEDIA_TYPES = ("application/json",) * 60 + (
    "application/json; charset=utf-8",
    "text/plain",
    "",
    odd.CANARY,
    "a/b;c=\xff",
)


@dataclass
class Figures:
    """What one process saw."""

    runs: int = 0
    slowest: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        self.runs += other.runs
        self.slowest = max(self.slowest, other.slowest)
        self.statuses += other.statuses
        self.kinds += other.kinds
        self.faults += other.faults

    def note(self, kind: str, seen: Seen, *, of_hook: bool = False) -> list[str]:
        """Count one answer; what is wrong with it."""
        found = list(faults(seen, of_hook=of_hook))
        self.runs += 1
        self.slowest = max(self.slowest, seen.seconds)
        self.statuses[str(seen.status)] += 1
        self.kinds[kind] += 1
        self.faults.update(found)
        return found

    def as_json(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Figures:
        read: dict[str, Any] = json.loads(text)
        counters = {name: Counter(read[name]) for name in ("statuses", "kinds", "faults")}
        return cls(read["runs"], read["slowest"], **counters)

    def line(self) -> str:
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.kinds.items()))
        return (
            f"{self.runs:,} requests ({kinds}); {statuses}; slowest {self.slowest * 1000:.0f} ms; "
            f"5xx {sum(count for status, count in self.statuses.items() if status >= '500')}; "
            f"canaries {sum(count for fault, count in self.faults.items() if fault.startswith('canary'))}; "
            f"faults {sum(self.faults.values())}"
        )


def fuzz(runs: int, seed: int, seconds: float, folder: Path) -> Figures:
    """*runs* requests, or as many as fit in *seconds*; each body that found a fault is kept in *folder*."""
    rng, figures = Random(seed), Figures()
    app = open_service(TODAY, folder)
    client, until = app.test_client(), time.monotonic() + seconds
    for seen in cases(app, runs // BY_SCHEMA, seed, until):
        figures.note("schema", seen)
    while figures.runs < runs and time.monotonic() < until:
        _one(client, rng, figures, folder)
    if odd.CANARY in client.get("/metrics").get_data(as_text=True):
        figures.faults["canary in the metrics"] += 1
    return figures


def _one(client: FlaskClient, rng: Random, figures: Figures, folder: Path) -> None:
    made = mutate.request(rng)
    path = rng.choice(PATHS)
    seen = post(client, made.body, path=path, media_type=rng.choice(MEDIA_TYPES))
    found = figures.note(made.kind, seen, of_hook=path.startswith(HOOK) and path != FEEDBACK)
    if made.like is not None:
        found += _differs(client, made.body, made.like)
        figures.faults.update(found[-1:] if "cards differ" in found else [])
    if found:
        (folder / f"fault-{figures.runs}.json").write_bytes(made.body)


def _differs(client: FlaskClient, body: bytes, like: bytes) -> Iterator[str]:
    """An answer never depends on a resource that no rule reads."""
    one, other = post(client, body), post(client, like)
    if one.status != other.status or (one.status == 200 and _cards(one) != _cards(other)):
        yield "cards differ"


def _cards(seen: Seen) -> str:
    return cards_without_ids(json.loads(seen.body))


def post(client: FlaskClient, body: bytes, path: str = HOOK, media_type: str = "application/json") -> Seen:
    """One call, with a canary for a token, and its answer."""
    headers = {"Content-Type": media_type, "Authorization": f"Bearer {odd.CANARY}.a.b"}
    response, seconds = timed(lambda: client.post(path, data=body, headers=headers))
    return Seen(response.status_code, dict(response.headers), response.get_data(), seconds)
