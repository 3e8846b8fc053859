"""From facts to an assessment: timeline, class, lineage, Ph status, options, what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from cds_service.clinical.age import age_in_months
from cds_service.clinical.checks import Situation
from cds_service.clinical.classify import classify
from cds_service.clinical.disease_rules import blasts_of_another_leukemia
from cds_service.clinical.facts import Diagnosis, Fact, Facts, Lineage, SetAside
from cds_service.clinical.history import modifiers as history_modifiers
from cds_service.clinical.lineage import lineage
from cds_service.clinical.options import AssessedOption, assess_options
from cds_service.clinical.philadelphia import Ph, philadelphia, tested_since
from cds_service.clinical.timeline import Timeline, build
from cds_service.clinical.verdict import Classification, Used, Verdict
from cds_service.knowledge import Knowledge

RELAPSED, REFRACTORY = Classification.RELAPSED, Classification.REFRACTORY
SILENT = (
    Classification.IN_REMISSION,
    Classification.TREATMENT_NOT_DOCUMENTED,
    Classification.NOT_ALL,
)


@dataclass(frozen=True)
class Assessment:
    facts: Facts
    timeline: Timeline
    verdict: Verdict
    situation: Situation
    options: tuple[AssessedOption, ...]
    modifiers: tuple[str, ...]
    missing: tuple[str, ...]
    suggestions: tuple[str, ...]


def assess(facts: Facts, knowledge: Knowledge, today: date) -> Assessment:
    """The assessment of *facts* as of *today*."""
    timeline = build(facts, knowledge.limits, today)
    others = blasts_of_another_leukemia(timeline)
    if others:
        facts = facts.without(others, "blasts-of-another-leukemia")
        timeline = build(facts, knowledge.limits, today)
    verdict = classify(timeline)
    found, _ = lineage(timeline)
    ph = philadelphia(timeline, verdict.classification)
    facts = _with_responses(facts, ph.responses) if ph.responses else facts
    modifiers = _modifiers(timeline, verdict, ph.modifiers)
    situation = Situation(timeline, verdict, found, ph, modifiers, age_in_months(facts.birth, today))
    listed = _lists_options(verdict, modifiers)
    options = assess_options(knowledge.options, situation) if listed else ()
    return Assessment(
        facts,
        timeline,
        verdict,
        situation,
        options,
        modifiers,
        _missing(situation, options) if verdict.classification not in SILENT else (),
        _suggestions(situation, listed),
    )


def _with_responses(facts: Facts, refs: tuple[str, ...]) -> Facts:
    """Name the negative Philadelphia results that only show a response."""
    rows = {*facts.set_aside, *(SetAside(ref, "negative-in-remission") for ref in refs)}
    return replace(facts, set_aside=tuple(sorted(rows, key=lambda row: (row.ref, row.why))))


def _lists_options(verdict: Verdict, modifiers: tuple[str, ...]) -> bool:
    """Relapsed or refractory within the page's definition: in the marrow."""
    return verdict.classification in (RELAPSED, REFRACTORY) and "isolated_extramedullary" not in modifiers


def _modifiers(timeline: Timeline, verdict: Verdict, ph: tuple[str, ...]) -> tuple[str, ...]:
    shown = ph if verdict.classification in (RELAPSED, REFRACTORY) else ()
    return tuple(dict.fromkeys((*verdict.modifiers, *history_modifiers(timeline, verdict), *shown)))


def _suggestions(situation: Situation, listed: bool) -> tuple[str, ...]:
    if situation.verdict.classification in SILENT:
        return ()
    relapsed = situation.verdict.classification is RELAPSED and listed
    genetics = relapsed and not tested_since(situation.timeline)
    return ("expert-review", "genetic-testing") if genetics else ("expert-review",)


def _missing(situation: Situation, options: tuple[AssessedOption, ...]) -> tuple[str, ...]:
    """Facts that are not on record, in a fixed order."""
    timeline, verdict = situation.timeline, situation.verdict
    antigens = {a.name for a in timeline.facts.antigens}
    transplant = {u.answer.reason for o in options for u in o.unmet if o.option.id == "allogeneic-transplant"}
    b_cell = situation.lineage is not Lineage.T_CELL and bool(options)
    second = {"unconfirmed_by_second_source", "recorded_status_only"} & set(situation.modifiers)
    relapsed = verdict.classification is RELAPSED
    absent = {
        "lineage": situation.lineage is Lineage.UNKNOWN,
        "ph_status": situation.ph.value is Ph.UNKNOWN,
        "genetic_testing_since_relapse": relapsed and not tested_since(timeline),
        "cd19_expression": b_cell and "cd19" not in antigens,
        "cd22_expression": b_cell and "cd22" not in antigens,
        "physical_fitness": bool(transplant & {"fitness_unknown", "fitness_and_donor_unknown"}),
        "donor_availability": bool(transplant & {"donor_unknown", "fitness_and_donor_unknown"}),
        "age": situation.age is None,
        "marrow_result": timeline.newest is None,
        "confirmatory_test": bool(second) or verdict.rule in ("R11", "R11a"),
        "treatment_history": not timeline.facts.treatments and verdict.rule in ("R14", "R18", "R12a"),
        "remission_evidence": not timeline.remissions and relapsed,
        "csf_result": "isolated_extramedullary" in situation.modifiers
        and not any(e.site == "cerebrospinal fluid" for e in timeline.facts.extramedullary),
        "counts": relapsed,
    }
    return tuple(name for name, is_absent in absent.items() if is_absent)


def evidence(assessment: Assessment) -> tuple[Used, ...]:
    """The rule's evidence, then what Ph status and lineage were read from; each fact once."""
    found = list(assessment.verdict.used)
    if assessment.verdict.classification in (RELAPSED, REFRACTORY):
        found += [Used(fact, "Philadelphia status") for fact in assessment.situation.ph.facts]
        found += [Used(fact, "lineage") for fact in lineage(assessment.timeline)[1]]
    first_use: dict[Fact, Used] = {}
    for used in found:
        first_use.setdefault(used.fact, used)
    return tuple(first_use.values())


def reason_condition(assessment: Assessment) -> Diagnosis | None:
    """The newest ALL Condition that can be referred to: what a suggestion gives as its reason."""
    named = [d for d in assessment.facts.diagnoses if "unidentified" not in d.ref]
    return max(named, key=lambda d: (d.when.last, d.when.first, d.ref), default=None)


def cited(assessment: Assessment) -> frozenset[str]:
    """Every resource a card cites, or refers to in what it creates."""
    refs = {used.fact.ref for used in evidence(assessment)}
    refs |= {fact.ref for o in assessment.options for u in o.unmet for fact in u.answer.facts}
    reason = reason_condition(assessment)
    return frozenset(refs | ({reason.ref} if reason else set()))
