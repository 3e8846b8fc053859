"""The stories' charts as the server holds them, and the answers to the hook requests over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cds_service.compose import hook_response
from cds_service.decide import PatientView, decide
from cds_service.ehr.fill import FETCHED, CallBack
from cds_service.hooks.envelope import HookRequest, parse
from cds_service.outbound.address import parse_address
from cds_service.outbound.fetch import Outbound
from cds_service.trust.clients import FhirBase, sandbox_client
from tests.fhir_server.ehr import ANSWER_WITHIN, Ehr
from tests.stories import BASE_URL, Story, counted_ids, knowledge

PATIENT = "{{context.patientId}}"


@dataclass
class Charts:
    """What became of every resource of every story."""

    refused: dict[str, str] = field(default_factory=dict)
    """``Type/id`` -> why the server did not store it, in its words."""
    stamps: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)
    """``Type/id`` and the version the story gives -> the ``meta`` the server gave in its place."""


def stored(ehr: Ehr, stories: tuple[Story, ...]) -> Charts:
    """Every resource of *stories*, put on the server one by one."""
    charts = Charts()
    for resource in (resource for story in stories for resource in resources(story.request["prefetch"])):
        answer = ehr.store(resource)
        if answer.ok:
            charts.stamps[_version(resource)] = answer.json()["meta"]
        else:
            charts.refused[_name(resource)] = answer.json()["issue"][0]["diagnostics"]
    return charts


def resources(prefetch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The resources a prefetch holds, under any key, as they stand; outcomes are not the chart's."""
    for value in prefetch.values():
        whole = value or {}
        for resource in [whole, *(entry["resource"] for entry in whole.get("entry", []))]:
            if resource.get("resourceType", "Bundle") not in ("Bundle", "OperationOutcome"):
                yield resource


def _name(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _version(resource: Mapping[str, Any]) -> tuple[str, str | None]:
    return _name(resource), resource.get("meta", {}).get("versionId")


def restamped(prefetch: Mapping[str, Any], charts: Charts) -> dict[str, Any]:
    """*prefetch* as this EHR would send it: where a story gives ``meta``, the server's own instead.

    A server writes ``meta.lastUpdated`` itself, and the reading takes it as the latest an undated status can be.
    """
    copy: dict[str, Any] = json.loads(json.dumps(prefetch))
    for resource in resources(copy):
        if "meta" in resource:
            resource["meta"] = charts.stamps[_version(resource)]
    return copy


def queried(ehr: Ehr, patient_id: str) -> dict[str, Any]:
    """The prefetch that discovery's templates find; a search of more than 1,500 characters goes by POST."""
    found: dict[str, Any] = {}
    for key, template in knowledge().service.prefetch.items():
        relative = template.replace(PATIENT, patient_id)
        found[key] = _joined(ehr, relative) if "?" in relative else ehr.read(relative)
    return found


def _joined(ehr: Ehr, relative: str) -> dict[str, Any]:
    pages = ehr.search(relative, by_post=len(relative) > 1500)
    entries = [entry for page in pages for entry in page.get("entry", [])]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def hook_request(story: Story, ehr: Ehr, prefetch: Mapping[str, Any] | None) -> HookRequest:
    """The story's request with this server and its token, and with *prefetch* in place of its own."""
    request = {key: value for key, value in story.request.items() if key != "prefetch"}
    request["fhirServer"] = ehr.base
    request["fhirAuthorization"] = {
        "access_token": ehr.token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "cds-service",
    }
    if prefetch is not None:
        request["prefetch"] = prefetch
    return parse(json.dumps(request).encode())


def called_back(ehr: Ehr, request: HookRequest) -> HookRequest:
    """*request* with every key fetched from *ehr* by the service itself; none may fail."""
    site = replace(sandbox_client(), fhir_bases=(FhirBase(parse_address(ehr.base), internal=True),))
    wanted = knowledge().service.prefetch
    filled = CallBack(Outbound(), budget=ANSWER_WITHIN, slots=1).fill(request, site, wanted)
    assert filled.outcomes == dict.fromkeys(wanted, FETCHED)
    return replace(request, prefetch=filled.prefetch)


def answer(request: HookRequest, story: Story) -> dict[str, Any]:
    """The hook response on the story's day, with counted ids."""
    view = PatientView(request.patient_id, request.prefetch, request.patient_facing, request.fhir_server)
    decision = decide(view, knowledge(), date.fromisoformat(story.about["today"]))
    return hook_response(decision, knowledge(), BASE_URL, counted_ids(), with_assessment=True)
