"""From the selected resources to Facts: whose they are, which version counts, then one reader a type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from cds_service.chart.conditions import read_condition
from cds_service.chart.observations import FINAL, REPORTS, read_observation, specimen_id, specimen_kind
from cds_service.chart.reading import Reading
from cds_service.chart.resource import Json, Resource
from cds_service.chart.select import MEDICATION, Selection
from cds_service.chart.treatments import read_medication, read_procedure
from cds_service.clinical.facts import FACT_FIELDS, Facts, Report, SetAside
from cds_service.clinical.when import When
from cds_service.knowledge import Knowledge

READERS = {
    "Condition": read_condition,
    "Observation": read_observation,
    "Procedure": read_procedure,
    **dict.fromkeys(sorted(MEDICATION), read_medication),
}
"""A reader for each type, in the order they are asked: results may refer to Conditions."""


_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class AnotherPatient(ValueError):
    """The Patient supplied is not the one in the request's context."""


def read(
    selection: Selection,
    knowledge: Knowledge,
    today: date,
    patient_id: str,
    absent_keys: tuple[str, ...] = (),
    fhir_server: str | None = None,
) -> Facts:
    """The facts of patient *patient_id*. Raises :class:`AnotherPatient` for a foreign Patient."""
    reading = Reading(knowledge, today, selection.referenced, selection.full_urls)
    reading.set_aside += selection.set_aside
    resources = [reading.resource(r) for r in _versions(selection.resources)]
    patient = _patient(resources, patient_id, reading)
    names = _names(patient_id, selection.full_urls, fhir_server)
    theirs = [r for r in resources if r.kind != "Patient" and _is_theirs(r, names, reading)]
    theirs += [r for report in theirs for r in _contained_results(report, reading)]
    current: dict[str, list[Resource]] = {}
    for resource in theirs:
        if not _older(resource, reading):
            current.setdefault(resource.kind, []).append(resource)
    _find_marrow_specimens(current.get("Observation", ()), reading)
    for kind, read_one in READERS.items():
        for resource in current.get(kind, ()):
            if resource.misnamed:
                reading.aside(resource, "display-names-another-concept")
            else:
                read_one(resource, reading)
    for report in current.get("DiagnosticReport", ()):
        _read_report(report, reading)
    return _freeze(reading, selection, patient_id, patient, absent_keys)


def _versions(resources: Iterable[Json]) -> list[Json]:
    """Each resource once: of several versions the last updated, if that is known of all."""
    by_name: dict[tuple[str, str], list[Json]] = {}
    kept: list[Json] = []
    for resource in resources:
        name = resource.get("id")
        if isinstance(name, str) and name:
            versions = by_name.setdefault((str(resource.get("resourceType")), name), [])
        else:
            versions = by_name.setdefault(("", repr(sorted(resource.items(), key=lambda kv: kv[0]))), [])
        if resource not in versions:
            versions.append(resource)
    for versions in by_name.values():
        kept += versions if len(versions) == 1 else _newest(versions)
    return kept


def _newest(versions: list[Json]) -> list[Json]:
    """The last updated one, or all of them where that is not known."""
    updated = [_updated(v) for v in versions]
    if all(updated) and len(set(updated)) == len(updated):
        return [max(versions, key=_updated)]
    return versions


def _updated(resource: Json) -> str:
    meta = resource.get("meta")
    when = When.parse(meta.get("lastUpdated")) if isinstance(meta, dict) else None
    return when.last.isoformat() if when else ""


def _patient(resources: list[Resource], patient_id: str, reading: Reading) -> Resource | None:
    found: Resource | None = None
    if any(row.ref.startswith("Patient/") and row.ref != f"Patient/{patient_id}" for row in reading.set_aside):
        raise AnotherPatient(patient_id)
    for resource in resources:
        if resource.kind != "Patient":
            continue
        if resource.json.get("id") != patient_id:
            raise AnotherPatient(patient_id)
        found = resource
    return found


def _names(patient_id: str, full_urls: Mapping[str, str], fhir_server: str | None) -> frozenset[str]:
    """Every reference that means this patient."""
    local = f"Patient/{patient_id}"
    names = {local, *(url for url, name in full_urls.items() if name == local)}
    if fhir_server:
        names.add(f"{fhir_server.rstrip('/')}/{local}")
    return frozenset(names)


