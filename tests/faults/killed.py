"""F1: the process group is killed with -9 while clients post feedback; what was acknowledged is there."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.faults.history import History, stored
from tests.faults.service import Line, Service

SECONDS = 240.0


@dataclass(frozen=True)
class Figures:
    posts: int
    acknowledged: int
    unanswered: int
    events: int
    faults: list[str]
    integrity: str


def run(folder: Path, *, items: int, clients: int, kills: int) -> Figures:
    """*clients* post *items* in all, each item until it is acknowledged, while the service is killed *kills* times."""
    service = Service(folder, f"sqlite:///{folder}/store.db", "demo")
    service.start()
    history = History()
    threads = [
        threading.Thread(target=_post_all, args=(service.port, history, items // clients)) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for kill in range(1, kills + 1):
        assert history.until_acknowledged(items * kill // (kills + 1), SECONDS)
        service.kill()
        service.start()
    for thread in threads:
        thread.join(SECONDS)
    service.kill()  # without a last checkpoint: whoever opens the file next recovers it
    return _figures(folder, history)


def _post_all(port: int, history: History, items: int) -> None:
    line, deadline = Line(port), time.monotonic() + SECONDS
    for _ in range(items):
        card = str(uuid.uuid4())
        while card not in history.acknowledged:
            assert time.monotonic() < deadline
            history.add(operation := line.report(card))
            if operation.status is None:
                time.sleep(0.05)  # the service is being started


def _figures(folder: Path, history: History) -> Figures:
    cards = stored(f"sqlite:///{folder}/store.db")
    with sqlite3.connect(folder / "store.db") as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    unanswered = sum(operation.status is None for operation in history.operations)
    return Figures(
        len(history.operations),
        len(history.acknowledged),
        unanswered,
        len(cards),
        history.faults(cards),
        integrity,
    )


def main() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        seen = run(Path(folder), items=1000, clients=20, kills=5)
        seconds = time.monotonic() - began
    print(
        f"F1 kill -9 five times: 1,000 items by 20 clients in {seconds:.0f} s, {seen.posts} posts, "
        f"{seen.unanswered} cut off or refused, {seen.acknowledged} acknowledged, {seen.events} events, "
        f"{len(seen.faults)} lost or doubled, integrity {seen.integrity}"
    )
    return seen.acknowledged == 1000 and not seen.faults and seen.integrity == "ok"


if __name__ == "__main__":
    sys.exit(not main())
