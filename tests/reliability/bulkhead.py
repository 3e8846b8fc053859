"""F6, the server's half: with eight calls stuck, as many as may wait for an EHR, the others are unaffected."""

from __future__ import annotations

import sys
import threading
import time

from tests.reliability.launch import STUCK_SECONDS, call, running
from tests.reliability.load import Load, request_bytes

STUCK = 8
RATE = 100


def main() -> bool:
    with running() as server:
        free = Load(server.port, call()).open(RATE, STUCK_SECONDS / 2)
        stuck = Load(server.port, request_bytes("/stuck"))
        waiting = threading.Thread(target=stuck.open, args=(STUCK / 0.1, 0.1))
        waiting.start()
        start = time.monotonic()
        beside = Load(server.port, call()).open(RATE, STUCK_SECONDS / 2)
        within = time.monotonic() - start < STUCK_SECONDS
        waiting.join()
    print(
        f"F6 bulkhead: p99 {free.p99() * 1000:.0f} ms alone, {beside.p99() * 1000:.0f} ms beside "
        f"{stuck.seen.count(204)} stuck calls, errors {dict(beside.errors)}"
    )
    unaffected = beside.p99() <= max(0.1, 2 * free.p99()) and set(beside.seconds) == {200} and not beside.errors
    return unaffected and within and stuck.seen.count(204) == STUCK


if __name__ == "__main__":
    sys.exit(not main())
