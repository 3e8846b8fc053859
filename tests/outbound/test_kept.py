"""A connection serves one exchange after another of one site, and never brings anything along from the one before."""

from __future__ import annotations

import gc
import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from cds_service.outbound.address import parse_address
from cds_service.outbound.deadline import Deadline, run_until
from cds_service.outbound.fetch import Answer, NotFetched, Outbound
from cds_service.outbound.kept import MOST, MOST_IN_ALL, SECONDS, Kept
from cds_service.outbound.not_fetched import BROKEN, REFUSED_ADDRESS, TIMED_OUT, TLS_FAILED
from tests.ehr.bad_server import (
    PATIENCE,
    BadServer,
    Behaviour,
    Visit,
    answer,
    drip,
    eventually,
    hang_up,
    in_turn,
    make_tls,
    no_outbound_thread_left,
    raw,
    reset_at_once,
    serving,
    silent,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FINE = answer(b'{"a":1}')
FORGED = OK + b"Content-Length: 9\r\n\r\n{'no':1}\n"
LIMIT = 1000
BUDGET = 0.3


@pytest.fixture(autouse=True)
def _leave_no_thread() -> Iterator[None]:
    yield
    assert no_outbound_thread_left()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return make_tls(tmp_path_factory.mktemp("tls"), "localhost")


Lasting = Callable[[Behaviour], Any]


@pytest.fixture(params=["http", "https"])
def lasting(request: pytest.FixtureRequest, certified: tuple[ssl.SSLContext, Path]) -> Lasting:
    """A server that leaves its connections open, plain and under TLS."""
    return partial(serving, lasting=True, tls=certified[0] if request.param == "https" else None)


class Site:
    """One way out, and the options of every exchange by it."""

    def __init__(self, ca_file: Path, kept: Kept | None = None) -> None:
        self.outbound = Outbound(kept)
        self._given = {"headers": {}, "max_bytes": LIMIT, "internal": True, "ca_file": ca_file, "site": "one"}

    def ask(self, server: BadServer, deadline: Deadline | None = None, **changes: Any) -> Answer:
        address = parse_address(changes.pop("base", server.base) + "/Patient/p1")
        return self.outbound.exchange(address, deadline or Deadline(PATIENCE), **self._given | changes)

    def why_not(self, server: BadServer, deadline: Deadline | None = None, **changes: Any) -> str:
        with pytest.raises(NotFetched) as refused:
            self.ask(server, deadline, **changes)
        assert refused.value.__context__ is None
        return refused.value.why


@pytest.fixture
def site(certified: tuple[ssl.SSLContext, Path]) -> Site:
    return Site(certified[1])


# When it is used again.


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(FINE, id="a known length"),
        pytest.param(answer(b""), id="no body"),
        pytest.param(
            raw(OK + b"Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\n"),
            id="chunks and a trailer",
        ),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}"), id="after a 100"),
        pytest.param(answer(b"{}", Connection="keep-alive"), id="said to stay open"),
        pytest.param(answer(b"x" * LIMIT), id="as long as allowed"),
    ],
)
def test_the_next_exchange_of_a_site_goes_over_the_same_connection(
    first: Behaviour, lasting: Lasting, site: Site
) -> None:
    with lasting(in_turn(first, FINE)) as server:
        site.ask(server)
        assert site.ask(server, form=[("a", "b")]).body == b'{"a":1}'
        assert site.ask(server).body == b'{"a":1}'
        assert server.connections == 1
    assert [visit.method for visit in server.visits] == ["GET", "POST", "GET"]
    assert all("connection" not in visit.headers for visit in server.visits)


def test_nothing_of_one_request_is_in_the_next_over_the_same_connection(lasting: Lasting, site: Site) -> None:
    with lasting(answer(b"{}", Set_Cookie="a=b; Path=/")) as server:
        for token in ("canary-1", "canary-2"):
            site.ask(server, headers={"Authorization": f"Bearer {token}"})
        site.ask(server)
        assert server.connections == 1
    assert [visit.headers.get("authorization") for visit in server.visits] == [
        "Bearer canary-1",
        "Bearer canary-2",
        None,
    ]
    assert all("cookie" not in visit.headers for visit in server.visits)


