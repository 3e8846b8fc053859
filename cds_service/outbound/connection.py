"""A connection that can serve one exchange after another, and cannot pass on what an answer left behind.

HTTP/1.1 tells answers apart by their place in the stream alone: bytes too many after one patient's answer would be
read as the next one's. So whatever has come beyond an answer, when it has been read, ends the connection.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

_LENGTH = re.compile(r"[0-9]+")


class Unanswered(Exception):
    """The connection ended before the first byte of an answer."""


class _Reader(BufferedReader):
    """Shuts the connection at the end of an answer when more has come than was read.

    What it has read ahead, and what TLS has deciphered, would not be seen by looking at the socket.
    """

    def __init__(self, stream: BufferedReader, sock: socket.socket) -> None:
        super().__init__(stream.detach())
        self._sock = sock

    def close(self) -> None:
        # Errors: nothing waits under TLS, or nothing will ever come. Closed already: it was looked at then.
        with suppress(OSError, ValueError):
            self._sock.settimeout(0)
            if self.peek():
                self._sock.shutdown(socket.SHUT_RDWR)
        super().close()


class _Response(HTTPResponse):
    """An answer that is read by a :class:`_Reader`."""

    fp: BufferedReader

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = _Reader(self.fp, sock)

    def begin(self) -> None:
        """Raises :class:`Unanswered`, which is neither library's own, so that both let it pass."""
        try:
            came = self.fp.peek()
        except ConnectionError:
            came = b""
        if not came:
            raise Unanswered
        super().begin()


class Connection(HTTPConnection):
    """Over the socket it is given, and no other."""

    auto_open = 0
    response_class = _Response

    def __init__(self, *args: Any, dialled: socket.socket, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialled = dialled

    def _new_conn(self) -> socket.socket:
        return self._dialled


class TLSConnection(Connection, HTTPSConnection):
    """The same under TLS, which checks the certificate against the host's name."""


def leaves_open(version: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer whose body has been read leaves its connection fit for another.

    RFC 9112, 6.3 and 9.3: HTTP/1.1, nobody said close, and one plain length or chunks, where all readers agree on the
    end. *headers* joins those of one name by commas.
    """
    length, coding = headers.get("Content-Length"), headers.get("Transfer-Encoding")
    if version != 11 or "close" in headers.get("Connection", "").lower():
        return False
    if coding is None:
        return length is not None and _LENGTH.fullmatch(length) is not None
    return length is None and coding.lower() == "chunked"
