"""Whether a hook call lets us call its FHIR server back: the base must be the site's own, and a token must be there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cds_service.hooks.envelope import FhirAuthorization
from cds_service.outbound.address import Address, UnsafeAddress, parse_address

# RFC 6750, 2.1 allows fewer characters still; anything outside these could end the header it is sent in.
_TOKEN = re.compile(r"[!-~]{1,65536}")


class FhirBase(Protocol):
    """A FHIR server's base address; *internal* if it may be on a private network."""

    @property
    def address(self) -> Address: ...

    @property
    def internal(self) -> bool: ...


class Site(Protocol):
    """What the registry says about the caller: its FHIR servers, and its own certificate authority if it has one.

    Connections are kept by *name*, so no two sites may have the same.
    """

    @property
    def name(self) -> str: ...

    @property
    def fhir_bases(self) -> Sequence[FhirBase]: ...

    @property
    def ca_file(self) -> Path | None: ...


def allowed_base(fhir_server: str, bases: Sequence[FhirBase]) -> FhirBase | None:
    """The one of *bases* that *fhir_server* names exactly, but for a slash at its end."""
    try:
        asked = parse_address(fhir_server)
    except UnsafeAddress:
        return None
    return next((base for base in bases if base.address == asked), None)


def usable_token(authorization: FhirAuthorization | None) -> str | None:
    """CDS Hooks, FHIR Access Token: a Bearer token, with some of its life left when that is said."""
    if authorization is None or authorization.token_type.lower() != "bearer":
        return None
    if authorization.expires_in is not None and authorization.expires_in <= 0:
        return None
    return authorization.access_token if _TOKEN.fullmatch(authorization.access_token) else None
