"""What ``/fhir/metadata`` says the FHIR endpoint can do; made from the same tables the search goes by."""

from __future__ import annotations

from typing import Any

from cds_service.sandbox.fhir_search import FILTERS

FHIR_VERSION = "4.0.1"
LAST_CHANGED = "2026-11-23"
"""R4 asks for the date of the statement itself; change it with the tables."""
_TYPES = {"_id": "token", "patient": "reference", "subject": "reference", "code": "token", "category": "token"}


def capability_statement(base: str) -> dict[str, Any]:
    """A CapabilityStatement, FHIR R4, for the server at *base*."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": LAST_CHANGED,
        "kind": "instance",
        "implementation": {"description": "Invented patients, read-only, for testing a CDS service", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "application/json+fhir", "json"],
        "rest": [{"mode": "server", "security": {"cors": True}, "resource": [_resource(kind) for kind in FILTERS]}],
    }


def _resource(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [{"name": name, "type": _TYPES[name]} for name in FILTERS[kind]],
    }
