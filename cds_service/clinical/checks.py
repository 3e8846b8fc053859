"""The conditions of options, each a named function; ``cards/options.toml`` says which option uses which.

A check answers yes (the condition is met), no (it is contradicted) or unknown, with the key of the
sentence that says so. What a no means (does not fit, or depends) is data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cds_service.clinical.facts import Fact, Judgement, Lineage
from cds_service.clinical.history import course_count, relapse_count
from cds_service.clinical.philadelphia import Ph, PhStatus
from cds_service.clinical.timeline import Timeline
from cds_service.clinical.truth import Truth
from cds_service.clinical.verdict import Verdict
from cds_service.clinical.when import When


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a condition may ask about."""

    timeline: Timeline
    verdict: Verdict
    lineage: Lineage
    ph: PhStatus
    modifiers: tuple[str, ...]
    age: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """*truth*, and the key of the sentence (``cards/options.toml``) that says why when it is not yes."""

    truth: Truth
    reason: str = ""
    values: tuple[tuple[str, str], ...] = ()
    facts: tuple[Fact, ...] = ()


YES = Answer(Truth.YES)
Check = Callable[[Situation], Answer]


def ph_positive(situation: Situation) -> Answer:
    match situation.ph.value:
        case Ph.POSITIVE:
            return YES
        case Ph.NEGATIVE:
            dates = sorted(f.when.text for f in situation.ph.facts)
            reason = "ph_negative" if situation.ph.retested else "ph_negative_not_retested"
            return Answer(Truth.NO, reason, (("date", dates[-1]),), situation.ph.facts)
        case Ph.CONFLICTING:
            return Answer(Truth.UNKNOWN, "ph_conflicting", (), situation.ph.facts)
        case _:
            return Answer(Truth.UNKNOWN, "ph_unknown")


def lineage_is_t_cell(situation: Situation) -> Answer:
    return _lineage(situation, Lineage.T_CELL, "lineage_b")


def lineage_is_b_cell(situation: Situation) -> Answer:
    return _lineage(situation, Lineage.B_CELL, "lineage_t")


def _lineage(situation: Situation, wanted: Lineage, contradicted: str) -> Answer:
    match situation.lineage:
        case Lineage.UNKNOWN:
            return Answer(Truth.UNKNOWN, "lineage_unknown")
        case Lineage.CONFLICTING:
            return Answer(Truth.UNKNOWN, "lineage_conflicting")
        case found:
            return YES if found is wanted else Answer(Truth.NO, contradicted)


def tolerates_chemotherapy(situation: Situation) -> Answer:
    """Contradicted only when recorded; nothing on record is no obstacle (the page sets no condition)."""
    answer, facts = _judged(situation.timeline, "tolerates-chemotherapy", since=None)
    if answer is Truth.YES or not facts:
        return YES
    reason = "not_tolerated" if answer is Truth.NO else "tolerance_conflicting"
    return Answer(answer, reason, (("date", facts[-1].when.text),), facts)


def two_prior_regimens(situation: Situation) -> Answer:
    done, relapses = course_count(situation.timeline), relapse_count(situation.timeline)
    needed = situation.timeline.limits.nelarabine_regimens
    if done >= needed or relapses >= needed:
        return YES
    return Answer(Truth.NO, "fewer_regimens", (("courses", str(done)), ("relapses", str(relapses))))


def cd19_expressed(situation: Situation) -> Answer:
    given = (
        *situation.timeline.facts.car_t,
        *(d for d in situation.timeline.facts.directed if d.antigen == "cd19"),
    )
    return _expressed(situation, "cd19", given)


def cd22_expressed(situation: Situation) -> Answer:
    return _expressed(situation, "cd22", tuple(d for d in situation.timeline.facts.directed if d.antigen == "cd22"))


def _expressed(situation: Situation, name: str, given: tuple[Fact, ...]) -> Answer:
    """Never tested does not gate; therapy directed at the antigen makes older results old."""
    results = [a for a in situation.timeline.facts.antigens if a.name == name]
    newest = [a for a in results if not any(a.when.before(b.when).yes for b in results)]
    outdated = [g for g in given if not any(g.when.before(a.when).yes for a in newest)]
    found = {a.expression for a in newest}
    facts: tuple[Fact, ...] = tuple(newest)
    if found == {"negative"}:
        return Answer(Truth.NO, f"{name}_negative", (("date", newest[-1].when.text),), facts)
    if outdated:
        return Answer(Truth.UNKNOWN, f"{name}_therapy_since", (("date", outdated[-1].when.text),), tuple(outdated))
    if len(found) > 1:
        return Answer(Truth.UNKNOWN, f"{name}_conflicting", (), facts)
    if "partial" in found:
        return Answer(Truth.UNKNOWN, f"{name}_partial", (("date", newest[-1].when.text),), facts)
    return YES


