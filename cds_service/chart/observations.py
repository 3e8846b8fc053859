"""Observations: marrow, blood, phenotype, status, judgements; genetics are in :mod:`.genetics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.chart.genetics import GENETIC, read_genetic
from cds_service.chart.reading import Reading
from cds_service.chart.resource import Resource, period
from cds_service.chart.values import Measured, NoPercent, Said, bare_number, has_value, percent, qualitative
from cds_service.clinical.facts import (
    Antigen,
    BloodBlasts,
    Cells,
    Extramedullary,
    Judgement,
    MarrowResult,
    Origin,
    Phenotype,
    Report,
    Statement,
    StatusKind,
    Test,
)
from cds_service.clinical.percent import HUNDRED, ZERO, Percent
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import When

FINAL = ("final", "amended", "corrected")
MARROW = {
    "marrow-blasts": Test.MORPHOLOGY,
    "marrow-mrd-flow": Test.FLOW,
    "marrow-mrd-molecular": Test.MOLECULAR,
    "mrd-flow-any-specimen": Test.FLOW,
    "mrd-molecular-any-specimen": Test.MOLECULAR,
}
CELLS = {f"value-{c.value}": c for c in Cells}
STATUS = {
    "value-complete-remission": StatusKind.REMISSION,
    "value-relapse": StatusKind.RELAPSE,
    "value-refractory": StatusKind.REFRACTORY,
}
REPORTS = {
    "marrow-report": "marrow",
    "flow-report": "flow cytometry",
    "mrd-report": "MRD",
    "genetic-report": "genetics",
}
NOT_READ = {
    "absolute-blast-count": "absolute-count",
    "myeloblast-count": "myeloblasts",
    "marker-percentage": "marker-percentage",
    "generic-fish-result": "generic-fish-result",
    "performance-status": "performance-status",
}
JUDGEMENTS = ("physically-fit-for-transplant", "donor-available", "tolerates-chemotherapy")


def read_observation(resource: Resource, reading: Reading) -> None:
    """One Observation and its components: facts, or a row set aside with its reason."""
    status = resource.text("status")
    if status not in (*FINAL, "preliminary"):
        reading.aside(
            resource,
            status if status in ("entered-in-error", "cancelled", "registered") else "status-unknown",
        )
        return
    when = reading.usable_date(resource, observed(resource, reading))
    if when is None:
        return
    meanings = resource.code_meanings
    if len(meanings) > 1:
        reading.aside(resource, "codes-disagree")
    elif meanings:
        _read_one(resource, reading, next(iter(meanings)), _own_value(resource), when)
    for component in resource.parts("component"):
        _read_component(resource, reading, component, when)


def _read_component(resource: Resource, reading: Reading, component: Mapping[str, Any], when: When) -> None:
    meanings = resource.meanings_of(component.get("code")) - {"gene-studied", "variant-iscn"}
    if len(meanings) == 1 and has_value(component):
        _read_one(resource, reading, next(iter(meanings)), component, when)


def observed(resource: Resource, reading: Reading) -> When | None:
    """Effective time, else the specimen's, else when it was issued."""
    if found := resource.when("effectiveDateTime", "effectiveInstant", "effectivePeriod"):
        return found
    specimen = reading.resolve(resource, resource.reference("specimen"))
    collection = specimen.part("collection") if specimen else {}
    collected = When.parse(collection.get("collectedDateTime")) or period(collection.get("collectedPeriod"))
    return collected or resource.when("issued")


def _own_value(resource: Resource) -> Mapping[str, Any]:
    """The Observation's own value; without one, that of its only component that has one."""
    if has_value(resource.json):
        return resource.json
    valued = [c for c in resource.parts("component") if has_value(c) and not resource.meanings_of(c.get("code"))]
    return valued[0] if len(valued) == 1 else resource.json


def specimen_id(resource: Resource, reading: Reading) -> str | None:
    """What makes two results of one specimen: its accession, identifier, or its reference."""
    reference = resource.reference("specimen")
    specimen = reading.resolve(resource, reference)
    for identifier in [specimen.part("accessionIdentifier"), *specimen.parts("identifier")] if specimen else []:
        if identifier.get("value"):
            return f"{identifier.get('system', '')}|{identifier['value']}"
    if reference.startswith("#") or not reference:
        return None
    return reading.full_urls.get(reference, "/".join(reference.split("/")[-2:]))


