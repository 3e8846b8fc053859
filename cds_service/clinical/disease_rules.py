"""Rules about whether this is ALL at all, conflicts, disease outside the marrow, and age (R1-R6)."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.clinical.facts import (
    Cells,
    Extramedullary,
    Fact,
    Lineage,
    OtherDisease,
    Phenotype,
    PhResult,
    Statement,
    StatusKind,
    Test,
)
from cds_service.clinical.lineage import lineage_of_codes
from cds_service.clinical.suspicions import suspicions
from cds_service.clinical.timeline import Marrow, Remission, Timeline
from cds_service.clinical.truth import Truth
from cds_service.clinical.verdict import Classification, Used, Verdict
from cds_service.clinical.when import When, latest

REMISSION, RELAPSE, REFRACTORY = StatusKind.REMISSION, StatusKind.RELAPSE, StatusKind.REFRACTORY


def use(purpose: str, facts: Iterable[Fact]) -> tuple[Used, ...]:
    return tuple(Used(fact, purpose) for fact in facts)


def unclear(rule: str, reason: str, used: tuple[Used, ...] = (), **values: str) -> Verdict:
    return Verdict(rule, Classification.INDETERMINATE, reason, tuple(sorted(values.items())), used)


def r1(timeline: Timeline) -> Verdict | None:
    """No valid ALL condition; a lymphoma code with a marrow at M3 is for R2."""
    facts = timeline.facts
    if facts.diagnoses or _lymphoma_in_marrow(timeline):
        return None
    return Verdict("R1", Classification.NOT_ALL, "no_all", used=use("other disease", facts.other_diseases))


def r2(timeline: Timeline) -> Verdict | None:
    """Another disease may explain the blasts."""
    return (
        _lymphoma_only(timeline)
        or _another_leukemia(timeline)
        or _odd_phenotype(timeline)
        or _fusion_without_lymphoblasts(timeline)
        or _donor_cells(timeline)
    )


def _lymphoma_in_marrow(timeline: Timeline) -> Marrow | None:
    lymphoma = any(d.kind == "lymphoma" for d in timeline.facts.other_diseases)
    newest = timeline.newest
    return newest if lymphoma and newest and newest.reaches(timeline.limits.m3_floor).yes else None


def _lymphoma_only(timeline: Timeline) -> Verdict | None:
    if timeline.facts.diagnoses:
        return None
    marrow = _lymphoma_in_marrow(timeline)
    used = use("marrow", marrow.results) if marrow else ()
    return unclear("R2", "lymphoma_with_marrow", used)


def _another_leukemia(timeline: Timeline) -> Verdict | None:
    """An active myeloid or mixed leukemia entry beside ALL that is not in remission."""
    if _remission_is_newest_status(timeline) and not _lymphoid_after_remission(timeline):
        return None
    reference = timeline.newest.when if timeline.newest else timeline.now
    entries = [d for d in timeline.facts.other_diseases if _competes(d, reference, timeline)]
    if not entries:
        return None
    return unclear("R2", "another_leukemia", use("another leukemia", entries), date=entries[-1].aged.text)


def _competes(disease: OtherDisease, reference: When, timeline: Timeline) -> bool:
    """Active, and not surely more than the window older than the newest marrow."""
    if disease.kind not in ("myeloid", "mixed") or not disease.active:
        return False
    return disease.aged.days_until(reference)[0] <= timeline.limits.evidence_days


def blasts_of_another_leukemia(timeline: Timeline) -> frozenset[str]:
    """Marrow and blood results that another, coded leukemia explains: ALL's newest status is remission."""
    reference = timeline.newest.when if timeline.newest else timeline.now
    if not any(_competes(d, reference, timeline) for d in timeline.facts.other_diseases):
        return frozenset()
    if not _remission_is_newest_status(timeline) or _lymphoid_after_remission(timeline):
        return frozenset()
    remission = timeline.of_kind(REMISSION)[-1].when
    after: list[Fact] = [*timeline.facts.marrow, *timeline.facts.blood, *timeline.facts.phenotypes]
    return frozenset(f.ref for f in after if remission.before(f.when).yes)


