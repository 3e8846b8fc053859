"""Conditions: the diagnosis, its status, other diseases, disease outside the marrow."""

from __future__ import annotations

from cds_service.chart.reading import Reading
from cds_service.chart.resource import Resource, codings, period
from cds_service.clinical.facts import (
    CarT,
    Diagnosis,
    Extramedullary,
    Lineage,
    OtherDisease,
    Statement,
    StatusKind,
    Transplant,
)
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import BEGINNING, When

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
NOT_A_DIAGNOSIS = ("refuted", "entered-in-error", "provisional", "differential", "unconfirmed")

B, T, NONE = Lineage.B_CELL, Lineage.T_CELL, Lineage.UNKNOWN
ALL_MEANINGS: dict[str, tuple[Lineage, Truth, bool]] = {
    "all-diagnosis": (NONE, Truth.UNKNOWN, False),
    "all-b-cell": (B, Truth.UNKNOWN, False),
    "all-t-cell": (T, Truth.UNKNOWN, False),
    "all-b-combined": (B, Truth.UNKNOWN, True),
    "all-t-combined": (T, Truth.UNKNOWN, True),
    "all-ph-positive": (NONE, Truth.YES, False),
    "all-b-combined-ph-positive": (B, Truth.YES, True),
    "all-b-ph-negative": (B, Truth.NO, False),
    "all-in-remission": (NONE, Truth.UNKNOWN, False),
    "all-b-in-remission": (B, Truth.UNKNOWN, False),
    "all-t-in-remission": (T, Truth.UNKNOWN, False),
    "all-in-relapse": (NONE, Truth.UNKNOWN, False),
    "all-refractory": (NONE, Truth.UNKNOWN, False),
}
"""Value set: lineage, Philadelphia status and whether the term also means lymphoma."""

STATUS_MEANINGS = {
    "all-in-remission": StatusKind.REMISSION,
    "all-b-in-remission": StatusKind.REMISSION,
    "all-t-in-remission": StatusKind.REMISSION,
    "all-in-relapse": StatusKind.RELAPSE,
    "all-refractory": StatusKind.REFRACTORY,
    "generic-relapse": StatusKind.RELAPSE,
    "generic-remission": StatusKind.REMISSION,
    "stage-remission": StatusKind.REMISSION,
    "stage-relapse": StatusKind.RELAPSE,
    "stage-refractory": StatusKind.REFRACTORY,
}
CLINICAL_STATUSES = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
NO_STATUS = "no clinical status"
CLINICAL_STATUS = {
    "remission": StatusKind.REMISSION,
    "relapse": StatusKind.RELAPSE,
    "recurrence": StatusKind.RELAPSE,
}
OTHER = {
    "lymphoblastic-lymphoma": ("lymphoma", True, NONE),
    "myeloid-leukemia": ("myeloid", True, NONE),
    "myeloid-leukemia-in-remission": ("myeloid", False, NONE),
    "mixed-phenotype-leukemia": ("mixed", True, NONE),
    "other-hematologic-disease": ("other", True, NONE),
    "other-b-cell-disease": ("other", True, B),
    "other-t-cell-disease": ("other", True, T),
}
"""Value set: kind of disease, whether the term is active, and a lineage it names."""
SET_ASIDE = {
    "history-code": "history-code",
    "extramedullary-condition-unspecific": "site-without-leukemia",
    "generic-relapse": "relapse-of-unnamed-disease",
    "generic-remission": "remission-of-unnamed-disease",
    "not-a-status": "not-a-complete-status",
    "transplant-donor-not-stated": "transplant-donor-not-stated",
    "autologous-transplant": "autologous-transplant",
    "awaiting-transplant": "awaiting-transplant",
    "treatment-without-detail": "treatment-without-detail",
    "extramedullary-in-remission": "site-in-remission",
}
SITES = {"61301000119102": "central nervous system", "722795004": "central nervous system"}


def read_condition(resource: Resource, reading: Reading) -> None:
    """One Condition: facts, or a row set aside with its reason."""
    verification = _status_code(resource, "verificationStatus", VERIFICATION)
    if verification in NOT_A_DIAGNOSIS:
        reading.aside(resource, verification)
        return
    meanings = resource.code_meanings
    if not meanings:
        return
    when = reading.usable_date(resource, _when(resource, reading))
    if when is None:
        return
    known = [ALL_MEANINGS[m] for m in sorted(meanings) if m in ALL_MEANINGS]
    if known:
        _read_all(resource, reading, meanings, known, when)
    else:
        _read_other(resource, reading, meanings, when)


def _status_code(resource: Resource, name: str, system: str) -> str:
    """The status code, from its own code system only."""
    found = [code for (s, code), _ in codings(resource.json.get(name)) if s == system]
    return found[0] if found else ""


def _active(resource: Resource, reading: Reading, status: str) -> bool:
    return status not in ("inactive", "remission", "resolved") and not _abated(resource, reading)


def _clinical(resource: Resource) -> str:
    """The clinical status; what is none of FHIR's is left out, as the status is shown."""
    status = _status_code(resource, "clinicalStatus", CLINICAL)
    return status if status in CLINICAL_STATUSES else ""


def _abated(resource: Resource, reading: Reading) -> bool:
    """Ended, unless the end is given as a date that surely lies ahead."""
    ends = resource.when("abatementDateTime", "abatementPeriod")
    ahead = ends is not None and reading.now.before(ends).yes
    return any(name.startswith("abatement") for name in resource.json) and not ahead


