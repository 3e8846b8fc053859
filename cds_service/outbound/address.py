"""Addresses that every reader of them reads alike.

Two parsers that disagree on the host of ``https://evil.example\\@ehr.example.org/`` are how a token leaks. So
an address is read here by one narrow grammar (a part of RFC 3986, section 3), everything outside it is refused,
and addresses are compared part by part, never by the start of their text. Pure: no name is looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

LONGEST = 8192
"""Characters an address may have."""
DEFAULT_PORTS = {"http": 80, "https": 443}

_WHOLE = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"%([01][0-9a-f]|7f)", re.IGNORECASE)
_ENCODED = re.compile(r"%(2e|2f|5c|25)", re.IGNORECASE)


class UnsafeAddress(ValueError):
    """The text is no address we would call. *why* says what is wrong with it and never repeats it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Address:
    """An absolute http or https address.

    *host* is in lower case, with its brackets when it is IPv6; *path* has no slash at its end and is empty for
    the root; *query* has no question mark.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port; the scheme's own port is left out."""
        return f"{self.scheme}://{self.host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def url(self) -> str:
        """The address as text; reading it again gives an equal address."""
        return self.origin + self.path + (f"?{self.query}" if self.query else "")

    def holds(self, other: Address) -> bool:
        """*other* has this origin, and its path is this path or continues it at a slash. Queries do not count."""
        same_origin = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same_origin and (other.path == self.path or other.path.startswith(self.path + "/"))

    def below(self, relative: str) -> Address:
        """The address of *relative* (such as ``Patient/1``) under this path. Raises :class:`UnsafeAddress`."""
        return parse_address(f"{self.origin}{self.path}/{relative}")


def parse_address(text: str) -> Address:
    """The address in *text*. Raises :class:`UnsafeAddress` for whatever is not plainly one."""
    if len(text) > LONGEST:
        raise UnsafeAddress(f"is longer than {LONGEST} characters")
    if not re.fullmatch(r"[!-~]*", text):
        raise UnsafeAddress("has spaces, control characters or characters that are not ASCII")
    if "\\" in text:
        raise UnsafeAddress("has a backslash")
    if "#" in text:
        raise UnsafeAddress("has a fragment; leave out the # and what follows it")
    parts = _WHOLE.fullmatch(text)
    if parts is None:
        raise UnsafeAddress("must begin with https:// or http://")
    scheme = parts["scheme"].lower()
    host, port = _host_and_port(parts["authority"], DEFAULT_PORTS[scheme])
    return Address(scheme, host, port, _path(parts["path"] or ""), _query(parts["query"] or ""))


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    if "@" in authority:
        raise UnsafeAddress("has user information; leave out the @ and what precedes it")
    if "%" in authority:
        raise UnsafeAddress("has a percent sign in its host")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise UnsafeAddress("has an odd host or port")
    port = default if parts["port"] is None else int(parts["port"])
    if not 0 < port <= 65535:
        raise UnsafeAddress("has a port outside 1 to 65535")
    return _host(parts["host"].lower()), port


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text)
    if not text:
        raise UnsafeAddress("has no host")
    if text.endswith("."):
        raise UnsafeAddress("has a dot at the end of its host")
    if not _NAME.fullmatch(text):
        raise UnsafeAddress("has a host that is neither a name nor an IP address")
    # getaddrinfo reads a host that ends in a number as IPv4, in octal, hexadecimal and shortened forms too.
    if _NUMBER.fullmatch(text.rpartition(".")[2]):
        _require_plain_ipv4(text)
    return text


def _require_plain_ipv4(text: str) -> None:
    try:
        IPv4Address(text)
    except AddressValueError:
        raise UnsafeAddress("has an IPv4 host that is not plain dotted decimal") from None


def _ipv6(text: str) -> str:
    try:
        IPv6Address(text[1:-1])
    except AddressValueError:
        raise UnsafeAddress("has brackets around something that is not IPv6") from None
    return text


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise UnsafeAddress("has a character in its path that must be percent-encoded")
    if "//" in text:
        raise UnsafeAddress("has an empty segment in its path")
    if _CONTROL.search(text):
        raise UnsafeAddress("has an encoded control character in its path")
    if _ENCODED.search(text):
        raise UnsafeAddress("has an encoded dot, slash, backslash or percent sign in its path")
    # Some servers drop ";..." from a segment before they look for dots.
    if any(re.split(";|%3[bB]", segment)[0] in (".", "..") for segment in text.split("/")):
        raise UnsafeAddress("has a dot segment in its path")
    return text.removesuffix("/")


def _query(text: str) -> str:
    if _BARE_PERCENT.search(text) or _CONTROL.search(text):
        raise UnsafeAddress("has a stray percent sign or an encoded control character in its query")
    return text
