"""fhir.resources (R4B) judges what a card cites and what it creates; required bindings are ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import ValidationError

MODELS: dict[str, Callable[..., Any]] = {
    "Condition": Condition.model_validate,
    "Observation": Observation.model_validate,
    "ServiceRequest": ServiceRequest.model_validate,
}
"""Of what nearly every card cites or creates."""
SELDOM = frozenset(
    {"DiagnosticReport", "MedicationAdministration", "MedicationRequest", "MedicationStatement", "Procedure"}
)
"""Loaded when one is first cited, which makes that one call some 10 ms longer; all of them, each start 50."""


def _model(kind: str) -> Callable[..., Any] | None:
    if kind in SELDOM and kind not in MODELS:
        module = import_module(f"fhir.resources.R4B.{kind.lower()}")
        MODELS[kind] = getattr(module, kind).model_validate
    return MODELS.get(kind)


def is_valid(resource: Mapping[str, Any]) -> bool:
    """The resource is a valid R4 resource of a type this service cites or creates."""
    model = _model(str(resource.get("resourceType")))
    if model is None:
        return False
    try:
        model(dict(resource))
    except (ValidationError, ValueError, TypeError, LookupError):  # LookupError: a contained type R4 does not have
        return False
    return True