def _encounter_diagnosis(resource: Resource) -> bool:
    """An encounter diagnosis stands at one date; anything else is a list entry that is edited."""
    categories = {code for c in resource.parts("category") for (s, code), _ in codings(c) if s == CATEGORY}
    if categories & {"encounter-diagnosis", "problem-list-item"}:
        return "encounter-diagnosis" in categories
    return bool(resource.reference("encounter"))


def _recorded(resource: Resource, reading: Reading) -> When | None:
    if found := resource.when("recordedDate"):
        return found
    encounter = reading.resolve(resource, resource.reference("encounter"))
    return period(encounter.part("period")) if encounter else None


def _when(resource: Resource, reading: Reading) -> When:
    """When the entry was made; without any date, some time up to its last edit or today."""
    recorded = _recorded(resource, reading)
    return recorded or When(BEGINNING, _last_edit(resource, reading).last)


def _last_edit(resource: Resource, reading: Reading) -> When:
    """meta.lastUpdated, no later than today; today without it."""
    edited = resource.last_updated
    return reading.now if edited is None or edited.last > reading.now.last else edited


def _status_interval(resource: Resource, reading: Reading, when: When) -> tuple[When, bool, When]:
    """Where a status lies, whether that is a date, and from when its age counts (rules N2)."""
    if _encounter_diagnosis(resource) and when.first != BEGINNING:
        return when, True, when
    end = _last_edit(resource, reading)
    lies = When(when.first, max(when.last, end.last))
    edited = resource.last_updated
    aged = max(edited, when, key=lambda w: w.last) if edited is not None and edited == end else when
    return lies, lies.first.date() == lies.last.date(), aged


def _read_all(
    resource: Resource,
    reading: Reading,
    meanings: frozenset[str],
    known: list[tuple[Lineage, Truth, bool]],
    when: When,
) -> None:
    lineages = {lineage for lineage, _, _ in known} - {Lineage.UNKNOWN}
    phs = {ph for _, ph, _ in known} - {Truth.UNKNOWN}
    combined = all(also_lymphoma for _, _, also_lymphoma in known)
    status, recorded = _clinical(resource), when
    lies, dated, aged = _status_interval(resource, reading, when)
    reading.all_conditions.add(resource.ref)
    reading.facts.append(
        Diagnosis(
            ref=resource.ref,
            when=recorded,
            status=status or NO_STATUS,
            lineage=lineages.pop() if len(lineages) == 1 else Lineage.CONFLICTING if lineages else Lineage.UNKNOWN,
            ph=phs.pop() if len(phs) == 1 else Truth.UNKNOWN,
            combined=combined,
            active=_active(resource, reading, status),
            onset=_earlier_onset(resource, recorded),
            aged=aged,
        )
    )
    for kind in sorted(_status_kinds(resource, reading, meanings, status), key=lambda k: k.value):
        if kind is not StatusKind.REMISSION and _is_over(resource, reading, status):
            reading.aside(resource, f"{kind.value}-no-longer-active")
            continue
        reading.facts.append(
            Statement(
                ref=resource.ref,
                when=lies,
                status=status or NO_STATUS,
                kind=kind,
                dated=dated,
                aged=aged,
                combined=combined,
            )
        )


def _earlier_onset(resource: Resource, recorded: When) -> When | None:
    """Onset tells when the disease began (never the date of a status), if it is the earlier date."""
    onset = resource.when("onsetDateTime", "onsetPeriod")
    return onset if onset is not None and onset.before(recorded).yes else None


def _is_over(resource: Resource, reading: Reading, status: str) -> bool:
    return status in ("resolved", "inactive") or _abated(resource, reading)


def _status_kinds(resource: Resource, reading: Reading, meanings: frozenset[str], status: str) -> set[StatusKind]:
    found = set(meanings)
    for stage in resource.parts("stage"):
        found |= resource.meanings_of(stage.get("summary"))
    if "cns-stage" in found:
        reading.aside(resource, "cns-stage")
    kinds = {STATUS_MEANINGS[m] for m in found if m in STATUS_MEANINGS}
    if status in CLINICAL_STATUS:
        kinds.add(CLINICAL_STATUS[status])
    return kinds


def _read_other(resource: Resource, reading: Reading, meanings: frozenset[str], when: When) -> None:
    lies, _, aged = _status_interval(resource, reading, when)
    status = _clinical(resource)
    shown = status or NO_STATUS
    for meaning in sorted(meanings):
        if meaning in OTHER:
            kind, active, lineage = OTHER[meaning]
            active = active and _active(resource, reading, status)
            reading.facts.append(OtherDisease(resource.ref, when, shown, kind, active, aged, lineage))
        elif meaning == "extramedullary-condition":
            _read_extramedullary(resource, reading, lies, status)
        elif meaning in ("allogeneic-transplant-sequela", "history-of-allogeneic-transplant"):
            reading.facts.append(Transplant(resource.ref, _some_time_before(when), shown))
        elif meaning == "history-of-car-t":
            reading.facts.append(CarT(resource.ref, _some_time_before(when), shown))
        elif meaning in SET_ASIDE:
            reading.aside(resource, SET_ASIDE[meaning])


def _some_time_before(when: When) -> When:
    """A history code says that something happened, at the latest when the code was recorded."""
    return When(BEGINNING, when.last)


def _read_extramedullary(resource: Resource, reading: Reading, lies: When, status: str) -> None:
    if not _active(resource, reading, status):
        reading.aside(resource, "extramedullary-no-longer-active")
        return
    codes = {code for (_, code), _ in codings(resource.json.get("code"))}
    site = next((SITES[code] for code in sorted(codes) if code in SITES), "outside the marrow")
    reading.facts.append(Extramedullary(resource.ref, lies, status or NO_STATUS, present=True, site=site))
