"""F10: SIGTERM with calls in flight, half of them still arriving. All are answered, readiness turns first, exit 0."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import time

from tests.reliability.launch import Running, call, running

EACH = 50


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def until_port_closes(port: int) -> tuple[bool, float]:
    """Whether readiness had turned by then, and after how long."""
    start, turned = time.monotonic(), False
    while time.monotonic() < start + 10:
        try:
            turned = status_of(port, "/readyz") == 503 or turned
        except OSError:
            return turned, time.monotonic() - start
    return turned, float("inf")


def answer_to(caller: socket.socket, rest: bytes) -> bytes:
    """The status line, once the *rest* of the request was sent and the server closed the connection."""
    received = b""
    try:
        caller.sendall(rest)
        while more := caller.recv(1 << 16):
            received += more
    except OSError:
        return b"lost"
    return received.partition(b"\r\n")[0]


def in_flight(server: Running, whole: bytes, sent: int) -> list[socket.socket]:
    callers = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(EACH)]
    for caller in callers:
        caller.sendall(whole[:sent])
    return callers


def main() -> bool:
    whole = call()
    half = len(whole) // 2
    with running() as server:
        arriving, waiting = in_flight(server, whole, half), in_flight(server, whole, len(whole))
        server.process.send_signal(signal.SIGTERM)
        turned, port_open = until_port_closes(server.port)
        answers = [answer_to(each, b"") for each in waiting] + [answer_to(each, whole[half:]) for each in arriving]
        code = server.process.wait(timeout=40)
    answered = answers.count(b"HTTP/1.1 200 OK")
    print(
        f"F10 stopping: {answered} of {2 * EACH} calls in flight answered, /readyz "
        f"{'turned' if turned else 'did not turn'} before the port closed after {port_open:.1f} s, exit {code}"
    )
    return answered == 2 * EACH and turned and port_open < 10 and code == 0


if __name__ == "__main__":
    sys.exit(not main())
