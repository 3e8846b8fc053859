"""One caller's socket: how a request arrives, how long it may take, and the answers that need no application."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import BadRequest as Malformed
from waitress.utilities import Error

from cds_service.errors import BadRequest, HeadersTooLarge, ServiceError, TooLarge, Unavailable, Unforeseen

if TYPE_CHECKING:
    from cds_service.server import Server

LONGEST_CHUNK_LINE = 8192
"""Bytes of a chunk's size line or of the trailer. waitress joins them anew at every read, so they cost their square."""
OVERLOADED = "More calls are waiting than can be answered in time. Send this one again in a second."
_ORIGIN = re.compile(r"[!-~]{1,512}")


class Busy(Error):
    """Marks a request to be refused; the words are :data:`OVERLOADED`."""

    code = 503


class _Parser(HTTPRequestParser):
    """A request as it arrives. *may_hold* counts its bytes and says whether there is room for more."""

    def __init__(self, adj: Adjustments, may_hold: Callable[[int], bool]) -> None:
        super().__init__(adj)
        self.may_hold = may_hold
        self.cut = False

    def received(self, data: bytes) -> int:
        taken = super().received(data)
        if not self.may_hold(taken) and not self.completed:
            self._cut(Busy(""))
        elif isinstance(self.body_rcv, ChunkedReceiver) and _longest_line(self.body_rcv) > LONGEST_CHUNK_LINE:
            self._cut(Malformed(""))
        return taken

    def _cut(self, error: Error) -> None:
        self.error, self.completed, self.cut = error, True, True


def _longest_line(body: ChunkedReceiver) -> int:
    return max(len(body.control_line), len(body.trailer))


class _Last(Task):
    """While the process is stopping, every answer is its connection's last."""

    def build_response_header(self) -> bytes:
        server: Any = self.channel.server
        # Whoever was refused for the size of a body should not go on with the next on the same connection.
        if server.lifecycle.draining or self.status.startswith("413"):
            self.set_close_on_finish()
        return super().build_response_header()


class _Answer(_Last, WSGITask):
    """The application's answer."""


class _Refusal(_Last, ErrorTask):
    """An answer the application never saw, in the words and with the headers it would have used."""

    def execute(self) -> None:
        request: Any = self.request
        server: Any = self.channel.server
        error = _service_error(request.error.code, server.max_body)
        if error.status == 503:
            server.lifecycle.refuse()
        body = json.dumps(error.outcome(), separators=(",", ":")).encode()
        self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
        self.response_headers = [*_headers(request.headers.get("ORIGIN", "")), *error.headers.items()]
        self.content_length = len(body)
        # Only a request that was read to its end leaves the connection fit for another.
        if error.status != 503 or request.cut or request.command == "HEAD":
            self.set_close_on_finish()
        # One send: at each, the reading thread may lose its turn to a call that computes.
        self.channel.write_soon(self.build_response_header() + body)
        self.wrote_header = True


def _service_error(code: int, max_body: int) -> ServiceError:
    """What waitress calls *code*, in our words; its own may repeat what was sent."""
    match code:
        case 413:
            return TooLarge(f"The body is longer than {max_body:,} bytes. Ask for fewer resources in the prefetch.")
        case 431:
            return HeadersTooLarge("The header lines are too long. Send a token of at most 8 KB and little else.")
        case 500:
            return Unforeseen()
        case 503:
            return Unavailable(OVERLOADED, "throttled")
        case _:
            return BadRequest("The request could not be read. Send HTTP as the CDS Hooks specification describes it.")


def _headers(origin: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", origin if _ORIGIN.fullmatch(origin) else "*"),
        ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
        ("Access-Control-Allow-Headers", "authorization, content-type"),
        ("Access-Control-Expose-Headers", "X-Request-Id"),
        ("Vary", "Origin"),
        ("X-Content-Type-Options", "nosniff"),
        # Not uuid4(), which asks the kernel, and at that the reading thread may lose its turn.
        ("X-Request-Id", str(uuid.UUID(int=random.getrandbits(128), version=4))),
    ]


class Connection(HTTPChannel):
    """One caller's socket. *began* is when the first byte of an unfinished request came."""

    task_class = _Answer
    error_task_class = _Refusal
    server: Server

    def __init__(self, server: Server, *rest: Any, **named: Any) -> None:
        super().__init__(server, *rest, **named)
        self.parser_class = lambda adj: _Parser(adj, server.may_hold)  # type: ignore[assignment]
        self.began: float | None = None
        self.rested = self.queued = time.monotonic()
        self.unsent: float | None = None
        self.refused = False

    def received(self, data: bytes) -> bool:
        now = time.monotonic()
        self.began = self.began or now
        self.server.reading_since = self.server.reading_since or now
        taken = super().received(data)
        if self.request is not None and self.began is None:
            self.began = now
        while self.refused:
            self.refused = False
            super().service()
        return taken

    def service(self) -> None:
        request = self.requests[0]
        if request.error is None and self.server.too_late(self.queued):
            request.error = Busy("")
        super().service()
        self.rested = time.monotonic()

    def overdue(self, now: float, idle_seconds: float) -> bool:
        """Whether the caller has held the socket for too long without asking or fetching."""
        limit = self.server.limits.request_seconds
        if self.total_outbufs_len:
            self.unsent = self.unsent or now
            return now - self.unsent > limit
        self.unsent = None
        if self.requests:
            return False
        if self.began is not None:
            return now - self.began > limit
        return now - self.rested > idle_seconds

    @property
    def held(self) -> int:
        """Bytes of the requests on this connection that are not answered yet."""
        arriving = [self.request] if self.request is not None else []
        return sum(each.header_bytes_received + each.body_bytes_received for each in [*self.requests, *arriving])
