"""F8: ten times what the service can answer, for a minute. What is answered comes in time, the rest is refused fast."""

from __future__ import annotations

import http.client
import sys
import threading
import time

from tests.reliability.launch import call, running
from tests.reliability.load import Load, Seen, percentile

SECONDS = 60.0


def capacity(port: int) -> float:
    """Calls a second that twenty callers get answered."""
    start = time.monotonic()
    Load(port, call()).closed(callers=20, calls=1500)
    return 1500 / (time.monotonic() - start)


def probe(port: int, stopped: threading.Event, seen: Seen) -> None:
    """Ask ``/healthz`` twice a second, as an orchestrator does."""
    while not stopped.wait(0.5):
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            seen.add(connection.getresponse().status, time.monotonic() - start)
        except OSError as error:
            seen.errors[type(error).__name__] += 1
        finally:
            connection.close()


def main(seconds: float = SECONDS) -> bool:
    stopped, probed = threading.Event(), Seen()
    with running() as server:
        rate = capacity(server.port)
        prober = threading.Thread(target=probe, args=(server.port, stopped, probed))
        prober.start()
        seen = Load(server.port, call()).open(10 * rate, seconds)
        stopped.set()
        prober.join()
    refused = seen.seconds.get(503, [])
    print(
        f"F8 overload: {10 * rate:.0f} calls/s offered, {rate:.0f} can be answered; answered "
        f"{seen.count(200) / seconds:.0f}/s, p99 {seen.p99():.2f} s; refused {len(refused) / seconds:.0f}/s, "
        f"median {percentile(refused, 50) * 1000:.0f} ms, p99 {percentile(refused, 99):.2f} s, "
        f"{seen.bare_refusals} without Retry-After; /healthz {probed.count(200)} of "
        f"{sum(map(len, probed.seconds.values())) + sum(probed.errors.values())}, p99 {probed.p99():.2f} s; "
        f"errors {dict(seen.errors)}"
    )
    fast = seen.p99() <= 1 and percentile(refused, 99) <= 1 and probed.p99() <= 1
    told = set(seen.seconds) == {200, 503} and set(probed.seconds) == {200} and not seen.bare_refusals
    return fast and told and not seen.errors and not probed.errors


if __name__ == "__main__":
    sys.exit(not main())
