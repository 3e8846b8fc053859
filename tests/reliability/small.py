"""The real server around a small application, on loopback, with limits of a second or less."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cds_service.lifecycle import Lifecycle
from cds_service.server import Limits, Server, listen

MAX_BODY = 1024
SHORT = Limits(
    threads=4,
    idle_seconds=0.3,
    request_seconds=0.4,
    lead_seconds=0.3,
    drain_seconds=3.0,
)


class Pages:
    """Answers ``/held`` once *released*, ``/broken`` never, ``/large`` with much, and anything else at once."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.held = 0

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/held":
            self.held += 1
            self.released.wait(10)
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError(body)
        answer = b"x" * (1 << 20) if environ["PATH_INFO"] == "/large" else b"%d bytes" % len(body)
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]


class Started:
    """A server in a thread, and how to talk to it."""

    def __init__(self, limits: Limits, app: Any = None, max_body: int = MAX_BODY) -> None:
        self.pages = Pages()
        self.lifecycle = Lifecycle()
        listener = listen("127.0.0.1", 0)
        self.server = Server(app or self.pages, listener, limits, self.lifecycle, max_body)
        self.port = listener.getsockname()[1]
        self.finished: bool | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.finished = self.server.answer_until_stopped()

    def send(self, data: bytes) -> socket.socket:
        caller = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        caller.sendall(data)
        return caller

    def ask(self, data: bytes) -> bytes:
        """Everything the server sends until it closes the connection."""
        with self.send(data) as caller:
            return read_to_end(caller)

    def stop(self) -> None:
        self.pages.released.set()
        self.lifecycle.stop()
        self.lifecycle.stop()
        self.thread.join(5)
        self.server.close()


def read_to_end(caller: socket.socket) -> bytes:
    received = b""
    try:
        while more := caller.recv(1 << 16):
            received += more
    except ConnectionResetError:
        pass
    return received


def until(happened: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether *happened* within *seconds*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.005)  # between two looks; the server needs the processor
    return False


@contextmanager
def started(limits: Limits, app: Any = None, max_body: int = MAX_BODY) -> Iterator[Started]:
    made = Started(limits, app, max_body)
    try:
        yield made
    finally:
        made.stop()
