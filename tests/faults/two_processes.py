"""Two processes on one PostgreSQL under load: a used token, a kept item and an answered card are known at both."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.history import History, stored
from tests.faults.service import FEEDBACK, HOOK, Line, Service, fresh_token, hook_body, together
from tests.store import postgres

SECONDS = 300.0
SHOWN_AGAIN_WITHIN = 10.0
"""Seconds until an answered card must be gone at the other process; the ledger is written a moment after the answer."""


@dataclass
class Seen:
    """What the callers saw; each number is of calls."""

    hooks: int = 0
    refused_replays: int = 0
    accepted_replays: int = 0
    not_shown_again: int = 0
    still_shown: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, **more: int) -> None:
        with self.lock:
            for name, by in more.items():
                setattr(self, name, getattr(self, name) + by)


def run(both: Sequence[Service], *, posts: int, hooks: int, lanes: int) -> tuple[Seen, History, list[str]]:
    """*lanes* callers of each kind. What was seen, every post, and what is wrong with what is kept."""
    seen, history = Seen(), History()
    threads = []
    for lane in range(lanes):
        threads.append(threading.Thread(target=_post, args=(both, history, posts // lanes, lane)))
        threads.append(threading.Thread(target=_view, args=(both, history, seen, hooks // lanes, lane)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return seen, history, history.faults(stored(both[0].url))


def _post(both: Sequence[Service], history: History, posts: int, lane: int) -> None:
    """Each item at one process and then again at the other."""
    here, there = (Line(both[(lane + at) % 2].port) for at in range(2))
    for _ in range(posts // 2):
        card = str(uuid.uuid4())
        for line in (here, there):
            history.add(line.report(card, fresh_token(FEEDBACK)))


def _view(both: Sequence[Service], history: History, seen: Seen, hooks: int, lane: int) -> None:
    """Per patient: a call here, the same token there, feedback there, and calls here until the card is gone."""
    here, there = (Line(both[(lane + at) % 2].port) for at in range(2))
    done = 0
    while done < hooks:
        patient, bearer = str(uuid.uuid4()), fresh_token(HOOK)
        body = hook_body(patient)
        card = _card(here, body, bearer, seen)
        replayed = there.post(HOOK, body, bearer).status
        seen.count(refused_replays=replayed == 401, accepted_replays=replayed != 401)
        done += 2
        if card is None:
            continue
        history.add(there.report(card, fresh_token(FEEDBACK)))
        deadline = time.monotonic() + SHOWN_AGAIN_WITHIN
        while again := _card(here, body, fresh_token(HOOK), seen):
            done += 1
            if time.monotonic() > deadline:
                seen.count(still_shown=1)
                break
        done += 1
        seen.count(not_shown_again=again is None)


def _card(line: Line, body: bytes, bearer: str, seen: Seen) -> str | None:
    answer = line.post(HOOK, body, bearer)
    with seen.lock:
        seen.hooks += 1
        seen.statuses[answer.status] += 1
    uuids = answer.body.partition(b'"uuid":"')[2][:36]
    return uuids.decode() or None


def met(seen: Seen, history: History, faults: list[str]) -> bool:
    return (
        not faults
        and all(operation.acknowledged for operation in history.operations)
        and set(seen.statuses) == {200}
        and not seen.accepted_replays
        and not seen.still_shown
        and seen.refused_replays > 0
        and seen.not_shown_again > 0
    )


def main() -> bool:
    began = time.monotonic()
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.running())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        both = stack.enter_context(together(Path(folder), cluster.fresh(), 2))
        seen, history, faults = run(both, posts=5200, hooks=3200, lanes=4)
    refused = sum(not operation.acknowledged for operation in history.operations)
    print(
        f"Two processes on one PostgreSQL, {time.monotonic() - began:.0f} s: {len(history.operations)} posts of "
        f"{len(history.acknowledged)} items, {refused} refused, {len(faults)} lost or doubled; {seen.hooks} hook calls "
        f"{dict(seen.statuses)}; {seen.refused_replays} tokens refused at the other process, {seen.accepted_replays} "
        f"accepted; {seen.not_shown_again} answered cards not shown again, {seen.still_shown} still shown"
    )
    return met(seen, history, faults)


if __name__ == "__main__":
    sys.exit(not main())
