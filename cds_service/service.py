"""The one CDS service: what the web application and the command line both call."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import msgspec

from cds_service.about import about_html, about_json
from cds_service.chart.read import AnotherPatient
from cds_service.compose import hook_response
from cds_service.decide import DataNotHad, PatientView, decide
from cds_service.decision import Decision
from cds_service.errors import BadRequest, PreconditionFailed
from cds_service.hooks.discovery import ServiceEntry
from cds_service.hooks.envelope import HookRequest, parse
from cds_service.hooks.strict_json import require_utf8
from cds_service.knowledge import Knowledge


class CardService:
    """Answers hook requests with the catalogue it was given. No clock, disk or network."""

    def __init__(self, knowledge: Knowledge, base_url: str) -> None:
        self.knowledge = knowledge
        self.base_url = base_url
        text = knowledge.service
        self.entry = ServiceEntry(
            text.id, text.hook, text.title, text.description, text.usage_requirements, text.prefetch
        )
        self.digest = knowledge.digest
        self.version = knowledge.version

    def answer(self, request: HookRequest, today: date, want_assessment: bool) -> dict[str, Any]:
        """The hook response. Raises BadRequest for a foreign Patient, PreconditionFailed for lacking data."""
        decision = self.decide(patient_view(request), today)
        return hook_response(decision, self.knowledge, self.base_url, new_id, with_assessment=want_assessment)

    def decide(self, view: PatientView, today: date) -> Decision:
        """The decision on one patient view; refusals as errors of the wire."""
        try:
            return decide(view, self.knowledge, today)
        except AnotherPatient as error:
            raise BadRequest(
                "A Patient supplied is not the patient of context.patientId. Send that patient's data only.",
                expression="prefetch.patient",
            ) from error
        except DataNotHad as error:
            raise PreconditionFailed(
                f"Prefetch key {error.key}: {error.why}. Supply it as discovery asks.",
                expression=f"prefetch.{error.key}",
            ) from error

    def about(self, accept_json: bool) -> str | dict[str, Any]:
        """What a clinician needs to judge the card, as HTML or JSON."""
        return about_json(self.knowledge) if accept_json else about_html(self.knowledge)


def new_id() -> str:
    """A lower-case random UUID."""
    return str(uuid.uuid4())


def patient_view(request: HookRequest) -> PatientView:
    """What the core needs of a hook request."""
    return PatientView(request.patient_id, request.prefetch, request.patient_facing, request.fhir_server)


class _Peek(msgspec.Struct):
    resourceType: str = ""
    id: str | None = None


class _EntryPeek(msgspec.Struct):
    resource: _Peek | None = None


class _BundlePeek(msgspec.Struct):
    resourceType: str = ""
    entry: list[msgspec.Raw] = []
    link: msgspec.Raw = msgspec.Raw(b"[]")


def view_of_file(body: bytes) -> PatientView:
    """A hook request, or a FHIR Bundle that holds one Patient. Raises BadRequest with what to do."""
    require_utf8(body)
    try:
        bundle = msgspec.json.decode(body, type=_BundlePeek)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return patient_view(parse(body))
    if bundle.resourceType != "Bundle":
        return patient_view(parse(body))
    return _view_of_bundle(bundle)


def _view_of_bundle(bundle: _BundlePeek) -> PatientView:
    patients: dict[str, list[msgspec.Raw]] = {}
    parts: dict[str, list[msgspec.Raw]] = {"conditions": [], "observations": []}
    for entry in bundle.entry:
        peek = _peek(entry)
        if peek.resourceType == "Patient":
            patients.setdefault(peek.id or "", []).append(entry)
        else:
            parts["conditions" if peek.resourceType == "Condition" else "observations"].append(entry)
    if len(patients) != 1 or "" in patients:
        raise BadRequest(
            "The Bundle must hold exactly one Patient with an id. Give a hook request, or such a Bundle.",
            expression="Bundle.entry",
        )
    patient_id, entries = next(iter(patients.items()))
    prefetch = {
        "patient": _bundle(entries, b"[]"),
        **{k: _bundle(v, bytes(bundle.link)) for k, v in parts.items()},
    }
    return PatientView(patient_id, prefetch)


def _peek(entry: msgspec.Raw) -> _Peek:
    try:
        return msgspec.json.decode(entry, type=_EntryPeek).resource or _Peek()
    except msgspec.DecodeError:
        return _Peek()


def _bundle(entries: list[msgspec.Raw], link: bytes) -> bytes:
    joined = b",".join(bytes(entry) for entry in entries)
    return b'{"resourceType":"Bundle","link":' + link + b',"entry":[' + joined + b"]}"
