"""Made-up patient-view calls of any length: a fixed relapse among everyday laboratory results.

``chart(500)`` has 500 observations and ten conditions; 21 resources (or as many as asked) bear on leukemia,
the rest are what an EHR sends besides: thirty tests again and again, each under its LOINC code and the laboratory's
own. The same arguments always give the same bytes.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

TODAY = date(2025, 12, 20)
PATIENT = "bench-patient"
RELEVANT = 21
SIZES = (20, 50, 500, 2000, 5000)

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"
FHIR = "https://ehr.example.org/fhir"

Json = dict[str, Any]

LABS: tuple[tuple[str, str, str, str, float, float], ...] = (
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "Sodium", "mmol/L", 135, 145),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "Potassium", "mmol/L", 3.5, 5.1),
    ("2075-0", "Chloride [Moles/volume] in Serum or Plasma", "Chloride", "mmol/L", 98, 107),
    ("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", "CO2", "mmol/L", 22, 29),
    ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "BUN", "mg/dL", 7, 20),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "Creatinine", "mg/dL", 0.6, 1.2),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "Glucose", "mg/dL", 70, 99),
    ("17861-6", "Calcium [Mass/volume] in Serum or Plasma", "Calcium", "mg/dL", 8.6, 10.3),
    ("1751-7", "Albumin [Mass/volume] in Serum or Plasma", "Albumin", "g/dL", 3.5, 5.2),
    ("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", "Bilirubin", "mg/dL", 0.2, 1.2),
    ("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma", "ALP", "U/L", 40, 129),
    ("1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "AST", "U/L", 8, 40),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "ALT", "U/L", 7, 56),
    ("2532-0", "Lactate dehydrogenase [Enzymatic activity/volume] in Serum or Plasma", "LDH", "U/L", 122, 222),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "WBC", "10*3/uL", 4.5, 11),
    ("789-8", "Erythrocytes [#/volume] in Blood by Automated count", "RBC", "10*6/uL", 4.2, 5.9),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "Hemoglobin", "g/dL", 12, 17.5),
    ("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "Hematocrit", "%", 36, 51),
    ("787-2", "MCV [Entitic volume] by Automated count", "MCV", "fL", 80, 100),
    ("785-6", "MCH [Entitic mass] by Automated count", "MCH", "pg", 27, 33),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "Platelets", "10*3/uL", 150, 400),
    ("751-8", "Neutrophils [#/volume] in Blood by Automated count", "Neutrophils", "10*3/uL", 1.8, 7.7),
    ("731-0", "Lymphocytes [#/volume] in Blood by Automated count", "Lymphocytes", "10*3/uL", 1, 4.8),
    ("742-7", "Monocytes [#/volume] in Blood by Automated count", "Monocytes", "10*3/uL", 0.2, 0.9),
    ("711-2", "Eosinophils [#/volume] in Blood by Automated count", "Eosinophils", "10*3/uL", 0, 0.5),
    ("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "CRP", "mg/L", 0, 5),
    ("2777-1", "Phosphate [Mass/volume] in Serum or Plasma", "Phosphate", "mg/dL", 2.5, 4.5),
    ("3084-1", "Urate [Mass/volume] in Serum or Plasma", "Uric acid", "mg/dL", 3.5, 7.2),
    ("6301-6", "INR in Platelet poor plasma by Coagulation assay", "INR", "{INR}", 0.8, 1.2),
    (
        "3255-7",
        "Fibrinogen [Mass/volume] in Platelet poor plasma by Coagulation assay",
        "Fibrinogen",
        "mg/dL",
        200,
        400,
    ),
)
"""LOINC code, its display, the laboratory's name, UCUM unit, and the reference range."""

OTHER_CONDITIONS = (
    (SNOMED, "38341003", "Hypertensive disorder"),
    (SNOMED, "44054006", "Type 2 diabetes mellitus"),
    (SNOMED, "40930008", "Hypothyroidism"),
    (SNOMED, "195967001", "Asthma"),
    (SNOMED, "13644009", "Hypercholesterolemia"),
)
ALL_CONDITIONS = (
    (SNOMED, "277571004", "B-cell acute lymphoblastic leukemia", "active", "2025-01-10"),
    (ICD10CM, "C91.00", "Acute lymphoblastic leukemia not having achieved remission", "active", "2025-01-12"),
    (ICD10CM, "C91.01", "Acute lymphoblastic leukemia, in remission", "remission", "2025-03-02"),
    (ICD10CM, "C91.01", "Acute lymphoblastic leukemia, in remission", "remission", "2025-06-02"),
    (ICD10CM, "C91.02", "Acute lymphoblastic leukemia, in relapse", "relapse", "2025-12-12"),
)
MARROWS = (("2025-01-08", 88.0), ("2025-03-01", 1.0), ("2025-06-01", 1.0), ("2025-09-01", 2.0), ("2025-12-10", 62.0))
PH_TESTS = ("2025-01-12", "2025-12-14")
MARKERS = (
    ("leukemia-lineage", "urn:rr-all:value", "b-lymphoblastic"),
    ("cd19-expression", SNOMED, "10828004"),
    ("cd22-expression", SNOMED, "10828004"),
)
BLOOD_BLASTS = ("26446-5", "Blasts/Leukocytes in Blood", "Blasts", "%", 0.0, 0.0)


