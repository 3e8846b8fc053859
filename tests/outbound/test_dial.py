"""Which addresses are connected to: the very one that was checked, and none that is not ours to call."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any

import pytest

from cds_service.outbound.address import parse_address
from cds_service.outbound.deadline import Deadline
from cds_service.outbound.dial import dial, may_connect
from cds_service.outbound.not_fetched import COULD_NOT_CONNECT, REFUSED_ADDRESS, TIMED_OUT, UNKNOWN_HOST, NotFetched
from tests.ehr.bad_server import PATIENCE, BadServer, proper, serving

PUBLIC = ["8.8.8.8", "2606:4700::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"]
INTERNAL = ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:127.0.0.1"]
INTERNAL += ["64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::1"]
NEVER = ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"]
NEVER += ["2002:a9fe:a9fe::", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255"]
NEVER += ["100.64.0.1", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "::7f00:1", "fec0::1"]
NEVER += ["2001:0:1::", "100::1", "2001:db8::1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_connect(ip_address(address), internal=False)
    assert may_connect(ip_address(address), internal=True)


@pytest.mark.parametrize("address", INTERNAL)
def test_private_and_loopback_addresses_only_for_an_internal_base(address: str) -> None:
    assert not may_connect(ip_address(address), internal=False)
    assert may_connect(ip_address(address), internal=True)


@pytest.mark.parametrize("address", NEVER)
def test_link_local_metadata_and_reserved_addresses_never(address: str) -> None:
    assert not may_connect(ip_address(address), internal=False)
    assert not may_connect(ip_address(address), internal=True)


def reach(host: str, port: int, *, internal: bool = True, seconds: float = PATIENCE) -> str:
    """Dial and say which address was reached."""
    with ExitStack() as opened:
        made = dial(parse_address(f"http://{host}:{port}/"), Deadline(seconds), internal, opened)
        with made:
            return str(made.getpeername()[0])


class Names:
    """Stands in for the resolver: each look-up takes the next of *answers*."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port)) for found in self.answers.pop(0)]


@pytest.fixture
def server() -> Any:
    with serving(proper) as server:
        yield server


def test_a_name_is_looked_up_once_so_that_rebinding_gains_nothing(
    server: BadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    assert reach("ehr.example.org", server.port) == "127.0.0.1"
    assert names.asked == 1


def test_only_those_addresses_of_a_name_that_pass_are_tried(server: BadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["169.254.169.254", "0.0.0.0", "127.0.0.1"]))
    assert reach("ehr.example.org", server.port) == "127.0.0.1"


def test_the_next_address_is_tried_when_one_does_not_answer(server: BadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.9", "127.0.0.1"]))
    assert reach("ehr.example.org", server.port) == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1"])
def test_no_connection_is_opened_to_an_address_that_is_refused(host: str, server: BadServer) -> None:
    with pytest.raises(NotFetched) as refused:
        reach(host, server.port, internal=False)
    assert refused.value.why == REFUSED_ADDRESS
    assert server.connections == 0


def test_a_name_nobody_knows_is_said_so() -> None:
    with pytest.raises(NotFetched) as refused:
        reach("no-such-host.invalid", 80)
    assert refused.value.why == UNKNOWN_HOST


def test_a_port_nobody_listens_on_is_said_so(server: BadServer) -> None:
    server.close()
    with pytest.raises(NotFetched) as refused:
        reach("127.0.0.1", server.port)
    assert refused.value.why == COULD_NOT_CONNECT


def test_nothing_is_dialled_once_the_time_is_up(server: BadServer) -> None:
    with pytest.raises(NotFetched) as refused:
        reach("127.0.0.1", server.port, seconds=0.0)
    assert refused.value.why == TIMED_OUT
    assert server.connections == 0
