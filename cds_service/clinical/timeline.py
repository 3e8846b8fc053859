"""One normalised timeline, made before any rule is asked (rules N4-N7).

Marrow results of one specimen become one marrow; remissions are gathered from statements and marrows;
what an undated status cannot contradict is put beside. Rules then speak of the newest evidence only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from cds_service.clinical.facts import (
    BloodBlasts,
    Cells,
    Fact,
    Facts,
    MarrowResult,
    Phenotype,
    Statement,
    StatusKind,
    Test,
)
from cds_service.clinical.percent import ZERO, Percent
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import When, latest
from cds_service.knowledge import Definitions


@dataclass(frozen=True, slots=True)
class Marrow:
    """All results of one marrow. *burden* is the percentage the rules use, if it is clear.

    *disagree*: equally strong results on different sides of the M1 limit.
    *clash*: morphology on one side of it and a stronger test on the other, too far to be explained.
    """

    when: When
    results: tuple[MarrowResult, ...]
    phenotypes: tuple[Phenotype, ...]
    burden: Percent | None
    disagree: bool
    clash: bool

    def values(self, *tests: Test) -> tuple[Percent, ...]:
        return tuple(result.value for result in self.results if result.test in tests)

    @property
    def mrd(self) -> tuple[Percent, ...]:
        return self.values(Test.FLOW, Test.MOLECULAR)

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.results, *self.phenotypes)

    def reaches(self, floor: Decimal) -> Truth:
        """The burden is at least *floor* percent; unknown where it is unclear."""
        if self.burden is None or self.disagree or self.clash:
            return Truth.UNKNOWN
        return self.burden.reaches(floor)

    def tests_reaching(self, floor: Decimal) -> frozenset[Test]:
        """The kinds of test that surely found at least *floor* percent."""
        return frozenset(r.test for r in self.results if r.value.reaches(floor).yes)


@dataclass(frozen=True, slots=True)
class Remission:
    """Evidence of a remission. *by*: "statement", "marrow" or "implied"."""

    when: When
    by: str
    facts: tuple[Fact, ...]
    dated: bool

    @property
    def purpose(self) -> str:
        """What it is cited for: a marrow may show residual leukemia and still be below the limit of a remission."""
        return "remission in the marrow" if self.by == "marrow" else "remission"


@dataclass(frozen=True)
class Timeline:
    """The chart in order. Everything derived is computed once, when first asked for."""

    facts: Facts
    limits: Definitions
    now: When
    marrows: tuple[Marrow, ...]
    preliminary: tuple[MarrowResult, ...]
    doubtful: tuple[MarrowResult, ...]
    statements: tuple[Statement, ...]
    beside: tuple[Statement, ...]
    remissions: tuple[Remission, ...]
    first_all: When

    def of_kind(self, kind: StatusKind) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if s.kind is kind)

    @cached_property
    def newest(self) -> Marrow | None:
        """The newest marrow with a burden; of several that cannot be ordered, see :func:`_merge`."""
        marrows = [m for m in self.marrows if m.burden is not None]
        open_ends = [m for m in marrows if not any(m.when.before(n.when).yes for n in marrows)]
        return _merge(open_ends, self.limits.m1_limit) if open_ends else None

    @cached_property
    def ever_remission(self) -> Truth:
        """A remission is on record; unknown when only a relapse statement hints at one."""
        if self.remissions or any(s.kind is StatusKind.REMISSION for s in self.beside):
            return Truth.YES
        hints = self.of_kind(StatusKind.RELAPSE) or any(s.kind is StatusKind.RELAPSE for s in self.beside)
        return Truth.UNKNOWN if hints else Truth.NO

    def remission_before(self, when: When) -> Remission | None:
        """The newest remission evidence surely earlier than *when*; an implied one only without another."""
        earlier = [r for r in self.remissions if r.when.before(when).yes]
        return max(earlier, key=lambda r: (r.by != "implied", r.when.last, r.when.first, r.by), default=None)

    def superseded(self, when: When) -> bool:
        """A dated remission lies surely after *when*: what came before it is history (rule N7)."""
        return any(r.dated and r.by != "implied" and when.before(r.when).yes for r in self.remissions)

    @cached_property
    def disease(self) -> tuple[Fact, ...]:
        """Evidence of disease: results and statements, in order of their last possible moment."""
        found: list[Fact] = [*self.of_kind(StatusKind.RELAPSE), *self.of_kind(StatusKind.REFRACTORY)]
        for marrow in self.marrows:
            found += [r for r in marrow.results if self._shows_disease(marrow, r)]
        found += [e for e in self.facts.extramedullary if e.present]
        found += [b for b in self.blood if b.value.reaches(self.limits.m1_limit).yes]
        return tuple(sorted(found, key=lambda f: (f.when.last, f.when.first, f.ref)))

    def _shows_disease(self, marrow: Marrow, result: MarrowResult) -> bool:
        if marrow.reaches(self.limits.m1_limit).yes:
            return result.value.reaches(self.limits.m1_limit).yes
        return result.test is not Test.MORPHOLOGY and result.value.reaches(self.limits.second_test).yes

    @cached_property
    def blood(self) -> tuple[BloodBlasts, ...]:
        return tuple(b for b in self.facts.blood if not b.preliminary)

    @cached_property
    def episode(self) -> tuple[Fact, ...]:
        """The disease evidence since the last remission that is surely earlier than the newest of it."""
        if not self.disease:
            return ()
        dated = [f for f in self.disease if not (isinstance(f, Statement) and not f.dated)]
        remission = self.remission_before((dated or self.disease)[-1].when)
        if remission is None:
            return self.disease
        return tuple(f for f in self.disease if remission.when.before(f.when).yes)

    @cached_property
    def episode_start(self) -> When | None:
        """The first day of the present disease episode."""
        return min((f.when for f in self.episode), key=lambda w: (w.first, w.last), default=None)

    def age_possible(self, when: When, days: int) -> tuple[bool, bool]:
        """Whether *when* is surely, and possibly, at most *days* old."""
        least, most = when.days_until(self.now)
        return most <= days, least <= days

    @cached_property
    def phenotypes(self) -> tuple[Phenotype, ...]:
        """Final phenotypes that speak about lineage, in order; a growth factor silences blood (N4)."""
        kept = [
            p
            for p in self.facts.phenotypes
            if not p.preliminary and not (p.site == "blood" and self.under_growth_factor(p.when))
        ]
        return tuple(sorted(kept, key=lambda p: (p.when.last, p.when.first, p.ref)))

    def under_growth_factor(self, when: When) -> bool:
        """Possibly drawn while a growth factor was given or within its window after."""
        for factor in self.facts.growth_factors:
            least, most = factor.end.days_until(when)
            started = factor.start.days_until(when)[1] >= 0
            if started and most >= 0 and least <= self.limits.growth_factor_days:
                return True
            if started and most < 0:
                return True
        return False


def build(facts: Facts, limits: Definitions, today: date) -> Timeline:
    """The normalised timeline of *facts* as of *today*."""
    now = When.day(today)
    final = [m for m in facts.marrow if not m.preliminary and not m.doubt]
    phenotypes = [p for p in facts.phenotypes if p.site == "marrow" and not p.preliminary]
    marrows = _group(final, phenotypes, limits)
    first_all = _first_all(facts, marrows, limits) or now
    dated_remissions = _marrow_remissions(marrows, first_all, limits)
    statements, beside = _put_beside(facts, marrows, dated_remissions, limits)
    remissions = [
        *dated_remissions,
        *(_stated(s) for s in statements if s.kind is StatusKind.REMISSION),
        *_implied(facts, marrows, statements, limits),
    ]
    return Timeline(
        facts=facts,
        limits=limits,
        now=now,
        marrows=marrows,
        preliminary=tuple(m for m in facts.marrow if m.preliminary and not m.doubt),
        doubtful=tuple(m for m in facts.marrow if m.doubt),
        statements=statements,
        beside=beside,
        remissions=tuple(sorted(remissions, key=lambda r: (r.when.last, r.when.first, r.by))),
        first_all=first_all,
    )


# -- one burden per marrow (N4) -------------------------------------------------------------------


def _group(results: list[MarrowResult], phenotypes: list[Phenotype], limits: Definitions) -> tuple[Marrow, ...]:
    """Results of one specimen, or within the window without specimen identity, are one marrow."""
    groups: list[list[MarrowResult | Phenotype]] = []
    by_specimen: dict[str, list[MarrowResult | Phenotype]] = {}
    items: list[MarrowResult | Phenotype] = [*results, *phenotypes]
    items.sort(key=lambda f: (f.when.first, f.when.last, f.ref))
    for item in items:
        if item.specimen is not None:
            if item.specimen not in by_specimen:
                by_specimen[item.specimen] = []
                groups.append(by_specimen[item.specimen])
            by_specimen[item.specimen].append(item)
    for item in items:
        if item.specimen is None:
            _join(groups, item, limits.one_marrow_days)
    made = [_marrow(group, limits) for group in groups]
    return tuple(sorted(made, key=lambda m: (m.when.last, m.when.first, m.facts[0].ref)))


def _join(groups: list[list[MarrowResult | Phenotype]], item: MarrowResult | Phenotype, days: int) -> None:
    """Put *item* with the nearest group that lies surely within *days* of it, or start one."""
    near = [(_distance(group, item), index) for index, group in enumerate(groups)]
    best = min((pair for pair in near if pair[0] <= days), default=None)
    if best is None:
        groups.append([item])
    else:
        groups[best[1]].append(item)


def _distance(group: list[MarrowResult | Phenotype], item: MarrowResult | Phenotype) -> int:
    """The most days that can lie between *item* and any member of *group*."""
    return max(max(abs(days) for days in member.when.days_until(item.when)) for member in group)


def _marrow(group: list[MarrowResult | Phenotype], limits: Definitions) -> Marrow:
    results = tuple(sorted((f for f in group if isinstance(f, MarrowResult)), key=lambda f: (f.ref, f.test.value)))
    phenotypes = tuple(sorted((f for f in group if isinstance(f, Phenotype)), key=lambda f: f.ref))
    when = group[0].when
    for member in group[1:]:
        when = when.until(member.when)
    burden, disagree, clash = _burden(results, phenotypes, limits)
    return Marrow(when, results, phenotypes, burden, disagree, clash)


def _burden(
    results: tuple[MarrowResult, ...], phenotypes: tuple[Phenotype, ...], limits: Definitions
) -> tuple[Percent | None, bool, bool]:
    """Flow over molecular MRD over morphology; whether the best disagree; a clash is what this cannot explain."""
    by_test: dict[Test, tuple[Percent, ...]] = {}
    for result in results:
        by_test[result.test] = (*by_test.get(result.test, ()), result.value)
    flow, flow_split = _one(by_test.get(Test.FLOW, ()), limits.m1_limit)
    molecular, molecular_split = _one(by_test.get(Test.MOLECULAR, ()), limits.m1_limit)
    morphology, morphology_split = _one(by_test.get(Test.MORPHOLOGY, ()), limits.m1_limit)
    normal = any(p.cells is Cells.NORMAL for p in phenotypes)
    strongest = flow or molecular
    if strongest is None and normal and morphology is not None:
        strongest = Percent(ZERO, limits.m1_limit, high_open=True)
    high_morphology = morphology is not None and morphology.reaches(limits.hematogone_ceiling).yes
    molecular_alone = molecular is not None and flow is None and not normal
    clash = (
        strongest is not None
        and morphology is not None
        and _apart(strongest, morphology, limits.m1_limit)
        and (molecular_alone or (strongest.reaches(limits.m1_limit).no and high_morphology))
    )
    split = flow_split or (flow is None and (molecular_split or (molecular is None and morphology_split)))
    return strongest or morphology, split, clash


def _one(values: tuple[Percent, ...], limit: Decimal) -> tuple[Percent | None, bool]:
    """The one value equally strong results give, and whether they disagree across *limit*.

    Above the limit the lowest counts, below it the highest: the reading that claims least.
    """
    if not values:
        return None, False
    sides = {value.reaches(limit) for value in values}
    if len(sides) > 1:
        return values[0], True
    ordered = sorted(values, key=lambda v: (v.low, v.high))
    return (ordered[-1] if sides == {Truth.NO} else ordered[0]), False


def _apart(one: Percent, other: Percent, limit: Decimal) -> bool:
    return {one.reaches(limit), other.reaches(limit)} == {Truth.YES, Truth.NO}


def _merge(marrows: list[Marrow], limit: Decimal) -> Marrow:
    """Several newest marrows that cannot be ordered: they agree, or they disagree."""
    if len(marrows) == 1:
        return marrows[0]
    values = tuple(m.burden for m in marrows if m.burden is not None)
    burden, split = _one(values, limit)
    when = marrows[0].when
    for marrow in marrows[1:]:
        when = when.until(marrow.when)
    return Marrow(
        when=when,
        results=tuple(r for m in marrows for r in m.results),
        phenotypes=tuple(p for m in marrows for p in m.phenotypes),
        burden=burden,
        disagree=split or any(m.disagree for m in marrows),
        clash=any(m.clash for m in marrows),
    )


# -- remission, relapse, and what stands beside (N5, N7) --------------------------------------------


def _first_all(facts: Facts, marrows: tuple[Marrow, ...], limits: Definitions) -> When | None:
    """The earliest evidence of ALL: a diagnosis (its onset counts here), or a marrow with disease."""
    whens = [d.onset or d.when for d in facts.diagnoses]
    whens += [m.when for m in marrows if m.reaches(limits.m3_floor).yes]
    return min(whens, key=lambda w: (w.last, w.first), default=None)


def _marrow_remissions(marrows: tuple[Marrow, ...], first_all: When, limits: Definitions) -> list[Remission]:
    return [
        Remission(m.when, "marrow", m.facts, dated=True)
        for m in marrows
        if m.reaches(limits.m1_limit).no and first_all.before(m.when).yes
    ]


def _stated(statement: Statement) -> Remission:
    return Remission(statement.when, "statement", (statement,), statement.dated)


def _implied(
    facts: Facts, marrows: tuple[Marrow, ...], statements: tuple[Statement, ...], limits: Definitions
) -> list[Remission]:
    """A relapse statement implies a remission when ALL evidence lies far enough before it (N7)."""
    relapsed = {s.ref for s in statements if s.kind is StatusKind.RELAPSE}
    older = [d.when for d in facts.diagnoses if d.ref not in relapsed]
    older += [m.when for m in marrows if m.reaches(limits.m1_limit).yes]
    implied = []
    for statement in statements:
        if statement.kind is not StatusKind.RELAPSE:
            continue
        start = When(statement.when.first, statement.when.first)
        before = [w for w in older if w.at_least_days_before(start, limits.induction_days).yes]
        if before:
            first = min(before, key=lambda w: (w.first, w.last))
            last = _days_earlier(start, limits.induction_days)
            implied.append(Remission(When(first.first, max(first.first, last.last)), "implied", (statement,), True))
    return implied


def _days_earlier(when: When, days: int) -> When:
    return When.day(when.first.date() - timedelta(days=days))


def _put_beside(
    facts: Facts, marrows: tuple[Marrow, ...], remissions: list[Remission], limits: Definitions
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """An undated status never blocks two dated sources that agree: it is shown beside them."""
    ordered = tuple(sorted(facts.statements, key=lambda s: (s.when.last, s.when.first, s.ref, s.kind.value)))
    dated = [s for s in ordered if s.dated]
    well = [r.when for r in remissions] + [s.when for s in dated if s.kind is StatusKind.REMISSION]
    ill = [m.when for m in marrows for _ in m.tests_reaching(limits.m1_limit) if m.reaches(limits.m1_limit).yes]
    ill += [s.when for s in dated if s.kind is StatusKind.RELAPSE]
    ill += [e.when for e in facts.extramedullary if e.present]
    well, ill = [w for w in well if w.is_dated], [w for w in ill if w.is_dated]
    beside = tuple(s for s in ordered if not s.dated and _outweighed(s, well, ill))
    return tuple(s for s in ordered if s not in beside), beside


def _outweighed(statement: Statement, well: list[When], ill: list[When]) -> bool:
    """Two dated sources newer than any dated one to the contrary, which *statement* cannot be ordered against."""
    wellness = statement.kind is StatusKind.REMISSION
    against, with_it = (ill, well) if wellness else (well, ill)
    last = latest(with_it)
    agreeing = [w for w in against if last is None or last.before(w).yes]
    unordered = [w for w in agreeing if not w.before(statement.when).yes and not statement.when.before(w).yes]
    return len(unordered) >= 2
