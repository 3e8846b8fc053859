"""One bounded HTTP exchange: no redirect, cookie, proxy, compression or retry, and an end.

Every exchange has a connection of its own. A pooled one would save a handshake, and could hand what a server left
over from one patient's answer to the next reader; without a pool there is also nothing to retry.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as PoolSSLError

from cds_service.outbound.address import Address
from cds_service.outbound.deadline import Deadline, run_until
from cds_service.outbound.dial import dial
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
CHUNK = 1 << 16
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
    """The way out. Keeps trust stores between exchanges, and nothing else."""

    def __init__(self) -> None:
        self._trust: dict[Path | None, ssl.SSLContext] = {}

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
    ) -> Answer:
        """The same on the caller's own thread, for callers inside :func:`run_until`: a name look-up may outlast it."""
        with ExitStack() as opened:
            try:
                pool = self._pool(address, partial(dial, address, deadline, internal, opened), ca_file)
                opened.callback(pool.close)
                response = _ask(pool, address, deadline, headers, form)
                opened.callback(response.close)
                return _answer(response, max_bytes, deadline)
            except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
                why = _why(error, deadline)
        # Raised out here so that it does not carry the error, whose text may hold the address or the token.
        raise NotFetched(why)

    def _pool(self, address: Address, dialled: Callable[[], socket.socket], ca_file: Path | None) -> HTTPConnectionPool:
        """One connection to *address*, opened by *dialled* and not by a second reading of the URL."""
        if address.scheme == "http":
            return _Pool(address.host, address.port, dialled=dialled)
        return _TLSPool(address.host, address.port, dialled=dialled, ssl_context=self._trusting(ca_file))

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


def _ask(
    pool: HTTPConnectionPool,
    address: Address,
    deadline: Deadline,
    headers: Mapping[str, str],
    form: Sequence[tuple[str, str]] | None,
) -> requests.Response:
    """The answer's status and headers; its body is not read yet.

    An adapter sends, not a Session: a Session keeps cookies, reads the environment, and reads the whole body of a
    redirect even when it is not to follow it.
    """
    ours = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    method = "GET" if form is None else "POST"
    prepared = requests.Request(method, address.url, headers={**headers, **ours}, data=form).prepare()
    deadline.require_time()
    return _Adapter(pool).send(prepared, stream=True, timeout=deadline.remaining())


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
    body = bytearray()
    while chunk := response.raw.read(CHUNK, decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise NotFetched(TOO_LARGE)
    # A socket shut by the deadline reads like an answer that has ended.
    deadline.require_time()
    return bytes(body)


def _why(error: Exception, deadline: Deadline) -> str:
    if deadline.over or isinstance(error, _TIMEOUTS):
        return TIMED_OUT
    return TLS_FAILED if isinstance(error, _TLS_ERRORS) else BROKEN


class _Dialled(HTTPConnection):
    """A connection whose socket comes from :func:`dial`."""

    def __init__(self, *args: Any, dialled: Callable[[], socket.socket], **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialled = dialled

    def _new_conn(self) -> socket.socket:
        return self._dialled()


class _DialledTLS(_Dialled, HTTPSConnection):
    """The same under TLS, which checks the certificate against the host's name."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Dialled


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _DialledTLS


class _Adapter(HTTPAdapter):
    """Sends over the one pool it was given."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool's own context says whom to trust; the adapter would add the public authorities to it."""
