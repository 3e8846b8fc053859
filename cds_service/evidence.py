"""fhir.resources (R4B) judges what a card cites and what it creates; required bindings are ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.medicationadministration import MedicationAdministration
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.medicationstatement import MedicationStatement
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.procedure import Procedure
from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import ValidationError

MODELS: dict[str, Callable[..., Any]] = {
    "Condition": Condition.model_validate,
    "DiagnosticReport": DiagnosticReport.model_validate,
    "MedicationAdministration": MedicationAdministration.model_validate,
    "MedicationRequest": MedicationRequest.model_validate,
    "MedicationStatement": MedicationStatement.model_validate,
    "Observation": Observation.model_validate,
    "Procedure": Procedure.model_validate,
    "ServiceRequest": ServiceRequest.model_validate,
}


def is_valid(resource: Mapping[str, Any]) -> bool:
    """The resource is a valid R4 resource of a type this service cites or creates."""
    model = MODELS.get(str(resource.get("resourceType")))
    if model is None:
        return False
    try:
        model(dict(resource))
    except (ValidationError, ValueError, TypeError, LookupError):  # LookupError: a contained type R4 does not have
        return False
    return True
