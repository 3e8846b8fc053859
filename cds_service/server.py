"""The server ``serve`` runs: waitress, with a limit on everything a caller can hold.

waitress reads requests in one thread, each to its end, and answers them in others: a slow caller costs a
socket and no thread. Left out there and added here: how long a request may take to arrive and an answer to be
fetched, how many calls may wait, how much may be held in memory, how to stop, and errors in our own words.
"""

from __future__ import annotations

import gc
import math
import resource
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

from cds_service.calls import Calls
from cds_service.connection import Busy, Connection
from cds_service.lifecycle import Lifecycle

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TICK = 0.25
"""Seconds between two looks at the age of every connection."""
SWITCH_SECONDS = 0.0001
"""How soon the reading thread gets its turn while calls compute; the default of 5 ms makes it wait in line."""
COLLECT_AFTER = (20_000, 20, 20)
"""Objects before the collector looks: a call leaves few cycles, and a look in its midst is what makes it late."""
ACCEPTED_AT_ONCE = 64
BEHIND_SECONDS = 0.02
SEND_BUFFER = 128 << 10
LAST_IDLE_SECONDS = 1.0
"""Once the port is closed: how long a connection may stay without a request."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True)
class Limits:
    """What callers may hold, by number, second and byte; the reasons and figures are in docs/reliability.md."""

    threads: int = 12
    """Eight calls may wait for an EHR; four are always left."""
    connections: int = 4000
    idle_seconds: float = 4.0
    """Without a byte of a next request. With the next limit: nobody holds a socket for 15 s and asks nothing."""
    request_seconds: float = 10.0
    """From the first byte of a request to its last; and for an answer to be fetched."""
    queue: int = 200
    """Calls waiting for a thread; above it a call is refused before it costs one."""
    wait_seconds: float = 0.5
    """While calls are being refused, so is one that waited longer; half of the second that answers may take."""
    young_seconds: float = 0.01
    """A call this old is taken to wait for an EHR, and the next is begun beside it."""
    held_bytes: int = 512 << 20
    """Of requests that have not been answered; they are never written to disk."""
    header_bytes: int = 64 << 10
    lead_seconds: float = 1.5
    """Told to stop: load balancers see /readyz before the port closes."""
    drain_seconds: float = 30.0
    """Told to stop: whatever is unanswered then is dropped."""


def serve(
    app: WSGIApplication,
    *,
    host: str,
    port: int,
    max_body: int,
    lifecycle: Lifecycle,
    limits: Limits | None = None,
) -> None:
    """Answer until SIGTERM or SIGINT, then finish what was accepted and return.

    Raises :class:`OSError` when the address cannot be listened on, and :class:`SystemExit` with 1 when told
    twice or when calls were left after ``drain_seconds``.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what is loaded by now stays: the collector need not go through it again and again
    gc.set_threshold(*COLLECT_AFTER)
    # Before the port opens: from then on a load balancer may send calls, and a stop must be an orderly one.
    before = {number: signal.signal(number, lambda *_: lifecycle.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server = Server(app, listen(host, port), limits or Limits(), lifecycle, max_body)
        finished = server.answer_until_stopped()
        server.close()
    finally:
        for number, action in before.items():
            signal.signal(number, action)
    if not finished:
        raise SystemExit(1)


def listen(host: str, port: int) -> socket.socket:
    """A socket for :class:`Server`. Raises :class:`OSError` when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Accepted sockets inherit it: what nobody fetches is held by the kernel too, by default up to megabytes each.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return listener


def _descriptors(wanted: int) -> int:
    """Open files this process may have; asks for more where the limit is meant for interactive programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(wanted, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _adjustments(limits: Limits, max_body: int) -> Adjustments:
    # Above the application's own cap, whose refusal needs no closed connection; far above, it is ours.
    largest = 2 * max_body + (64 << 10)
    spare = 128  # the files, the database and the calls to an EHR
    return Adjustments(
        connection_limit=_descriptors(limits.connections + spare) - spare,
        asyncore_use_poll=True,  # select() fails above descriptor 1023
        recv_bytes=256 << 10,
        inbuf_overflow=largest + (64 << 10),  # never: beyond it waitress would write patient data to disk
        outbuf_overflow=1 << 30,
        max_request_header_size=limits.header_bytes,
        max_request_body_size=largest,
        log_socket_errors=False,
        ident=None,
    )


def _path(request: HTTPRequestParser) -> str:
    """Empty when the request line could not be read."""
    return getattr(request, "path", "")


class Server(TcpWSGIServer):
    """One listening socket, one reading thread, and the threads that answer."""

    channel_class = Connection
    active_channels: dict[int, Connection]  # type: ignore[assignment]

    def __init__(
        self, app: WSGIApplication, listener: socket.socket, limits: Limits, lifecycle: Lifecycle, max_body: int
    ) -> None:
        self.limits = limits
        self.lifecycle = lifecycle
        self.max_body = max_body
        self._reader = 0
        self._held = 0
        self._last_full = -math.inf
        self._next_look = 0.0
        self.reading_since: float | None = None
        self.calls = Calls(limits.threads, limits.young_seconds, self._behind)
        address = (listener.family, listener.type, listener.proto, listener.getsockname())
        adjustments = _adjustments(limits, max_body)
        super().__init__(app, {}, True, listener, self.calls, adjustments, address, bind_socket=False)  # type: ignore[arg-type]

    def answer_until_stopped(self) -> bool:
        """Answer until the lifecycle says stop, then what was accepted; whether all of that was answered."""
        self._reader = threading.get_ident()
        limits, lifecycle = self.limits, self.lifecycle
        while not lifecycle.draining:
            self._turn(limits.idle_seconds)
        told = time.monotonic()
        while not lifecycle.hurried and time.monotonic() < told + limits.lead_seconds:
            self._turn(limits.idle_seconds)
        self.handle_accept()  # those that are connected already
        wasyncore.dispatcher.close(self)
        while self.active_channels and not lifecycle.hurried and time.monotonic() < told + limits.drain_seconds:
            self._turn(LAST_IDLE_SECONDS)
        return not self.active_channels

    def _turn(self, idle_seconds: float) -> None:
        wasyncore.loop(TICK, use_poll=True, map=self._map, count=1)  # type: ignore[attr-defined]
        self.reading_since = None
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + TICK
        for connection in list(self.active_channels.values()):
            if connection.overdue(now, idle_seconds):
                connection.handle_close()  # at once: whoever does not read never becomes writable

    def _behind(self) -> bool:
        """Whether this turn's reading takes long, because much has arrived."""
        since = self.reading_since
        return since is not None and time.monotonic() - since > BEHIND_SECONDS

    def maintenance(self, now: float) -> None:
        """Nothing: waitress's own sweep goes by the wall clock, which may be set back."""

    def handle_accept(self) -> None:
        """Take all that wait, not one a turn: a turn looks at every connection there is."""
        for _ in range(ACCEPTED_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return

    def pull_trigger(self) -> None:
        """Wake the reading thread, which need not wake itself."""
        if threading.get_ident() != self._reader:
            super().pull_trigger()

    def add_task(self, task: Any) -> None:
        """A request has been read; in the reading thread, the place to refuse it at no thread's cost."""
        request = task.requests[0]
        task.began, task.queued = None, time.monotonic()
        if threading.get_ident() == self._reader and (request.error or self._full(request, task.queued)):
            request.error = request.error or Busy("")
            task.refused = True
        else:
            self.calls.add(task, first=_path(request) in PROBES)

    def _full(self, request: HTTPRequestParser, now: float) -> bool:
        if len(self.calls) < self.limits.queue or _path(request) in PROBES:
            return False
        self._last_full = now
        return True

    def too_late(self, queued: float) -> bool:
        """Whether a call queued at *queued* must make way. While none is refused, a late answer is the better one."""
        now = time.monotonic()
        return now - self._last_full < 1.0 and now - queued > self.limits.wait_seconds

    def may_hold(self, more: int) -> bool:
        """Count *more* bytes; whether memory is left. Answered ones are found gone when it matters."""
        self._held += more
        if self._held > self.limits.held_bytes:
            self._held = sum(connection.held for connection in list(self.active_channels.values()))
        return self._held <= self.limits.held_bytes

    def close(self) -> None:
        self.calls.stop(seconds=0.2)
        super().close()
        for connection in list(self.active_channels.values()):
            connection.handle_close()
