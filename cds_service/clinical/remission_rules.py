"""Rules that start from a remission: still in it, relapsed, or possibly relapsed (R16, R11a, R7-R11)."""

from __future__ import annotations

from decimal import Decimal

from cds_service.clinical.disease_rules import RELAPSE, REMISSION, unclear, use
from cds_service.clinical.facts import BloodBlasts, Fact, MarrowResult, Statement, Test
from cds_service.clinical.suspicions import settled, suspicions
from cds_service.clinical.timeline import Marrow, Remission, Timeline
from cds_service.clinical.truth import Truth
from cds_service.clinical.verdict import Classification, Used, Verdict


def r16(timeline: Timeline) -> Verdict | None:
    """The newest evidence is a remission, and nothing newer, preliminary or unread points to disease."""
    shown = _clear_marrow(timeline) or _newest_is_remission(timeline)
    if shown is None or suspicions(timeline):
        return None
    positive = any(v.reaches(timeline.limits.mrd_positive).yes for m in _newest_mrd(timeline) for v in m.mrd)
    modifiers = ("mrd_positive",) if positive else ()
    return Verdict("R16", Classification.IN_REMISSION, "in_remission", (), use("remission", shown), modifiers)


def _newest_mrd(timeline: Timeline) -> list[Marrow]:
    with_mrd = [m for m in timeline.marrows if m.mrd]
    return [m for m in with_mrd if not any(m.when.before(n.when).yes for n in with_mrd)]


def _clear_marrow(timeline: Timeline) -> tuple[Fact, ...] | None:
    """The newest marrow is clear, after the first evidence of ALL, and no newer sign of disease exists."""
    newest = timeline.newest
    if newest is None or not newest.reaches(timeline.limits.m1_limit).no:
        return None
    if not timeline.first_all.before(newest.when).yes:
        return None
    if any(not f.when.before(newest.when).yes for f in timeline.disease):
        return None
    return newest.results


def _newest_is_remission(timeline: Timeline) -> tuple[Fact, ...] | None:
    """A remission statement lies surely after every sign of disease."""
    for statement in reversed(timeline.of_kind(REMISSION)):
        if all(f.when.before(statement.when).yes for f in timeline.disease):
            newest = timeline.newest
            if newest is None or newest.reaches(timeline.limits.m1_limit).no or newest.when.before(statement.when).yes:
                return (statement,)
    return None


def _relapse_ground(timeline: Timeline, marrow: Marrow | None) -> Remission | None:
    """A remission surely earlier than *marrow*, which no later remission has made history."""
    if marrow is None or timeline.superseded(marrow.when):
        return None
    return timeline.remission_before(marrow.when)


def r11a(timeline: Timeline) -> Verdict | None:
    """Remission earlier; the newest marrow with disease is preliminary, or drawn under a growth factor."""
    return _preliminary_relapse(timeline) or _growth_factor_marrow(timeline)


def _preliminary_relapse(timeline: Timeline) -> Verdict | None:
    newest = timeline.newest
    for result in reversed(timeline.preliminary):
        if not result.value.reaches(timeline.limits.m1_limit).yes:
            continue
        if newest is not None and not newest.when.before(result.when).yes:
            continue
        if settled(result, timeline) or timeline.remission_before(result.when) is None:
            continue
        values = {"marrow": result.value.text, "date": result.when.text}
        return unclear("R11a", "preliminary", use("marrow", [result]), **values)
    return None


def _growth_factor_marrow(timeline: Timeline) -> Verdict | None:
    marrow = timeline.newest
    if marrow is None or not marrow.reaches(timeline.limits.m1_limit).yes or marrow.phenotypes:
        return None
    if marrow.values(Test.FLOW) or _relapse_ground(timeline, marrow) is None:
        return None
    if not timeline.under_growth_factor(marrow.when):
        return None
    used = use("marrow", marrow.results) + use("growth factor", timeline.facts.growth_factors)
    return unclear("R11a", "growth_factor", used, **_shown(marrow))


def _shown(marrow: Marrow) -> dict[str, str]:
    return {"marrow": marrow.burden.text if marrow.burden else "", "date": marrow.when.text}


