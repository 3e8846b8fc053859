"""Registered sites and hook calls for the tests of calling back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.ehr.fill import CallBack
from cds_service.hooks.envelope import FhirAuthorization, HookRequest
from cds_service.outbound.address import Address, parse_address
from cds_service.outbound.fetch import Outbound
from tests.ehr.bad_server import BadServer, Behaviour, serving

TOKEN = "canary-token"
PATIENT = "Patient/{{context.patientId}}"
CONDITIONS = "Condition?patient={{context.patientId}}&_count=500"


@dataclass(frozen=True)
class Base:
    address: Address
    internal: bool = False

    @classmethod
    def of(cls, text: str, internal: bool = False) -> Base:
        return cls(parse_address(text), internal)


@dataclass(frozen=True)
class Registered:
    fhir_bases: tuple[Base, ...]
    ca_file: Path | None = None
    name: str = "a site"


def site(base: str, internal: bool = True, ca_file: Path | None = None, name: str = "a site") -> Registered:
    return Registered((Base.of(base, internal),), ca_file, name)


def hook_request(base: str | None, prefetch: Mapping[str, bytes] | None = None, **changes: Any) -> HookRequest:
    given: dict[str, Any] = {
        "hook_instance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "user_id": "Practitioner/1",
        "patient_id": "p1",
        "fhir_server": base,
        "fhir_authorization": FhirAuthorization(TOKEN, "Bearer", 300),
        "prefetch": prefetch or {},
    }
    return HookRequest(**given | changes)


def call_back(budget: float = 5.0, slots: int = 8) -> CallBack:
    return CallBack(Outbound(), budget=budget, slots=slots)


@contextmanager
def ehr(behave: Behaviour) -> Iterator[tuple[BadServer, Registered]]:
    """A server, and the site that is registered with it."""
    with serving(behave) as server:
        yield server, site(server.base)
