"""Where a client's keys are kept: pinned in the registry, or fetched from the one address it lists.

A key set is fresh for an hour. After that it is refreshed, and used while that fails for up to a day since it
was last fetched. A key id it lacks is a reason to look again, but once a minute at most, so nobody can make us
knock at an EHR's door with invented ones. A fetch that failed is not tried again within the minute.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds_service.outbound.not_fetched import NotFetched
from cds_service.trust.clients import Client
from cds_service.trust.jwks import NotAKeySet, PinnedKeys, read_key_set
from cds_service.trust.sandbox import is_sandbox_key

if TYPE_CHECKING:
    from jwt import PyJWK

FRESH = 3600.0
STALE = 24 * 3600.0
PAUSE = 60.0
"""Seconds: no refresh before FRESH, no use after STALE, PAUSE between fetches for one and the same cause."""

_NONE = PinnedKeys({})


@dataclass
class _Kept:
    """The last good key set of one client, and when it was asked for."""

    keys: PinnedKeys = _NONE
    fetched: float = -math.inf
    failed: float = -math.inf
    sought: float = -math.inf
    """When a fetch was last made for a key id that was not there."""
    fetches: int = 0
    fetching: threading.Lock = field(default_factory=threading.Lock)

    def find(self, kid: str, now: float) -> PyJWK | None:
        return self.keys.by_id.get(kid) if now - self.fetched <= STALE else None

    def due(self, kid: str, now: float) -> bool:
        if now - self.failed < PAUSE:
            return False
        return now - self.fetched > FRESH or (kid not in self.keys.by_id and now - self.sought >= PAUSE)


class KeyRing:
    """The keys of all clients. *clock* gives seconds that never run backwards, such as ``time.monotonic``."""

    def __init__(self, fetch: Callable[[Client], bytes], clock: Callable[[], float]) -> None:
        """*fetch* gets the document at the client's key address within a time of its own, or raises NotFetched."""
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def key_of(self, client: Client, kid: str) -> PyJWK | None:
        """The key *kid* of *client*. Who has no key waits for the fetch under way; who has one never does."""
        if isinstance(client.keys, PinnedKeys):
            return client.keys.by_id.get(kid)
        kept = self._kept_of(client)
        seen, now = kept.fetches, self._clock()
        key = kept.find(kid, now)
        if kept.due(kid, now) and kept.fetching.acquire(blocking=key is None):
            try:
                # Another call may have fetched while this one waited: that answer is this one's too.
                if kept.fetches == seen:
                    self._refresh(client, kept, now)
            finally:
                kept.fetching.release()
        return kept.find(kid, now)

    def _kept_of(self, client: Client) -> _Kept:
        with self._lock:
            return self._kept.setdefault(client.name, _Kept())

    def _refresh(self, client: Client, kept: _Kept, now: float) -> None:
        """Fetch once. Nothing but the keys changes until it is over, so that who comes meanwhile waits for it."""
        fresh, failed = now - kept.fetched <= FRESH, now
        try:
            kept.keys = self._read(client)
            kept.fetched, failed = now, -math.inf
        except (NotFetched, NotAKeySet):
            pass
        finally:
            kept.failed = failed
            kept.sought = now if fresh else kept.sought
            kept.fetches += 1  # last: who sees it sees the rest

    def _read(self, client: Client) -> PinnedKeys:
        """The usable keys. The sandbox's key proves nothing, so no other client may publish it as its own."""
        keys = read_key_set(self._fetch(client), client.algorithms).keys
        if client.profile == "sandbox":
            return keys
        return PinnedKeys({kid: key for kid, key in keys.by_id.items() if not is_sandbox_key(key)})