def _is_theirs(resource: Resource, names: frozenset[str], reading: Reading) -> bool:
    """The subject is the patient; another's, or nobody's, is set aside."""
    reference = (resource.reference("subject") or resource.reference("patient")).split("/_history/")[0]
    if reference in names:
        return True
    if not reference:
        reading.aside(resource, "subject-not-stated")
    else:
        reading.aside(resource, "another-patient")
    return False


def _older(resource: Resource, reading: Reading) -> bool:
    if not resource.older_version:
        return False
    reading.aside(resource, "unsupported-fhir-version")
    return True


def _contained_results(report: Resource, reading: Reading) -> list[Resource]:
    """Observations contained in a DiagnosticReport, with the report's subject, time and specimen."""
    if report.kind != "DiagnosticReport" or report.text("status") not in (*FINAL, "preliminary", "partial"):
        return []
    inherited: Json = {
        name: report.json[name]
        for name in ("effectiveDateTime", "effectivePeriod", "issued", "contained")
        if name in report.json
    }
    specimens = report.parts("specimen")
    if len(specimens) == 1:
        inherited["specimen"] = specimens[0]
    return [
        reading.resource(
            {
                **inherited,
                **contained,
                "subject": report.json.get("subject"),
                "id": f"{report.json.get('id')}#{contained.get('id') or number}",
            }
        )
        for number, contained in enumerate(report.parts("contained"))
        if contained.get("resourceType") == "Observation"
    ]


def _find_marrow_specimens(observations: Iterable[Resource], reading: Reading) -> None:
    """Specimens known to be marrow: by their type, or because a marrow count was made of them."""
    for resource in observations:
        specimen = specimen_id(resource, reading)
        if specimen is None:
            continue
        counted = "marrow-blasts" in resource.code_meanings
        kind = specimen_kind(resource, reading)
        if kind == "marrow" or (counted and kind == ""):
            reading.marrow_specimens.add(specimen)


def _read_report(resource: Resource, reading: Reading) -> None:
    """A report without coded results: its date is shown, its text is not interpreted."""
    meanings = resource.code_meanings & set(REPORTS)
    status = resource.text("status")
    if not meanings or resource.parts("result"):
        return
    if status not in (*FINAL, "preliminary", "partial", "appended"):
        reading.aside(resource, status if status in ("entered-in-error", "cancelled") else "status-unknown")
        return
    when = reading.usable_date(resource, resource.when("effectiveDateTime", "effectivePeriod", "issued"))
    if when is not None:
        reading.facts.append(Report(resource.ref, when, status, REPORTS[min(meanings)]))


def _freeze(
    reading: Reading,
    selection: Selection,
    patient_id: str,
    patient: Resource | None,
    absent_keys: tuple[str, ...],
) -> Facts:
    kept: dict[str, Any] = {name: [] for name in FACT_FIELDS.values()}
    for fact in reading.facts:
        kept[FACT_FIELDS[type(fact)]].append(fact)
    tuples = {name: _in_order(facts) for name, facts in kept.items()}
    failed = sorted({_shown(key) for key in (*selection.failed, *selection.incomplete)})
    return Facts(
        patient=f"Patient/{patient_id}",
        birth=When.parse(patient.json.get("birthDate")) if patient else None,
        deceased=_deceased(patient),
        set_aside=tuple(sorted(set(reading.set_aside), key=_aside_order)),
        unread_keys=tuple(failed),
        absent_keys=absent_keys,
        **tuples,
    )


def _shown(key: str) -> str:
    """A prefetch key as a card may name it: clients choose keys, and one may be a link or HTML."""
    return key if _KEY.fullmatch(key) else "another key"


def _in_order(facts: list[Any]) -> tuple[Any, ...]:
    """Each once, by date and resource; several of one resource and date by all they say."""
    if len(facts) < 2:
        return tuple(facts)
    by_place = {_place(fact): fact for fact in facts}
    if len(by_place) == len(facts):
        return tuple(by_place[place] for place in sorted(by_place))
    return tuple(sorted(set(facts), key=lambda fact: (_place(fact), repr(fact))))


def _place(fact: Any) -> tuple[Any, ...]:
    return fact.when.last, fact.when.first, fact.ref


def _aside_order(row: SetAside) -> tuple[str, str]:
    return row.ref, row.why


def _deceased(patient: Resource | None) -> bool:
    """Dead, by flag or by date."""
    return patient is not None and (
        patient.json.get("deceasedBoolean") is True or bool(patient.text("deceasedDateTime"))
    )