def _relapsed(
    rule: str, reason: str, marrow: Marrow, remission: Remission, others: tuple[Used, ...], *modifiers: str
) -> Verdict:
    used = use(remission.purpose, remission.facts) + use("return in the marrow", marrow.facts) + others
    values = tuple(sorted(_shown(marrow).items()))
    return Verdict(rule, Classification.RELAPSED, reason, values, used, modifiers)


def r7(timeline: Timeline) -> Verdict | None:
    """Remission earlier, and the newest marrow is at M3."""
    marrow = timeline.newest
    remission = _relapse_ground(timeline, marrow)
    if marrow is None or remission is None or not marrow.reaches(timeline.limits.m3_floor).yes:
        return None
    others = second_source(timeline, marrow, remission)
    modifiers = () if others or marrow.phenotypes else ("unconfirmed_by_second_source",)
    return _relapsed("R7", "relapsed", marrow, remission, others, *modifiers)


def r8(timeline: Timeline) -> Verdict | None:
    """Remission earlier, the newest marrow is at M2, and a second source agrees."""
    marrow, limits = timeline.newest, timeline.limits
    remission = _relapse_ground(timeline, marrow)
    if marrow is None or remission is None or not marrow.reaches(limits.m1_limit).yes:
        return None
    others = second_source(timeline, marrow, remission)
    return _relapsed("R8", "relapsed", marrow, remission, others) if others else None


def second_source(timeline: Timeline, marrow: Marrow, remission: Remission) -> tuple[Used, ...]:
    """Another test of the same marrow, another marrow since the remission, or a relapse statement."""
    limits = timeline.limits
    found = use("second test", _second_tests(marrow, timeline))
    others = [
        m
        for m in timeline.marrows
        if m.reaches(limits.m1_limit).yes
        and remission.when.before(m.when).yes
        and not set(m.results) & set(marrow.results)
    ]
    found += use("second marrow", [r for m in others for r in m.results])
    return found + use("relapse recorded", relapse_statements_at(timeline, marrow))


def _second_tests(marrow: Marrow, timeline: Timeline) -> list[MarrowResult]:
    """Results of other tests than the one the burden is read from; morphology only when it is no M1 marrow."""
    limits = timeline.limits
    strongest = max((r.test for r in marrow.results), key=list(Test).index)
    floors = {Test.MORPHOLOGY: limits.m1_limit}
    return [
        r
        for r in marrow.results
        if r.test is not strongest and r.value.reaches(floors.get(r.test, limits.second_test)).yes
    ]


def relapse_statements_at(timeline: Timeline, marrow: Marrow) -> list[Statement]:
    """Relapse statements on the first day of *marrow* or later."""
    return [s for s in timeline.of_kind(RELAPSE) if s.when.on_or_after_day(marrow.when).yes]


def r9(timeline: Timeline) -> Verdict | None:
    """Remission earlier, MRD below M2 but at the second-test limit, two other tests, and a statement."""
    limits = timeline.limits
    marrow = _marrow_with_mrd_relapse(timeline)
    remission = _relapse_ground(timeline, marrow)
    if marrow is None or remission is None:
        return None
    statements = relapse_statements_at(timeline, marrow)
    others = _other_tests(timeline, marrow, remission, limits.second_test)
    if len(others) < limits.submorphologic_tests or not statements:
        return None
    used = use("second test", others) + use("relapse recorded", statements)
    return _relapsed("R9", "submorphologic", marrow, remission, used, "submorphologic")


def _marrow_with_mrd_relapse(timeline: Timeline) -> Marrow | None:
    """The newest marrow, if its MRD lies between the second-test limit and M2."""
    marrow, limits = timeline.newest, timeline.limits
    if marrow is None or marrow.disagree or marrow.clash:
        return None
    within = [v for v in marrow.mrd if v.reaches(limits.second_test).yes and v.reaches(limits.m1_limit).no]
    return marrow if within and marrow.reaches(limits.m1_limit).no else None


def _other_tests(timeline: Timeline, marrow: Marrow, remission: Remission, floor: Decimal) -> list[MarrowResult]:
    """One result for each further kind of test, or marrow, that finds *floor* since the remission."""
    kinds: dict[tuple[int, Test], MarrowResult] = {}
    for index, candidate in enumerate(timeline.marrows):
        if not remission.when.before(candidate.when).yes:
            continue
        for result in candidate.results:
            if result.value.reaches(floor).yes:
                kinds.setdefault((index, result.test), result)
    first = next((r for r in marrow.results if r.test is not Test.MORPHOLOGY and r.value.reaches(floor).yes), None)
    return [r for r in kinds.values() if r is not first]


