"""Procedures and medications: treatment given or ordered, transplants, growth factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.chart.reading import Reading
from cds_service.chart.resource import Resource
from cds_service.clinical.facts import CarT, Directed, GrowthFactor, Transplant, Treatment
from cds_service.clinical.when import When

CHEMOTHERAPY = ("chemotherapy", "chemotherapy-course")
AGENTS = (
    "leukemia-agent",
    "tyrosine-kinase-inhibitor",
    "cd19-directed-antibody",
    "cd22-directed-antibody",
    "car-t-product",
)
NOT_ALLOGENEIC = frozenset({"transplant-donor-not-stated", "autologous-transplant"})
NOT_TREATMENT = {"maintenance-agent": "maintenance-alone", "corticosteroid": "corticosteroid-alone"}
ORDERED = ("active", "completed", "on-hold", "stopped")
GIVEN = {
    "MedicationAdministration": ("completed", "in-progress", "stopped"),
    "MedicationStatement": ("active", "completed", "stopped"),
}
NOT_AN_ORDER = ("proposal", "plan", "option")


def read_procedure(resource: Resource, reading: Reading) -> None:
    """One Procedure: only a completed one documents treatment."""
    meanings = resource.code_meanings
    for meaning in sorted(meanings & NOT_ALLOGENEIC):
        reading.aside(resource, meaning)
    if not meanings & {
        *CHEMOTHERAPY,
        "allogeneic-transplantation",
        "car-t-infusion",
        "intrathecal-chemotherapy",
    }:
        return
    status = resource.text("status")
    if status != "completed":
        reading.aside(resource, "entered-in-error" if status == "entered-in-error" else "not-completed")
        return
    when = reading.usable_date(resource, resource.when("performedDateTime", "performedPeriod"))
    if when is None:
        return
    if "allogeneic-transplantation" in meanings:
        reading.facts.append(Transplant(resource.ref, when, status))
    if "car-t-infusion" in meanings:
        reading.facts.append(CarT(resource.ref, when, status))
    if meanings & set(CHEMOTHERAPY):
        start, end = _start_end(resource.part("performedPeriod"), when)
        _add_treatment(resource, reading, start, end, "chemotherapy", cycle="chemotherapy-course" in meanings)
    elif "intrathecal-chemotherapy" in meanings:
        reading.aside(resource, "intrathecal-alone")


def _start_end(found: Mapping[str, Any], when: When) -> tuple[When, When | None]:
    """A Period's start and end; without a Period both are in *when* and the end is not known."""
    start, end = When.parse(found.get("start")), When.parse(found.get("end"))
    return start or when, end


def _add_treatment(
    resource: Resource,
    reading: Reading,
    start: When,
    end: When | None,
    kind: str,
    *,
    cycle: bool,
    ordered: bool = False,
) -> None:
    """A course is a cycle with an end, or a period that surely lasted long enough."""
    if end is not None and reading.now.before(end).yes:
        end = None
    long_enough = end is not None and start.days_until(end)[0] >= reading.knowledge.limits.course_days
    is_course = not ordered and cycle and end is not None
    is_course = is_course or (resource.kind == "Procedure" and long_enough)
    when = start.until(end) if end is not None else start
    reading.facts.append(Treatment(resource.ref, when, resource.text("status"), kind, start, end, is_course, ordered))


def read_medication(resource: Resource, reading: Reading) -> None:
    """One MedicationRequest, MedicationAdministration or MedicationStatement."""
    concept = _medication(resource, reading)
    if concept is None:
        reading.aside(resource, "medication-not-coded")
        return
    meanings = resource.meanings_of(concept)
    known = meanings & {*AGENTS, *NOT_TREATMENT, "growth-factor"}
    if not known:
        return
    why = _not_counted(resource)
    if why:
        reading.aside(resource, why)
        return
    when = reading.usable_date(resource, _medication_date(resource))
    if when is None:
        return
    if _intrathecal(resource):
        reading.aside(resource, "intrathecal-alone")
        return
    for meaning in sorted(known):
        _read_agent(resource, reading, meaning, when)


def _medication(resource: Resource, reading: Reading) -> object | None:
    """The coded medication: inline, contained or referenced; None when it is named by display only."""
    if "medicationCodeableConcept" in resource.json:
        inline: object = resource.json["medicationCodeableConcept"]
        return inline
    found = reading.resolve(resource, resource.reference("medicationReference"))
    code: object = found.json.get("code") if found is not None and found.kind == "Medication" else None
    return code


def _not_counted(resource: Resource) -> str:
    """Why the resource is neither a counted order nor a counted use; empty when it is one."""
    status = resource.text("status")
    if status == "entered-in-error":
        return status
    if resource.kind == "MedicationRequest":
        proposed = resource.text("intent") in NOT_AN_ORDER or resource.json.get("doNotPerform") is True
        return "not-an-order" if status not in ORDERED or proposed else ""
    return "" if status in GIVEN[resource.kind] else "not-given"


def _medication_date(resource: Resource) -> When | None:
    if resource.kind == "MedicationRequest":
        return resource.when("authoredOn")
    return resource.when("effectiveDateTime", "effectivePeriod")


def _intrathecal(resource: Resource) -> bool:
    dosages = [resource.part("dosage"), *resource.parts("dosage"), *resource.parts("dosageInstruction")]
    return any("intrathecal-chemotherapy" in resource.meanings_of(d.get("route")) for d in dosages)


def _read_agent(resource: Resource, reading: Reading, meaning: str, when: When) -> None:
    ordered = resource.kind == "MedicationRequest"
    start, end = _start_end(resource.part("effectivePeriod"), when)
    status = resource.text("status")
    if meaning in NOT_TREATMENT:
        reading.aside(resource, NOT_TREATMENT[meaning])
        return
    if meaning == "growth-factor":
        reading.facts.append(GrowthFactor(resource.ref, when, status, start, _growth_factor_end(resource, when, end)))
        return
    _add_treatment(resource, reading, start, end, meaning, cycle=False, ordered=ordered)
    if ordered:
        return
    if meaning == "car-t-product":
        reading.facts.append(CarT(resource.ref, when, status))
    elif meaning.endswith("-directed-antibody"):
        reading.facts.append(Directed(resource.ref, when, status, meaning[:4]))


def _growth_factor_end(resource: Resource, when: When, end: When | None) -> When:
    """The last day it was, or may have been, given."""
    dispensed = resource.part("dispenseRequest").get("validityPeriod")
    until = When.parse(dispensed.get("end")) if isinstance(dispensed, dict) else None
    return end or until or when
