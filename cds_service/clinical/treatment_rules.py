"""Rules for ALL that was never in remission: refractory, possibly refractory, or not treated yet."""

from __future__ import annotations

from cds_service.clinical.disease_rules import REFRACTORY, RELAPSE, unclear, use
from cds_service.clinical.facts import Statement, Test, Treatment
from cds_service.clinical.remission_rules import combined_terms_only, never_in_remission
from cds_service.clinical.timeline import Marrow, Timeline
from cds_service.clinical.treatment import Course, courses, given, ordered
from cds_service.clinical.verdict import Classification, Verdict
from cds_service.clinical.when import When


def _given(timeline: Timeline) -> tuple[Treatment, ...]:
    return given(timeline.facts, timeline.first_all, timeline.limits)


def courses_of(timeline: Timeline) -> tuple[Course, ...]:
    return courses(_given(timeline), timeline.limits)


def _late_enough(marrow: Marrow | None, first_dose: When | None, timeline: Timeline) -> Marrow | None:
    """*marrow*, if it was drawn surely at the end of induction or later."""
    if marrow is None or first_dose is None:
        return None
    enough = first_dose.at_least_days_before(marrow.when, timeline.limits.induction_days).yes
    return marrow if enough else None


def _first_dose(treatments: tuple[Treatment, ...]) -> When | None:
    return treatments[0].start if treatments else None


def persistent(marrow: Marrow, timeline: Timeline) -> bool:
    """At M3, or at M2 with a second test that agrees (rule R12)."""
    limits = timeline.limits
    if marrow.reaches(limits.m3_floor).yes:
        return True
    return marrow.reaches(limits.m1_limit).yes and len(marrow.tests_reaching(limits.m1_limit)) > 1


def r15(timeline: Timeline) -> Verdict | None:
    """Never in remission; at the end of a course morphology and MRD contradict each other."""
    marrow = timeline.newest
    if marrow is None or not never_in_remission(timeline) or not courses_of(timeline):
        return None
    limit = timeline.limits.m1_limit
    morphology = [r.value.reaches(limit) for r in marrow.results if r.test is Test.MORPHOLOGY]
    mrd = [v.reaches(limit) for v in marrow.mrd]
    low_but_mrd = any(m.no for m in morphology) and any(m.yes for m in mrd)
    if not (low_but_mrd or marrow.clash):
        return None
    return unclear("R15", "morphology_and_mrd", use("marrow", marrow.results), date=marrow.when.text)


def r12(timeline: Timeline) -> Verdict | None:
    """Never in remission, two completed courses, and a marrow after them that still holds disease."""
    done = courses_of(timeline)
    marrow = _late_enough(timeline.newest, _first_dose(_given(timeline)), timeline)
    if marrow is None or len(done) < timeline.limits.refractory_courses or not never_in_remission(timeline):
        return None
    after = all(not marrow.when.before(c.end).yes and marrow.when.on_or_after_day(_last_day(c.end)).yes for c in done)
    if not after or not persistent(marrow, timeline):
        return None
    return _refractory("R12", "two_courses", marrow, done, (), count=str(len(done)))


def _last_day(when: When) -> When:
    return When(when.last, when.last)


def _refractory(
    rule: str, reason: str, marrow: Marrow, done: tuple[Course, ...], modifiers: tuple[str, ...], **more: str
) -> Verdict:
    used = use("residual leukemia", marrow.facts) + use("course", [t for c in done for t in c.treatments])
    burden = marrow.burden.text if marrow.burden else ""
    values = tuple(sorted({"marrow": burden, "date": marrow.when.text, **more}.items()))
    return Verdict(rule, Classification.REFRACTORY, reason, values, used, modifiers)


def r13(timeline: Timeline) -> Verdict | None:
    """Never in remission, one course or treatment without courses, and disease at the end of induction."""
    treatments = _given(timeline)
    marrow = _late_enough(timeline.newest, _first_dose(treatments), timeline)
    if marrow is None or not never_in_remission(timeline):
        return None
    done = courses_of(timeline)
    if len(done) >= timeline.limits.refractory_courses or not _residual(marrow, timeline):
        return None
    if done:
        return _refractory("R13", "one_course", marrow, done, ("one_course_only",))
    shown = Course(treatments[0].start, treatments[0].start, treatments)
    return _refractory("R13", "courses_not_documented", marrow, (shown,), ("courses_not_documented",))


