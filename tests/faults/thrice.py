"""F2: each item is sent three times at the same moment; one event, and three equal replies."""

from __future__ import annotations

import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

from tests.faults.history import History, stored
from tests.faults.service import FEEDBACK, Line, Service, fresh_token, together
from tests.store import postgres

SECONDS = 240.0
TIMES = 3


def run(services: Sequence[Service], *, items: int, lanes: int) -> tuple[History, list[str]]:
    """*lanes* trios of clients; each trio sends its items together. The history, and what is wrong with it."""
    history = History()
    threads = [thread for _ in range(lanes) for thread in _trio(services, history, items // lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    faults = history.faults(stored(services[0].url))
    faults += [f"refused: {operation.item}" for operation in history.operations if not operation.acknowledged]
    return history, faults


def _trio(services: Sequence[Service], history: History, items: int) -> list[threading.Thread]:
    cards = [str(uuid.uuid4()) for _ in range(items)]
    gate = threading.Barrier(TIMES)

    def send(service: Service) -> None:
        line = Line(service.port)
        for card in cards:
            gate.wait(SECONDS)
            history.add(line.report(card, fresh_token(FEEDBACK)))

    return [threading.Thread(target=send, args=(services[at % len(services)],)) for at in range(TIMES)]


def main() -> bool:
    met = True
    with postgres.running() as cluster, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, services in (("SQLite", 1), ("PostgreSQL", 1), ("PostgreSQL, two processes", 2)):
            (at := folder / name).mkdir()
            url = f"sqlite:///{at}/store.db" if name == "SQLite" else cluster.fresh()
            with together(at, url, services) as all_of_them:
                history, faults = run(all_of_them, items=1000, lanes=4)
            posts, events = len(history.operations), len(stored(url))
            print(f"F2 three at once, {name}: {posts} posts, {events} events, {len(faults)} lost, doubled or refused")
            met = met and not faults and events == 1000 and posts == 3000
    return met


if __name__ == "__main__":
    sys.exit(not main())
