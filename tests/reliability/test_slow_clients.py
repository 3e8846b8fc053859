"""Whoever holds a socket and asks nothing loses it; whoever waits for an answer keeps it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from cds_service.connection import Connection
from cds_service.lifecycle import Lifecycle
from cds_service.server import ACCEPTED_AT_ONCE, Server, listen
from tests.reliability.small import MAX_BODY, SHORT, Pages, Started, read_to_end, started, until

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half the header lines"),
        pytest.param(HEAD + b"\r\nhalf a body", id="half the body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="nothing after its answer"),
    ],
)
def test_a_caller_that_goes_quiet_is_closed(server: Started, begun: bytes) -> None:
    start = time.monotonic()
    server.ask(begun)
    assert time.monotonic() - start < 2


def drips(caller: socket.socket, drop: bytes, stopped: threading.Event) -> Iterator[bool]:
    """Sends a drop; ends when the server has closed the connection."""
    while not stopped.wait(0.05):
        try:
            caller.send(drop)
        except OSError:
            return
        yield True


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        pytest.param(HEAD, b"a", id="header lines"),
        pytest.param(HEAD + b"\r\n", b"a", id="the body"),
        pytest.param(HEAD.replace(b"Content-Length: 500", b"Transfer-Encoding: chunked") + b"\r\n", b"0", id="a chunk"),
        pytest.param(b"", b"\r\n\r\n", id="empty lines, which are no request"),
    ],
)
def test_a_caller_that_drips_is_closed_all_the_same(server: Started, begun: bytes, drop: bytes) -> None:
    start = time.monotonic()
    with server.send(begun) as caller:
        for _ in drips(caller, drop, threading.Event()):
            assert time.monotonic() - start < 3
    assert time.monotonic() - start > 0.35, "closed by its age, not by its first silence"


def test_a_caller_that_never_fetches_its_answers_is_closed(server: Started) -> None:
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", server.port))
        caller.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
        assert until(lambda: len(server.server.active_channels) == 1)
        assert until(lambda: not server.server.active_channels)


def test_a_thread_that_waits_for_such_a_caller_goes_on_with_others(server: Started) -> None:
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", server.port))
        caller.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
        assert until(lambda: not server.server.active_channels)
    answers = [server.ask(b"GET / HTTP/1.0\r\n\r\n") for _ in range(8)]
    assert all(answer.startswith(b"HTTP/1.0 200") for answer in answers)


def test_a_caller_that_waits_for_its_answer_is_never_overdue(server: Started) -> None:
    with server.send(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n") as caller:
        assert until(lambda: server.pages.held == 1)
        (connection,) = server.server.active_channels.values()
        assert not connection.overdue(time.monotonic() + 3600, idle_seconds=0)
        server.pages.released.set()
        assert read_to_end(caller).startswith(b"HTTP/1.1 200 OK")


def test_a_request_in_pieces_is_read(patient_server: Started) -> None:
    whole = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    with patient_server.send(whole[:30]) as caller:
        for byte in whole[30:]:
            caller.sendall(bytes([byte]))
        assert read_to_end(caller).endswith(b"5 bytes")


def test_the_age_of_a_request_begins_with_its_own_first_byte(patient_server: Started) -> None:
    """A request that follows another in one packet is not as old as that one."""
    whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with patient_server.send(whole + whole[:20]) as caller:
        (connection,) = until_there_is_one(patient_server)
        assert until(lambda: connection.began is not None and not connection.requests)
        began = connection.began or 0.0
        assert connection.overdue(began + 30.5, idle_seconds=99)
        assert not connection.overdue(began + 29.5, idle_seconds=0)
        caller.sendall(whole[20:])
        assert until(lambda: connection.began is None)


def until_there_is_one(server: Started) -> list[Connection]:
    assert until(lambda: len(server.server.active_channels) == 1)
    return list(server.server.active_channels.values())


def test_a_large_body_stays_in_memory() -> None:
    """It holds patient data, and a disk may keep what was deleted."""
    size = 2 << 20
    begun = HEAD.replace(b"500", b"%d" % size) + b"\r\n" + bytes(size - 1)
    with started(replace(SHORT, request_seconds=30), max_body=size) as server, server.send(begun):
        (connection,) = until_there_is_one(server)
        assert until(lambda: connection.held >= size - 1)
        assert connection.request is not None
        assert connection.request.body_rcv is not None
        assert not connection.request.body_rcv.getbuf().overflowed


def test_many_callers_are_taken_in_at_once_but_not_without_end() -> None:
    with closing(listen("127.0.0.1", 0)) as listener, ExitStack() as callers:
        server = Server(Pages(), listener, SHORT, Lifecycle(), MAX_BODY)
        for _ in range(ACCEPTED_AT_ONCE + 6):
            callers.enter_context(socket.create_connection(listener.getsockname(), timeout=5))
        server.handle_accept()
        assert len(server.active_channels) == ACCEPTED_AT_ONCE
        server.handle_accept()
        assert len(server.active_channels) == ACCEPTED_AT_ONCE + 6
        server.close()
