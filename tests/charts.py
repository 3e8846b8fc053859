"""Synthetic FHIR R4 charts for tests: a sentence about a patient becomes prefetch bundles and an answer.

``chart(today="2026-11-01").all_b("2025-01-01").remission("2025-03-01").marrow(62, "2026-10-10").assess()``
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

from cds_service.catalogue import load
from cds_service.clinical.assess import Assessment
from cds_service.clinical.options import AssessedOption
from cds_service.decide import PatientView, decide
from cds_service.decision import Decision
from cds_service.knowledge import Knowledge

TODAY = "2026-11-01"
PATIENT = "p1"

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ONCOTREE = "http://oncotree.mskcc.org"
NMDP_STAGE = "http://terminology.nmdp.org/codesystem/diseasestage"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
GENES = "http://www.genenames.org"
OURS = "urn:rr-all:observation"
VALUE = "urn:rr-all:value"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"

CATEGORIES = {"encounter": "encounter-diagnosis", "problem": "problem-list-item"}
SPECIMENS = {"marrow": "119359002", "blood": "119297000", "csf": "258450006"}
KEYS = {
    "Patient": "patient",
    "Condition": "conditions",
    "Procedure": "procedures",
    "MedicationRequest": "medications",
    "MedicationStatement": "medications",
    "MedicationAdministration": "administrations",
}
PREFETCH = ("patient", "conditions", "observations", "procedures", "medications", "administrations")

Code = tuple[str, str]
Json = dict[str, Any]

B_ALL: Code = (SNOMED, "277571004")
T_ALL: Code = (SNOMED, "277575008")
C91_00: Code = (ICD10CM, "C91.00")
C91_01: Code = (ICD10CM, "C91.01")
C91_02: Code = (ICD10CM, "C91.02")
REFRACTORY: Code = (SNOMED, "12311000132101")
PH_POSITIVE_ALL: Code = (SNOMED, "425688002")
PH_NEGATIVE_B_ALL: Code = (SNOMED, "714251006")
PH_LIKE: Code = (ONCOTREE, "BLLBCRABL1L")
T_COMBINED: Code = (SNOMED, "420890002")
B_COMBINED: Code = (ICDO3, "9811/3")
LYMPHOMA: Code = (ICD10CM, "C83.50")
MIXED: Code = (SNOMED, "1187123005")
AML: Code = (ICD10CM, "C92.00")
CML: Code = (ICD10CM, "C92.10")
CML_RELAPSE: Code = (ICD10CM, "C92.12")
CLL: Code = (ICD10CM, "C91.10")
HISTORY: Code = (ICD10CM, "Z85.6")
GVHD: Code = (ICD10CM, "D89.811")
GENERIC_RECURRENCE: Code = (SNOMED, "1259237005")
GENERIC_REMISSION: Code = (SNOMED, "103338009")
PARTIAL_REMISSION: Code = (SNOMED, "103337004")
WORSENED: Code = (SNOMED, "271299001")
MENINGEAL: Code = (SNOMED, "722795004")
SECONDARY_BRAIN: Code = (ICD10CM, "C79.31")
INDUCTION: Code = (SNOMED, "450827009")
CYCLE: Code = (SNOMED, "399042005")
CHEMOTHERAPY: Code = (SNOMED, "367336001")
INTRATHECAL: Code = (SNOMED, "171765004")
TRANSPLANT: Code = (SNOMED, "234334004")
CAR_T: Code = ("http://www.cms.gov/Medicare/Coding/ICD10", "XW033C3")
VINCRISTINE: Code = (RXNORM, "11202")
DEXAMETHASONE: Code = (RXNORM, "3264")
MERCAPTOPURINE: Code = (RXNORM, "103")
BLINATUMOMAB: Code = (RXNORM, "1597258")
INOTUZUMAB: Code = (RXNORM, "1942950")
DASATINIB: Code = (RXNORM, "475342")
FILGRASTIM: Code = (ATC, "L03AA02")

OPTIONS = (
    "clinical-trial",
    "chemotherapy",
    "tki-alone",
    "tki-with-chemotherapy",
    "tki-with-corticosteroid",
    "nelarabine",
    "blinatumomab",
    "inotuzumab-ozogamicin",
    "allogeneic-transplant",
    "car-t",
    "tisagenlecleucel",
    "brexucabtagene-autoleucel",
)


@cache
def knowledge() -> Knowledge:
    """The real catalogue, read once."""
    return load()


def concept(code: Code, display: str = "") -> Json:
    system, value = code
    coding = {"system": system, "code": value}
    return {"coding": [{**coding, "display": display} if display else coding]}


def quantity(number: float, unit: str | None = "%", comparator: str | None = None) -> Json:
    found: Json = {"value": number}
    if unit is not None:
        found |= {"unit": unit, "system": UCUM, "code": unit}
    if comparator is not None:
        found["comparator"] = comparator
    return found


class Answer:
    """One decision, in the words tests use."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    @property
    def assessment(self) -> Assessment:
        return self.decision.assessment

    @property
    def classification(self) -> str:
        return self.decision.classification.value

    @property
    def rule(self) -> str:
        return self.assessment.verdict.rule

    @property
    def reason(self) -> str:
        return self.assessment.verdict.reason

    @property
    def modifiers(self) -> frozenset[str]:
        return frozenset(self.assessment.modifiers)

    @property
    def lineage(self) -> str:
        return self.assessment.situation.lineage.value

    @property
    def ph(self) -> str:
        return self.assessment.situation.ph.value.value

    @property
    def missing(self) -> frozenset[str]:
        return frozenset(self.assessment.missing)

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.assessment.suggestions

    @property
    def aside(self) -> frozenset[str]:
        return frozenset(row.why for row in self.assessment.facts.set_aside)

    @property
    def speaks(self) -> bool:
        return self.decision.speaks

    @property
    def options(self) -> dict[str, str]:
        """Option to group."""
        return {o.option.id: o.group.value for o in self.assessment.options}

    def option(self, name: str) -> AssessedOption:
        return next(o for o in self.assessment.options if o.option.id == name)

    def reasons(self, name: str) -> frozenset[str]:
        """Why the option does not simply fit."""
        return frozenset(u.answer.reason for u in self.option(name).unmet)

    @property
    def all_reasons(self) -> frozenset[str]:
        found = {u.answer.reason for o in self.assessment.options for u in o.unmet}
        products = {o.group.value for o in self.assessment.options if o.option.id == "car-t"}
        words = {"depends": "products_depend", "does_not_fit": "products_do_not_fit"}
        return frozenset(found | {words[group] for group in products if group in words})

    @property
    def outcome(self) -> tuple[object, ...]:
        """Everything a reader would see but the list of set-aside rows."""
        return (
            self.classification,
            self.rule,
            self.reason,
            self.assessment.verdict.values,
            self.assessment.verdict.used,
            self.assessment.modifiers,
            self.lineage,
            self.ph,
            tuple((o.option.id, o.group.value, tuple(u.answer for u in o.unmet)) for o in self.assessment.options),
            self.assessment.missing,
            self.suggestions,
        )


