"""Opening a connection to an address that may be called.

The name is looked up once, and the very address that passed the check is the one connected to: a name that
resolves to another address the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from cds_service.outbound.address import Address
from cds_service.outbound.deadline import Deadline
from cds_service.outbound.not_fetched import COULD_NOT_CONNECT, REFUSED_ADDRESS, UNKNOWN_HOST, NotFetched

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")
_NAT64 = IPv6Network("64:ff9b::/96")
# Cloud metadata services that are not link-local: AWS and Google over IPv6, Alibaba, Azure.
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")))


def may_connect(address: IPv4Address | IPv6Address, internal: bool) -> bool:
    """Public addresses; private and loopback ones too if *internal*. Never link-local, multicast or reserved ones."""
    address = _meant(address)
    if address in _METADATA or address.is_multicast or address.is_link_local or address.is_unspecified:
        return False
    if _is_public(address):
        return True
    return internal and (address.is_loopback or _is_private(address))


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv4-mapped, 6to4 or NAT64 one: that is where the packets end."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_reserved


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    """A private network's; the library's word for private also covers tunnels, examples and 0.0.0.0/8."""
    if isinstance(address, IPv6Address):
        return address in _UNIQUE_LOCAL
    return address.is_private and not address.is_reserved and address.packed[0] != 0


def dial(address: Address, deadline: Deadline, internal: bool, opened: ExitStack) -> socket.socket:
    """A connected socket that *deadline* can shut until *opened* is closed. Raises :class:`NotFetched`."""
    places = [(family, place) for family, place in _look_up(address) if may_connect(ip_address(place[0]), internal)]
    if not places:
        raise NotFetched(REFUSED_ADDRESS)
    for left in range(len(places), 0, -1):
        family, place = places[-left]
        deadline.require_time()
        try:
            return _connect(family, place, deadline, deadline.remaining() / left, opened)
        except OSError:
            continue
    deadline.require_time()
    raise NotFetched(COULD_NOT_CONNECT)


def _look_up(address: Address) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(address.host.strip("[]"), address.port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotFetched(UNKNOWN_HOST) from None
    return [(family, place) for family, _, _, _, place in found]


def _connect(family: int, place: Any, deadline: Deadline, seconds: float, opened: ExitStack) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.enter_context(deadline.holding(made))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(seconds)
        made.connect(place)
        # A cut that came while it was connecting found nothing to shut.
        deadline.require_time()
    except BaseException:
        made.close()
        raise
    return made
