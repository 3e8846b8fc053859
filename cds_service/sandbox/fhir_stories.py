"""What the FHIR endpoint holds: the resources the stories supply by prefetch, read once, at first use.

A resource belongs to the patient of the story that supplies it, whatever its own ``subject`` says: some
stories are about another patient's results in the chart, or about resources that are not FHIR R4.
Ids are unique across the stories, but for one result that one story gives in two versions: a search finds
both, as the story's Bundle has both, and a read finds the newest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "patient": "Patient",
        "conditions": "Condition",
        "observations": "Observation",
        "procedures": "Procedure",
        "medications": "MedicationRequest",
        "administrations": "MedicationAdministration",
    }
)
"""Prefetch keys, and the type each key's query searches."""
NOT_SUPPLIED = msgspec.Raw(
    msgspec.json.encode(
        {
            "resourceType": "OperationOutcome",
            "issue": [
                {"severity": "error", "code": "forbidden", "diagnostics": "In this story the EHR does not supply them."}
            ],
        }
    )
)


@dataclass(frozen=True)
class Held:
    """One resource, its JSON as the story has it; *terms* are the words each search parameter finds it by."""

    type: str
    id: str
    updated: str
    date: str
    terms: Mapping[str, frozenset[str]]
    json: msgspec.Raw = field(repr=False)


@dataclass
class Shelf:
    """Every resource by type, in the order of the stories; and what a search for one patient brings besides.

    *remarks* are OperationOutcomes a story has among the entries of a Bundle, *refusals* those it has, or
    should have, in place of one. Both by type and patient.
    """

    held: dict[str, list[Held]] = field(default_factory=dict)
    remarks: dict[tuple[str, str], list[msgspec.Raw]] = field(default_factory=dict)
    refusals: dict[tuple[str, str], msgspec.Raw] = field(default_factory=dict)


class Stories:
    """The stories in *folder*, served under *base*, the FHIR base address."""

    def __init__(self, folder: Path, base: str) -> None:
        self._folder = folder
        self.base = base

    @cached_property
    def shelf(self) -> Shelf:
        """Read at first use: most processes that could serve it never do."""
        shelf = Shelf()
        for path in sorted(self._folder.glob("*/story.toml")):
            self._shelve(path.parent, shelf)
        return shelf

    def read(self, kind: str, name: str) -> msgspec.Raw | None:
        """The newest version of one resource."""
        versions = [held for held in self.shelf.held.get(kind, ()) if held.id == name]
        return max(versions, key=lambda held: held.updated).json if versions else None

    def patient_terms(self, patient: str) -> frozenset[str]:
        """FHIR R4, search, reference: an id, a type and id, or an address names a resource."""
        return frozenset({patient, f"Patient/{patient}", f"{self.base}/Patient/{patient}"})

    def _shelve(self, story: Path, shelf: Shelf) -> None:
        request = msgspec.json.decode((story / "request.json").read_bytes(), type=_Request)
        title = tomllib.loads((story / "story.toml").read_text(encoding="utf-8"))["title"]
        patient = request.context.patientId
        for key, kind in KEYS.items():
            value = request.prefetch.get(key, NOT_SUPPLIED)
            whole = msgspec.json.decode(value, type=_Value | None)
            if whole is not None and whole.resourceType == "OperationOutcome":
                shelf.refusals[kind, patient] = value
            elif whole is not None and whole.resourceType == "Bundle":
                for entry in whole.entry:
                    self._place(entry.resource, kind, patient, shelf)
            elif whole is not None:
                self._place(_named(value, title), kind, patient, shelf)

    def _place(self, raw: msgspec.Raw, kind: str, patient: str, shelf: Shelf) -> None:
        resource = msgspec.json.decode(raw)
        if resource["resourceType"] == "OperationOutcome":
            shelf.remarks.setdefault((kind, patient), []).append(raw)
        else:
            shelf.held.setdefault(resource["resourceType"], []).append(self._held(resource, patient, raw))

    def _held(self, resource: Mapping[str, Any], patient: str, raw: msgspec.Raw) -> Held:
        terms = {
            "_id": frozenset({resource["id"]}),
            "patient": self.patient_terms(patient),
            "subject": self.patient_terms(patient),
            "code": frozenset(_tokens(resource.get("code") or resource.get("medicationCodeableConcept"))),
            "category": frozenset(_tokens(resource.get("category"))),
        }
        updated = resource.get("meta", {}).get("lastUpdated", "")
        return Held(resource["resourceType"], resource["id"], updated, _date(resource), terms, raw)


class _Context(msgspec.Struct):
    patientId: str


class _Request(msgspec.Struct):
    context: _Context
    prefetch: dict[str, msgspec.Raw]


class _Entry(msgspec.Struct):
    resource: msgspec.Raw


class _Value(msgspec.Struct):
    resourceType: str
    entry: list[_Entry] = []


def _named(raw: msgspec.Raw, title: str) -> msgspec.Raw:
    """The Patient *raw* with the story's title as name: the sandbox can neither open nor list a nameless one."""
    name = {"use": "anonymous", "family": "(invented)", "given": [title]}
    return msgspec.Raw(msgspec.json.encode({"name": [name]} | msgspec.json.decode(raw)))


def _tokens(element: Any) -> Iterator[str]:
    """FHIR R4, search, token: ``code``, ``system|code``, ``system|``, or ``|code`` of a code without a system."""
    for concept in _objects(element):
        for coding in _objects(concept.get("coding")):
            system, code = coding.get("system", ""), coding.get("code", "")
            yield from {f"{code}", f"{system}|{code}", f"{system}|"} - {"", "|"}


def _objects(element: Any) -> list[dict[str, Any]]:
    """One or many, as FHIR has either; what is neither is a story's deliberate fault and found by nothing."""
    many = element if isinstance(element, list) else [element]
    return [each for each in many if isinstance(each, dict)]


def _date(resource: Mapping[str, Any]) -> str:
    """The time the search parameter ``date`` goes by, as written; no two stories' results differ by zone alone."""
    for name in ("effective", "performed"):
        if found := resource.get(f"{name}DateTime") or resource.get(f"{name}Period", {}).get("start"):
            return str(found)
    return ""