def age_at_least_one_month(situation: Situation) -> Answer:
    return _young(situation, situation.timeline.limits.blinatumomab_months, "under_one_month")


def age_at_least_one_year(situation: Situation) -> Answer:
    return _young(situation, situation.timeline.limits.inotuzumab_years * 12, "under_one_year")


def _young(situation: Situation, months: int, reason: str) -> Answer:
    """These limits matter only for a known age."""
    return YES if situation.age is None else _at_least(situation.age, months, reason)


def age_at_least_eighteen(situation: Situation) -> Answer:
    if situation.age is None:
        return Answer(Truth.UNKNOWN, "age_unknown")
    return _at_least(situation.age, situation.timeline.limits.brexucabtagene_years * 12, "under_eighteen")


def age_at_most_twenty_five(situation: Situation) -> Answer:
    if situation.age is None:
        return Answer(Truth.UNKNOWN, "age_unknown")
    past = (situation.timeline.limits.tisagenlecleucel_years + 1) * 12
    low, high = situation.age
    if high < past:
        return YES
    years = (("age", str(low // 12)),)
    return Answer(Truth.NO, "over_twenty_five", years) if low >= past else Answer(Truth.UNKNOWN, "age_straddles")


def _at_least(age: tuple[int, int], months: int, reason: str) -> Answer:
    low, high = age
    if low >= months:
        return YES
    return (
        Answer(Truth.NO, reason, (("age", str(high // 12)),))
        if high < months
        else Answer(Truth.UNKNOWN, "age_straddles")
    )


def line_of_therapy_for_tisagenlecleucel(situation: Situation) -> Answer:
    if situation.verdict.rule == "R12":
        return YES
    if {"refractory_to_salvage", "second_or_later_relapse"} & set(situation.modifiers):
        return YES
    return Answer(Truth.NO, "line_of_therapy")


def fit_with_donor(situation: Situation) -> Answer:
    """Both on record since this relapse (or, never in remission, since the diagnosis)."""
    timeline = situation.timeline
    since = timeline.first_all if timeline.ever_remission is Truth.NO else timeline.episode_start
    fit, fit_facts = _judged(timeline, "physically-fit-for-transplant", since)
    donor, donor_facts = _judged(timeline, "donor-available", since)
    facts: tuple[Fact, ...] = (*fit_facts, *donor_facts)
    if fit.no:
        return Answer(Truth.NO, "recorded_unfit", (("date", fit_facts[-1].when.text),), facts)
    if donor.no:
        return Answer(Truth.NO, "recorded_no_donor", (("date", donor_facts[-1].when.text),), facts)
    if fit.yes and donor.yes:
        return YES
    reason = {(True, False): "donor_unknown", (False, True): "fitness_unknown"}.get((fit.yes, donor.yes))
    return Answer(Truth.UNKNOWN, reason or "fitness_and_donor_unknown", (), facts)


def _judged(timeline: Timeline, about: str, since: When | None) -> tuple[Truth, tuple[Judgement, ...]]:
    """The newest judgement surely on or after *since*; unknown when there is none or they differ."""
    found = [j for j in timeline.facts.judgements if j.about == about]
    found = [j for j in found if since is None or j.when.on_or_after_day(since).yes]
    newest = tuple(j for j in found if not any(j.when.before(k.when).yes for k in found))
    answers = {j.answer for j in newest}
    return (Truth.of(answers.pop()) if len(answers) == 1 else Truth.UNKNOWN), newest


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        ph_positive,
        lineage_is_t_cell,
        lineage_is_b_cell,
        tolerates_chemotherapy,
        two_prior_regimens,
        cd19_expressed,
        cd22_expressed,
        age_at_least_one_month,
        age_at_least_one_year,
        age_at_least_eighteen,
        age_at_most_twenty_five,
        line_of_therapy_for_tisagenlecleucel,
        fit_with_donor,
    )
}
"""Every condition a card may name."""
