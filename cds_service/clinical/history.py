"""How many relapses, and what was given before: modifiers and counts that gates and cards need."""

from __future__ import annotations

from cds_service.clinical.disease_rules import RELAPSE
from cds_service.clinical.facts import Fact, MarrowResult, Statement
from cds_service.clinical.timeline import Timeline
from cds_service.clinical.treatment import Course, courses, given
from cds_service.clinical.treatment_rules import courses_of, persistent
from cds_service.clinical.verdict import Classification, Verdict
from cds_service.clinical.when import When


def relapse_count(timeline: Timeline) -> int:
    """Relapses on record: each is a return of disease separated from the last by a remission."""
    returns = [f for f in timeline.disease if _is_return(f, timeline)]
    count, last = 0, None
    for fact in returns:
        if last is None or _separated(last.when, fact.when, timeline):
            count, last = count + 1, fact
        elif last.when.before(fact.when).yes:
            last = fact
    return count


def _is_return(fact: Fact, timeline: Timeline) -> bool:
    """A relapse statement, or disease measured after a remission."""
    if isinstance(fact, Statement):
        return fact.kind is RELAPSE
    if not isinstance(fact, MarrowResult):
        return False
    return timeline.remission_before(fact.when) is not None and fact.value.reaches(timeline.limits.m1_limit).yes


def _separated(one: When, other: When, timeline: Timeline) -> bool:
    """A clear marrow, or a remission statement long enough before, lies surely between."""
    days = timeline.limits.induction_days
    for remission in timeline.remissions:
        if remission.by == "implied" or not one.before(remission.when).yes:
            continue
        if remission.by == "marrow" and remission.when.before(other).yes:
            return True
        if remission.by == "statement" and remission.when.at_least_days_before(other, days).yes:
            return True
    return False


def salvage_courses(timeline: Timeline) -> tuple[Course, ...]:
    """Completed courses that started surely after this relapse began."""
    start = timeline.episode_start or timeline.now
    later = tuple(
        t for t in given(timeline.facts, timeline.first_all, timeline.limits) if t.start.on_or_after_day(start).yes
    )
    return courses(later, timeline.limits)


def refractory_to_salvage(timeline: Timeline) -> bool:
    """A completed course after the relapse, then a marrow that still holds disease."""
    marrow, days = timeline.newest, timeline.limits.induction_days
    if marrow is None or not persistent(marrow, timeline):
        return False
    return any(
        c.start.at_least_days_before(marrow.when, days).yes
        and marrow.when.on_or_after_day(When(c.end.last, c.end.last)).yes
        for c in salvage_courses(timeline)
    )


def modifiers(timeline: Timeline, verdict: Verdict) -> tuple[str, ...]:
    """Modifiers that hold whatever rule fired."""
    found: list[str] = []
    ill = verdict.classification in (Classification.RELAPSED, Classification.REFRACTORY)
    if verdict.classification is Classification.RELAPSED and relapse_count(timeline) > 1:
        found.append("second_or_later_relapse")
    if verdict.classification is Classification.RELAPSED and refractory_to_salvage(timeline):
        found.append("refractory_to_salvage")
    if ill and timeline.facts.transplants:
        found.append("after_allogeneic_transplant")
    if ill and timeline.facts.car_t:
        found.append("after_car_t")
    return tuple(found)


def course_count(timeline: Timeline) -> int:
    """Completed courses on record."""
    return len(courses_of(timeline))
