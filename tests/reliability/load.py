"""Callers in one thread: a fixed number that wait for each answer, or a fixed rate whatever the answers."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

KEPT_SECONDS = 2.0
"""Seconds a caller trusts an idle connection; the server closes it after four."""
PATIENCE = 10.0
"""Seconds a caller waits for an answer before it counts as an error."""


def request_bytes(path: str, body: bytes | None = None, more: str = "") -> bytes:
    """One HTTP request; POST when there is a body."""
    if body is None:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Seen:
    """What the callers saw: an answer's status and seconds, and every call that got none."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    bare_refusals: int = 0
    """503 without Retry-After."""

    def add(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)

    def count(self, status: int) -> int:
        return len(self.seconds.get(status, ()))

    def p99(self, status: int = 200) -> float:
        return percentile(self.seconds.get(status, ()), 99)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; infinite of nothing, so that no criterion is met by silence."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.inf


class Caller:
    """One keep-alive connection, one call at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.received = b""
        self.asked = 0.0

    def ask(self, request: bytes, asked: float) -> None:
        self.unsent, self.received, self.asked = memoryview(request), b"", asked
        self.push()

    def push(self) -> None:
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return

    def pull(self) -> bytes | None:
        """The head of the answer once all of it is here. Raises :class:`ConnectionError` when it never will be."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionResetError
        self.received += more
        head, end, body = self.received.partition(b"\r\n\r\n")
        return head if end and len(body) >= _length(head) else None


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)


class Load:
    """Runs callers over one selector. *seen* may be read while it runs."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port = port
        self.request = request
        self.seen = Seen()
        self._selector = selectors.DefaultSelector()
        self._idle: list[Caller] = []
        self._busy: dict[Caller, None] = {}

    def closed(self, callers: int, calls: int) -> Seen:
        """*callers* at once, each asking again when answered, until *calls* were asked."""
        asked = 0
        answered = self._answered
        while answered() < calls:
            while asked < calls and len(self._busy) < callers:
                self._ask(time.monotonic())
                asked += 1
            self._turn(0.1)
        return self._finish()

    def open(self, rate: float, seconds: float, most: int = 3000) -> Seen:
        """*rate* calls a second for *seconds*, timed from when each was due, on at most *most* connections."""
        start = time.monotonic()
        asked = 0
        while (now := time.monotonic() - start) < seconds:
            while asked < now * rate:
                if len(self._busy) < most:
                    self._ask(start + asked / rate)
                else:
                    self.seen.errors["no connection left"] += 1
                asked += 1
            self._turn(max(0.0, asked / rate - now))
        while self._busy:
            self._turn(0.1)
        return self._finish()

    def _answered(self) -> int:
        return sum(map(len, self.seen.seconds.values())) + sum(self.seen.errors.values())

    def _ask(self, due: float) -> None:
        try:
            fresh = self._idle and time.monotonic() - self._idle[-1].asked < KEPT_SECONDS
            caller = self._idle.pop() if fresh else self._new()
        except OSError as error:
            self.seen.errors[f"connect: {type(error).__name__}"] += 1
            return
        self._busy[caller] = None
        try:
            caller.ask(self.request, due)
        except OSError as error:
            self._drop(caller, f"send: {type(error).__name__}")
            return
        if caller.unsent:
            self._selector.modify(caller.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)

    def _new(self) -> Caller:
        caller = Caller(self.port)
        self._selector.register(caller.socket, selectors.EVENT_READ, caller)
        return caller

    def _turn(self, wait: float) -> None:
        for key, events in self._selector.select(wait):
            caller: Caller = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    caller.push()
                    if not caller.unsent:
                        self._selector.modify(caller.socket, selectors.EVENT_READ, caller)
                if events & selectors.EVENT_READ:
                    self._read(caller)
            except OSError as error:
                self._drop(caller, type(error).__name__)
        late = time.monotonic() - PATIENCE
        for caller in [each for each in self._busy if each.asked < late][:1]:
            self._drop(caller, "no answer in time")

    def _read(self, caller: Caller) -> None:
        head = caller.pull()
        if head is None:
            return
        now = time.monotonic()
        status = int(head[9:12])
        self.seen.add(status, now - caller.asked)
        self.seen.bare_refusals += status == 503 and b"\r\nRetry-After: " not in head
        del self._busy[caller]
        if b"\r\nConnection: close" in head:
            self._drop(caller, "")
        else:
            self._idle.append(caller)

    def _drop(self, caller: Caller, error: str) -> None:
        self._selector.unregister(caller.socket)
        caller.socket.close()
        if caller in self._busy:
            del self._busy[caller]
            self.seen.errors[error] += 1
        elif caller in self._idle:  # closed by the server while nothing was asked
            self._idle.remove(caller)

    def _finish(self) -> Seen:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()
        return self.seen
