"""How one chart is read: each test is a sentence about a patient or a promise about a resource."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.facts import Facts
from cds_service.decide import PatientView, decide
from tests.charts import PATIENT, Chart, Json, concept, knowledge


def facts(written: Chart) -> Facts:
    """The facts that are used of a chart."""
    return written.assess().assessment.facts


def asides(written: Chart) -> dict[str, set[str]]:
    """Every set-aside resource with its reasons."""
    return rows(facts(written))


def rows(found: Facts) -> dict[str, set[str]]:
    kept: dict[str, set[str]] = {}
    for row in found.set_aside:
        kept.setdefault(row.ref, set()).add(row.why)
    return kept


def why(written: Chart) -> set[str]:
    """The reasons alone."""
    return {row.why for row in facts(written).set_aside}


def on_server(written: Chart, fhir_server: str) -> Facts:
    """The facts when the client names its FHIR server."""
    view = PatientView(PATIENT, written.prefetch(), False, fhir_server)
    return decide(view, knowledge(), written.today).assessment.facts


def from_prefetch(written: Chart, **values: bytes) -> Facts:
    """The facts when some prefetch values are these very bytes."""
    return written.assess(written.prefetch() | values).assessment.facts


def component(code: tuple[str, str], **elements: Any) -> Json:
    return {"code": concept(code), **elements}