def test_a_kept_connection_holds_neither_the_token_nor_the_body(lasting: Lasting, site: Site) -> None:
    with lasting(answer(b'{"id":"canary"}')) as server:
        site.ask(server, headers={"Authorization": "Bearer canary"})
        held = [each for each in held_by(site.outbound) if isinstance(each, str | bytes | bytearray)]
        assert server.still_open == 1
    assert "localhost" in held or "127.0.0.1" in held
    assert not [text for text in held if "canary" in (text if isinstance(text, str) else text.decode("latin-1"))]


def held_by(root: object) -> list[object]:
    """*root* and what can be reached from it, but for code."""
    found, seen = [root], {id(root)}
    for each in found:
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, type | ModuleType | FunctionType):
                seen.add(id(other))
                found.append(other)
    return found


# When it is not.


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(answer(b"{}", "404 Not Found"), id="404"),
        pytest.param(answer(b"{}", "201 Created"), id="201"),
        pytest.param(answer(b"", "302 Found", Location="/"), id="a redirect"),
        pytest.param(answer(b"{}", Connection="Close"), id="said to close"),
        pytest.param(
            raw(OK + b"Connection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"), id="said so second"
        ),
        pytest.param(raw(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"), id="HTTP/1.0"),
        pytest.param(raw(OK + b"Content-Length: +2\r\n\r\n{}"), id="an odd length"),
        pytest.param(raw(OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), id="its length twice"),
        pytest.param(
            raw(OK + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            id="a length and chunks",
        ),
        pytest.param(
            raw(OK + b"Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}"), id="another transfer encoding"
        ),
        pytest.param(answer(gzip.compress(b"{}"), Content_Encoding="gzip"), id="compressed"),
        pytest.param(answer(b"x" * (LIMIT + 1)), id="too large"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n"), id="chunks gone wrong"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9\r\n"), id="another protocol"),
        pytest.param(raw(OK + b"Content-Length: 2\r\n\r\n{}" + FORGED), id="another answer at once"),
        pytest.param(raw(OK + b"Content-Length: 2\r\n\r\n{}\r\n"), id="a line too many"),
        pytest.param(
            raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + FORGED),
            id="another answer after chunks",
        ),
    ],
)
def test_after_anything_but_a_clean_answer_it_is_closed(first: Behaviour, lasting: Lasting, site: Site) -> None:
    with lasting(in_turn(first, FINE)) as server:
        with suppress(NotFetched):
            site.ask(server)
        assert eventually(lambda: server.still_open == 0)
        assert site.ask(server).body == b'{"a":1}'
        assert server.connections == 2


def test_a_body_that_ends_with_the_connection_leaves_none(lasting: Lasting, site: Site) -> None:
    def until_closed(visit: Visit) -> None:
        raw(OK + b"\r\n{}")(visit)
        hang_up(visit)

    with lasting(in_turn(until_closed, FINE)) as server:
        assert site.ask(server).body == b"{}"
        assert site.ask(server).body == b'{"a":1}'
        assert server.connections == 2


@pytest.mark.parametrize("late", [pytest.param(FORGED, id="an answer nobody asked for"), pytest.param(b"", id="FIN")])
def test_what_comes_while_it_lies_idle_is_never_read_as_the_next_answer(
    late: bytes, lasting: Lasting, site: Site
) -> None:
    read, done = threading.Event(), threading.Event()

    def follow(visit: Visit) -> None:
        FINE(visit)
        read.wait(PATIENCE)
        visit.connection.sendall(late) if late else hang_up(visit)
        done.set()

    with lasting(in_turn(follow, answer(b'{"a":2}'))) as server:
        assert site.ask(server).body == b'{"a":1}'
        assert server.still_open == 1
        read.set()
        assert done.wait(PATIENCE)
        assert site.ask(server).body == b'{"a":2}'
        assert server.connections == 2
    assert len(server.visits) == 2


