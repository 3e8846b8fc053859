"""Where keys come from: an hour fresh, a day at most, and never more than two fetches a minute (F13)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from jwt.algorithms import ECAlgorithm

from cds_service.outbound.address import parse_address
from cds_service.outbound.not_fetched import TIMED_OUT, NotFetched
from cds_service.trust.clients import Client
from cds_service.trust.jwks import MAX_KEY_SET
from cds_service.trust.keys import FRESH, PAUSE, STALE, KeyRing
from cds_service.trust.sandbox import sandbox_keys
from tests.trust import client, jwk, key_set, pinned

PATIENCE = 10.0
"""Seconds a thread is waited for before the test fails."""
OLD, NEW = jwk("ES384", kid="old"), jwk("ES384", "another's", kid="new")


def site(**changes: object) -> Client:
    return client(**({"keys": parse_address("https://ehr.example.org/keys")} | changes))


class Published:
    """What the site answers at its key address, the time, and how often it was asked."""

    def __init__(self, *keys: object) -> None:
        self.document: bytes | None = key_set(*keys)
        self.now = 1000.0
        self.fetches: list[float] = []
        self.ring = KeyRing(self.fetch, self.clock)

    def clock(self) -> float:
        return self.now

    def fetch(self, _: Client) -> bytes:
        self.fetches.append(self.now)
        if self.document is None:
            raise NotFetched(TIMED_OUT)
        return self.document

    def has(self, kid: str, caller: Client | None = None) -> bool:
        return self.ring.key_of(caller or site(), kid) is not None


def test_pinned_keys_are_never_fetched() -> None:
    published = Published()
    pins = pinned("ES384")
    (kid,) = pins.by_id
    assert published.ring.key_of(client(keys=pins), kid) is pins.by_id[kid]
    assert published.ring.key_of(client(keys=pins), "another") is None
    assert published.fetches == []


def test_a_key_set_is_fetched_once_in_an_hour() -> None:
    published = Published(OLD)
    for moment in range(1000, 1000 + int(FRESH) + 1, 60):
        published.now = float(moment)
        assert published.has("old")
    assert published.fetches == [1000.0]
    published.now = 1000.0 + FRESH + 1
    assert published.has("old")
    assert published.fetches == [1000.0, published.now]


def test_a_rotation_is_seen_at_once_and_the_old_key_is_gone() -> None:
    published = Published(OLD)
    assert published.has("old")
    published.document = key_set(NEW)
    assert published.has("old")
    assert published.has("new")
    assert len(published.fetches) == 2
    assert not published.has("old")
    assert len(published.fetches) == 2


def test_a_key_that_is_taken_back_stops_working_within_the_hour() -> None:
    published = Published(OLD)
    assert published.has("old")
    published.document = key_set()
    published.now += FRESH + 1
    assert not published.has("old")


def test_invented_key_ids_cause_at_most_two_fetches_a_minute() -> None:
    published = Published(OLD)
    for number in range(10_000):
        published.now = 1000.0 + number * 0.06  # ten minutes in all
        assert not published.has(f"invented-{number}")
    for begin in range(1000, 1600, 1):
        assert len([moment for moment in published.fetches if begin <= moment < begin + 60]) <= 2
    assert len(published.fetches) <= 12
    assert published.has("old")


def test_keys_are_used_for_a_day_while_the_site_does_not_answer() -> None:
    published = Published(OLD)
    assert published.has("old")
    published.document = None
    for second in range(int(FRESH) + 1, int(STALE) + 1, 600):
        published.now = 1000.0 + second
        assert published.has("old"), second
    published.now = 1000.0 + STALE
    assert published.has("old")
    published.now = 1000.0 + STALE + 1
    assert not published.has("old")
    published.document = key_set(OLD)
    published.now += PAUSE
    assert published.has("old")


@pytest.mark.parametrize("kid", ["old", "invented"])
def test_a_site_that_does_not_answer_is_asked_once_a_minute(kid: str) -> None:
    published = Published()
    published.document = None
    for second in range(600):
        published.now = 1000.0 + second
        assert not published.has(kid)
    assert published.fetches == [1000.0 + PAUSE * minute for minute in range(10)]


def test_a_failed_refresh_is_not_tried_again_for_an_invented_key_id() -> None:
    published = Published(OLD)
    assert published.has("old")
    published.document = None
    published.now += FRESH + 1
    assert published.has("old")
    assert not published.has("invented")
    assert len(published.fetches) == 2
    published.now += PAUSE
    assert not published.has("invented")
    assert len(published.fetches) == 3


@pytest.mark.parametrize("document", [b"<html>", b"", b"{}", key_set(NEW) + b" " * MAX_KEY_SET], ids=range(4))
def test_a_document_that_is_no_key_set_counts_as_no_answer(document: bytes) -> None:
    published = Published(OLD)
    assert published.has("old")
    published.document = document
    published.now += FRESH + 1
    assert published.has("old")
    assert not published.has("new")


def test_bad_keys_of_a_set_are_skipped_and_the_good_one_is_used() -> None:
    small, private, weak = jwk("RS384", "a small one", kid="small"), OLD | {"kid": "private", "d": "AA"}, jwk("RS256")
    published = Published(None, small, private, weak, NEW)
    assert published.has("new")
    assert not any(map(published.has, ["small", "private", weak["kid"]]))


def test_the_public_sandboxs_key_is_nobodys_but_the_sandboxs() -> None:
    published = Published(official_sandbox_key(), NEW)
    (kid,) = sandbox_keys().by_id
    assert published.has("new")
    assert not published.has(kid)
    assert published.has(kid, site(name="sandbox", profile="sandbox"))


def official_sandbox_key() -> object:
    ((kid, key),) = sandbox_keys().by_id.items()
    return ECAlgorithm.to_jwk(key.key, as_dict=True) | {"kid": kid}


def test_each_site_has_keys_of_its_own() -> None:
    published = Published(OLD)
    assert published.has("old", site(name="north"))
    published.document = key_set(NEW)
    assert published.has("new", site(name="south"))
    assert not published.has("old", site(name="south"))
    assert published.has("old", site(name="north"))


def test_an_unforeseen_error_is_not_swallowed_and_still_leaves_the_minute_quiet() -> None:
    published = Published(OLD)

    def fail(_: Client) -> bytes:
        published.fetches.append(published.now)
        raise RuntimeError

    published.ring = KeyRing(fail, lambda: published.now)
    with pytest.raises(RuntimeError):
        published.has("old")
    assert not published.has("old")
    assert len(published.fetches) == 1


# Threads.


class Slow(Published):
    """A site whose answer comes when the test says so."""

    def __init__(self, *keys: object) -> None:
        super().__init__(*keys)
        self.looked, self.asked, self.answer = threading.Event(), threading.Event(), threading.Event()
        self.answer.set()

    def hold(self) -> None:
        self.asked.clear()
        self.answer.clear()

    def clock(self) -> float:
        self.looked.set()
        return self.now

    def fetch(self, caller: Client) -> bytes:
        self.asked.set()
        assert self.answer.wait(PATIENCE)
        return super().fetch(caller)


class Asking(threading.Thread):
    """One call for a key in a thread of its own."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.ask = ask
        self.found: bool | None = None
        self.start()

    def run(self) -> None:
        self.found = self.ask()

    def result(self) -> bool | None:
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.found


