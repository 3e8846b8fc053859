"""One fact in our own words: its kind, its value and its unit. Nothing is copied from the record's text."""

from __future__ import annotations

from cds_service.clinical.facts import (
    Antigen,
    BloodBlasts,
    CarT,
    Diagnosis,
    Directed,
    Extramedullary,
    Fact,
    GeneticTest,
    GrowthFactor,
    Judgement,
    Lineage,
    MarrowResult,
    Origin,
    OtherDisease,
    Phenotype,
    PhResult,
    Report,
    Statement,
    Test,
    Transplant,
    Treatment,
)
from cds_service.clinical.truth import Truth
from cds_service.knowledge import Knowledge

KINDS: dict[type[Fact], str] = {
    Diagnosis: "diagnosis",
    OtherDisease: "other_disease",
    Statement: "status",
    Phenotype: "phenotype",
    BloodBlasts: "blood_blasts",
    Extramedullary: "extramedullary",
    PhResult: "philadelphia",
    Treatment: "treatment",
    Transplant: "transplant",
    CarT: "car_t",
    Directed: "directed_therapy",
    GrowthFactor: "growth_factor",
    Origin: "cell_origin",
    Antigen: "antigen",
    Judgement: "judgement",
    GeneticTest: "genetic_test",
    Report: "report",
}


def kind_of(fact: Fact) -> str:
    """The kind of fact, as the assessment names it."""
    if isinstance(fact, MarrowResult):
        return "marrow_blasts" if fact.test is Test.MORPHOLOGY else f"marrow_mrd_{fact.test.value}"
    return KINDS[type(fact)]


def shown_value(fact: Fact, knowledge: Knowledge) -> tuple[str, str]:
    """The value and its unit; the unit is empty where the value is a word."""
    words = knowledge.words["value"]
    match fact:
        case MarrowResult() | BloodBlasts():
            return fact.value.text, "%"
        case Statement():
            return words[fact.kind.value], ""
        case Phenotype():
            return words[fact.cells.value], ""
        case Extramedullary():
            return words["present" if fact.present else "absent"], ""
        case PhResult():
            return _ph(fact, words[fact.outcome.value])
        case OtherDisease():
            return words["myeloid-disease" if fact.kind == "myeloid" else fact.kind], ""
        case Treatment():
            return words["ordered" if fact.ordered_only else "treatment"], ""
        case GrowthFactor():
            return words["growth factor"], ""
        case Origin():
            return words["donor" if fact.donor else "recipient"], ""
        case Antigen():
            return f"{fact.name.upper()} {words[fact.expression]}", ""
        case Judgement():
            return f"{words[fact.about]}: {words['answer-yes' if fact.answer else 'answer-no']}", ""
        case Report():
            return knowledge.words["report"][fact.about], ""
        case Diagnosis():
            return _diagnosis(fact, knowledge), ""
        case _:
            return words[kind_of(fact)], ""


def measured(fact: Fact, knowledge: Knowledge) -> str:
    """The value in a sentence: what was measured, the number and its unit, or the word."""
    value, unit = shown_value(fact, knowledge)
    if not isinstance(fact, MarrowResult | BloodBlasts):
        return value
    name = fact.test.value if isinstance(fact, MarrowResult) else "blood"
    return f"{knowledge.words['value'][name]} {value} {unit}"


def _diagnosis(fact: Diagnosis, knowledge: Knowledge) -> str:
    """The lineage and Philadelphia status that the diagnosis itself names."""
    lineage = knowledge.words["lineage"][fact.lineage.value]
    named = lineage if fact.lineage is not Lineage.UNKNOWN else knowledge.words["value"]["diagnosis"]
    ph = {Truth.YES: "positive", Truth.NO: "negative"}.get(fact.ph)
    return f"{named}, {knowledge.words['ph'][ph]}" if ph else named


def _ph(result: PhResult, word: str) -> tuple[str, str]:
    measured = result.fish or result.ratio
    isoform = f" {result.isoform}" if result.isoform else ""
    number = f" {measured.text} %" if measured else ""
    return f"{word} by {result.method}{isoform}{number}", ""
