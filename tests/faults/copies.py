"""F14 and backups: 100,000 rows moved to PostgreSQL, and a copy taken while clients post."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cds_service.store.operations import Copied, backup, move, upgrade
from tests.faults.history import History, stored
from tests.faults.service import Line, running
from tests.store import postgres
from tests.store.filled import fill

SECONDS = 60.0


@dataclass(frozen=True)
class Backups:
    acknowledged_before: int
    missing: int
    events: int
    integrity: str
    refused: int
    seconds: float
    served_again: bool


def back_up_and_restore(folder: Path, *, items: int, clients: int) -> Backups:
    """Back up once *items* were acknowledged, while *clients* go on; then run the service on the copy."""
    url, copy = f"sqlite:///{folder}/store.db", folder / "copy.db"
    history = History()
    with running(folder, url) as service:
        done = threading.Event()
        threads = [threading.Thread(target=_post_until, args=(service.port, history, done)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        assert history.until_acknowledged(items, SECONDS)
        before, began = history.acknowledged, time.monotonic()
        backup(url, copy)
        seconds = time.monotonic() - began
        done.set()
        for thread in threads:
            thread.join(SECONDS)
    kept = set(stored(f"sqlite:///{copy}"))
    with closing(sqlite3.connect(copy)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    with running(folder, f"sqlite:///{copy}") as restored:
        served = Line(restored.port).report(next(iter(before))).acknowledged
    events = len(stored(f"sqlite:///{copy}"))
    refused = sum(not operation.acknowledged for operation in history.operations)
    return Backups(len(before), len(before - kept), events, integrity, refused, seconds, served and events == len(kept))


def _post_until(port: int, history: History, done: threading.Event) -> None:
    line = Line(port)
    while not done.is_set():
        history.add(line.report(str(uuid.uuid4())))


def moved(rows: int) -> tuple[list[Copied], list[Copied], float]:
    """SQLite to PostgreSQL, the seconds it took, and back to SQLite for a second comparison."""
    with postgres.running() as cluster, tempfile.TemporaryDirectory() as made:
        source = f"sqlite:///{made}/store.db"
        upgrade(source)
        fill(Path(made) / "store.db", rows)
        target = cluster.fresh()
        began = time.monotonic()
        there = move(source, target)
        return there, move(target, f"sqlite:///{made}/back.db"), time.monotonic() - began


def main() -> bool:
    there, back, seconds = moved(100_000)
    rows = sum(each.rows for each in there)
    print(f"F14 move: {rows:,} rows in {len(there)} tables to PostgreSQL and back in {seconds:.1f} s, {there == back=}")
    with tempfile.TemporaryDirectory() as folder:
        seen = back_up_and_restore(Path(folder), items=1000, clients=10)
    print(
        f"Backup in {seen.seconds:.2f} s while 10 clients posted: {seen.acknowledged_before} items acknowledged "
        f"before, {seen.missing} missing in the copy, {seen.events} events, integrity {seen.integrity}, "
        f"{seen.refused} posts refused; the service runs on the copy: {seen.served_again}"
    )
    return rows == 100_000 and there == back and met(seen)


def met(seen: Backups) -> bool:
    return not seen.missing and seen.integrity == "ok" and seen.served_again and not seen.refused


if __name__ == "__main__":
    sys.exit(not main())