def _remission_is_newest_status(timeline: Timeline) -> bool:
    newest = _newest_status(timeline)
    return newest is not None and newest.kind is REMISSION


def _lymphoid_after_remission(timeline: Timeline) -> bool:
    """Lymphoblasts after the newest remission statement: the other leukemia does not explain them."""
    remission = timeline.of_kind(REMISSION)[-1].when
    lymphoid = (Cells.B_LYMPHOBLASTIC, Cells.T_LYMPHOBLASTIC)
    return any(p.cells in lymphoid and not p.when.before(remission).yes for p in timeline.phenotypes)


def _newest_status(timeline: Timeline) -> Statement | None:
    statements = timeline.statements
    if not statements:
        return None
    last = statements[-1]
    rivals = [s for s in statements if s.kind is not last.kind and not s.when.before(last.when).yes]
    return None if rivals else last


def _odd_phenotype(timeline: Timeline) -> Verdict | None:
    """The newest abnormal phenotype is not the diagnosis's lineage, unless a later remission ended it."""
    abnormal = [p for p in timeline.phenotypes if p.cells is not Cells.NORMAL]
    if not abnormal:
        return None
    newest = [p for p in abnormal if not any(p.when.before(q.when).yes for q in abnormal)]
    odd = [p for p in newest if _is_odd(p, lineage_of_codes(timeline.facts)) and not timeline.superseded(p.when)]
    if not odd:
        return None
    return unclear("R2", "odd_phenotype", use("phenotype", odd), date=odd[-1].when.text)


def _is_odd(phenotype: Phenotype, coded: Lineage) -> bool:
    match phenotype.cells:
        case Cells.B_LYMPHOBLASTIC:
            return coded is Lineage.T_CELL
        case Cells.T_LYMPHOBLASTIC:
            return coded is Lineage.B_CELL
        case _:
            return True


def _fusion_without_lymphoblasts(timeline: Timeline) -> Verdict | None:
    """BCR::ABL1 high on a marrow whose flow is negative: CML in lymphoid blast phase is possible."""
    limits = timeline.limits
    for marrow in reversed(timeline.marrows):
        flow = [r for r in marrow.results if r.test is Test.FLOW]
        normal = [p for p in marrow.phenotypes if p.cells is Cells.NORMAL]
        fusions = [
            p
            for p in timeline.facts.ph_results
            if (p.ratio or p.fish) and _same_marrow(p.when, p.specimen, marrow, limits.one_marrow_days)
        ]
        if not fusions or not (flow or normal):
            continue
        negative = all(r.value.reaches(limits.mrd_positive).no for r in flow)
        high = [p for p in fusions if _fusion_is_high(p, timeline)]
        if negative and high:
            return unclear(
                "R2", "fusion_flow_negative", use("fusion", high) + use("marrow", flow), date=marrow.when.text
            )
        return None
    return None


def _same_marrow(when: When, specimen: str | None, marrow: Marrow, days: int) -> bool:
    if specimen is not None and specimen in {r.specimen for r in marrow.results}:
        return True
    return max(abs(d) for d in marrow.when.days_until(when)) <= days


def _fusion_is_high(result: PhResult, timeline: Timeline) -> bool:
    """A transcript ratio at the limit, or FISH at or above its cut-off."""
    if result.ratio is not None:
        return result.ratio.reaches(timeline.limits.fusion_ratio_high).yes
    return result.outcome.yes


def _donor_cells(timeline: Timeline) -> Verdict | None:
    origins = timeline.facts.origins
    newest = [o for o in origins if not any(o.when.before(p.when).yes for p in origins)]
    donor = [o for o in newest if o.donor and not timeline.superseded(o.when)]
    return unclear("R2", "donor_cells", use("origin of the cells", donor), date=donor[-1].when.text) if donor else None


def r5(timeline: Timeline) -> Verdict | None:
    """The record contradicts itself, or its order cannot be established."""
    return _newest_disagree(timeline) or _same_time(timeline) or _code_only_remission(timeline)


