"""A stand-in for the core, and the calls the wire tests make."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from cds_service.errors import PreconditionFailed
from cds_service.hooks.discovery import ServiceEntry
from cds_service.hooks.envelope import HookRequest

MAX_BODY = 100_000
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
ENTRY = ServiceEntry(
    id="stub",
    hook="patient-view",
    title="Stub",
    description="Stands for the core.",
    usage_requirements="None.",
    prefetch={"patient": "Patient/{{context.patientId}}", "conditions": "Condition?patient={{context.patientId}}"},
)


class Stub:
    """Answers with what it was asked, so that a test can see what reached the core."""

    entry = ENTRY
    digest = "sha256:0"
    version = "2026.1.0"

    def __init__(self) -> None:
        self.seen: list[tuple[HookRequest, date, bool]] = []
        self.raises: BaseException | None = None

    def answer(self, request: HookRequest, today: date, want_assessment: bool) -> dict[str, Any]:
        self.seen.append((request, today, want_assessment))
        if self.raises is not None:
            raise self.raises
        if "patient" not in request.prefetch and request.fhir_server is None:
            raise PreconditionFailed("Prefetch key patient: not supplied.", "prefetch.patient")
        return {"cards": []}

    def about(self, accept_json: bool) -> str | dict[str, Any]:
        return {"purpose": "testing"} if accept_json else "<!doctype html><title>About</title>"


def hook_call(**changes: Any) -> dict[str, Any]:
    """A valid call; a change of ... leaves the field out."""
    call = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "conditions": None},
    } | changes
    return {name: value for name, value in call.items() if value is not ...}


def body_of(call: Any) -> bytes:
    return json.dumps(call).encode()
