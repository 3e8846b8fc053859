"""One bounded HTTP exchange: no redirect, cookie, proxy or compression, and an end.

A site's connections are kept between exchanges, as a handshake for each query is paid from a budget of two seconds.
What a server left over from one patient's answer must not be read as the next one's. So a connection is kept only
after a 200 that was read to an end all readers agree on, with nothing after it; it is found again only for the same
site, server and trust, and only while it is silent; whatever else happens on it closes it. One thing is tried again:
a request over a kept connection that the server closed before the first byte of an answer, once, over a new one.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as PoolSSLError
from urllib3.util.connection import is_connection_dropped

from cds_service.outbound.address import Address
from cds_service.outbound.connection import Connection, TLSConnection, Unanswered, leaves_open
from cds_service.outbound.deadline import Deadline, run_until
from cds_service.outbound.dial import dial
from cds_service.outbound.kept import Kept, Route
from cds_service.outbound.not_fetched import (
    BROKEN,
    COMPRESSED,
    REDIRECT,
    STATUS,
    TIMED_OUT,
    TLS_FAILED,
    TOO_LARGE,
    NotFetched,
)

__all__ = ["Answer", "Deadline", "NotFetched", "Outbound"]

USER_AGENT = "rr-all-cds"
CHUNK = 1 << 18
_TIMEOUTS = (requests.Timeout, TimeoutError)
_TLS_ERRORS = (requests.exceptions.SSLError, PoolSSLError, ssl.SSLError)

# urllib3 logs whole URLs, which hold patient ids, and what servers send.
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class Answer:
    """A 200 with its whole body. *media_type* is in lower case, without parameters."""

    status: int
    media_type: str
    body: bytes = field(repr=False)


class Outbound:
    """The way out. Keeps trust stores and idle connections between exchanges, and nothing else."""

    def __init__(self, kept: Kept | None = None) -> None:
        self._trust: dict[Path | None, ssl.SSLContext] = {}
        self._kept = kept or Kept()

    def send(
        self,
        address: Address,
        deadline: Deadline,
        *,
        headers: Mapping[str, str],
        form: Sequence[tuple[str, str]] | None = None,
        max_bytes: int,
        internal: bool,
        ca_file: Path | None = None,
    ) -> Answer:
        """GET *address*, or POST *form* to it; back by the deadline. Raises :class:`NotFetched`.

        A body longer than *max_bytes* is refused. Only *internal* addresses may be private or loopback ones.
        *ca_file* (PEM) replaces the public certificate authorities.
        """
        exchange = partial(
            self.exchange,
            address,
            deadline,
            headers=headers,
            form=form,
            max_bytes=max_bytes,
            internal=internal,
            ca_file=ca_file,
        )
        answer = run_until(deadline, {"": exchange})[""]
        if isinstance(answer, NotFetched):
            raise answer
        return answer

    def exchange(
        self,
        address: Address,
        deadline: Deadline,
        *,
        headers: Mapping[str, str],
        form: Sequence[tuple[str, str]] | None = None,
        max_bytes: int,
        internal: bool,
        ca_file: Path | None = None,
        site: str | None = None,
    ) -> Answer:
        """The same on the caller's own thread, for callers inside :func:`run_until`: a name look-up may outlast it.

        Connections are kept for *site*, and lent to no other; without a site none is kept.
        """
        route = Route(site, address.scheme, address.host, address.port, internal, ca_file) if site else None
        try:
            exchange = _Exchange(_request(address, headers, form), deadline, max_bytes)
            kept = self._kept.take(route) if route else None
            if kept is not None:
                with suppress(Unanswered):
                    return self._over(kept, exchange, route)
                deadline.require_time()
            return self._over(self._opened(address, deadline, internal, ca_file), exchange, route)
        except (Unanswered, requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            why = _why(error, deadline)
        # Raised out here so that it does not carry the error, whose text may hold the address or the token.
        raise NotFetched(why)

    def _over(self, connection: Connection, exchange: _Exchange, route: Route | None) -> Answer:
        """Afterwards the connection is kept for *route*, or closed."""
        with ExitStack() as stack:
            stack.callback(connection.close)
            with exchange.deadline.holding(connection.sock):
                answer, open_still = exchange.over(connection)
            # Only here, where its own deadline can no longer shut it, may it become another's. "Dropped" is closed, or
            # with something to read.
            if route and open_still and not is_connection_dropped(connection):
                stack.pop_all()
                self._kept.keep(route, connection)
        return answer

    def _opened(self, address: Address, deadline: Deadline, internal: bool, ca_file: Path | None) -> Connection:
        """Connected to *address* by :func:`dial` and not by a second reading of the URL."""
        trust = {"ssl_context": self._trusting(ca_file)} if address.scheme == "https" else {}
        kind = TLSConnection if trust else Connection
        with ExitStack() as opened:
            dialled = dial(address, deadline, internal, opened)
            connection = kind(address.host.strip("[]"), address.port, dialled=dialled, **trust)
            try:
                connection.connect()
            except BaseException:
                connection.close()
                raise
        return connection

    def _trusting(self, ca_file: Path | None) -> ssl.SSLContext:
        """Kept, because reading the authorities takes longer than the handshake."""
        if ca_file not in self._trust:
            try:
                context = ssl.create_default_context(cafile=ca_file or certifi.where())
            except OSError:
                raise NotFetched(TLS_FAILED) from None
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._trust[ca_file] = context
        return self._trust[ca_file]


def _request(
    address: Address, headers: Mapping[str, str], form: Sequence[tuple[str, str]] | None
) -> requests.PreparedRequest:
    ours = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    method = "GET" if form is None else "POST"
    return requests.Request(method, address.url, headers={**headers, **ours}, data=form).prepare()


@dataclass(frozen=True)
class _Exchange:
    """What is asked, and within which bounds."""

    request: requests.PreparedRequest
    deadline: Deadline
    max_bytes: int

    def over(self, connection: Connection) -> tuple[Answer, bool]:
        """The answer, and whether *connection* may serve another exchange.

        An adapter sends, not a Session: a Session keeps cookies, reads the environment, and reads the whole body of a
        redirect even when it is not to follow it.
        """
        adapter = _Adapter(_Pool(connection))
        # A cut that came before the connection was held found nothing to shut.
        self.deadline.require_time()
        with adapter.send(self.request, stream=True, timeout=self.deadline.remaining()) as response:
            answer = _answer(response, self.max_bytes, self.deadline)
            return answer, leaves_open(response.raw.version, response.headers)


def _answer(response: requests.Response, max_bytes: int, deadline: Deadline) -> Answer:
    if 300 <= response.status_code < 400:
        raise NotFetched(REDIRECT)
    if response.status_code != 200:
        raise NotFetched(STATUS.format(response.status_code))
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise NotFetched(COMPRESSED)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(response.status_code, media_type, _body(response, max_bytes, deadline))


def _body(response: requests.Response, max_bytes: int, deadline: Deadline) -> bytes:
    chunks, size = [], 0
    while chunk := response.raw.read(CHUNK, decode_content=False):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise NotFetched(TOO_LARGE)
    # A socket shut by the deadline reads like an answer that has ended.
    deadline.require_time()
    return b"".join(chunks)


def _why(error: Exception, deadline: Deadline) -> str:
    if deadline.over or isinstance(error, _TIMEOUTS):
        return TIMED_OUT
    return TLS_FAILED if isinstance(error, _TLS_ERRORS) else BROKEN


class _Pool(HTTPConnectionPool):
    """Lends its one connection. Given it back or not, what becomes of it is decided elsewhere."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.host, connection.port)
        self._connection = connection

    def _get_conn(self, timeout: float | None = None) -> Connection:
        return self._connection

    def _put_conn(self, conn: object) -> None:
        pass


class _Adapter(HTTPAdapter):
    """Sends over the one pool it was given."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool's own context says whom to trust; the adapter would add the public authorities to it."""
