"""The door: for each request a known caller, nobody in particular, or a 401 that never says why."""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cds_service.errors import Unauthorized
from cds_service.trust.clients import Client
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import LEEWAY, Refused, verify

MOST_REMEMBERED = 100_000
"""Tokens: at 50 calls a second, all that can live at one moment, and some 20 MB."""


@dataclass(frozen=True)
class Caller:
    """Who is calling. All of it may be logged and kept (CDS Hooks best practices); the token may not."""

    client: Client
    issuer: str
    tenant: str | None
    token_id: str


class Replay(Protocol):
    """Remembers each token for as long as it would be accepted."""

    def first_use(self, issuer: str, token_id: str, expires: float, now: float) -> bool:
        """Note the token; false when it was noted before. It may be forgotten once *now* is past *expires*."""
        ...


class Remembered:
    """A :class:`Replay` in this process's memory, of bounded size.

    Full of tokens that are all still good, it forgets the one that expires first: refusing every caller until
    there is room again would be the worse fault.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._seen: set[bytes] = set()
        self._by_expiry: list[tuple[float, bytes]] = []
        self._lock = threading.Lock()

    def first_use(self, issuer: str, token_id: str, expires: float, now: float) -> bool:
        token = hashlib.sha256(f"{issuer}\0{token_id}".encode()).digest()
        with self._lock:
            while self._by_expiry and self._by_expiry[0][0] < now:
                self._forget_next()
            if token in self._seen:
                return False
            if len(self._seen) >= self._most:
                self._forget_next()
            self._seen.add(token)
            heapq.heappush(self._by_expiry, (expires, token))
            return True

    def _forget_next(self) -> None:
        self._seen.discard(heapq.heappop(self._by_expiry)[1])


class Door:
    """*clock* is the time of day in seconds since 1970."""

    def __init__(
        self,
        clients: Sequence[Client],
        ring: KeyRing,
        replay: Replay,
        base_url: str,
        clock: Callable[[], float],
        *,
        open_to_all: bool,
    ) -> None:
        self._clients = tuple(clients)
        self._ring = ring
        self._replay = replay
        self._base_url = base_url
        self._clock = clock
        self._open_to_all = open_to_all

    def admit(
        self, authorization: str | None, path: str, *, required: bool, observe: Callable[[str], None]
    ) -> Caller | None:
        """The caller of *path* with this Authorization header, or ``None`` for nobody in particular.

        *observe* is told each reason, to log and count it; the caller never is. A header that is sent is judged
        even where none is *required*. Raises :class:`Unauthorized`, the same every time; in demo mode
        (*open_to_all*) whoever would be refused is nobody in particular instead.
        """
        if authorization is None and (self._open_to_all or not required):
            return None
        try:
            return self._caller(authorization, path, observe)
        except Refused as refused:
            observe(refused.reason)
            if self._open_to_all:
                return None
        raise Unauthorized

    def _caller(self, authorization: str | None, path: str, observe: Callable[[str], None]) -> Caller:
        now = self._clock()
        claims = verify(_bearer(authorization), self._audience(path), self._clients, self._ring.key_of, now)
        if not self._replay.first_use(claims.issuer, claims.token_id, claims.expires + LEEWAY, now):
            if claims.client.replay == "reject":
                raise Refused("replayed")
            observe("replayed")
        return Caller(claims.client, claims.issuer, claims.tenant, claims.token_id)

    def _audience(self, path: str) -> tuple[str, ...]:
        """CDS Hooks: aud is the endpoint called. Some clients give feedback with a token for the service itself."""
        address = self._base_url + path.removesuffix("/")
        return (address, address.removesuffix("/feedback"))


def _bearer(authorization: str | None) -> str:
    """RFC 6750, 2.1; RFC 9110, 11.1: the scheme's name in any case."""
    if authorization is None:
        raise Refused("no-token")
    match authorization.split():
        case [scheme, token] if scheme.lower() == "bearer":
            return token
    raise Refused("not-bearer")
