"""F11: 1,200 half-open callers, and some that drip or never read, at once; the others must not notice."""

from __future__ import annotations

import socket
import sys
import threading
import time

from tests.reliability.launch import HOOK, Running, call, running, story
from tests.reliability.load import Load, request_bytes

EACH = 400
DRIPPING = 50
RATE = 40
SECONDS = 18.0


def held(port: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Every held socket, and those of them that drip."""
    whole = request_bytes(HOOK, story())
    head = whole[: whole.index(b"\r\n\r\n")]
    begun = [head[:40]] * EACH + [whole[: len(whole) // 2]] * EACH + [b""] * EACH
    sockets = [_begin(port, part) for part in begun]
    sockets += [_begin(port, request_bytes("/openapi.json") * 60, reads=False) for _ in range(DRIPPING)]
    dripping = [_begin(port, part) for part in [head[:20], head + b"\r\n\r\n{", b""] for _ in range(DRIPPING)]
    return sockets + dripping, dripping


def _begin(port: int, part: bytes, reads: bool = True) -> socket.socket:
    begun = socket.socket()
    if not reads:
        begun.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    begun.settimeout(10)
    begun.connect(("127.0.0.1", port))
    begun.setblocking(False)
    if part:
        begun.send(part)
    return begun


def drip(sockets: list[socket.socket], stopped: threading.Event) -> None:
    """A byte each two seconds; at last an empty line each, which is no request either."""
    while not stopped.wait(2.0):
        for number, each in enumerate(sockets):
            try:
                each.send(b"a" if number < 2 * DRIPPING else b"\r\n")
            except OSError:
                continue


def accepted(server: Running, wanted: int) -> int:
    """How many sockets the server holds, once it holds *wanted* or three seconds have gone."""
    deadline = time.monotonic() + 3
    while (number := server.open_sockets()) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)  # the server needs the processor
    return number


def seconds_until_closed(server: Running, start: float, left: int) -> float:
    """From *start* until the server holds no more than *left* sockets; infinite after twenty seconds."""
    while (now := time.monotonic()) < start + 20:
        if server.open_sockets() <= left:
            return now - start
        time.sleep(0.05)  # the other processes need the processor
    return float("inf")


def main() -> bool:
    with running() as server:
        stopped, found = threading.Event(), [float("inf")]
        before = server.open_sockets()
        start = time.monotonic()
        sockets, dripping = held(server.port)
        most = accepted(server, len(sockets))

        def watch() -> None:
            found[0] = seconds_until_closed(server, start, before + RATE)

        threads = [threading.Thread(target=drip, args=(dripping, stopped)), threading.Thread(target=watch)]
        for thread in threads:
            thread.start()
        seen = Load(server.port, call()).open(RATE, SECONDS)
        stopped.set()
        for thread in threads:
            thread.join()
        for each in sockets:
            each.close()
    print(
        f"F11 slow clients: {most} sockets held, all closed after {found[0]:.1f} s; the others: "
        f"{seen.count(200)} answers, p99 {seen.p99() * 1000:.0f} ms, errors {dict(seen.errors)}"
    )
    unaffected = seen.p99() <= 1 and not seen.errors and set(seen.seconds) == {200}
    return most >= len(sockets) and found[0] <= 15 and unaffected


if __name__ == "__main__":
    sys.exit(not main())
