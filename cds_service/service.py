"""The one CDS service: what the web application and the command line both call.

Data the EHR did not supply are asked of its FHIR server here, before and outside the pure pipeline.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from cds_service.about import Examples, about_html, about_json
from cds_service.chart.read import AnotherPatient
from cds_service.compose import hook_response
from cds_service.decide import DataNotHad, PatientView, decide
from cds_service.decision import Decision
from cds_service.errors import BadRequest, PreconditionFailed, Unavailable
from cds_service.hooks.discovery import ServiceEntry
from cds_service.hooks.envelope import HookRequest, parse
from cds_service.hooks.strict_json import require_utf8
from cds_service.knowledge import Knowledge
from cds_service.outbound.not_fetched import BUSY
from cds_service.setup_sheet import queries
from cds_service.trust.clients import Client

if TYPE_CHECKING:
    from cds_service.ehr.fill import CallBack

TOO_MANY_WAIT = "Too many calls wait for the FHIR server. Send this one again shortly, or supply the prefetch."
NOTHING_FETCHED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Answer:
    """The decision on one call, and what became of each prefetch key the EHR's server was asked for."""

    decision: Decision
    fetched: Mapping[str, str]


class CardService:
    """Answers hook requests with the catalogue it was given.

    *call_back* gives what may ask the EHR for what is missing, and *examples* the stories ``/about`` names: each
    is asked for when it is first needed, and every time.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        base_url: str,
        call_back: Callable[[], CallBack] | None = None,
        examples: Callable[[], Examples] = Examples,
    ) -> None:
        self.knowledge = knowledge
        self.base_url = base_url
        self._call_back = call_back
        self._examples = examples
        text = knowledge.service
        self.entry = ServiceEntry(
            text.id, text.hook, text.title, text.description, text.usage_requirements, text.prefetch
        )
        self.digest = knowledge.digest
        self.version = knowledge.version

    def answer(self, request: HookRequest, today: date, client: Client | None = None) -> Answer:
        """The decision on *request* of *client*; only a known client's server is asked for what is missing.

        Raises BadRequest for a foreign Patient, PreconditionFailed for data not to be had, and Unavailable
        when they could not be asked for just now.
        """
        fetched = NOTHING_FETCHED
        if client is not None:
            request = _with_our_keys(request, client)
        if client is not None and self._call_back is not None:
            wanted = queries(self.knowledge.service, client.profile)
            filled = self._call_back().fill(request, client, wanted, paged=wanted)
            request, fetched = replace(request, prefetch=filled.prefetch), filled.outcomes
        return Answer(self.decide(patient_view(request), today, fetched), fetched)

    def decide(self, view: PatientView, today: date, fetched: Mapping[str, str] = NOTHING_FETCHED) -> Decision:
        """The decision on one patient view; refusals as errors of the wire."""
        try:
            return decide(view, self.knowledge, today)
        except AnotherPatient as error:
            raise BadRequest(
                "A Patient supplied is not the patient of context.patientId. Send that patient's data only.",
                expression="prefetch.patient",
            ) from error
        except DataNotHad as error:
            raise _not_had(error, fetched.get(error.key)) from error

    def respond(self, decision: Decision, *, with_assessment: bool) -> dict[str, Any]:
        """The body of the hook response."""
        return hook_response(decision, self.knowledge, self.base_url, new_id, with_assessment=with_assessment)

    def about(self, accept_json: bool) -> str | dict[str, Any]:
        """What a clinician needs to judge the card, as HTML or JSON."""
        return (about_json if accept_json else about_html)(self.knowledge, self._examples())


def new_id() -> str:
    """A lower-case random UUID."""
    return str(uuid.uuid4())


def _with_our_keys(request: HookRequest, client: Client) -> HookRequest:
    """The prefetch under our own key names; a name we use already is never taken over."""
    given = request.prefetch
    ours = {
        name if client.prefetch_names.get(name, name) in given else client.prefetch_names[name]: value
        for name, value in given.items()
    }
    return replace(request, prefetch=ours)


def _not_had(error: DataNotHad, outcome: str | None) -> PreconditionFailed | Unavailable:
    """412, with what the FHIR server did when it was asked; 503 when it could not be asked just now."""
    if outcome == BUSY:
        return Unavailable(TOO_MANY_WAIT, "throttled")
    why = error.why if outcome is None else f"not provided, and not had from the FHIR server ({outcome})"
    return PreconditionFailed(
        f"Prefetch key {error.key}: {why}. Supply it as discovery asks.", expression=f"prefetch.{error.key}"
    )


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
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
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
