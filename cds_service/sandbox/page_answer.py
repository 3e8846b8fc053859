"""What a tester's text becomes: an answer with everything that led to it, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.clinical.when import When
from cds_service.decision import Decision
from cds_service.errors import ServiceError
from cds_service.sandbox.page_place import Place, place_of_fault
from cds_service.service import CardService, view_of_file

Enter = Callable[[Mapping[str, Any], Decision, str], object]
"""Notes a card that is shown, with its decision and patient id, so that feedback on it finds it."""
DATES = (
    *("effectiveDateTime", "effectiveInstant", "performedDateTime", "recordedDate", "onsetDateTime"),
    *("authoredOn", "dateAsserted", "issued"),
)


@dataclass(frozen=True)
class Answered:
    """The body of the hook response and the decision behind it; *is_request*: a Bundle is none."""

    decision: Decision
    body: Mapping[str, Any]
    is_request: bool
    dates: Mapping[str, When]


@dataclass(frozen=True)
class Refused:
    """The error as the service words it, and the place in the text it is about, where there is one."""

    status: int
    message: str
    place: Place | None


def answer(text: str, today: date, service: CardService, enter: Enter) -> Answered | Refused:
    """The answer to a hook request, or to a Bundle with one Patient, as of *today*."""
    try:
        view = view_of_file(text.encode())
        decision = service.decide(view, today)
    except ServiceError as error:
        return Refused(error.status, error.diagnostics, place_of_fault(text, error.expression))
    body = service.respond(decision, with_assessment=True)
    for card in body["cards"]:
        enter(card, decision, view.patient_id)
    content = _content(text)
    return Answered(decision, body, "hook" in content, _dates(content))


def _content(text: str) -> Mapping[str, Any]:
    """The text once more, for what only this page shows; nothing where Python cannot hold what nobody read."""
    try:
        content: Mapping[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content


def _dates(content: Mapping[str, Any]) -> dict[str, When]:
    """When each resource was, as far as it says: what is set aside has no place in time otherwise."""
    found: dict[str, When] = {}
    for resource in _resources(content):
        when = next((when for name in DATES if (when := When.parse(resource.get(name)))), None)
        if when is not None:
            found[f"{resource.get('resourceType')}/{resource.get('id')}"] = when
    return found


def _resources(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    prefetch = content.get("prefetch")
    for value in (content, *(prefetch.values() if isinstance(prefetch, dict) else ())):
        if not isinstance(value, dict):
            continue
        entries = value.get("entry")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
                yield entry["resource"]
