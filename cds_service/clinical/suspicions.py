"""Signs that may point to disease but satisfy no rule: they only block silence and raise a question."""

from __future__ import annotations

from cds_service.clinical.facts import BloodBlasts, Fact, MarrowResult, StatusKind
from cds_service.clinical.timeline import Timeline


def suspicions(timeline: Timeline) -> tuple[Fact, ...]:
    """Whatever may point to disease, is not superseded, and satisfies no other rule."""
    found: list[Fact] = [*_unconfirmed_marrows(timeline), *_new_blood_blasts(timeline)]
    return tuple(f for f in found if not settled(f, timeline))


def _unconfirmed_marrows(timeline: Timeline) -> list[MarrowResult]:
    """Preliminary, or without a usable unit, and possibly at the M1 limit."""
    limit = timeline.limits.m1_limit
    preliminary = [m for m in timeline.preliminary if not m.value.reaches(limit).no]
    return [
        *preliminary,
        *(m for m in timeline.doubtful if not m.value.reaches(timeline.limits.second_test).no),
    ]


def _new_blood_blasts(timeline: Timeline) -> list[BloodBlasts]:
    """Blood blasts at the M1 limit with no marrow at or after them."""
    reached = [b for b in timeline.facts.blood if b.value.reaches(timeline.limits.m1_limit).yes]
    marrows = [m for m in timeline.marrows if m.burden is not None]
    return [b for b in reached if all(m.when.before(b.when).yes for m in marrows)]


def settled(fact: Fact, timeline: Timeline) -> bool:
    """A marrow or a dated remission statement lies surely after *fact*."""
    later = [m.when for m in timeline.marrows if m.burden is not None]
    later += [s.when for s in timeline.of_kind(StatusKind.REMISSION) if s.dated]
    return any(fact.when.before(when).yes for when in later)
