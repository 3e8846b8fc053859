"""What would change the answer: the pure core is asked again with one more fact, for each kind of fact it reads.

A number is tried as the whole span between two thresholds, so what is said holds for every value in it.
The hypothetical fact is newer than the chart unless its words name a date. What was set aside stays set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from cds_service.clinical.assess import Assessment, assess
from cds_service.clinical.facts import (
    FACT_FIELDS,
    Antigen,
    BloodBlasts,
    Cells,
    Diagnosis,
    Extramedullary,
    Fact,
    Facts,
    Judgement,
    Lineage,
    MarrowResult,
    Origin,
    Phenotype,
    PhResult,
    Statement,
    StatusKind,
    Test,
    Treatment,
)
from cds_service.clinical.options import Group
from cds_service.clinical.percent import HUNDRED, ZERO, Percent, plain
from cds_service.clinical.timeline import Marrow
from cds_service.clinical.truth import Truth
from cds_service.clinical.verdict import Classification
from cds_service.clinical.when import When
from cds_service.knowledge import Definitions, Knowledge

REF, STATUS = "hypothetical", "final"
OLDEST = 130
"""Years nobody outlives: where the span of the oldest begins."""
JUDGED = ("physically-fit-for-transplant", "donor-available", "tolerates-chemotherapy")
CSF = "cerebrospinal fluid"
WORDS = frozenset(
    {"below", "between", "from", "any", "percent", "years", "marrow", "flow", "blood", "age", "course", "diagnosis"}
    | {f"same_{test.value}" for test in Test}
    | {f"phenotype_{cells.value}" for cells in Cells}
    | {kind.value for kind in StatusKind}
    | {f"{name}_{answer}" for name in ("ph", "cd19", "cd22") for answer in ("positive", "negative")}
    | {f"{about}_{answer}" for about in JUDGED for answer in ("yes", "no")}
    | {"remission_before", "fit_with_donor", "donor_cells", "csf_present", "site_absent"}
)
"""The keys of ``change`` in ``cards/wording.toml``."""


@dataclass(frozen=True, slots=True)
class Span:
    """From *low* (included) to *high* (not included); None is no limit on that side."""

    low: Decimal | None
    high: Decimal | None

    @property
    def percent(self) -> Percent:
        return Percent(self.low or ZERO, self.high or HUNDRED, high_open=self.high is not None)


@dataclass(frozen=True, slots=True)
class Addition:
    """One hypothetical fact: *said* is a key of :data:`WORDS`, *values* fill its sentence."""

    said: str
    values: tuple[tuple[str, str], ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an addition may change: the class by its rule, and the group of each option listed."""

    classification: Classification
    rule: str
    groups: tuple[tuple[str, Group], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Any one of *additions* turns *before* into *after*."""

    additions: tuple[Addition, ...]
    before: Outcome
    after: Outcome

    @property
    def reclassifies(self) -> bool:
        return self.before.classification is not self.after.classification

    @property
    def moves(self) -> tuple[tuple[str, Group, Group], ...]:
        """Options listed before and after, with the group they leave and the one they join."""
        then = dict(self.after.groups)
        pairs = [(name, group, then.get(name, group)) for name, group in self.before.groups]
        return tuple(pair for pair in pairs if pair[1] is not pair[2])


Trial = tuple[Addition, Facts]


def what_would_change(assessment: Assessment, knowledge: Knowledge, today: date) -> tuple[Change, ...]:
    """The single facts that would change the class or move an option; those that change the class first."""
    day = _after_everything(assessment, knowledge.limits, today)
    before = _outcome(assess(assessment.facts, knowledge, day))
    tried = [
        (added, _outcome(assess(facts, knowledge, day))) for added, facts in _trials(assessment, day, knowledge.limits)
    ]
    found: dict[Outcome, list[Addition]] = {}
    for added, after in _joined(tried):
        if (after.classification, after.groups) != (before.classification, before.groups):
            found.setdefault(after, []).append(added)
    changes = [Change(_without_needless_pairs(added), before, after) for after, added in found.items()]
    return tuple(sorted(changes, key=lambda change: not change.reclassifies))


def _after_everything(assessment: Assessment, limits: Definitions, today: date) -> date:
    """Today, or as many days later as set a new marrow apart from the newest one."""
    newest = assessment.timeline.newest
    return max(today, _moved(newest.when.last.date(), limits.one_marrow_days + 1)) if newest else today


def _outcome(assessment: Assessment) -> Outcome:
    groups = tuple((o.option.id, o.group) for o in assessment.options)
    return Outcome(assessment.verdict.classification, assessment.verdict.rule, groups)


def _joined(tried: list[tuple[Addition, Outcome]]) -> list[tuple[Addition, Outcome]]:
    """Spans of one fact that lie side by side and have one outcome are one span."""
    made: list[tuple[Addition, Outcome]] = []
    for added, after in tried:
        last, last_after = made[-1] if made else (None, None)
        if last and last.span and added.span and last.said == added.said and last_after == after:
            made[-1] = (replace(added, span=Span(last.span.low, added.span.high)), after)
        else:
            made.append((added, after))
    return made


def _without_needless_pairs(added: list[Addition]) -> tuple[Addition, ...]:
    """Fitness and a donor together are worth a word only where neither alone does the same."""
    alone = [a for a in added if a.said != "fit_with_donor"]
    return tuple(alone if any(a.said.startswith(JUDGED) for a in alone) else added)


# -- the facts that are tried ----------------------------------------------------------------------------------


def _trials(assessment: Assessment, day: date, limits: Definitions) -> Iterator[Trial]:
    facts, newest = assessment.facts, assessment.timeline.newest
    now = When.day(day)
    yield from _measured(facts, now, limits)
    if newest is not None:
        yield from _of_the_same_marrow(facts, newest, limits)
    yield from _stated(facts, now, newest, limits)
    yield from _tested(facts, now, newest)
    yield from _judged(facts, now)
    yield from _elsewhere(facts, now)
    yield from _treated(facts, now, newest, limits)
    yield from _aged(facts, day, limits)


def _with(facts: Facts, *more: Fact) -> Facts:
    for fact in more:
        name = FACT_FIELDS[type(fact)]
        longer: dict[str, Any] = {name: (*getattr(facts, name), fact)}
        facts = replace(facts, **longer)
    return facts


def _spans(*cuts: Decimal) -> list[Span]:
    return [Span(low, high) for low, high in pairwise((None, *cuts, None))]


def _measured(facts: Facts, now: When, limits: Definitions) -> Iterator[Trial]:
    """A marrow by morphology, one by flow, and blood."""
    for span in _spans(limits.m1_limit, limits.m3_floor):
        yield Addition("marrow", span=span), _with(facts, _marrow(now, Test.MORPHOLOGY, span))
    for span in _spans(limits.mrd_positive, limits.second_test, limits.m1_limit, limits.m3_floor):
        yield Addition("flow", span=span), _with(facts, _marrow(now, Test.FLOW, span))
    for span in _spans(limits.m1_limit):
        blood = BloodBlasts(REF, now, STATUS, span.percent, preliminary=False)
        yield Addition("blood", span=span), _with(facts, blood)


def _marrow(when: When, test: Test, span: Span, specimen: str | None = None) -> MarrowResult:
    return MarrowResult(REF, when, STATUS, test, span.percent, specimen, preliminary=False, doubt=False)


def _of_the_same_marrow(facts: Facts, newest: Marrow, limits: Definitions) -> Iterator[Trial]:
    """Another test of the newest marrow."""
    drawn, when = newest.results[0], (("date", newest.when.text),)
    for test in Test:
        if newest.values(test):
            continue
        for span in _spans(limits.mrd_positive, limits.second_test, limits.m1_limit):
            result = _marrow(drawn.when, test, span, drawn.specimen)
            yield Addition(f"same_{test.value}", when, span), _with(facts, result)


def _stated(facts: Facts, now: When, newest: Marrow | None, limits: Definitions) -> Iterator[Trial]:
    for kind in StatusKind:
        yield Addition(kind.value), _with(facts, _statement(kind, now))
    if newest is not None:
        earlier = When.day(_moved(newest.when.first.date(), -limits.induction_days))
        yield (
            Addition("remission_before", (("date", earlier.text),)),
            _with(facts, _statement(StatusKind.REMISSION, earlier)),
        )


def _statement(kind: StatusKind, when: When) -> Statement:
    return Statement(REF, when, STATUS, kind, dated=True, aged=when, combined=False)


def _tested(facts: Facts, now: When, newest: Marrow | None) -> Iterator[Trial]:
    """Phenotype of the newest marrow, the Philadelphia chromosome, antigens, and whose cells they are."""
    when = newest.when if newest is not None else now
    specimen = newest.results[0].specimen if newest is not None else None
    for cells in Cells:
        phenotype = Phenotype(REF, when, STATUS, cells, "marrow", specimen, preliminary=False)
        yield Addition(f"phenotype_{cells.value}"), _with(facts, phenotype)
    for answer, outcome in (("positive", Truth.YES), ("negative", Truth.NO)):
        result = PhResult(REF, now, STATUS, outcome, "PCR", None, None, None, None, None)
        yield Addition(f"ph_{answer}"), _with(facts, result)
        for name in ("cd19", "cd22"):
            yield Addition(f"{name}_{answer}"), _with(facts, Antigen(REF, now, STATUS, name, answer))
    if facts.transplants:
        yield Addition("donor_cells"), _with(facts, Origin(REF, now, STATUS, donor=True))


def _judged(facts: Facts, now: When) -> Iterator[Trial]:
    for about in JUDGED:
        for answer in (True, False):
            judgement = Judgement(REF, now, STATUS, about, answer)
            yield Addition(f"{about}_{'yes' if answer else 'no'}"), _with(facts, judgement)
    fit, donor = (Judgement(REF, now, STATUS, about, answer=True) for about in JUDGED[:2])
    yield Addition("fit_with_donor"), _with(facts, fit, donor)


def _elsewhere(facts: Facts, now: When) -> Iterator[Trial]:
    """Leukemia outside the marrow: found, or no longer there."""
    yield Addition("csf_present"), _with(facts, Extramedullary(REF, now, STATUS, present=True, site=CSF))
    for site in dict.fromkeys(e.site for e in facts.extramedullary if e.present):
        absent = Extramedullary(REF, now, STATUS, present=False, site=site)
        yield Addition("site_absent", (("site", site),)), _with(facts, absent)


def _treated(facts: Facts, now: When, newest: Marrow | None, limits: Definitions) -> Iterator[Trial]:
    """A course that ended before the newest marrow, or long enough ago to be judged; and a diagnosis."""
    judged = newest.when.first.date() if newest else _moved(now.first.date(), -limits.induction_days)
    last = When.day(_moved(judged, -1))
    start = When.day(_moved(judged, -1 - limits.course_days))
    course = Treatment(REF, start.until(last), STATUS, "course", start, last, course=True, ordered_only=False)
    yield Addition("course", (("date", last.text),)), _with(facts, course)
    if not facts.diagnoses:
        lineage, ph = Lineage.UNKNOWN, Truth.UNKNOWN
        found = Diagnosis(REF, now, STATUS, lineage, ph, combined=False, active=True, onset=None, aged=now)
        yield Addition("diagnosis"), _with(facts, found)


def _aged(facts: Facts, day: date, limits: Definitions) -> Iterator[Trial]:
    """A birth date within what is known of it, for each age the labels ask about."""
    cuts = (limits.inotuzumab_years, limits.brexucabtagene_years, limits.tisagenlecleucel_years + 1)
    for span in _spans(*(Decimal(years) for years in cuts)):
        first = _moved(_years_before(day, int(span.high or OLDEST)), 1)
        last = _years_before(day, int(span.low or 0))
        if facts.birth is not None:
            first, last = max(first, facts.birth.first.date()), min(last, facts.birth.last.date())
        if first <= last:
            yield Addition("age", span=span), replace(facts, birth=When.day(first, last))


def _years_before(day: date, years: int) -> date:
    """The same day of that year; of 29 February, the day before it."""
    return day.replace(year=max(day.year - years, date.min.year), day=min(day.day, 28) if day.month == 2 else day.day)


def _moved(day: date, days: int) -> date:
    """So many days later, or as near to it as the calendar goes: a chart may say "in the year 1"."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


# -- in words ----------------------------------------------------------------------------------------------------


def addition_text(added: Addition, knowledge: Knowledge) -> str:
    """The hypothetical fact in the words of ``cards/wording.toml``."""
    words = knowledge.words
    values = dict(added.values)
    if "site" in values:
        values["site"] = words["site"][values["site"]]
    if added.span is not None:
        values["range"] = _range(added.span, words["change"], "years" if added.said == "age" else "percent")
    return words["change"][added.said].format(**values)


def _range(span: Span, words: Mapping[str, str], unit: str) -> str:
    low, high = (plain(edge) if edge is not None else "" for edge in (span.low, span.high))
    key = {(True, True): "between", (True, False): "from", (False, True): "below"}.get((bool(low), bool(high)), "any")
    return words[key].format(low=low, high=high, unit=words[unit])


def changes_json(changes: tuple[Change, ...], knowledge: Knowledge) -> list[dict[str, Any]]:
    """For the assessment: what any one of these facts would change."""
    return [_change_json(change, knowledge) for change in changes]


def _change_json(change: Change, knowledge: Knowledge) -> dict[str, Any]:
    after = change.after
    return {
        "if_any": [addition_text(added, knowledge) for added in change.additions],
        "classification": after.classification.value,
        "rule": after.rule,
        "options": [{"id": name, "from": old.value, "to": new.value} for name, old, new in change.moves],
    }
