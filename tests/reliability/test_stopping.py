"""Told to stop, the server turns load balancers away first, answers what it accepted, and ends."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from cds_service.lifecycle import Lifecycle
from cds_service.server import Limits, serve
from tests.reliability import stopping
from tests.reliability.launch import free_port
from tests.reliability.small import SHORT, Pages, read_to_end, started, until

HELD = b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Caller(threading.Thread):
    """Runs *script* beside the server, which needs the main thread for its signals."""

    def __init__(self, script: Callable[[int, Pages], None], limits: Limits = SHORT) -> None:
        super().__init__(daemon=True)
        self.script, self.limits = script, limits
        self.port, self.pages = free_port(), Pages()
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            assert until(lambda: answers(self.port))
            self.script(self.port, self.pages)
        except BaseException as fault:  # noqa: BLE001 - raised again in the main thread
            self.fault = fault
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    def serve(self) -> None:
        lifecycle = Lifecycle()
        self.start()
        try:
            serve(self.pages, host="127.0.0.1", port=self.port, max_body=1024, lifecycle=lifecycle, limits=self.limits)
        finally:
            self.pages.released.set()
            self.join(5)
            if self.fault is not None:
                raise self.fault


def connect(port: int, data: bytes = b"") -> socket.socket:
    caller = socket.create_connection(("127.0.0.1", port), timeout=5)
    caller.sendall(data)
    return caller


def answers(port: int) -> bool:
    try:
        with connect(port):
            return True
    except OSError:
        return False


def held(port: int, pages: Pages, number: int = 3) -> list[socket.socket]:
    callers = [connect(port, HELD) for _ in range(number)]
    assert until(lambda: pages.held == number)
    return callers


def test_what_was_accepted_is_answered_after_the_port_has_closed() -> None:
    def script(port: int, pages: Pages) -> None:
        callers = held(port, pages)
        os.kill(os.getpid(), signal.SIGTERM)
        late = connect(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in read_to_end(late), "while load balancers learn of it"
        assert until(lambda: not answers(port))
        pages.released.set()
        for caller in callers:
            assert read_to_end(caller).startswith(b"HTTP/1.1 200 OK")

    before = signal.getsignal(signal.SIGTERM)
    Caller(script).serve()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_twice_it_ends_at_once_and_says_so(number: int) -> None:
    def script(port: int, pages: Pages) -> None:
        held(port, pages, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert until(lambda: not answers(port))
        os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as ended:
        Caller(script, replace(SHORT, drain_seconds=60)).serve()
    assert ended.value.code == 1


def test_it_does_not_wait_for_ever() -> None:
    with started(replace(SHORT, lead_seconds=0.0, drain_seconds=0.1)) as server, server.send(HELD):
        assert until(lambda: server.pages.held == 1)
        server.lifecycle.stop()
        server.thread.join(5)
        assert server.finished is False


def test_an_idle_connection_does_not_hold_the_end_up() -> None:
    with started(replace(SHORT, idle_seconds=60, drain_seconds=60)) as server, server.send(b"") as idle:
        assert until(lambda: len(server.server.active_channels) == 1)
        server.lifecycle.stop()
        assert read_to_end(idle) == b""
        server.thread.join(5)
        assert server.finished is True


def test_a_port_that_is_taken_is_an_error_and_the_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(Pages(), host="127.0.0.1", port=taken.getsockname()[1], max_body=1024, lifecycle=Lifecycle())
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_asks_for_as_many_files_as_it_has_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, before[1]))
    try:
        with started(replace(SHORT, connections=1000)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_process_ends_with_zero_after_its_last_answer() -> None:
    assert stopping.main()
