"""F4: the database is locked, stopped or frozen. Hooks hardly notice; feedback is refused soon, and later kept."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.history import History, stored
from tests.faults.service import FEEDBACK, HOOK, Line, Service, fresh_token, hook_body, running
from tests.reliability.load import percentile
from tests.store import postgres
from tests.store.postgres import Cluster

CALLERS = 16
RATE = 50
SECONDS = 30.0
_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""

Outage = Callable[[], AbstractContextManager[None]]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process holds SQLite's lock."""
    command = [sys.executable, "-c", _HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.communicate()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    yield
    cluster.start()


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """It neither answers nor ends its connections, as when its disk or its host hangs."""
    cluster.freeze()
    yield
    cluster.thaw()


@dataclass(frozen=True)
class Calls:
    """Hook calls at a fixed rate, each timed from when it was due."""

    seconds: list[float]
    statuses: Counter[int]

    def p99(self) -> float:
        return percentile(self.seconds, 99)


def call_hooks(port: int, seconds: float, rate: float = RATE) -> Calls:
    """*rate* calls a second with a token each."""
    due: queue.Queue[tuple[float, str] | None] = queue.Queue()
    seen = Calls([], Counter())
    body = hook_body()
    tokens = [fresh_token(HOOK) for _ in range(int(seconds * rate))]

    def call() -> None:
        line = Line(port)
        while (asked := due.get()) is not None:
            at, bearer = asked
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                status = line.post(HOOK, body, bearer).status
            except OSError:
                status = 0
            seen.statuses[status] += 1
            seen.seconds.append(time.monotonic() - at)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    start = time.monotonic()
    for at, bearer in enumerate(tokens):
        due.put((start + at / rate, bearer))
    for caller in callers:
        due.put(None)
        caller.start()
    for caller in callers:
        caller.join()
    return seen


@contextmanager
def reporting(port: int, history: History, clients: int) -> Iterator[None]:
    """*clients* post feedback all the time, with a moment between two posts."""
    done = threading.Event()

    def report() -> None:
        line = Line(port)
        while not done.wait(0.05):
            history.add(line.report(str(uuid.uuid4()), fresh_token(FEEDBACK)))

    threads = [threading.Thread(target=report) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class Figures:
    before: Calls
    during: Calls
    refused: int
    slowest_refusal: float
    wrong: set[int | None]
    back_after: float
    faults: list[str]


def run(service: Service, outage: Outage, seconds: float, clients: int = 5) -> Figures:
    """*seconds* of calls while all is well, and as many in the outage, with feedback all the time."""
    before, during = History(), History()
    with reporting(service.port, before, clients):
        well = call_hooks(service.port, seconds)
    with outage():
        with reporting(service.port, during, clients):
            ill = call_hooks(service.port, seconds)
        ended = time.monotonic()
    back = _until_kept(service.port, during) - ended
    refusals = [each for each in during.operations if not each.acknowledged]
    for each in before.operations:
        during.add(each)
    return Figures(
        well,
        ill,
        len(refusals),
        max((each.seconds for each in refusals), default=0.0),
        {each.status for each in refusals} - {503},
        back,
        during.faults(stored(service.url)),
    )


def _until_kept(port: int, history: History) -> float:
    """When both are back: feedback is kept, and used tokens are noted again."""
    line, deadline = Line(port), time.monotonic() + SECONDS
    while True:
        history.add(operation := line.report(str(uuid.uuid4()), fresh_token(FEEDBACK)))
        if operation.acknowledged and b'"ready"' in line.get("/readyz").body:
            return time.monotonic()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def met(seen: Figures, refused_within: float = 2.0) -> bool:
    return (
        set(seen.during.statuses) == {200}
        and seen.during.p99() <= 2 * seen.before.p99() + 0.05
        and seen.refused > 0
        and seen.slowest_refusal <= refused_within
        and not seen.wrong
        and not seen.faults
    )


def _told(name: str, seen: Figures, refused_within: float = 2.0) -> bool:
    print(
        f"F4 {name}: hooks p99 {seen.before.p99() * 1000:.0f} ms before, {seen.during.p99() * 1000:.0f} ms during "
        f"(slowest {max(seen.during.seconds) * 1000:.0f} ms, {len(seen.during.seconds)} calls, "
        f"{dict(seen.during.statuses)}); {seen.refused} posts refused, the slowest after {seen.slowest_refusal:.2f} s, "
        f"other answers {seen.wrong or 'none'}; back after {seen.back_after:.1f} s; "
        f"{len(seen.faults)} lost or doubled",
        flush=True,
    )
    return met(seen, refused_within)


def main(seconds: float = 10.0) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        with running(Path(folder), f"sqlite:///{file}", "production") as service:
            answers = [_told("SQLite locked 10 s", run(service, lambda: locked(file), seconds))]
    # A frozen server costs one try for the old connection, and one for a new.
    for name, outage, within in (("stopped", stopped, 2.0), ("frozen", frozen, 4.0)):
        with ExitStack() as stack:
            cluster = stack.enter_context(postgres.running())
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            service = stack.enter_context(running(Path(folder), cluster.fresh(), "production"))
            seen = run(service, partial(outage, cluster), seconds)
            answers.append(_told(f"PostgreSQL {name} 10 s", seen, within))
    return all(answers)


if __name__ == "__main__":
    sys.exit(not main())
