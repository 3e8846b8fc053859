"""What is too much is refused at once, in words; what is accepted is answered; probes go first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cds_service.assemble import assemble, check
from cds_service.calls import Calls
from tests.reliability.small import SHORT, Started, read_to_end, started, until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
NARROW = replace(SHORT, threads=1, queue=1, idle_seconds=30)


@pytest.fixture
def full() -> Iterator[Started]:
    """A server whose one thread is held, and whose queue of one is full."""
    with started(NARROW) as server, server.send(HELD):
        assert until(lambda: server.pages.held == 1)
        with server.send(GET):
            assert until(lambda: len(server.server.calls) == 1)
            yield server


def test_a_call_too_many_is_refused_at_once_and_told_when_to_come_back(full: Started) -> None:
    head, _, body = full.ask(LAST).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in head
    outcome = json.loads(body)
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["code"] == "throttled"


def test_a_refused_caller_keeps_its_connection(full: Started) -> None:
    with full.send(GET) as caller:
        assert caller.recv(2000).startswith(b"HTTP/1.1 503")
        caller.sendall(LAST)
        assert read_to_end(caller).startswith(b"HTTP/1.1 503")


def test_each_of_two_calls_in_one_packet_is_refused(full: Started) -> None:
    assert full.ask(GET + LAST).count(b"HTTP/1.1 503") == 2


def test_a_refusal_to_head_has_the_connection_end_where_its_body_would_confuse(full: Started) -> None:
    answer = full.ask(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in answer


def test_a_probe_is_let_in_when_calls_are_refused(full: Started) -> None:
    with full.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as probe:
        assert until(lambda: len(full.server.calls) == 2)
        full.pages.released.set()
        assert read_to_end(probe).startswith(b"HTTP/1.1 200 OK")


def test_what_waited_too_long_is_refused_when_its_turn_comes_if_others_were_refused() -> None:
    with started(replace(NARROW, wait_seconds=0.0)) as server, server.send(HELD) as held:
        assert until(lambda: server.pages.held == 1)
        with server.send(LAST) as waiting:
            assert until(lambda: len(server.server.calls) == 1)
            assert server.ask(LAST).startswith(b"HTTP/1.1 503")
            server.pages.released.set()
            assert held.recv(1000).startswith(b"HTTP/1.1 200")
            assert read_to_end(waiting).startswith(b"HTTP/1.1 503")


def test_a_late_answer_is_better_than_none_while_nobody_is_refused() -> None:
    with started(replace(NARROW, wait_seconds=0.0)) as server, server.send(HELD):
        assert until(lambda: server.pages.held == 1)
        with server.send(LAST) as waiting:
            assert until(lambda: len(server.server.calls) == 1)
            server.pages.released.set()
            assert read_to_end(waiting).startswith(b"HTTP/1.1 200")


def test_a_call_sent_behind_an_accepted_one_is_answered(server: Started) -> None:
    with server.send(HELD + LAST) as caller:
        assert until(lambda: server.pages.held == 1)
        server.pages.released.set()
        assert read_to_end(caller).count(b"HTTP/1.1 200 OK") == 2


def test_stuck_calls_leave_the_other_threads_to_the_others(server: Started) -> None:
    stuck = [server.send(HELD) for _ in range(SHORT.threads - 1)]
    assert until(lambda: server.pages.held == len(stuck))
    assert all(server.ask(LAST).startswith(b"HTTP/1.1 200") for _ in range(20))
    for each in stuck:
        each.close()


def test_bodies_beyond_what_may_be_held_are_refused_before_they_are_read() -> None:
    with started(replace(SHORT, held_bytes=20_000, request_seconds=30)) as server:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
        answer = server.ask(head + bytes(30_000))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"\r\nConnection: close\r\n" in answer


def test_answered_bodies_are_no_longer_held() -> None:
    with started(replace(SHORT, held_bytes=3000)) as server:
        post = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 900\r\n\r\n" + bytes(900)
        assert all(server.ask(post).endswith(b"900 bytes") for _ in range(10))


def test_a_refusal_has_the_headers_the_application_gives_its_errors() -> None:
    app = assemble(check({}, "demo"))
    origin = "https://ehr.example.org"
    theirs = dict(app.test_client().get("/nothing", headers={"Origin": origin}).headers)
    with started(replace(SHORT, queue=0), app) as server:
        head = server.ask(LAST.replace(b"\r\n\r\n", f"\r\nOrigin: {origin}\r\n\r\n".encode())).partition(b"\r\n\r\n")[0]
    ours = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert len(ours["X-Request-Id"]) == len(theirs["X-Request-Id"])
    for name in theirs.keys() - {"Content-Length", "X-Request-Id"}:
        assert ours[name] == theirs[name]


def never() -> bool:
    return False


class Noted:
    """A call that waits to be released, and says in *order* that it was begun."""

    def __init__(self, name: str, order: list[str], released: bool = True) -> None:
        self.name, self.order, self.will_close = name, order, False
        self.released = threading.Event()
        if released:
            self.released.set()

    def service(self) -> None:
        self.order.append(self.name)
        self.released.wait(10)
        if self.name == "faulty":
            raise ValueError(self.name)


def test_the_next_call_is_begun_when_the_last_is_done_and_a_probe_before_it() -> None:
    calls, order = Calls(threads=3, young_seconds=3600, behind=never), list[str]()
    first = Noted("first", order, released=False)
    calls.add(first, first=False)
    assert until(lambda: order == ["first"])
    for name in ("second", "third", "probe"):
        calls.add(Noted(name, order), first=name == "probe")
    first.released.set()
    assert until(lambda: order == ["first", "probe", "second", "third"])
    calls.stop(seconds=5)


def test_a_call_that_takes_long_is_passed_by_the_next() -> None:
    calls, order = Calls(threads=3, young_seconds=0.02, behind=never), list[str]()
    stuck = [Noted(f"stuck {number}", order, released=False) for number in range(2)]
    for each in [*stuck, Noted("next", order)]:
        calls.add(each, first=False)
    assert until(lambda: order == ["stuck 0", "stuck 1", "next"])
    for each in stuck:
        each.released.set()
    calls.stop(seconds=5)


def test_no_call_is_begun_while_the_reading_thread_is_behind() -> None:
    caught_up, order = threading.Event(), list[str]()
    calls = Calls(threads=2, young_seconds=0.005, behind=lambda: not caught_up.is_set())
    calls.add(Noted("call", order), first=False)
    assert not until(lambda: bool(order), seconds=0.1)
    caught_up.set()
    assert until(lambda: order == ["call"])
    calls.stop(seconds=5)


def test_a_thread_outlives_a_faulty_call() -> None:
    calls, order = Calls(threads=1, young_seconds=0.02, behind=never), list[str]()
    faulty = Noted("faulty", order)
    calls.add(faulty, first=False)
    calls.add(Noted("next", order), first=False)
    assert until(lambda: order == ["faulty", "next"])
    assert faulty.will_close
    calls.stop(seconds=5)