@cache
def chart(observations: int, relevant: int = RELEVANT) -> bytes:
    """The body of one call. *relevant* counts the patient, five conditions and what bears on leukemia besides."""
    found = _relevant_observations(relevant - 1 - len(ALL_CONDITIONS))
    if len(found) > observations:
        raise ValueError(f"{relevant} relevant resources do not fit among {observations} observations")
    dice = random.Random(observations)
    found += [_lab(dice, number) for number in range(observations - len(found))]
    dice.shuffle(found)
    return json.dumps(_call(found), separators=(",", ":")).encode()


def _call(observations: list[Json]) -> Json:
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/bench", "patientId": PATIENT},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": PATIENT, "birthDate": "1991-01-15", "gender": "female"},
            "conditions": _bundle(_conditions()),
            "observations": _bundle(observations),
            "procedures": _bundle([]),
            "medications": _bundle([]),
            "administrations": _bundle([]),
        },
    }


def _bundle(resources: list[Json]) -> Json:
    entry = [
        {
            "fullUrl": f"{FHIR}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resources
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entry)}
    return bundle | {"entry": entry} if entry else bundle


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _conditions() -> list[Json]:
    others = ((*other, "active", "2019-05-01") for other in OTHER_CONDITIONS)
    return [
        {
            "resourceType": "Condition",
            "id": f"condition-{number}",
            "clinicalStatus": _concept(f"{HL7}/condition-clinical", status, status.capitalize()),
            "verificationStatus": _concept(f"{HL7}/condition-ver-status", "confirmed", "Confirmed"),
            "category": [_concept(f"{HL7}/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
            "code": _concept(system, code, display) | {"text": display},
            "subject": {"reference": f"Patient/{PATIENT}"},
            "recordedDate": recorded,
        }
        for number, (system, code, display, status, recorded) in enumerate((*ALL_CONDITIONS, *others))
    ]


def _relevant_observations(wanted: int) -> list[Json]:
    """Marrows, Philadelphia tests and markers; then weekly blood counts without blasts, as many as are wanted."""
    found = [_observation(f"marrow-{day}", day, _concept(LOINC, "11150-0", "")) | _percent(v) for day, v in MARROWS]
    found += [_ph_test(day) for day in PH_TESTS]
    found += [_marker(*marker) for marker in MARKERS]
    first = date(2025, 3, 5)
    days = [first + timedelta(days=number % 180) for number in range(max(0, wanted - len(found)))]
    return found + [_blood_count(number, day) for number, day in enumerate(days)]


def _observation(name: str, day: str, code: Json) -> Json:
    for coding in code["coding"]:
        if not coding["display"]:
            del coding["display"]
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": code,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": day,
    }


def _percent(value: float) -> Json:
    return {"valueQuantity": {"value": value, "unit": "%", "system": UCUM, "code": "%"}}


def _ph_test(day: str) -> Json:
    value = _concept(LOINC, "LA11883-8", "Not detected")
    return _observation(f"bcr-abl1-{day}", day, _concept(LOINC, "21821-4", "")) | {"valueCodeableConcept": value}


def _marker(code: str, system: str, value: str) -> Json:
    made = _observation(code, "2025-12-10", _concept("urn:rr-all:observation", code, ""))
    return made | {"valueCodeableConcept": {"coding": [{"system": system, "code": value}]}}


def _blood_count(number: int, day: date) -> Json:
    dice = random.Random(number)
    when = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return _result(dice, f"blood-blasts-{number}", BLOOD_BLASTS, when, 0.0)


def _lab(dice: random.Random, number: int) -> Json:
    test = dice.choice(LABS)
    low, high = test[4:]
    when = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(60 * 24 * 365 * 7 - 60 * 24 * 14))
    value = round(dice.uniform(low - (high - low) / 4, high + (high - low) / 4), 1)
    return _result(dice, f"lab-{number}", test, when, max(0.0, value))


def _result(
    dice: random.Random, name: str, test: tuple[str, str, str, str, float, float], when: datetime, value: float
) -> Json:
    """One laboratory result as an EHR writes it, about 1.5 KB with its entry."""
    code, display, local, unit, low, high = test
    flag, meaning = ("L", "Low") if value < low else ("H", "High") if value > high else ("N", "Normal")
    quantity = {"unit": unit, "system": UCUM, "code": unit}
    concept = _concept(LOINC, code, display)
    concept["coding"].append(
        {
            "system": "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384",
            "code": f"1557{code.replace('-', '')}",
            "display": local,
        }
    )
    return _observation(name, when.isoformat().replace("+00:00", "Z"), concept | {"text": local}) | {
        "meta": {"versionId": "1", "lastUpdated": (when + timedelta(hours=2)).isoformat().replace("+00:00", "Z")},
        "identifier": [{"system": f"{FHIR}/order-results", "value": f"{dice.randrange(10**12):012}"}],
        "category": [_concept(f"{HL7}/observation-category", "laboratory", "Laboratory") | {"text": "Laboratory"}],
        "encounter": {"reference": f"Encounter/e{dice.randrange(10**6)}", "display": "Office Visit"},
        "issued": (when + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
        "performer": [{"reference": f"Practitioner/p{dice.randrange(100)}", "display": "Central Laboratory"}],
        "valueQuantity": {"value": value} | quantity,
        "interpretation": [_concept(f"{HL7}/v3-ObservationInterpretation", flag, meaning) | {"text": meaning}],
        "referenceRange": [
            {"low": {"value": low} | quantity, "high": {"value": high} | quantity, "text": f"{low} - {high} {unit}"}
        ],
    }
