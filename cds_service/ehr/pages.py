"""One prefetch key: a resource, or a search with all its pages joined, entries never decoded.

A page that cannot be had leaves a ``next`` link in the Bundle: the reader takes that for what it is, a search
read in part, and names the key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import msgspec

from cds_service.ehr.server import FhirServer
from cds_service.outbound.address import Address, UnsafeAddress, parse_address
from cds_service.outbound.fetch import NotFetched
from cds_service.outbound.not_fetched import ANOTHER_RESOURCE, NOT_FHIR_JSON, REFUSED_ADDRESS, TOO_LARGE

MAX_PAGES = 20
MAX_BYTES = 32 << 20
"""Bytes of all pages of one key together."""

_UNREAD = b'[{"relation":"next","url":"urn:unread"}]'
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PLAIN = re.compile(r"[!-~]+")


class _Link(msgspec.Struct):
    relation: str | None = None
    url: str | None = None


class _Bundle(msgspec.Struct):
    resourceType: str = ""
    type: str = ""
    entry: list[msgspec.Raw] = []
    link: list[_Link] = []


class _Resource(msgspec.Struct):
    resourceType: str = ""
    id: str = ""


_bundle = msgspec.json.Decoder(_Bundle).decode
_resource = msgspec.json.Decoder(_Resource).decode


@dataclass(frozen=True)
class Fetched:
    """The JSON under one key; *complete* unless pages are lacking."""

    value: bytes | memoryview
    complete: bool = True


def fetch_resource(server: FhirServer, address: Address) -> Fetched:
    """The resource ``Type/id`` that *address* ends in. Raises :class:`NotFetched`."""
    body = server.get(address, MAX_BYTES)
    try:
        found = _resource(body)
    except (msgspec.DecodeError, RecursionError):
        raise NotFetched(NOT_FHIR_JSON) from None
    if [found.resourceType, found.id] != address.path.split("/")[-2:]:
        raise NotFetched(ANOTHER_RESOURCE)
    return Fetched(body)


def fetch_bundle(server: FhirServer, address: Address) -> Fetched:
    """The search at *address* and the pages after it. Raises :class:`NotFetched` when there is not even page one."""
    body = server.search(address, MAX_BYTES)
    return _with_later_pages(server, body, _read(body), address.url)


def has_later_page(value: bytes | memoryview) -> bool:
    """*value* is a searchset Bundle whose ``next`` link has not been followed."""
    if b'"next"' not in bytes(value):
        return False  # sooner than a reader finds out
    try:
        return _next(_read(value)) is not None
    except NotFetched:
        return False


def fetch_later_pages(server: FhirServer, page_one: bytes | memoryview) -> Fetched:
    """*page_one*, which the EHR sent itself, and the pages after it."""
    return _with_later_pages(server, page_one, _read(page_one), f"{server.base.url}/")


def _with_later_pages(server: FhirServer, page_one: bytes | memoryview, bundle: _Bundle, at: str) -> Fetched:
    """*at* is the address of page one, which relative links start from."""
    pages, size, visited, link = [bundle.entry], len(page_one), {at}, _next(bundle)
    try:
        while link is not None:
            address = _followed(link, at)
            at = address.url
            if at in visited or len(pages) == MAX_PAGES:
                raise NotFetched(TOO_LARGE)
            visited.add(at)
            body = server.get(address, MAX_BYTES - size)
            bundle = _read(body)
            pages.append(bundle.entry)
            size, link = size + len(body), _next(bundle)
    except NotFetched:
        pass  # the link that is left says so
    return Fetched(page_one if len(pages) == 1 else _joined(pages, link), link is None)


def _read(body: bytes | memoryview) -> _Bundle:
    try:
        bundle = _bundle(body)
    except (msgspec.DecodeError, RecursionError):
        raise NotFetched(NOT_FHIR_JSON) from None
    # FHIR R4, http: a search answers with a Bundle of type searchset.
    if (bundle.resourceType, bundle.type) != ("Bundle", "searchset"):
        raise NotFetched(ANOTHER_RESOURCE)
    return bundle


def _next(bundle: _Bundle) -> str | None:
    return next((link.url for link in bundle.link if link.relation == "next" and link.url), None)


def _followed(link: str, at: str) -> Address:
    """An absolute link is read as it stands, as joining would tidy away what makes it unsafe."""
    if not _PLAIN.fullmatch(link):
        raise NotFetched(REFUSED_ADDRESS)
    try:
        return parse_address(link if _ABSOLUTE.match(link) else urljoin(at, link))
    except UnsafeAddress:
        raise NotFetched(REFUSED_ADDRESS) from None


def _joined(pages: Sequence[Sequence[msgspec.Raw]], link: str | None) -> bytes:
    joined = b",".join(entry for page in pages for entry in page)
    links = b"[]" if link is None else _UNREAD
    return b'{"resourceType":"Bundle","type":"searchset","link":' + links + b',"entry":[' + joined + b"]}"
