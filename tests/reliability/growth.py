"""F7: 200 callers at once, 10,000 calls. No error, and no memory that grows with the calls."""

from __future__ import annotations

import sys
import time

from tests.reliability.launch import call, running
from tests.reliability.load import Load

CALLERS = 200


def main() -> bool:
    with running() as server:
        Load(server.port, call()).closed(CALLERS, 1000)
        early = server.resident_kilobytes()
        start = time.monotonic()
        seen = Load(server.port, call()).closed(CALLERS, 9000)
        seconds = time.monotonic() - start
        growth = server.resident_kilobytes() / early - 1
    wrong = 9000 - seen.count(200)
    print(
        f"F7 growth: 10,000 calls by {CALLERS} callers, {wrong} errors, {9000 / seconds:.0f}/s, "
        f"p99 {seen.p99():.2f} s, memory {early // 1024} MB {growth:+.1%} from call 1,000 to 10,000"
    )
    return not wrong and growth < 0.10


if __name__ == "__main__":
    sys.exit(not main())