def test_what_tls_has_deciphered_beyond_the_answer_ends_it(certified: tuple[ssl.SSLContext, Path], site: Site) -> None:
    """One record of TLS holds more than is read from it at a time; the socket itself is empty then."""
    body = b"x" * 9000
    both = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body + FORGED
    with serving(in_turn(raw(both), FINE), lasting=True, tls=certified[0]) as server:
        assert site.ask(server, max_bytes=9000).body == body
        assert site.ask(server).body == b'{"a":1}'
        assert server.connections == 2


# Who may use it.


@pytest.mark.parametrize("other", ["two", None])
def test_no_site_uses_another_s_connection(other: str | None, lasting: Lasting, site: Site) -> None:
    with lasting(FINE) as server:
        site.ask(server)
        site.ask(server, site=other)
        assert server.connections == 2
        site.ask(server)
        assert server.connections == 2


def test_without_a_site_none_is_kept(lasting: Lasting, site: Site) -> None:
    with lasting(FINE) as server:
        for count in (1, 2):
            site.ask(server, site=None)
            assert server.connections == count
        assert eventually(lambda: server.still_open == 0)


def test_another_name_of_the_same_server_has_a_connection_of_its_own(site: Site) -> None:
    with serving(FINE, lasting=True) as server:
        site.ask(server)
        site.ask(server, base=server.base.replace("127.0.0.1", "localhost"))
        assert server.connections == 2


def test_one_to_a_private_address_is_not_lent_where_only_public_ones_may_be_called(
    lasting: Lasting, site: Site
) -> None:
    with lasting(FINE) as server:
        site.ask(server)
        assert site.why_not(server, internal=False) == REFUSED_ADDRESS


def test_one_that_another_authority_vouched_for_is_not_lent(
    certified: tuple[ssl.SSLContext, Path], site: Site, tmp_path: Path
) -> None:
    _, another = make_tls(tmp_path, "localhost")
    with serving(FINE, lasting=True, tls=certified[0]) as server:
        site.ask(server)
        assert site.why_not(server, ca_file=another) == TLS_FAILED


# Closed just then.


@pytest.mark.parametrize("close", [pytest.param(hang_up, id="FIN"), pytest.param(reset_at_once, id="RST")])
def test_a_request_that_met_a_closing_connection_is_sent_once_more_over_a_new_one(
    close: Behaviour, lasting: Lasting, site: Site
) -> None:
    with lasting(in_turn(FINE, close, answer(b'{"a":2}'))) as server:
        site.ask(server)
        assert site.ask(server, form=[("a", "b")]).body == b'{"a":2}'
        assert (server.connections, len(server.visits)) == (2, 3)
    assert server.visits[1].body == server.visits[2].body == b"a=b"


@pytest.mark.parametrize("close", [pytest.param(hang_up, id="FIN"), pytest.param(reset_at_once, id="RST")])
def test_and_not_a_third_time(close: Behaviour, lasting: Lasting, site: Site) -> None:
    with lasting(in_turn(FINE, close)) as server:
        site.ask(server)
        assert site.why_not(server) == BROKEN
        assert (server.connections, len(server.visits)) == (2, 3)
        assert site.why_not(server) == BROKEN
        assert (server.connections, len(server.visits)) == (3, 4), "a new connection gets no second try"


def test_once_a_byte_of_the_answer_has_come_nothing_is_sent_again(lasting: Lasting, site: Site) -> None:
    def begin(visit: Visit) -> None:
        raw(b"H")(visit)
        hang_up(visit)

    with lasting(in_turn(FINE, begin, FINE)) as server:
        site.ask(server)
        assert site.why_not(server) == BROKEN
        assert (server.connections, len(server.visits)) == (1, 2)


