"""Treatment and courses, as rules N6 counts them."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.clinical.facts import Facts, Treatment
from cds_service.clinical.when import When
from cds_service.knowledge import Definitions


@dataclass(frozen=True, slots=True)
class Course:
    """A completed course: from its first dose to its end."""

    start: When
    end: When
    treatments: tuple[Treatment, ...]


def given(facts: Facts, first_all: When, limits: Definitions) -> tuple[Treatment, ...]:
    """Leukemia therapy that was given, from shortly before the first evidence of ALL on."""
    return tuple(t for t in _since_all(facts, first_all, limits) if not t.ordered_only)


def ordered(facts: Facts, first_all: When, limits: Definitions) -> tuple[Treatment, ...]:
    """Leukemia therapy that was only ordered."""
    return tuple(t for t in _since_all(facts, first_all, limits) if t.ordered_only)


def _since_all(facts: Facts, first_all: When, limits: Definitions) -> tuple[Treatment, ...]:
    kept = [t for t in facts.treatments if t.start.days_until(first_all)[1] <= limits.treatment_lead_days]
    return tuple(sorted(kept, key=lambda t: (t.start.first, t.start.last, t.ref)))


def courses(treatments: tuple[Treatment, ...], limits: Definitions) -> tuple[Course, ...]:
    """Completed courses in order: cycles that overlap, and infusions close together, are one."""
    cycles = _overlapping([t for t in treatments if t.course and t.end is not None])
    loose = [t for t in treatments if not t.course and not any(_overlaps(t, cycle) for cycle in cycles)]
    clusters = _clusters(loose, limits.infusion_gap_days)
    long_enough = [c for c in clusters if _least_span(c) >= limits.course_days]
    made = [_course(group) for group in [*cycles, *long_enough]]
    return tuple(sorted(made, key=lambda c: (c.start.first, c.end.last)))


def _overlapping(cycles: list[Treatment]) -> list[list[Treatment]]:
    groups: list[list[Treatment]] = []
    for cycle in cycles:
        if groups and _overlaps(cycle, groups[-1]):
            groups[-1].append(cycle)
        else:
            groups.append([cycle])
    return groups


def _overlaps(treatment: Treatment, group: list[Treatment]) -> bool:
    """Possibly given during the period of *group*: then it is no course of its own."""
    return any(
        not _end(member).before(treatment.start).yes and not _end(treatment).before(member.start).yes
        for member in group
    )


def _clusters(treatments: list[Treatment], gap: int) -> list[list[Treatment]]:
    groups: list[list[Treatment]] = []
    for treatment in treatments:
        if groups and min(_end(m).days_until(treatment.start)[0] for m in groups[-1]) <= gap:
            groups[-1].append(treatment)
        else:
            groups.append([treatment])
    return groups


def _end(treatment: Treatment) -> When:
    return treatment.end or treatment.start


def _least_span(group: list[Treatment]) -> int:
    """The fewest days the group surely lasted."""
    return max(a.start.days_until(_end(b))[0] for a in group for b in group)


def _course(group: list[Treatment]) -> Course:
    start = min((t.start for t in group), key=lambda w: (w.first, w.last))
    end = max((_end(t) for t in group), key=lambda w: (w.last, w.first))
    return Course(start, end, tuple(group))