def _newest_disagree(timeline: Timeline) -> Verdict | None:
    newest = timeline.newest
    if newest is None or not newest.disagree or timeline.superseded(newest.when):
        return None
    return unclear("R5", "marrows_disagree", use("marrow", newest.results), date=newest.when.text)


def _same_time(timeline: Timeline) -> Verdict | None:
    """A remission statement cannot be ordered against a relapse statement or a marrow at M2."""
    limit = timeline.limits.m1_limit
    relapses: list[tuple[When, tuple[Fact, ...], bool]] = [(s.when, (s,), s.dated) for s in timeline.of_kind(RELAPSE)]
    relapses += [(m.when, m.results, True) for m in timeline.marrows if m.reaches(limit).yes]
    for remission in reversed(timeline.of_kind(REMISSION)):
        for when, facts, dated in relapses:
            unordered = not remission.when.before(when).yes and not when.before(remission.when).yes
            # An undated status is borne out by a dated one to the same effect after what it cannot be ordered against.
            borne_out = (not remission.dated and timeline.superseded(when)) or (
                not dated and _dated_disease_after(remission.when, timeline)
            )
            if unordered and not borne_out and not _history(remission.when, when, timeline):
                used = use("remission", [remission]) + use("relapse", facts)
                return unclear("R5", "order_unknown", used, date=when.text)
    return None


def _dated_disease_after(when: When, timeline: Timeline) -> bool:
    """A dated sign of disease lies surely after *when*."""
    return any(when.before(f.when).yes for f in timeline.disease if not (isinstance(f, Statement) and not f.dated))


def _history(one: When, other: When, timeline: Timeline) -> bool:
    """Something dated lies surely after both, so their order no longer matters."""
    both = one.until(other)
    return timeline.superseded(both) or _dated_disease_after(both, timeline)


def _code_only_remission(timeline: Timeline) -> Verdict | None:
    """A remission that rests on a code alone lies too close to the newest marrow with disease."""
    newest, days = timeline.newest, timeline.limits.induction_days
    if newest is None or not newest.reaches(timeline.limits.m1_limit).yes:
        return None
    for statement in timeline.of_kind(REMISSION):
        if not statement.dated or _with_marrow(statement, timeline):
            continue
        if statement.when.before(newest.when).yes:
            relapse = any(not s.when.before(statement.when).yes for s in timeline.of_kind(RELAPSE))
            close = not statement.when.at_least_days_before(newest.when, days).yes
            alone = not _otherwise_in_remission(statement, newest, timeline)
            conflict = close and alone and not relapse
        else:
            conflict = not newest.when.at_least_days_before(statement.when, days).yes
        if conflict:
            used = use("remission", [statement]) + use("marrow", newest.results)
            return unclear("R5", "code_only_remission", used, date=newest.when.text)
    return None


def _with_marrow(statement: Statement, timeline: Timeline) -> bool:
    """A marrow below the M1 limit goes with the statement."""
    days = timeline.limits.induction_days
    return any(
        r.by == "marrow" and max(abs(d) for d in r.when.days_until(statement.when)) <= days for r in timeline.remissions
    )


def _otherwise_in_remission(statement: Statement, marrow: Marrow, timeline: Timeline) -> bool:
    days = timeline.limits.induction_days
    return any(
        statement not in r.facts and r.when.at_least_days_before(marrow.when, days).yes for r in timeline.remissions
    )


def r4(timeline: Timeline) -> Verdict | None:
    """Remission earlier, and leukemia outside the marrow while the marrow is clear or not on file."""
    finding = _extramedullary_since_remission(timeline)
    if finding is None:
        return None
    newest, remission = timeline.newest, timeline.remission_before(finding.when)
    since = newest is not None and remission is not None and _since(newest.when, remission)
    if since and newest is not None and not newest.reaches(timeline.limits.m1_limit).no:
        return None
    reason = "extramedullary" if newest is not None and since else "extramedullary_no_marrow"
    used = use("disease outside the marrow", [finding])
    used += use(remission.purpose, remission.facts) if remission else ()
    used += use("clear marrow", newest.results) if newest is not None and since else ()
    return Verdict(
        "R4",
        Classification.RELAPSED,
        reason,
        (("date", finding.when.text), ("site", finding.site)),
        used,
        ("isolated_extramedullary",),
    )


