"""One EHR's FHIR server, as one hook call may use it: every request carries that call's token and deadline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from requests.utils import requote_uri

from cds_service.outbound.address import Address
from cds_service.outbound.fetch import Deadline, NotFetched, Outbound
from cds_service.outbound.not_fetched import NOT_FHIR_JSON, REFUSED_ADDRESS, STATUS

LONGEST_URL = 2000
"""Characters of a URL, as it is sent, that servers and proxies can be trusted to take; longer searches are posted."""
ACCEPT = "application/fhir+json, application/json;q=0.9"
_POST_REFUSED = frozenset(STATUS.format(status) for status in (404, 405, 415, 501))
_JSON = re.compile(r"application/(fhir\+)?json|application/json\+fhir|text/json")


@dataclass(frozen=True)
class FhirServer:
    """Requests under *base* only. Every method raises :class:`NotFetched`."""

    outbound: Outbound
    base: Address
    internal: bool
    ca_file: Path | None
    site: str
    token: str = field(repr=False)
    deadline: Deadline

    def get(self, address: Address, max_bytes: int) -> bytes:
        """The JSON text at *address*, known to be UTF-8."""
        return self._exchange(address, None, max_bytes)

    def search(self, address: Address, max_bytes: int) -> bytes:
        """The same for a search, posted when its URL is long; FHIR R4, http: both are to mean the same."""
        if len(requote_uri(address.url)) <= LONGEST_URL:
            return self.get(address, max_bytes)
        try:
            form = parse_qsl(address.query, keep_blank_values=True)
            return self._exchange(_posted(address), form, max_bytes)
        except NotFetched as refusal:
            if refusal.why not in _POST_REFUSED:
                raise
        return self.get(address, max_bytes)

    def _exchange(self, address: Address, form: Sequence[tuple[str, str]] | None, max_bytes: int) -> bytes:
        if not self.base.holds(address):
            raise NotFetched(REFUSED_ADDRESS)
        answer = self.outbound.exchange(
            address,
            self.deadline,
            headers={"Authorization": f"Bearer {self.token}", "Accept": ACCEPT},
            form=form,
            max_bytes=max_bytes,
            internal=self.internal,
            ca_file=self.ca_file,
            site=self.site,
        )
        if not _JSON.fullmatch(answer.media_type) or not _is_utf8(answer.body):
            raise NotFetched(NOT_FHIR_JSON)
        return answer.body


def _posted(address: Address) -> Address:
    return Address(address.scheme, address.host, address.port, f"{address.path}/_search")


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