# The deadline.


@pytest.mark.parametrize(
    "stuck",
    [
        pytest.param(silent, id="never answers"),
        pytest.param(drip(OK + b"Content-Length: 500\r\n\r\n", b"x"), id="drips"),
    ],
)
def test_the_cut_shuts_one_that_is_used_again_and_it_is_used_no_more(
    stuck: Behaviour, lasting: Lasting, site: Site
) -> None:
    with lasting(in_turn(FINE, stuck, FINE)) as server:
        site.ask(server)
        deadline = Deadline(PATIENCE)
        cutting = threading.Timer(BUDGET, deadline.cut)
        cutting.start()
        assert site.why_not(server, deadline) == TIMED_OUT
        assert not cutting.is_alive()
        assert deadline.over
        assert (server.connections, len(server.visits)) == (1, 2)
        site.ask(server)
        assert server.connections == 2


def test_once_the_time_is_up_nothing_is_sent_over_a_kept_connection(lasting: Lasting, site: Site) -> None:
    with lasting(FINE) as server:
        site.ask(server)
        assert site.why_not(server, Deadline(0.0)) == TIMED_OUT
        assert len(server.visits) == 1


def test_the_end_of_one_exchange_s_time_does_not_touch_the_next_one_s(lasting: Lasting, site: Site) -> None:
    with lasting(FINE) as server:
        first = Deadline(PATIENCE)
        site.ask(server, first)
        first.cut()
        site.ask(server)
        assert server.connections == 1


# How many, and how long.


def test_it_lies_idle_for_less_than_fifteen_seconds(lasting: Lasting, certified: tuple[ssl.SSLContext, Path]) -> None:
    now = [0.0]
    site = Site(certified[1], Kept(lambda: now[0]))
    with lasting(FINE) as server:
        for later, connections in ((0.0, 1), (SECONDS - 1, 1), (SECONDS - 1, 1), (SECONDS, 2)):
            now[0] += later
            site.ask(server)
            assert server.connections == connections
        assert eventually(lambda: server.still_open == 1)


def test_an_old_one_is_closed_by_the_next_exchange_of_whatever_site(
    lasting: Lasting, certified: tuple[ssl.SSLContext, Path]
) -> None:
    now = [0.0]
    site = Site(certified[1], Kept(lambda: now[0]))
    with lasting(FINE) as old, lasting(FINE) as server:
        site.ask(old)
        now[0] = SECONDS
        assert old.still_open == 1
        site.ask(server, site="two")
        assert eventually(lambda: old.still_open == 0)


def test_at_most_eight_are_kept_for_a_server_and_the_oldest_goes_first(site: Site) -> None:
    meeting = threading.Barrier(MOST + 1, timeout=PATIENCE)

    def meet(visit: Visit) -> None:
        meeting.wait()
        FINE(visit)

    with serving(meet, lasting=True) as server:
        side_by_side(site, server, MOST + 1, "one")
        assert eventually(lambda: server.still_open == MOST)


def test_at_most_sixty_four_are_kept_in_all(site: Site) -> None:
    meeting = threading.Barrier(MOST, timeout=PATIENCE)

    def meet(visit: Visit) -> None:
        meeting.wait()
        FINE(visit)

    with serving(meet, lasting=True) as server:
        for number in range(MOST_IN_ALL // MOST + 1):
            side_by_side(site, server, MOST, f"site {number}")
        assert eventually(lambda: server.still_open == MOST_IN_ALL)
        side_by_side(site, server, MOST, "site 1")
        assert server.connections == MOST_IN_ALL + MOST, "those of the last sites are still there"


def side_by_side(site: Site, server: BadServer, times: int, name: str) -> None:
    jobs = {str(number): partial(site.ask, server, site=name) for number in range(times)}
    results = run_until(Deadline(PATIENCE), jobs)
    assert all(isinstance(result, Answer) for result in results.values())