def _since(when: When, remission: Remission) -> bool:
    return not when.before(remission.when).yes


def _extramedullary_since_remission(timeline: Timeline) -> Extramedullary | None:
    """The newest finding of disease outside the marrow, current, after the last remission statement."""
    found = [e for e in timeline.facts.extramedullary if e.present]
    found = [e for e in found if not any(_cleared(e, other) for other in timeline.facts.extramedullary)]
    stated = latest([s.when for s in timeline.of_kind(REMISSION) if s.dated])
    if stated is None:
        marrows = [r.when for r in timeline.remissions if r.by == "marrow"]
        stated = min(marrows, key=lambda w: (w.last, w.first), default=None)
    if stated is None:
        stated = latest([r.when for r in timeline.remissions])
    if stated is None:
        return None
    after = [e for e in found if stated.before(e.when).yes]
    current = [e for e in after if timeline.age_possible(e.when, timeline.limits.evidence_days)[0]]
    return max(current, key=lambda e: (e.when.last, e.when.first, e.ref), default=None)


def _cleared(finding: Extramedullary, other: Extramedullary) -> bool:
    return not other.present and other.site == finding.site and finding.when.before(other.when).yes


def r6(timeline: Timeline) -> Verdict | None:
    """A relapse statement, then a clear marrow, and nobody has recorded a new remission."""
    newest = timeline.newest
    if newest is None or not newest.reaches(timeline.limits.m1_limit).no:
        return None
    if any(
        v.reaches(timeline.limits.second_test).yes for m in timeline.marrows for v in m.mrd if _on_or_after(m, newest)
    ):
        return None
    relapses = [s for s in timeline.of_kind(RELAPSE) if s.when.before(newest.when).yes]
    if not relapses:
        return None
    relapse = relapses[-1]
    if any(not s.when.before(relapse.when).yes for s in timeline.of_kind(REMISSION)):
        return None
    used = use("relapse", [relapse]) + use("clear marrow", newest.results)
    return unclear("R6", "relapse_then_clear", used, date=newest.when.text)


def _on_or_after(marrow: Marrow, newest: Marrow) -> bool:
    return not marrow.when.before(newest.when).yes


def r3(timeline: Timeline) -> Verdict | None:
    """No evidence of disease is surely recent."""
    facts = timeline.facts
    history = timeline.ever_remission is not Truth.NO or facts.treatments
    evidence = [(f.aged if isinstance(f, Statement) else f.when, f) for f in timeline.disease]
    if not evidence:
        evidence = [(d.aged, d) for d in facts.diagnoses if d.active]
    if not evidence or not history:
        return None
    days = timeline.limits.evidence_days
    if any(timeline.age_possible(when, days)[0] for when, _ in evidence) or _recent_question(timeline):
        return None
    when, newest = max(evidence, key=lambda pair: (pair[0].last, pair[0].first, pair[1].ref))
    least = max(0, when.days_until(timeline.now)[0])
    return unclear("R3", "old", use("newest evidence", [newest]), date=when.text, days=str(least))


def _recent_question(timeline: Timeline) -> bool:
    """A recent result that R11 or R11a asks about, while no old marrow could pass for the present one."""
    newest, limits = timeline.newest, timeline.limits
    if newest is not None and newest.clash:
        return timeline.age_possible(newest.when, limits.evidence_days)[0]
    old = newest is not None and (
        not newest.reaches(limits.m1_limit).no or any(v.reaches(limits.second_test).yes for v in newest.mrd)
    )
    return not old and any(timeline.age_possible(f.when, limits.evidence_days)[0] for f in suspicions(timeline))
