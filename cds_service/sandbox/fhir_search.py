"""FHIR R4 search, in the part our own prefetch templates and the sandbox use: from parameters to one page.

What is not supported is ignored, as R4 lets a server do, and refused under ``Prefer: handling=strict``. The
``self`` link names what was applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import msgspec

from cds_service.errors import BadRequest, ServiceError
from cds_service.sandbox.fhir_stories import Held, Shelf, Stories

_OF_A_CHART = ("patient", "subject", "code", "category")
FILTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Patient": ("_id",),
        "Condition": ("_id", *_OF_A_CHART),
        "Observation": ("_id", *_OF_A_CHART),
        "Procedure": ("_id", *_OF_A_CHART),
        "MedicationRequest": ("_id", *_OF_A_CHART),
        "MedicationAdministration": ("_id", "patient", "subject", "code"),
        "DiagnosticReport": ("_id", *_OF_A_CHART),
    }
)
"""The types served, each with the search parameters that filter it."""
SORTED_BY_DATE = ("Observation", "Procedure", "DiagnosticReport")
"""The types that have the search parameter ``date`` in R4."""
PAGE = 200
"""Resources on a page when the caller names no number: the sandbox shows the first page of patients only."""
LARGEST_PAGE = 500
PAGE_PARAMETER = "page"
"""What our links add; to callers its value means nothing."""


class Refused(ServiceError):
    """The story's own OperationOutcome, or one that says the story lacks the key; the sandbox then omits it."""

    status = 403

    def __init__(self, outcome: msgspec.Raw) -> None:
        super().__init__("The story has an error in place of this search.")
        self._outcome = outcome

    def outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self._outcome)
        return found


@dataclass(frozen=True)
class Query:
    """One search. *filters* must all hold, each by any of its words; *applied* is what the links repeat."""

    kind: str
    filters: tuple[tuple[str, frozenset[str]], ...]
    applied: tuple[tuple[str, str], ...]
    newest_first: bool | None
    count: int
    start: int

    def names_patient(self, terms: frozenset[str]) -> bool:
        """Whether the patient known by *terms* is one of those asked for by name."""
        return any(name in ("patient", "subject") and not words.isdisjoint(terms) for name, words in self.filters)


def read_query(kind: str, asked: Sequence[tuple[str, str]], *, strict: bool) -> Query:
    """The search of type *kind* that *asked* describes. Raises BadRequest."""
    applied = tuple((name, value) for name, value in asked if _supported(kind, name, value))
    if strict and len(applied) < len([name for name, _ in asked if name != PAGE_PARAMETER]):
        raise BadRequest("A search parameter or its value is not supported. See /fhir/metadata.", code="not-supported")
    filters = tuple((name, frozenset(value.split(","))) for name, value in applied if name in FILTERS[kind])
    order = dict(applied).get("_sort")
    return Query(
        kind=kind,
        filters=filters,
        applied=applied,
        newest_first=None if order is None else order == "-date",
        count=_count(dict(applied)),
        start=_number(dict(asked).get(PAGE_PARAMETER, "0"), PAGE_PARAMETER),
    )


def _supported(kind: str, name: str, value: str) -> bool:
    plain, _, modifier = name.partition(":")
    if modifier and plain in FILTERS[kind]:
        # FHIR R4, search, modifiers: a server SHALL reject one it does not support.
        raise BadRequest("Search parameters have no modifiers here.", plain, "not-supported")
    allowed = {
        "_sort": value in ("date", "-date") and kind in SORTED_BY_DATE,
        "_summary": value in ("count", "false"),
        "_count": True,
        "_format": True,
    }
    return allowed.get(name, name in FILTERS[kind])


def _count(applied: Mapping[str, str]) -> int:
    """0 asks for the total alone."""
    if applied.get("_summary") == "count":
        return 0
    return min(_number(applied.get("_count", str(PAGE)), "_count"), LARGEST_PAGE)


def _number(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadRequest(f"{name} must be a whole number.", name)
    return int(text)


def search(stories: Stories, query: Query) -> dict[str, Any]:
    """One page of what *query* finds, as a searchset Bundle. Raises :class:`Refused`."""
    remarks = _remarks(stories, query) if query.count else []
    found = _found(stories.shelf, query)
    page = found[query.start : query.start + query.count]
    entries = [_entry(stories.base, held) for held in page] + [_remark(raw) for raw in remarks]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": _links(stories.base, query, len(found)),
    }
    return bundle | ({"entry": entries} if entries else {})


def _remarks(stories: Stories, query: Query) -> list[msgspec.Raw]:
    """The story's OperationOutcomes about this search, with its first page."""
    shelf = stories.shelf
    for (kind, patient), refusal in shelf.refusals.items():
        if kind == query.kind and query.names_patient(stories.patient_terms(patient)):
            raise Refused(refusal)
    return [
        raw
        for (kind, patient), raws in shelf.remarks.items()
        if kind == query.kind and query.names_patient(stories.patient_terms(patient)) and not query.start
        for raw in raws
    ]


def _found(shelf: Shelf, query: Query) -> list[Held]:
    found = [held for held in shelf.held.get(query.kind, ()) if _matches(held, query.filters)]
    if query.newest_first is None:
        return found
    undated = [held for held in found if not held.date]
    dated = sorted((held for held in found if held.date), key=lambda held: held.date, reverse=query.newest_first)
    return dated + undated


def _matches(held: Held, filters: Iterable[tuple[str, frozenset[str]]]) -> bool:
    return all(not held.terms[name].isdisjoint(words) for name, words in filters)


def _entry(base: str, held: Held) -> dict[str, Any]:
    return {"fullUrl": f"{base}/{held.type}/{held.id}", "resource": held.json, "search": {"mode": "match"}}


def _remark(raw: msgspec.Raw) -> dict[str, Any]:
    return {"resource": raw, "search": {"mode": "outcome"}}


def _links(base: str, query: Query, total: int) -> list[dict[str, str]]:
    links = [{"relation": "self", "url": _address(base, query, query.start)}]
    following = query.start + query.count
    if query.count and following < total:
        links.append({"relation": "next", "url": _address(base, query, following)})
    return links


def _address(base: str, query: Query, start: int) -> str:
    pairs = [*query.applied, *([(PAGE_PARAMETER, str(start))] if start else [])]
    return f"{base}/{query.kind}" + (f"?{urlencode(pairs)}" if pairs else "")
