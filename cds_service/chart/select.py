"""From prefetch values to the few relevant resources, without building objects for the rest.

A resource's type, not its prefetch key, decides how it is read. A malformed irrelevant entry changes
nothing; a malformed relevant one is set aside and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cds_service.chart.bundle import Bundle, Prefetched, is_null, parted
from cds_service.chart.resource import is_id
from cds_service.chart.strict_json import Malformed, decode
from cds_service.clinical.facts import SetAside
from cds_service.knowledge import Coding as CodePair

CODED = frozenset({"Condition", "Observation", "Procedure", "DiagnosticReport"})
MEDICATION = frozenset({"MedicationRequest", "MedicationAdministration", "MedicationStatement"})
REFERENCED = frozenset({"Medication", "Specimen", "Encounter"})
PLAIN = frozenset({"Condition", "Observation", "Procedure"})
"""Kinds whose code, components and stages are all there is to see."""
READ = CODED | MEDICATION | REFERENCED | {"Patient"}

NOT_A_FAILURE = frozenset({"information", "warning", "success"})
INCOMPLETE_ISSUES = frozenset(
    {"incomplete", "timeout", "throttled", "forbidden", "security", "login", "expired", "suppressed"}
    | {"exception", "transient", "lock-error", "no-store", "too-costly", "unknown"}
)


class _Coding(msgspec.Struct, gc=False):
    system: str | None = None
    code: str | None = None


class _Concept(msgspec.Struct, gc=False):
    coding: tuple[_Coding, ...] = ()


class _Component(msgspec.Struct, gc=False):
    code: msgspec.Raw = msgspec.Raw()


class _Stage(msgspec.Struct, gc=False):
    summary: msgspec.Raw = msgspec.Raw()


class _Outline(msgspec.Struct, gc=False):
    """As much of an entry as selection needs. What is a CodeableConcept is decoded by :class:`_Concepts`."""

    resourceType: str = ""
    id: str | None = None
    code: msgspec.Raw = msgspec.Raw()
    component: tuple[_Component, ...] = ()
    stage: tuple[_Stage, ...] = ()
    medicationCodeableConcept: msgspec.Raw = msgspec.Raw()
    medicationReference: msgspec.Raw = msgspec.Raw()
    contained: msgspec.Raw = msgspec.Raw()


class _Issue(msgspec.Struct, gc=False):
    severity: str = "error"
    code: str = "unknown"


class _Outcome(msgspec.Struct, gc=False):
    issue: tuple[_Issue, ...] = ()


class _Typed(msgspec.Struct, gc=False):
    resourceType: str = ""


_outline = msgspec.json.Decoder(_Outline).decode
_concept = msgspec.json.Decoder(_Concept | None).decode
_outcome = msgspec.json.Decoder(_Outcome).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_typed = msgspec.json.Decoder(_Typed).decode


class _Concepts(dict[bytes, bool]):
    """The concepts of one chart by their JSON, and whether a value set holds a coding of each.

    A chart has few different concepts and repeats them hundreds of times, so each is decoded and looked up once.
    """

    def __init__(self, meanings: Mapping[CodePair, str], unknown_systems: Counter[str]) -> None:
        super().__init__()
        self.meanings = meanings
        self.unknown_systems = unknown_systems

    def __missing__(self, raw: bytes) -> bool:
        concept = _concept(raw) if raw else None
        codings = concept.coding if concept is not None else ()
        # Plain loops: a laboratory that gives each result a code of its own comes here with every one.
        for coding in codings:
            if (coding.system, coding.code) in self.meanings:
                self[raw] = True
                return True
        for coding in codings:
            if coding.system:
                self.unknown_systems[coding.system] += 1
        self[raw] = False
        return False


@dataclass
class Selection:
    """The relevant resources of one request. *full_urls* maps an entry's fullUrl to ``Type/id``.

    *unknown_systems* counts, by code system, codings that no value set holds: each once, however often it stands there.
    """

    resources: list[dict[str, Any]] = field(default_factory=list)
    referenced: dict[str, bytes] = field(default_factory=dict)
    full_urls: dict[str, str] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    types_seen: dict[str, set[str]] = field(default_factory=dict)
    unknown_systems: Counter[str] = field(default_factory=Counter)


def select(prefetch: Mapping[str, Prefetched], meanings: Mapping[CodePair, str]) -> Selection:
    """Every relevant resource of *prefetch*; null, failed and incomplete keys are told apart."""
    selection = Selection()
    concepts = _Concepts(meanings, selection.unknown_systems)
    for key in sorted(prefetch):
        value = prefetch[key]
        if is_null(value):
            continue
        selection.types_seen[key] = set()
        whole = value if isinstance(value, Bundle) else parted(value)
        if isinstance(whole, Bundle):
            _select_bundle(key, whole, concepts, selection)
        else:
            _select_value(key, whole, concepts, selection)
    return selection


def _select_value(key: str, raw: bytes | memoryview, concepts: _Concepts, selection: Selection) -> None:
    """Not of the shape of a Bundle: a Bundle that is not has failed; another resource may still be one."""
    try:
        kind = _typed(raw).resourceType
    except msgspec.DecodeError:
        return
    if kind in ("Bundle", "OperationOutcome"):
        selection.failed.append(key)
    elif kind:
        selection.types_seen[key].add(kind)
        _select_entry(raw, concepts, selection)


def _select_bundle(key: str, bundle: Bundle, concepts: _Concepts, selection: Selection) -> None:
    seen = selection.types_seen[key]
    seen.add("Bundle")
    for entry in bundle.entry:
        if entry is None or not len(entry.resource):
            continue
        # A long chart spends its time here, on entries with one CodeableConcept that nobody knows.
        try:
            outline = _outline(entry.resource)
            kind = outline.resourceType
            relevant = kind in READ and _is_relevant(outline, concepts)
        except msgspec.DecodeError:
            seen.add(_select_malformed(entry.resource, concepts, selection))
            continue
        seen.add(kind)
        if relevant:
            _select_outlined(outline, entry.resource, selection, entry.fullUrl)
        elif kind == "OperationOutcome" and _is_failure(entry.resource) and key not in selection.failed:
            selection.failed.append(key)
    if bundle.next_page is not None:
        selection.incomplete.append(key)


def _is_failure(raw: msgspec.Raw) -> bool:
    """An outcome entry that says data are lacking; an empty search may carry a harmless one."""
    try:
        issues = _outcome(raw).issue
    except msgspec.DecodeError:
        return True
    return not issues or any(i.severity not in NOT_A_FAILURE or i.code in INCOMPLETE_ISSUES for i in issues)


def _select_entry(raw: bytes | memoryview, concepts: _Concepts, selection: Selection) -> None:
    """A resource that stands by itself under its key."""
    try:
        outline = _outline(raw)
        relevant = outline.resourceType in READ and _is_relevant(outline, concepts)
    except msgspec.DecodeError:
        _select_malformed(raw, concepts, selection)
        return
    if relevant:
        _select_outlined(outline, raw, selection, None)


def _select_outlined(
    outline: _Outline, raw: bytes | memoryview | msgspec.Raw, selection: Selection, full_url: str | None
) -> None:
    """Keep a relevant entry: to be read, or to be looked up by the name others refer to it with."""
    name = f"{outline.resourceType}/{outline.id}"
    if outline.resourceType in REFERENCED:
        selection.referenced[name] = bytes(raw)
        if full_url:
            selection.referenced[full_url] = bytes(raw)
    else:
        _keep(raw, outline, selection)
    if full_url and outline.id:
        selection.full_urls[full_url] = name


def _is_relevant(outline: _Outline, concepts: _Concepts) -> bool:
    """A known code, or a resource that needs none."""
    if concepts[bytes(outline.code)]:
        return True
    kind = outline.resourceType
    if kind in PLAIN and not outline.component and not outline.stage:
        return False
    if kind == "Patient" or kind in REFERENCED or (kind in MEDICATION and len(outline.medicationReference)):
        return True
    # Every one is looked up, so that an unknown code is counted whatever stands before it.
    found = [concepts[bytes(concept)] for concept in _further_concepts(outline)]
    return any(found)


def _further_concepts(outline: _Outline) -> Iterator[msgspec.Raw]:
    """Every CodeableConcept but ``code`` that may make an entry relevant."""
    yield outline.medicationCodeableConcept
    yield from (component.code for component in outline.component)
    yield from (stage.summary for stage in outline.stage)
    if outline.resourceType == "DiagnosticReport" and len(outline.contained):
        for contained in _contained(outline.contained):
            yield contained.code
            yield from (component.code for component in contained.component)


def _contained(raw: msgspec.Raw) -> list[_Outline]:
    """The contained results that have the shape of one; others make nothing relevant."""
    try:
        return [_outline(item) for item in _raws(raw) if _typed(item).resourceType == "Observation"]
    except msgspec.DecodeError:
        return []


def _keep(raw: bytes | memoryview | msgspec.Raw, outline: _Outline, selection: Selection) -> None:
    """Read strictly. An id with a ``#`` is none: it would pass for a contained result, judged with its report."""
    try:
        if "#" in (outline.id or ""):
            raise Malformed("an id that is none")
        selection.resources.append(decode(bytes(raw)))
    except Malformed:
        selection.set_aside.append(SetAside(_name(outline.resourceType, outline.id), "malformed"))


def _select_malformed(raw: bytes | memoryview | msgspec.Raw, concepts: _Concepts, selection: Selection) -> str:
    """An entry that does not have the shape of its type: named when any code in it is relevant."""
    try:
        resource = decode(bytes(raw))
    except Malformed:
        return ""
    kind, name = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or kind not in READ:
        return kind if isinstance(kind, str) else ""
    if kind == "Patient":
        selection.resources.append(resource)
    elif any(pair in concepts.meanings for pair in _all_codings(resource)):
        selection.set_aside.append(SetAside(_name(kind, name), "malformed"))
    return kind


def _all_codings(value: Any) -> Iterable[CodePair]:
    """Every (system, code) anywhere inside."""
    if isinstance(value, dict):
        system, code = value.get("system"), value.get("code")
        if isinstance(system, str) and isinstance(code, str):
            yield system, code
        for child in value.values():
            yield from _all_codings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _all_codings(child)


def _name(kind: str, name: object) -> str:
    return f"{kind}/{name}" if is_id(name) else f"{kind}/(without id)"
