"""Results about BCR::ABL1, and dates of other genetic tests (rules §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cds_service.chart.reading import Reading
from cds_service.chart.resource import Resource, codings
from cds_service.chart.values import Measured, NoPercent, as_truth, bare_number, has_value, percent, qualitative
from cds_service.clinical.facts import GeneticTest, PhResult, Report
from cds_service.clinical.percent import HUNDRED, Percent
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import When

PRESENCE = {"ph-presence": None, "ph-presence-p210": "p210", "ph-presence-p190": "p190"}
RATIO = {"ph-ratio": None, "ph-ratio-p210": "p210", "ph-ratio-p190": "p190"}
GENETIC = frozenset(
    {*PRESENCE, *RATIO, "ph-fish", "ph-log-ratio", "abl-class-fish", "karyotype", "genetic-variant"}
    | {"other-genetic-result"}
)
ISCN = re.compile(r"^\s*(?:\[?\w*\]?\s*)?\d{2}(?:~\d{2})?(?:<\d?n>)?\s*,\s*[XY]")
TRANSLOCATION = re.compile(r"t\(9;22\)\(q34(?:\.\d+)?;q11(?:\.\d+)?\)")
NEGATION = re.compile(r"\b(?:no|not|negative|without|normal|absent|absence|lacks?|nuc\s+ish)\b", re.IGNORECASE)


def read_genetic(
    resource: Resource,
    reading: Reading,
    meaning: str,
    value_of: Mapping[str, Any],
    when: When,
    specimen: str | None,
) -> None:
    """One genetic result; a log ratio and an ABL-class test are named and not read."""
    if resource.text("status") == "preliminary":
        reading.aside(resource, "preliminary")
        return
    if meaning == "other-genetic-result":
        reading.facts.append(GeneticTest(resource.ref, when, resource.text("status")))
        return
    if meaning in ("ph-log-ratio", "abl-class-fish"):
        reading.aside(resource, {"ph-log-ratio": "log-ratio", "abl-class-fish": "abl-class-is-not-ph"}[meaning])
        reading.facts.append(GeneticTest(resource.ref, when, resource.text("status")))
        return
    result = _result(resource, reading, meaning, value_of, when, specimen)
    if result is None:
        reading.aside(resource, "value-not-understood" if has_value(value_of) else "no-value")
        return
    reading.facts.append(result)
    if result.outcome is Truth.UNKNOWN:
        reading.aside(resource, "ph-result-undecided")


def _result(
    resource: Resource,
    reading: Reading,
    meaning: str,
    value_of: Mapping[str, Any],
    when: When,
    specimen: str | None,
) -> PhResult | None:
    if meaning == "karyotype":
        return _karyotype(resource, reading, value_of, when, specimen)
    if meaning == "genetic-variant":
        return _variant(resource, reading, value_of, when, specimen)
    measured = percent(value_of, reading.knowledge)
    number = measured if isinstance(measured, Percent) else None
    said = as_truth(qualitative(resource, value_of, reading.knowledge))
    if meaning == "ph-fish":
        cutoff = _fish_cutoff(value_of, reading)
        outcome = _agreed(_fish(number, cutoff), said) if number is not None else said
        made = _made(resource, when, outcome, "FISH", None, specimen, fish=number, cutoff=str(cutoff))
    elif meaning in RATIO:
        ratio = number if number is not None else bare_number(value_of)
        outcome = _agreed(ratio.above_zero, said) if ratio is not None else said
        number = number or _fraction(measured)
        made = _made(resource, when, outcome, "PCR", RATIO[meaning], specimen, ratio=number)
    else:
        outcome = said
        made = _made(resource, when, said, "PCR", PRESENCE[meaning], specimen)
    readable = number is not None or outcome is not Truth.UNKNOWN or has_value(value_of)
    understood = readable and not _plain_text(resource, value_of, reading)
    return made if understood else None


def _agreed(measured: Truth, said: Truth) -> Truth:
    """A number and an interpretation that contradict each other decide nothing."""
    return Truth.UNKNOWN if {measured, said} == {Truth.YES, Truth.NO} else measured


def _plain_text(resource: Resource, value_of: Mapping[str, Any], reading: Reading) -> bool:
    """A string outside the closed list says nothing."""
    return isinstance(value_of.get("valueString"), str) and qualitative(resource, value_of, reading.knowledge) is None


def _fraction(measured: object) -> Percent | None:
    """A transcript ratio given as a plain fraction, in percent."""
    fraction = isinstance(measured, Measured) and measured.why is NoPercent.AMBIGUOUS_UNIT
    if not isinstance(measured, Measured) or not fraction or not 0 <= measured.number <= 1:
        return None
    return Percent.of(measured.number * HUNDRED, measured.comparator)


def _fish_cutoff(value_of: Mapping[str, Any], reading: Reading) -> Decimal:
    """The laboratory's own upper reference limit in percent, else the default."""
    ranges = value_of.get("referenceRange")
    for reference in ranges if isinstance(ranges, list) else []:
        high = reference.get("high") if isinstance(reference, dict) else None
        limit = percent({"valueQuantity": high}, reading.knowledge) if isinstance(high, dict) else None
        if isinstance(limit, Percent) and limit.low == limit.high and limit.low > 0:
            return limit.low
    return reading.knowledge.limits.fish_cutoff


