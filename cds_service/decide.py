"""The whole pipeline on one screen: select, read, assess; then every cited resource is validated.

A cited resource that is no valid FHIR R4 is set aside and the chart is assessed again without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cds_service.chart.bundle import Prefetched, is_null
from cds_service.chart.read import read
from cds_service.chart.select import Selection, select
from cds_service.clinical.assess import Assessment, assess, cited
from cds_service.decision import Decision
from cds_service.evidence import is_valid
from cds_service.knowledge import Knowledge

REQUIRED_KEYS = ("patient", "conditions")
REQUIRED_TYPES = {"patient": "Patient", "conditions": "Condition"}


class DataNotHad(LookupError):
    """Required data were neither prefetched nor can be fetched; ``key`` names the prefetch key."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key, self.why = key, why


@dataclass(frozen=True)
class PatientView:
    """What the core needs of one request."""

    patient_id: str
    prefetch: Mapping[str, Prefetched]
    patient_facing: bool = False
    fhir_server: str | None = None


def decide(view: PatientView, knowledge: Knowledge, today: date) -> Decision:
    """One answer. Raises :class:`DataNotHad` or :class:`AnotherPatient`."""
    selection = select(view.prefetch, knowledge.meanings)
    _require(view.prefetch, selection)
    absent = tuple(key for key in knowledge.service.prefetch if key not in view.prefetch)
    facts = read(selection, knowledge, today, view.patient_id, absent, view.fhir_server)
    assessment = assess(facts, knowledge, today)
    while invalid := _invalid(assessment, selection):
        facts = facts.without(invalid, "not-valid-fhir-r4")
        assessment = assess(facts, knowledge, today)
    silence = "deceased" if facts.deceased else "patient-facing" if view.patient_facing else ""
    return Decision(assessment, today, view.patient_id, silence, selection.unknown_systems)


def _require(prefetch: Mapping[str, Prefetched], selection: Selection) -> None:
    """Patient and conditions must be had, under whatever key; null conditions mean "looked, none"."""
    everywhere = set[str]().union(*selection.types_seen.values())
    for key in REQUIRED_KEYS:
        if REQUIRED_TYPES[key] in everywhere:
            continue
        if key not in prefetch:
            raise DataNotHad(key, "not provided")
        seen = selection.types_seen.get(key, set())
        if key in selection.failed:
            raise DataNotHad(key, "the client could not read it")
        empty = key != "patient" and (is_null(prefetch[key]) or seen in ({"Bundle"}, {"Bundle", "OperationOutcome"}))
        if not empty:
            raise DataNotHad(key, "holds no " + REQUIRED_TYPES[key])


def _invalid(assessment: Assessment, selection: Selection) -> frozenset[str]:
    """Cited resources that are not valid FHIR R4; a contained one is judged with its report."""
    held = {f"{r.get('resourceType')}/{r.get('id')}": r for r in selection.resources}
    return frozenset(
        ref for ref in cited(assessment) if (holder := _holder(ref)) in held and not is_valid(held[holder])
    )


def _holder(ref: str) -> str:
    """The resource that stands in the chart by itself: a report for a result contained in it."""
    outer, contained, _ = ref.partition("#")
    return outer.replace("Observation/", "DiagnosticReport/") if contained else outer