def _residual(marrow: Marrow, timeline: Timeline) -> bool:
    """At M3, or at M2 with MRD at the M1 limit or a clinician's statement."""
    limits = timeline.limits
    if marrow.reaches(limits.m3_floor).yes:
        return True
    if not marrow.reaches(limits.m1_limit).yes:
        return False
    stated = any(s.when.on_or_after_day(marrow.when).yes for s in timeline.of_kind(REFRACTORY))
    return stated or any(v.reaches(limits.m1_limit).yes for v in marrow.mrd)


def r12a(timeline: Timeline) -> Verdict | None:
    """As R12 or R13 but with orders only, or blood blasts after treatment and no marrow."""
    return _orders_only(timeline) or _blood_after_treatment(timeline)


def _orders_only(timeline: Timeline) -> Verdict | None:
    if not never_in_remission(timeline) or _given(timeline):
        return None
    orders = ordered(timeline.facts, timeline.first_all, timeline.limits)
    marrow = _late_enough(timeline.newest, _first_dose(orders), timeline)
    if marrow is None or not (_residual(marrow, timeline) or persistent(marrow, timeline)):
        return None
    return unclear("R12a", "orders_only", use("marrow", marrow.results) + use("order", orders), date=marrow.when.text)


def _blood_after_treatment(timeline: Timeline) -> Verdict | None:
    first, limits = _first_dose(_given(timeline)), timeline.limits
    if first is None or not never_in_remission(timeline) or not _active(timeline):
        return None
    if not first.at_least_days_before(timeline.now, limits.induction_days).yes:
        return None
    blasts = [
        b
        for b in timeline.blood
        if b.value.reaches(limits.m1_limit).yes and first.at_least_days_before(b.when, limits.induction_days).yes
    ]
    if not blasts or _late_enough(timeline.newest, first, timeline) is not None:
        return None
    newest = blasts[-1]
    return unclear("R12a", "blood_blasts", use("blood", [newest]), blood=newest.value.text, date=newest.when.text)


def r14(timeline: Timeline) -> Verdict | None:
    """Never in remission, and a current refractory statement that no marrow contradicts."""
    statements = [s for s in timeline.of_kind(REFRACTORY) if _current(s, timeline)]
    if not statements or not never_in_remission(timeline):
        return None
    newest = timeline.newest
    if newest is not None and not newest.reaches(timeline.limits.m1_limit).yes:
        return None
    if combined_terms_only(timeline):
        return None
    statement = statements[-1]
    return Verdict(
        "R14",
        Classification.REFRACTORY,
        "recorded",
        (("date", statement.when.text),),
        use("refractory recorded", [statement]),
        ("recorded_status_only",),
    )


def _current(statement: Statement, timeline: Timeline) -> bool:
    return timeline.age_possible(statement.aged, timeline.limits.evidence_days)[0]


def _active(timeline: Timeline) -> bool:
    return any(d.active for d in timeline.facts.diagnoses)


def r17(timeline: Timeline) -> Verdict | None:
    """Active ALL, no remission, and no completed treatment long enough ago."""
    if not _active(timeline) or not never_in_remission(timeline) or timeline.of_kind(REFRACTORY):
        return None
    days = timeline.limits.induction_days
    if any(t.start.days_until(timeline.now)[1] >= days for t in _given(timeline)):
        return None
    return Verdict(
        "R17",
        Classification.TREATMENT_NOT_DOCUMENTED,
        "no_treatment",
        used=use("diagnosis", timeline.facts.diagnoses),
    )


def r18(timeline: Timeline) -> Verdict:
    """Whatever no other rule answers: say which fact would decide."""
    if timeline.of_kind(REFRACTORY) or timeline.of_kind(RELAPSE):
        statements = [*timeline.of_kind(RELAPSE), *timeline.of_kind(REFRACTORY)]
        return unclear("R18", "status_not_supported", use("status recorded", statements))
    if never_in_remission(timeline):
        return unclear("R18", "marrow_would_decide", use("diagnosis", timeline.facts.diagnoses))
    newest = timeline.newest
    return unclear("R18", "order_would_decide", use("marrow", newest.results if newest else ()))