def _fish(cells: Percent, cutoff: Decimal) -> Truth:
    """Positive at the cut-off or above; negative at zero; in between unknown."""
    if cells.reaches(cutoff).yes:
        return Truth.YES
    return Truth.NO if cells.above_zero.no else Truth.UNKNOWN


def _made(
    resource: Resource,
    when: When,
    outcome: Truth,
    method: str,
    isoform: str | None,
    specimen: str | None,
    *,
    ratio: Percent | None = None,
    fish: Percent | None = None,
    cutoff: str | None = None,
) -> PhResult:
    status = resource.text("status")
    return PhResult(resource.ref, when, status, outcome, method, isoform, ratio, fish, cutoff, specimen)


def _karyotype(
    resource: Resource, reading: Reading, value_of: Mapping[str, Any], when: When, specimen: str | None
) -> PhResult | None:
    """ISCN with t(9;22) and no negation is positive; a karyotype without it says nothing."""
    text = value_of.get("valueString")
    strings = [text] if isinstance(text, str) else []
    strings += _iscn_codes(resource)
    if any(_has_translocation(s) for s in strings):
        return _made(resource, when, Truth.YES, "karyotype", None, specimen)
    reading.facts.append(GeneticTest(resource.ref, when, resource.text("status")))
    if not strings or any(not ISCN.match(s) for s in strings):
        reading.facts.append(Report(resource.ref, when, resource.text("status"), "genetics"))
    return _made(resource, when, Truth.UNKNOWN, "karyotype", None, specimen) if strings else None


def _iscn_codes(resource: Resource) -> list[str]:
    """ISCN strings carried as codes in components named "Variant ISCN"."""
    return [
        code
        for component in resource.parts("component")
        if "variant-iscn" in resource.meanings_of(component.get("code"))
        for (_, code), _ in codings(component.get("valueCodeableConcept"))
    ]


def _has_translocation(text: str) -> bool:
    compact = text.replace(" ", "")
    return bool(ISCN.match(text) and TRANSLOCATION.search(compact) and not NEGATION.search(text))


def _variant(
    resource: Resource, reading: Reading, value_of: Mapping[str, Any], when: When, specimen: str | None
) -> PhResult | None:
    """A genomic variant: both BCR and ABL1 must be named, or an ISCN component carries t(9;22)."""
    genes = {
        meaning
        for component in resource.parts("component")
        if "gene-studied" in resource.meanings_of(component.get("code"))
        for meaning in resource.meanings_of(component.get("valueCodeableConcept"))
    }
    said = as_truth(qualitative(resource, value_of, reading.knowledge))
    if {"gene-bcr", "gene-abl1"} <= genes:
        return _made(resource, when, said, "genomic variant", None, specimen)
    if said.yes and any(_has_translocation(s) for s in _iscn_codes(resource)):
        return _made(resource, when, Truth.YES, "karyotype", None, specimen)
    reading.facts.append(GeneticTest(resource.ref, when, resource.text("status")))
    return None
