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

from cds_service.chart.bundle import Bundle, Link, Prefetched, read_bundle
from cds_service.ehr.server import FhirServer
from cds_service.outbound.address import Address, UnsafeAddress, parse_address
from cds_service.outbound.fetch import NotFetched
from cds_service.outbound.not_fetched import ANOTHER_RESOURCE, NOT_FHIR_JSON, REFUSED_ADDRESS, TOO_LARGE

MAX_PAGES = 20
MAX_BYTES = 32 << 20
"""Bytes of all pages of one key together."""

SEARCHSET = msgspec.Raw(b'"searchset"')
UNREAD = Link("next", "urn:unread")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PLAIN = re.compile(r"[!-~]+")


class _Resource(msgspec.Struct):
    resourceType: str = ""
    id: str = ""


_resource = msgspec.json.Decoder(_Resource).decode


@dataclass(frozen=True)
class Fetched:
    """What is under one key; *complete* unless pages are lacking."""

    value: Prefetched
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
    return _with_later_pages(server, _read(body), len(body), address.url)


def has_later_page(bundle: Bundle) -> bool:
    """It is a searchset whose ``next`` link has not been followed."""
    return bundle.type == SEARCHSET and bundle.next_page is not None


def fetch_later_pages(server: FhirServer, page_one: Bundle) -> Fetched:
    """*page_one*, which the EHR sent itself, and the pages after it."""
    size = sum(len(entry.resource) for entry in page_one.entry if entry is not None)
    return _with_later_pages(server, page_one, size, f"{server.base.url}/")


def _with_later_pages(server: FhirServer, page_one: Bundle, size: int, at: str) -> Fetched:
    """*at* is the address of page one, which relative links start from; *size* its bytes."""
    pages, visited, link = [page_one], {at}, page_one.next_page
    try:
        while link is not None:
            address = _followed(link, at)
            at = address.url
            if at in visited or len(pages) == MAX_PAGES:
                raise NotFetched(TOO_LARGE)
            visited.add(at)
            body = server.get(address, MAX_BYTES - size)
            pages.append(_read(body))
            size, link = size + len(body), pages[-1].next_page
    except NotFetched:
        pass  # the link that is left says so
    return Fetched(_joined(pages, link), link is None)


def _read(body: bytes) -> Bundle:
    try:
        bundle = read_bundle(body)
    except (msgspec.DecodeError, RecursionError):
        raise NotFetched(NOT_FHIR_JSON) from None
    # FHIR R4, http: a search answers with a Bundle of type searchset.
    if (bundle.resourceType, bundle.type) != ("Bundle", SEARCHSET):
        raise NotFetched(ANOTHER_RESOURCE)
    return bundle


def _followed(link: str, at: str) -> Address:
    """An absolute link is read as it stands, as joining would tidy away what makes it unsafe."""
    if not _PLAIN.fullmatch(link):
        raise NotFetched(REFUSED_ADDRESS)
    try:
        return parse_address(link if _ABSOLUTE.match(link) else urljoin(at, link))
    except UnsafeAddress:
        raise NotFetched(REFUSED_ADDRESS) from None


def _joined(pages: Sequence[Bundle], link: str | None) -> Bundle:
    entries = [entry for page in pages for entry in page.entry]
    return Bundle("Bundle", SEARCHSET, entries, [] if link is None else [UNREAD])