def specimen_kind(resource: Resource, reading: Reading) -> str:
    """ "marrow", "blood", "csf" or "" from bodySite and the Specimen's type or collection."""
    concepts = [resource.json.get("bodySite")]
    specimen = reading.resolve(resource, resource.reference("specimen"))
    if specimen is not None:
        collection = specimen.part("collection")
        concepts += [specimen.json.get("type"), collection.get("method"), collection.get("bodySite")]
    found = {
        m.removeprefix("specimen-") for c in concepts for m in resource.meanings_of(c) if m.startswith("specimen-")
    }
    return found.pop() if len(found) == 1 else ""


def _read_one(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    if meaning in MARROW:
        _read_marrow(resource, reading, meaning, value_of, when)
    elif meaning in GENETIC:
        read_genetic(resource, reading, meaning, value_of, when, specimen_id(resource, reading))
    elif meaning in REPORTS:
        reading.facts.append(Report(resource.ref, when, resource.text("status"), REPORTS[meaning]))
    elif meaning in NOT_READ:
        reading.aside(resource, NOT_READ[meaning])
    elif meaning == "leukemia-lineage":
        _read_phenotype(resource, reading, value_of, when)
    elif meaning == "blood-blasts":
        _read_blood(resource, reading, value_of, when)
    else:
        _read_final_only(resource, reading, meaning, value_of, when)


def _read_final_only(
    resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When
) -> None:
    """Findings that a preliminary result does not establish."""
    read_one = FINAL_ONLY.get(meaning)
    if read_one is None:
        return
    if resource.text("status") == "preliminary":
        reading.aside(resource, "preliminary")
        return
    read_one(resource, reading, meaning, value_of, when)


def _read_marrow(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    kind, specimen = specimen_kind(resource, reading), specimen_id(resource, reading)
    if kind not in ("", "marrow"):
        reading.aside(resource, "specimen-not-marrow")
        return
    if meaning.endswith("any-specimen") and kind != "marrow" and specimen not in reading.marrow_specimens:
        reading.aside(resource, "specimen-not-known-to-be-marrow")
        return
    value, doubt = percent(value_of, reading.knowledge), False
    if isinstance(value, NoPercent | Measured):
        why = value.why if isinstance(value, Measured) else value
        reading.aside(resource, why.value)
        if why is NoPercent.TEXT_ONLY:
            reading.facts.append(Report(resource.ref, when, resource.text("status"), "marrow"))
        possible = _possible(value, meaning) if isinstance(value, Measured) else None
        if possible is None:
            return
        value, doubt = possible, True
    reading.facts.append(
        MarrowResult(
            ref=resource.ref,
            when=when,
            status=resource.text("status"),
            test=MARROW[meaning],
            value=value,
            specimen=specimen,
            preliminary=resource.text("status") == "preliminary",
            doubt=doubt,
        )
    )


def _possible(measured: Measured, meaning: str) -> Percent | None:
    """What a marrow without a usable unit may mean: enough to raise a question, never to answer one."""
    number = measured.number
    if measured.why is NoPercent.AMBIGUOUS_UNIT and 0 <= number <= 1:
        low = ZERO if measured.comparator in ("<", "<=") else number
        return Percent(low, HUNDRED if measured.comparator in (">", ">=") else number * HUNDRED)
    if meaning == "marrow-blasts" and measured.why is NoPercent.NO_UNIT and 1 <= number <= HUNDRED:
        return Percent.of(number, measured.comparator)
    return None


def _read_blood(resource: Resource, reading: Reading, value_of: Mapping[str, Any], when: When) -> None:
    value = percent(value_of, reading.knowledge)
    if isinstance(value, Percent):
        preliminary = resource.text("status") == "preliminary"
        reading.facts.append(BloodBlasts(resource.ref, when, resource.text("status"), value, preliminary))
    else:
        reading.aside(resource, (value.why if isinstance(value, Measured) else value).value)


def _choice(resource: Resource, value_of: Mapping[str, Any], table: Mapping[str, Any]) -> Any:
    """The one entry of *table* that the coded value means, or None."""
    found = {m for m in resource.meanings_of(value_of.get("valueCodeableConcept")) if m in table}
    return table[found.pop()] if len(found) == 1 else None


def _read_phenotype(resource: Resource, reading: Reading, value_of: Mapping[str, Any], when: When) -> None:
    cells = _choice(resource, value_of, CELLS)
    if cells is None:
        reading.aside(resource, "value-not-understood")
        return
    kind = specimen_kind(resource, reading)
    site = kind if kind in ("marrow", "blood") else "other" if kind or resource.part("bodySite") else "marrow"
    preliminary = resource.text("status") == "preliminary"
    specimen = specimen_id(resource, reading)
    reading.facts.append(Phenotype(resource.ref, when, resource.text("status"), cells, site, specimen, preliminary))


def _read_antigen(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    said = qualitative(resource, value_of, reading.knowledge)
    partial = "value-partial" in resource.meanings_of(value_of.get("valueCodeableConcept"))
    if partial:
        expression = "partial"
    elif said in (Said.POSITIVE, Said.NEGATIVE):
        expression = said.value
    else:
        reading.aside(resource, "value-not-understood")
        return
    reading.facts.append(Antigen(resource.ref, when, resource.text("status"), meaning[:4], expression))


def _read_status(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    """Our own disease status; or mCODE's, whose remission counts when its focus is an ALL Condition."""
    kind = _choice(resource, value_of, STATUS) if meaning == "disease-status" else None
    if meaning == "cancer-disease-status":
        meant = resource.meanings_of(value_of.get("valueCodeableConcept"))
        focuses = {_local(f.get("reference"), reading) for f in resource.parts("focus")}
        if "generic-remission" in meant and focuses & reading.all_conditions:
            kind = StatusKind.REMISSION
    if kind is None:
        reading.aside(resource, "not-a-complete-status" if has_value(value_of) else "no-value")
        return
    reading.facts.append(
        Statement(resource.ref, when, resource.text("status"), kind, dated=True, aged=when, combined=False)
    )


def _local(reference: object, reading: Reading) -> str:
    text = reference if isinstance(reference, str) else ""
    return reading.full_urls.get(text, "/".join(text.split("/")[-2:]))


def _read_extramedullary(
    resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When
) -> None:
    said = qualitative(resource, value_of, reading.knowledge)
    if said not in (Said.POSITIVE, Said.NEGATIVE):
        reading.aside(resource, "value-not-understood")
        return
    site = "cerebrospinal fluid" if specimen_kind(resource, reading) == "csf" else "outside the marrow"
    present = said is Said.POSITIVE
    reading.facts.append(Extramedullary(resource.ref, when, resource.text("status"), present, site))


def _read_fluid(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    """Any number of blasts above zero is disease there; the unit does not matter for zero or not."""
    measured = bare_number(value_of)
    above = measured.above_zero if measured is not None else Truth.UNKNOWN
    if above is Truth.UNKNOWN:
        reading.aside(resource, "value-not-understood" if has_value(value_of) else "no-value")
        return
    site = "cerebrospinal fluid" if meaning == "csf-blasts" else "body fluid"
    reading.facts.append(Extramedullary(resource.ref, when, resource.text("status"), above.yes, site))


def _read_origin(resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When) -> None:
    donor = _choice(resource, value_of, {"value-donor": True, "value-recipient": False})
    if donor is None:
        reading.aside(resource, "value-not-understood")
        return
    reading.facts.append(Origin(resource.ref, when, resource.text("status"), donor))


def _read_judgement(
    resource: Resource, reading: Reading, meaning: str, value_of: Mapping[str, Any], when: When
) -> None:
    boolean = value_of.get("valueBoolean")
    answer = (
        boolean if isinstance(boolean, bool) else _choice(resource, value_of, {"value-yes": True, "value-no": False})
    )
    if answer is None:
        reading.aside(resource, "value-not-understood")
        return
    reading.facts.append(Judgement(resource.ref, when, resource.text("status"), meaning, answer))


FINAL_ONLY = {
    "cd19-expression": _read_antigen,
    "cd22-expression": _read_antigen,
    "disease-status": _read_status,
    "cancer-disease-status": _read_status,
    "extramedullary-disease": _read_extramedullary,
    "csf-blasts": _read_fluid,
    "body-fluid-blasts": _read_fluid,
    "abnormal-cells-origin": _read_origin,
    **dict.fromkeys(JUDGEMENTS, _read_judgement),
}
"""A reader for each finding that a preliminary result does not establish."""
