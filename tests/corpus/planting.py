"""One text in every free-text field of a chart, and in every field at all."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

WITH_NOTE = frozenset(
    {"Condition", "Observation", "Procedure", "MedicationRequest", "MedicationStatement", "MedicationAdministration"}
)
UNREAD = {
    "resourceType": "Observation",
    "id": "unread",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
}


def planted(request: Json, text: str) -> Json:
    """A copy of *request* with *text* in each name, display, text, identifier, note, address and string value."""
    made = copy.deepcopy(request)
    for resource in resources(made):
        _plant_in_elements(resource, text)
        _plant_in_resource(resource, text)
    for value in made["prefetch"].values():
        if isinstance(value, dict) and isinstance(value.get("entry"), list):
            value["entry"].append({"resource": _unread(made["context"]["patientId"], text)})
    return made


def resources(request: Json) -> list[Json]:
    """Every resource of the prefetch, itself or as an entry."""
    found = []
    for value in request["prefetch"].values():
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            found += [entry["resource"] for entry in value.get("entry", []) if "resource" in entry]
        elif isinstance(value, dict):
            found.append(value)
    return found


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each string inside *value*."""
    if isinstance(value, str):
        yield way
    elif isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*way, key))


def replaced(request: Json, way: tuple[Any, ...], text: str) -> Json:
    """A copy of *request* with *text* at *way*."""
    made = copy.deepcopy(request)
    place: Any = made
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = text
    return made


def _plant_in_elements(value: Any, text: str) -> None:
    """Texts and displays of concepts, codings and references; a unit is no free text, as it is read."""
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            _plant_in_elements(child, text)
    if isinstance(value, dict):
        if "coding" in value:
            value["text"] = text
        if "reference" in value or ({"system", "code"} <= value.keys() and "value" not in value):
            value["display"] = text


def _plant_in_resource(resource: Json, text: str) -> None:
    resource["text"] = {"status": "additional", "div": text}
    resource["identifier"] = [{"system": "urn:mrn", "value": text, "assigner": {"display": text}}]
    resource["extension"] = [{"url": "urn:extension", "valueString": text}]
    if resource["resourceType"] in WITH_NOTE:
        resource["note"] = [{"text": text, "authorString": text}]
    if resource["resourceType"] == "Observation":
        resource |= {"method": {"text": text}, "performer": [{"display": text}]}
    if resource["resourceType"] == "Patient":
        _plant_in_patient(resource, text)


def _plant_in_patient(patient: Json, text: str) -> None:
    name = [{"text": text, "family": text, "given": [text], "prefix": [text]}]
    patient |= {
        "name": name,
        "address": [{"text": text, "line": [text], "city": text, "postalCode": text}],
        "telecom": [{"system": "phone", "value": text}],
        "contact": [{"name": name[0]}],
        "generalPractitioner": [{"display": text}],
        "managingOrganization": {"display": text},
    }


def _unread(patient_id: str, text: str) -> Json:
    return {**UNREAD, "subject": {"reference": f"Patient/{patient_id}", "display": text}, "valueString": text}