class Chart:
    """A chart being written. Every method adds one entry and returns the chart."""

    def __init__(self, today: str = TODAY) -> None:
        self.today = date.fromisoformat(today)
        self.birth: str | None = "1990-05-05"
        self.deceased: Json = {}
        self.resources: list[Json] = []
        self.replaced: dict[str, object] = {}
        self.next_links: set[str] = set()
        self.left_out: set[str] = set()
        self.patient_facing = False

    # -- the patient ------------------------------------------------------------------------------

    def born(self, birth: str | None) -> Chart:
        self.birth = birth
        return self

    def died(self, when: str | None = None) -> Chart:
        self.deceased = {"deceasedDateTime": when} if when else {"deceasedBoolean": True}
        return self

    # -- any resource -----------------------------------------------------------------------------

    def add(self, kind: str, *, reference: str = "subject", patient: str = PATIENT, **elements: Any) -> Chart:
        """A resource with a fresh id; elements that are None are left out."""
        resource: Json = {"resourceType": kind, "id": f"r{len(self.resources)}"}
        if kind not in ("Specimen", "Encounter"):
            resource[reference] = {"reference": f"Patient/{patient}"}
        resource |= {name: value for name, value in elements.items() if value is not None}
        self.resources.append(resource)
        return self

    def but_last(self, **elements: Any) -> Chart:
        """Change the last entry: tests of a near miss."""
        self.resources[-1] |= elements
        return self

    # -- conditions -------------------------------------------------------------------------------

    def condition(
        self,
        code: Code,
        recorded: str | None,
        *,
        category: str | None = "encounter",
        clinical: str | None = None,
        verification: str | None = "confirmed",
        updated: str | None = None,
        onset: str | None = None,
        abated: str | None = None,
        stage: Code | None = None,
        also: Iterable[Code] = (),
        display: str = "",
        patient: str = PATIENT,
    ) -> Chart:
        coded = concept(code, display)
        coded["coding"] += [{"system": s, "code": c} for s, c in also]
        return self.add(
            "Condition",
            patient=patient,
            code=coded,
            recordedDate=recorded,
            category=[concept((CATEGORY, CATEGORIES[category]))] if category else None,
            clinicalStatus=concept((CLINICAL, clinical)) if clinical else None,
            verificationStatus=concept((VERIFICATION, verification)) if verification else None,
            meta={"lastUpdated": updated} if updated else None,
            onsetDateTime=onset,
            abatementDateTime=abated,
            stage=[{"summary": concept(stage)}] if stage else None,
        )

    def all_b(self, recorded: str, **more: Any) -> Chart:
        return self.condition(B_ALL, recorded, **{"clinical": "active", **more})

    def all_t(self, recorded: str, **more: Any) -> Chart:
        return self.condition(T_ALL, recorded, **{"clinical": "active", **more})

    def all_unspecified(self, recorded: str, **more: Any) -> Chart:
        return self.condition(C91_00, recorded, **{"clinical": "active", **more})

    def remission(self, recorded: str, **more: Any) -> Chart:
        return self.condition(C91_01, recorded, **more)

    def relapse(self, recorded: str, **more: Any) -> Chart:
        return self.condition(C91_02, recorded, **more)

    def refractory(self, recorded: str, **more: Any) -> Chart:
        return self.condition(REFRACTORY, recorded, **more)

    # -- observations -----------------------------------------------------------------------------

    def observation(
        self,
        code: Code,
        when: str | None,
        value: object = None,
        *,
        unit: str | None = "%",
        comparator: str | None = None,
        status: str = "final",
        specimen: str | None = None,
        site: str | None = None,
        cutoff: float | None = None,
        issued: str | None = None,
        components: list[Json] | None = None,
        focus: str | None = None,
        display: str = "",
        patient: str = PATIENT,
    ) -> Chart:
        """*value*: a number, a Code, a bool or a string."""
        elements: Json = {"status": status, "code": concept(code, display), "effectiveDateTime": when}
        if isinstance(value, bool):
            elements["valueBoolean"] = value
        elif isinstance(value, int | float):
            elements["valueQuantity"] = quantity(value, unit, comparator)
        elif isinstance(value, str):
            elements["valueString"] = value
        elif isinstance(value, tuple):
            elements["valueCodeableConcept"] = concept(value)
        elements["specimen"] = {"reference": f"Specimen/{specimen}"} if specimen else None
        elements["bodySite"] = concept((SNOMED, SPECIMENS.get(site, site))) if site else None
        elements["referenceRange"] = [{"high": quantity(cutoff)}] if cutoff is not None else None
        elements["component"] = components
        elements["focus"] = [{"reference": focus}] if focus else None
        elements["issued"] = issued
        return self.add("Observation", patient=patient, **elements)

    def specimen(self, name: str, kind: str | None = "marrow", collected: str | None = None) -> Chart:
        self.add(
            "Specimen",
            type=concept((SNOMED, SPECIMENS[kind])) if kind else None,
            collection={"collectedDateTime": collected} if collected else None,
        )
        self.resources[-1]["id"] = name
        return self

    def marrow(self, blasts: object, when: str, **more: Any) -> Chart:
        return self.observation((LOINC, "11150-0"), when, blasts, **more)

    def flow(self, cells: object, when: str, **more: Any) -> Chart:
        return self.observation((OURS, "marrow-mrd-flow"), when, cells, **more)

    def molecular(self, cells: object, when: str, **more: Any) -> Chart:
        return self.observation((OURS, "marrow-mrd-molecular"), when, cells, **more)

    def blood(self, blasts: object, when: str, **more: Any) -> Chart:
        return self.observation((LOINC, "26446-5"), when, blasts, **more)

    def phenotype(self, cells: str, when: str, **more: Any) -> Chart:
        return self.observation((OURS, "leukemia-lineage"), when, (VALUE, cells), **{"site": "marrow", **more})

    def status(self, kind: str, when: str, **more: Any) -> Chart:
        return self.observation((OURS, "disease-status"), when, (VALUE, kind), **more)

    def antigen(self, name: str, expression: str, when: str, **more: Any) -> Chart:
        """*name* "cd19" or "cd22"; *expression* "positive", "negative" or "partial"."""
        return self.observation((OURS, f"{name}-expression"), when, (VALUE, expression), **more)

    def judgement(self, about: str, answer: bool, when: str, **more: Any) -> Chart:
        return self.observation((OURS, about), when, answer, **more)

    def fit(self, when: str, answer: bool = True) -> Chart:
        return self.judgement("physically-fit-for-transplant", answer, when)

    def donor(self, when: str, answer: bool = True) -> Chart:
        return self.judgement("donor-available", answer, when)

    def tolerates(self, answer: bool, when: str) -> Chart:
        return self.judgement("tolerates-chemotherapy", answer, when)

    def origin(self, whose: str, when: str) -> Chart:
        return self.observation((OURS, "abnormal-cells-origin"), when, (VALUE, whose))

    def csf(self, blasts: float, when: str, **more: Any) -> Chart:
        return self.observation((LOINC, "26447-3"), when, blasts, **more)

    def extramedullary(self, present: str, when: str, **more: Any) -> Chart:
        """*present*: "present" or "absent"."""
        return self.observation((OURS, "extramedullary-disease"), when, (VALUE, present), **more)

    def report(self, when: str, code: str = "74233-8", **more: Any) -> Chart:
        return self.add("DiagnosticReport", status="final", code=concept((LOINC, code)), effectiveDateTime=when, **more)

    # -- BCR::ABL1 ---------------------------------------------------------------------------------

    def ph(self, value: object, when: str, *, code: str = "21821-4", **more: Any) -> Chart:
        """ "positive" or "negative" as a coded value; a number as a quantity; other strings as text."""
        coded = (VALUE, value) if value in ("positive", "negative") else value
        return self.observation((LOINC, code), when, coded, **more)

    def p210(self, value: object, when: str, **more: Any) -> Chart:
        return self.ph(value, when, code="21822-2", **more)

    def p190(self, value: object, when: str, **more: Any) -> Chart:
        return self.ph(value, when, code="21823-0", **more)

    def fish(self, cells: object, when: str, **more: Any) -> Chart:
        return self.ph(cells, when, code="21795-0", **more)

    def ratio(self, ratio: object, when: str, **more: Any) -> Chart:
        return self.ph(ratio, when, code="46434-7", **more)

    def karyotype(self, iscn: str, when: str, **more: Any) -> Chart:
        return self.observation((LOINC, "81861-7"), when, iscn, **more)

    def variant(self, genes: Iterable[str], value: str, when: str, **more: Any) -> Chart:
        components = [
            {"code": concept((LOINC, "48018-6")), "valueCodeableConcept": concept((GENES, gene))} for gene in genes
        ]
        coded = (VALUE, value)
        return self.observation((LOINC, "69548-6"), when, coded, components=components, **more)

    # -- treatment ---------------------------------------------------------------------------------

    def procedure(
        self, code: Code, start: str, end: str | None = None, *, status: str = "completed", **more: Any
    ) -> Chart:
        period = {"start": start, **({"end": end} if end else {})}
        return self.add("Procedure", status=status, code=concept(code), performedPeriod=period, **more)

    def course(self, start: str, end: str, **more: Any) -> Chart:
        return self.procedure(INDUCTION, start, end, **more)

    def chemotherapy(self, start: str, end: str | None = None, **more: Any) -> Chart:
        return self.procedure(CHEMOTHERAPY, start, end, **more)

    def transplant(self, when: str) -> Chart:
        return self.procedure(TRANSPLANT, when)

    def car_t(self, when: str) -> Chart:
        return self.procedure(CAR_T, when)

    def administration(self, drug: Code, when: str, end: str | None = None, *, status: str = "completed") -> Chart:
        period = {"effectivePeriod": {"start": when, "end": end}} if end else {"effectiveDateTime": when}
        return self.add("MedicationAdministration", status=status, medicationCodeableConcept=concept(drug), **period)

    def statement(self, drug: Code, when: str, end: str | None = None, *, status: str = "completed") -> Chart:
        period = {"effectivePeriod": {"start": when, "end": end}} if end else {"effectiveDateTime": when}
        return self.add("MedicationStatement", status=status, medicationCodeableConcept=concept(drug), **period)

    def request(self, drug: Code, when: str, *, status: str = "active", intent: str = "order") -> Chart:
        return self.add(
            "MedicationRequest", status=status, intent=intent, medicationCodeableConcept=concept(drug), authoredOn=when
        )

    def growth_factor(self, when: str, end: str | None = None) -> Chart:
        return self.administration(FILGRASTIM, when, end)

    # -- what the client could not supply ------------------------------------------------------------

    def failed(self, key: str) -> Chart:
        issue = [{"severity": "error", "code": "exception"}]
        self.replaced[key] = {"resourceType": "OperationOutcome", "issue": issue}
        return self

    def none(self, key: str) -> Chart:
        self.replaced[key] = None
        return self

    def not_supplied(self, key: str) -> Chart:
        self.left_out.add(key)
        return self

    def unfollowed(self, key: str) -> Chart:
        self.next_links.add(key)
        return self

    # -- the answer ------------------------------------------------------------------------------------

    def copy(self) -> Chart:
        return copy.deepcopy(self)

    def patient(self) -> Json:
        born = {"birthDate": self.birth} if self.birth else {}
        return {"resourceType": "Patient", "id": PATIENT, **born, **self.deceased}

    def prefetch(self) -> dict[str, bytes]:
        held: dict[str, list[Json]] = {key: [] for key in PREFETCH if key != "patient"}
        for resource in self.resources:
            held[KEYS.get(resource["resourceType"], "observations")].append(resource)
        values: dict[str, object] = {"patient": self.patient()}
        values |= {key: bundle(found, more=key in self.next_links) for key, found in held.items()}
        values |= self.replaced
        return {key: json.dumps(value).encode() for key, value in values.items() if key not in self.left_out}

    def assess(self, prefetch: dict[str, bytes] | None = None) -> Answer:
        view = PatientView(PATIENT, self.prefetch() if prefetch is None else prefetch, self.patient_facing)
        return Answer(decide(view, knowledge(), self.today))


def bundle(resources: Iterable[Json], *, more: bool = False) -> Json:
    found: Json = {"resourceType": "Bundle", "type": "searchset"}
    if entries := [{"resource": resource} for resource in resources]:
        found["entry"] = entries
    if more:
        found["link"] = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    return found


def chart(today: str = TODAY) -> Chart:
    """An adult patient with nothing on record."""
    return Chart(today)


def relapsed_b() -> Chart:
    """A plain relapse of B-ALL: remission in 2025, marrow 62 % in October 2026."""
    return chart().all_b("2025-01-01").remission("2025-03-01").marrow(62, "2026-10-10").relapse("2026-10-12")


def relapsed_t() -> Chart:
    """A plain relapse of T-ALL."""
    return chart().all_t("2025-01-01").remission("2025-03-01").marrow(62, "2026-10-10").relapse("2026-10-12")