def test_who_has_a_key_never_waits_for_a_fetch() -> None:
    slow = Slow(OLD)
    assert slow.has("old")
    slow.hold()
    slow.now += FRESH + 1
    refreshing = Asking(lambda: slow.has("old"))
    assert slow.asked.wait(PATIENCE)
    assert slow.has("old")  # would hang here: the answer is still held back
    assert refreshing.is_alive()
    slow.answer.set()
    assert refreshing.result()
    assert len(slow.fetches) == 2


def test_many_callers_without_a_key_wait_for_one_fetch_together() -> None:
    slow = Slow(OLD)
    slow.hold()
    callers = [Asking(lambda kid=kid: slow.has(kid)) for kid in ["old", "invented"] * 10]  # type: ignore[misc]
    assert slow.asked.wait(PATIENCE)
    slow.answer.set()
    found = [caller.result() for caller in callers]
    assert found == [True, False] * 10
    assert len(slow.fetches) <= 2  # one, and one more for a caller who came after it


def test_two_callers_with_a_new_key_are_both_served_by_the_fetch_that_finds_it() -> None:
    slow = Slow(OLD)
    assert slow.has("old")
    slow.hold()
    slow.document = key_set(NEW)
    first = Asking(lambda: slow.has("new"))
    assert slow.asked.wait(PATIENCE)
    second = Asking(lambda: slow.has("new"))
    slow.answer.set()
    assert (first.result(), second.result()) == (True, True)
    assert len(slow.fetches) == 2


def test_a_caller_who_waited_for_a_fetch_does_not_make_another() -> None:
    slow = Slow(OLD)
    slow.hold()
    first = Asking(lambda: slow.has("old"))
    assert slow.asked.wait(PATIENCE)
    slow.looked.clear()
    second = Asking(lambda: slow.has("invented"))
    assert slow.looked.wait(PATIENCE)
    slow.answer.set()
    assert (first.result(), second.result()) == (True, False)
    assert len(slow.fetches) == 1
