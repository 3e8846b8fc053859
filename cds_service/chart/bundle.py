"""A prefetch value that is a Bundle, its entries told apart and each resource still as it came."""

from __future__ import annotations

import msgspec

NULL = b"null"


class Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw()
    fullUrl: str | None = None


class Link(msgspec.Struct, gc=False):
    relation: str | None = None
    url: str | None = None


class Bundle(msgspec.Struct, gc=False):
    """As much of a Bundle as is read. *type* is JSON, such as ``"searchset"`` with its quotation marks."""

    resourceType: str = ""
    type: msgspec.Raw = msgspec.Raw()
    entry: list[Entry | None] = []
    link: list[Link] = []

    @property
    def next_page(self) -> str | None:
        """The address of the page after this one."""
        return next((link.url for link in self.link if link.relation == "next" and link.url), None)


Prefetched = bytes | memoryview | Bundle
"""One prefetch value: a Bundle, or the JSON of whatever else came; ``null`` is ``b"null"``."""


def is_null(value: Prefetched) -> bool:
    """CDS Hooks, prefetch: the client looked and there is nothing."""
    return not isinstance(value, Bundle) and bytes(value[:4]) == NULL


def parted(raw: bytes | memoryview) -> Prefetched:
    """The Bundle in *raw*; or *raw*, when it is another resource, or not of the shape of a Bundle."""
    try:
        bundle = read_bundle(raw)
    except msgspec.DecodeError:
        return raw
    return bundle if bundle.resourceType == "Bundle" else raw


read_bundle = msgspec.json.Decoder(Bundle).decode
