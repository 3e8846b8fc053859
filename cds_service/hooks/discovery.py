"""What ``GET /cds-services`` says: which hook this service answers and what it asks to be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServiceEntry:
    """One entry of discovery. *prefetch* maps each key to its FHIR read or search template."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, str]


def discovery(entry: ServiceEntry) -> dict[str, Any]:
    """CDS Hooks, Discovery: an object with an array ``services``; attributes without a value are left out."""
    listed: dict[str, Any] = {
        "hook": entry.hook,
        "title": entry.title,
        "description": entry.description,
        "id": entry.id,
        "usageRequirements": entry.usage_requirements,
        "prefetch": dict(entry.prefetch),
    }
    return {"services": [{name: value for name, value in listed.items() if value}]}