def r10(timeline: Timeline) -> Verdict | None:
    """The newest ALL status is a current relapse statement, uncontradicted, with no marrow since."""
    relapses = timeline.of_kind(RELAPSE)
    limits = timeline.limits
    if not relapses or combined_terms_only(timeline):
        return None
    relapse = relapses[-1]
    if any(not s.when.before(relapse.when).yes for s in timeline.of_kind(REMISSION)):
        return None
    if not timeline.age_possible(relapse.aged, limits.evidence_days)[0]:
        return None
    remission = timeline.remission_before(relapse.when)
    if _marrow_since(timeline, remission, relapse) or _finding_since(timeline, remission):
        return None
    used = use("relapse recorded", [relapse]) + (use("remission", remission.facts) if remission else ())
    values = (("date", relapse.when.text),)
    return Verdict("R10", Classification.RELAPSED, "recorded", values, used, ("recorded_status_only",))


def combined_terms_only(timeline: Timeline) -> bool:
    """Only leukemia/lymphoma terms, and no marrow at M3 that would make it leukemia (rules N5)."""
    at_m3 = any(m.reaches(timeline.limits.m3_floor).yes for m in timeline.marrows)
    return all(d.combined for d in timeline.facts.diagnoses) and not at_m3


def _marrow_since(timeline: Timeline, remission: Remission | None, relapse: Statement) -> bool:
    """A marrow possibly since the last remission, or a clear one too close before the statement."""
    days = timeline.limits.induction_days
    for marrow in timeline.marrows:
        if not marrow.results:
            continue
        clear = marrow.reaches(timeline.limits.m1_limit).no
        if clear and not marrow.when.at_least_days_before(relapse.when, days).yes:
            return True
        if clear:
            continue
        if remission is None or not _belongs_before(marrow, remission):
            return True
    return False


def _belongs_before(marrow: Marrow, remission: Remission) -> bool:
    """Not later than the end of the time in which *remission* lies."""
    if remission.by == "implied":
        return marrow.when.last <= remission.when.last
    return marrow.when.before(remission.when).yes


def _finding_since(timeline: Timeline, remission: Remission | None) -> bool:
    found = [e for e in timeline.facts.extramedullary if e.present]
    return any(remission is None or not e.when.before(remission.when).yes for e in found)


def r11(timeline: Timeline) -> Verdict | None:
    """Remission earlier, and something that may be a relapse but meets no rule for one."""
    if not timeline.remissions:
        return None
    return _unconfirmed_newest(timeline) or _suspicion(timeline)


def _unconfirmed_newest(timeline: Timeline) -> Verdict | None:
    marrow, limits = timeline.newest, timeline.limits
    if marrow is None or _relapse_ground(timeline, marrow) is None:
        return None
    if marrow.clash:
        return unclear("R11", "tests_apart", use("marrow", marrow.results), **_shown(marrow))
    if marrow.reaches(limits.m1_limit).yes:
        return unclear("R11", "not_confirmed", use("marrow", marrow.results), **_shown(marrow))
    if any(
        v.reaches(limits.second_test).yes for m in timeline.marrows if not m.when.before(marrow.when).yes for v in m.mrd
    ):
        return unclear("R11", "mrd_only", use("marrow", marrow.results), **_shown(marrow))
    return None


def _suspicion(timeline: Timeline) -> Verdict | None:
    for fact in suspicions(timeline):
        if timeline.remission_before(fact.when) is None:
            continue
        if isinstance(fact, BloodBlasts):
            values = {"blood": fact.value.text, "date": fact.when.text}
            return unclear("R11", "blood_blasts", use("blood", [fact]), **values)
        reason = "unitless" if isinstance(fact, MarrowResult) and fact.doubt else "preliminary"
        return unclear("R11", reason, use("marrow", [fact]), date=fact.when.text)
    return None


def never_in_remission(timeline: Timeline) -> bool:
    """No remission on record, and no relapse statement that would imply one."""
    return timeline.ever_remission is Truth.NO
