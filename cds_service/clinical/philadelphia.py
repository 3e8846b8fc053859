"""Philadelphia status: which results decide, and what they say together (rules §5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cds_service.clinical.facts import Diagnosis, Fact, PhResult
from cds_service.clinical.lineage import lineage_changed
from cds_service.clinical.timeline import Timeline
from cds_service.clinical.truth import Truth
from cds_service.clinical.verdict import Classification
from cds_service.clinical.when import When


class Ph(Enum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNKNOWN = "unknown"
    CONFLICTING = "conflicting"


@dataclass(frozen=True, slots=True)
class PhStatus:
    """The status, the facts that decided it, its modifiers, and negatives that are only a response."""

    value: Ph
    facts: tuple[Fact, ...] = ()
    modifiers: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    retested: bool = True


@dataclass(frozen=True, slots=True)
class _Say:
    """One result that says yes or no about the disease."""

    fact: Fact
    when: When
    positive: bool


def philadelphia(timeline: Timeline, classification: Classification) -> PhStatus:
    """At relapse, results on or after the relapse decide; otherwise all results that speak of disease."""
    coded = _coded(timeline)
    results, responses = _results(timeline)
    if (changed := lineage_changed(timeline)) is not None:
        coded, results = [], [s for s in results if s.when.on_or_after_day(changed).yes]
    start = timeline.episode_start
    if classification is not Classification.RELAPSED or start is None:
        return _together([*coded, *results], responses)
    now = [s for s in results if s.when.on_or_after_day(start).yes]
    before = [*coded, *(s for s in results if s not in now)]
    return _at_relapse(now, before, responses, transplanted=_transplanted_before(timeline, start))


def _coded(timeline: Timeline) -> list[_Say]:
    return [_Say(d, d.when, d.ph.yes) for d in timeline.facts.diagnoses if d.ph is not Truth.UNKNOWN]


def _results(timeline: Timeline) -> tuple[list[_Say], tuple[str, ...]]:
    """Results that say yes or no; a negative one in remission is a response and says neither."""
    said: list[_Say] = []
    responses: list[str] = []
    for result in _with_isoforms(timeline.facts.ph_results):
        if result.outcome.yes:
            said.append(_Say(result, result.when, positive=True))
        elif result.outcome.no and _in_remission(result.when, timeline):
            responses.append(result.ref)
        elif result.outcome.no:
            said.append(_Say(result, result.when, positive=False))
    return said, tuple(responses)


def _with_isoforms(results: tuple[PhResult, ...]) -> list[PhResult]:
    """A negative result for one breakpoint says no only beside one for the other (p190 and p210)."""
    kept = []
    for result in results:
        partial = result.outcome.no and result.isoform is not None
        if not partial or any(_complements(result, other) for other in results):
            kept.append(result)
    return kept


def _complements(one: PhResult, other: PhResult) -> bool:
    same_day = max(abs(d) for d in one.when.days_until(other.when)) == 0
    same_specimen = one.specimen is not None and one.specimen == other.specimen
    return other.outcome.no and other.isoform not in (None, one.isoform) and (same_day or same_specimen)


def _in_remission(when: When, timeline: Timeline) -> bool:
    """Drawn after a remission (or with its marrow), with no sign of disease since."""
    for remission in reversed(timeline.remissions):
        if not remission.dated or remission.by == "implied" or when.before(remission.when).yes:
            continue
        since = [f for f in timeline.disease if remission.when.before(f.when).yes]
        return not any(when.on_or_after_day(f.when) is not Truth.NO for f in since)
    return False


def _together(said: list[_Say], responses: tuple[str, ...]) -> PhStatus:
    """All agree; or every negative surely precedes every positive; or they conflict."""
    positive, negative = _split(said)
    facts = tuple(s.fact for s in said)
    if not said:
        return PhStatus(Ph.UNKNOWN, responses=responses)
    if not negative:
        return PhStatus(Ph.POSITIVE, facts, (), responses)
    if not positive:
        return PhStatus(Ph.NEGATIVE, facts, (), responses)
    if all(n.when.before(p.when).yes for n in negative for p in positive):
        return PhStatus(Ph.POSITIVE, facts, ("ph_status_changed_since_diagnosis",), responses)
    return PhStatus(Ph.CONFLICTING, facts, _methods(positive, negative), responses)


def _split(said: list[_Say]) -> tuple[list[_Say], list[_Say]]:
    return [s for s in said if s.positive], [s for s in said if not s.positive]


def _methods(positive: list[_Say], negative: list[_Say]) -> tuple[str, ...]:
    """Two tests, not a test and a coded diagnosis."""
    tests = [s for s in (*positive, *negative) if not isinstance(s.fact, Diagnosis)]
    return ("ph_methods_disagree",) if {s.positive for s in tests} == {True, False} else ()


def _at_relapse(now: list[_Say], before: list[_Say], responses: tuple[str, ...], *, transplanted: bool) -> PhStatus:
    if not now:
        older = _together(before, responses)
        more = () if older.value is Ph.UNKNOWN else ("ph_not_retested_since_relapse",)
        return PhStatus(older.value, older.facts, (*older.modifiers, *more), responses, retested=False)
    positive, negative = _split(now)
    positive_before, negative_before = _split(before)
    facts = tuple(s.fact for s in now)
    if positive and negative:
        return PhStatus(Ph.CONFLICTING, facts, ("ph_methods_disagree",), responses)
    if negative and positive_before:
        return PhStatus(Ph.CONFLICTING, (*facts, *(s.fact for s in positive_before)), (), responses)
    if positive and negative_before and not positive_before:
        changed = ("ph_status_changed_since_diagnosis",) + (("donor_origin_not_excluded",) if transplanted else ())
        return PhStatus(Ph.POSITIVE, (*facts, *(s.fact for s in negative_before)), changed, responses)
    return PhStatus(Ph.POSITIVE if positive else Ph.NEGATIVE, facts, (), responses)


def _transplanted_before(timeline: Timeline, start: When) -> bool:
    return any(not start.before(t.when).yes for t in timeline.facts.transplants)


def tested_since(timeline: Timeline) -> bool:
    """A genetic result lies on or after the first day of this relapse."""
    start = timeline.episode_start or timeline.now
    tests: list[Fact] = [*timeline.facts.ph_results, *timeline.facts.genetic_tests]
    return any(t.when.on_or_after_day(start).yes for t in tests)
