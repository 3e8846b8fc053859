"""What the door makes of a request: a caller, nobody in particular, or the same 401 every time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.errors import Unauthorized
from cds_service.trust.clients import Client
from cds_service.trust.door import Caller, Door, Remembered
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import REASONS
from tests.trust import AUDIENCE, BASE_URL, ISSUER, NOW, PATH, client, token


def no_fetch(_: Client) -> bytes:
    raise AssertionError("pinned keys are not fetched")


class Entrance:
    """A door at a moment, and the reasons it gave to whoever runs the service."""

    def __init__(self, *sites: Client, open_to_all: bool = False, base_url: str = BASE_URL) -> None:
        self.now = NOW
        self.reasons: list[str] = []
        ring = KeyRing(no_fetch, lambda: 0.0)
        self.door = Door(
            sites or [client()],
            ring,
            Remembered(),
            base_url,
            lambda: self.now,
            open_to_all=open_to_all,
        )

    def admit(self, authorization: str | None, path: str = PATH, required: bool = True) -> Caller | None:
        return self.door.admit(authorization, path, required=required, observe=self.reasons.append)

    def refuses(self, authorization: str | None, path: str = PATH, required: bool = True) -> str:
        with pytest.raises(Unauthorized) as refused:
            self.admit(authorization, path, required)
        assert refused.value.outcome() == Unauthorized().outcome()
        assert refused.value.__context__ is None
        assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
        return self.reasons[-1]


def bearer(**changes: Any) -> str:
    return f"Bearer {token(**changes)}"


def test_a_good_token_is_let_in() -> None:
    site = client()
    entrance = Entrance(site)
    assert entrance.admit(bearer(tenant="t1")) == Caller(site, ISSUER, "t1", "token-1")
    assert entrance.reasons == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", " Bearer ", "Bearer  "])
def test_the_scheme_is_read_without_case(scheme: str) -> None:
    assert Entrance().admit(f"{scheme} {token()}")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {token()}",
        token(),
        f"Bearer {token()} {token()}",
        f"Bearer {token()}, Bearer a",
    ],
    ids=["empty", "no token", "blank token", "another scheme", "no scheme", "two tokens", "two headers in one"],
)
def test_what_is_not_one_bearer_token_is_refused(authorization: str) -> None:
    assert Entrance().refuses(authorization) == "not-bearer"


def test_two_headers_joined_by_a_proxy_are_refused() -> None:
    assert Entrance().refuses(f"Bearer {token()},{token()}") == "not-a-jwt"


def test_a_missing_header_is_refused_where_one_is_required() -> None:
    assert Entrance().refuses(None) == "no-token"


def test_a_missing_header_is_nobody_where_none_is_required() -> None:
    entrance = Entrance()
    assert entrance.admit(None, required=False) is None
    assert entrance.reasons == []


def test_a_header_that_is_sent_is_judged_even_where_none_is_required() -> None:
    entrance = Entrance()
    assert entrance.admit(bearer(), required=False)
    assert entrance.refuses(bearer(jti="token-2", iss="https://evil.example"), required=False) == "issuer"


def test_every_refusal_looks_the_same_from_outside() -> None:
    entrance = Entrance()
    for authorization in [None, "Bearer x", bearer(aud="elsewhere"), bearer(exp=NOW - 100, iat=NOW - 200)]:
        entrance.refuses(authorization)
    assert entrance.reasons == ["no-token", "not-a-jwt", "audience", "expired"]


# aud is the address called.


@pytest.mark.parametrize(
    ("path", "aud", "good"),
    [
        (PATH, AUDIENCE, True),
        (PATH + "/", AUDIENCE, True),
        (PATH, AUDIENCE + "/", True),
        (PATH, BASE_URL + "/cds-services", False),
        (PATH, AUDIENCE + "/feedback", False),
        ("/cds-services", BASE_URL + "/cds-services", True),
        ("/cds-services", AUDIENCE, False),
        (PATH + "/feedback", AUDIENCE + "/feedback", True),
        (PATH + "/feedback", AUDIENCE, True),
        (PATH + "/feedback/", AUDIENCE, True),
        (PATH + "/feedback", BASE_URL + "/cds-services", False),
        (PATH + "/feedback", BASE_URL + "/cds-services/other", False),
    ],
)
def test_a_token_is_for_the_address_called_and_feedback_may_name_its_hook(path: str, aud: str, good: bool) -> None:
    entrance = Entrance()
    if good:
        assert entrance.admit(bearer(aud=aud), path)
    else:
        assert entrance.refuses(bearer(aud=aud), path) == "audience"


def test_the_address_called_begins_with_the_configured_base() -> None:
    entrance = Entrance(base_url="https://cds.example.org/prefix")
    assert entrance.refuses(bearer()) == "audience"
    assert entrance.admit(bearer(aud="https://cds.example.org/prefix" + PATH))


# Each token once.


def test_a_token_is_good_for_one_call() -> None:
    entrance = Entrance()
    assert entrance.admit(bearer())
    assert entrance.refuses(bearer()) == "replayed"
    assert entrance.admit(bearer(jti="token-2"))


def test_a_site_that_repeats_its_tokens_can_be_let_in_and_counted() -> None:
    entrance = Entrance(client(replay="warn"))
    assert entrance.admit(bearer())
    assert entrance.admit(bearer())
    assert entrance.reasons == ["replayed"]


def test_a_refused_token_is_not_remembered() -> None:
    entrance = Entrance()
    assert entrance.refuses(bearer(aud="elsewhere")) == "audience"
    assert entrance.admit(bearer())


def test_a_token_cannot_be_repeated_within_the_leeway_after_it_expired() -> None:
    entrance = Entrance()
    assert entrance.admit(bearer(exp=NOW + 10))
    entrance.now = NOW + 70
    assert entrance.refuses(bearer(exp=NOW + 10)) == "replayed"
    entrance.now = NOW + 70.5
    assert entrance.refuses(bearer(exp=NOW + 10)) == "expired"


# Demo mode.


@pytest.mark.parametrize("authorization", [None, "Basic x", "Bearer x", bearer(iss="nobody")], ids=range(4))
def test_in_demo_mode_whoever_is_not_known_is_nobody_in_particular(authorization: str | None) -> None:
    entrance = Entrance(open_to_all=True)
    assert entrance.admit(authorization) is None
    assert len(entrance.reasons) == (authorization is not None)
    assert set(entrance.reasons) <= set(REASONS)


def test_in_demo_mode_a_good_token_still_tells_who_calls() -> None:
    entrance = Entrance(open_to_all=True)
    caller = entrance.admit(bearer())
    assert caller is not None
    assert caller.issuer == ISSUER


def test_a_token_is_forgotten_only_after_it_expired() -> None:
    remembered = Remembered()
    assert remembered.first_use("i", "t", expires=100.0, now=0.0)
    assert not remembered.first_use("i", "t", expires=100.0, now=100.0)
    assert remembered.first_use("i", "t", expires=200.0, now=100.5)


def test_one_token_id_of_two_issuers_is_two_tokens() -> None:
    remembered = Remembered()
    assert remembered.first_use("i1", "t", 100.0, 0.0)
    assert remembered.first_use("i2", "t", 100.0, 0.0)
    assert remembered.first_use("i", "2t", 100.0, 0.0)


def test_a_full_memory_drops_the_expired_and_then_what_expires_first() -> None:
    remembered = Remembered(most=2)
    assert remembered.first_use("i", "expired", 10.0, 0.0)
    assert remembered.first_use("i", "long", 300.0, 0.0)
    assert remembered.first_use("i", "short", 200.0, 20.0)
    assert not remembered.first_use("i", "long", 300.0, 20.0)
    assert remembered.first_use("i", "third", 250.0, 20.0)
    assert not remembered.first_use("i", "long", 300.0, 20.0)
    assert not remembered.first_use("i", "third", 250.0, 20.0)
    assert remembered.first_use("i", "short", 200.0, 20.0)


def test_of_many_threads_with_one_token_one_is_first() -> None:
    remembered, barrier, firsts = Remembered(), threading.Barrier(8), []

    def use() -> None:
        barrier.wait(10)
        firsts.extend(remembered.first_use("i", str(number), 100.0, 0.0) for number in range(500))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert firsts.count(True) == 500
    assert firsts.count(False) == 3500


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(0, 3)), max_size=60))
def test_a_memory_of_ample_size_answers_like_a_plain_list(uses: list[tuple[int, int, int]]) -> None:
    remembered, until, now = Remembered(), {}, 0.0
    for name, life, pause in uses:
        now += pause
        known = until.get(name, -1.0) >= now
        assert remembered.first_use("i", str(name), now + life, now) is not known
        if not known:
            until[name] = now + life
