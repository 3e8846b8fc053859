"""Each rule by a chart it answers and a near miss."""

from __future__ import annotations

import pytest

from tests.charts import (
    AML,
    C91_00,
    CHEMOTHERAPY,
    CLL,
    DEXAMETHASONE,
    GENERIC_RECURRENCE,
    GENERIC_REMISSION,
    INTRATHECAL,
    MERCAPTOPURINE,
    NMDP_STAGE,
    SECONDARY_BRAIN,
    VINCRISTINE,
    Chart,
    chart,
    relapsed_b,
)
from tests.clinical.patients import in_remission, one_course, two_courses, untreated

# -- each rule, and a near miss ----------------------------------------------------------------------


RULES = [
    pytest.param(chart(), "R1", "not_all", id="R1 nothing on record"),
    pytest.param(chart().condition(CLL, "2026-01-01").marrow(60, "2026-10-10"), "R1", "not_all", id="R1 CLL only"),
    pytest.param(chart().condition(AML, "2026-01-01").marrow(60, "2026-10-10"), "R1", "not_all", id="R1 AML only"),
    pytest.param(chart().marrow(60, "2026-10-10"), "R1", "not_all", id="R1 blasts without a diagnosis"),
    pytest.param(
        chart().condition(C91_00, "2026-10-01").condition(CLL, "2026-01-01"),
        "R17",
        "treatment_not_documented",
        id="R1 near miss: CLL beside ALL",
    ),
    pytest.param(
        in_remission().condition(AML, "2026-09-15", clinical="active").marrow(62, "2026-10-10"),
        "R16",
        "in_remission",
        id="R2 exception: the blasts are those of the other disease",
    ),
    pytest.param(
        in_remission().condition(AML, "2026-09-15", clinical="resolved").marrow(62, "2026-10-10"),
        "R7",
        "relapsed",
        id="R2 near miss: the myeloid entry is resolved",
    ),
    pytest.param(
        relapsed_b().phenotype("b-lymphoblastic", "2026-10-10"), "R7", "relapsed", id="R2 near miss: the same lineage"
    ),
    pytest.param(
        relapsed_b().origin("recipient", "2026-10-10"), "R7", "relapsed", id="R2 near miss: cells of the recipient"
    ),
    pytest.param(
        in_remission().flow(8, "2026-10-10").ratio(40, "2026-10-10"),
        "R11",
        "indeterminate",
        id="R2 near miss: flow is positive too",
    ),
    pytest.param(
        in_remission().flow(0, "2026-10-10").fish(40, "2026-10-10"),
        "R2",
        "indeterminate",
        id="R2 FISH high, flow negative",
    ),
    pytest.param(
        in_remission().flow(0, "2026-10-10").fish(4, "2026-10-10"),
        "R16",
        "in_remission",
        id="R2 near miss: FISH below cut-off",
    ),
    pytest.param(
        in_remission().extramedullary("present", "2026-10-10").phenotype("myeloid", "2026-10-10", site="csf"),
        "R2",
        "indeterminate",
        id="R2 myeloid cells at the site of disease",
    ),
    pytest.param(
        in_remission().marrow(3, "2026-10-10").marrow(9, "2026-10-10"),
        "R5",
        "indeterminate",
        id="R5 two counts of a day",
    ),
    pytest.param(
        in_remission().marrow(9, "2026-10-10").marrow(3, "2026-10-20"),
        "R16",
        "in_remission",
        id="R5 near miss: ordered counts",
    ),
    pytest.param(
        chart().all_b("2025-01-01").remission("2026-10-10").marrow(62, "2026-10-10"),
        "R5",
        "indeterminate",
        id="R5 remission and marrow on one day",
    ),
    pytest.param(
        chart().all_b("2025-01-01").remission("2026-10").relapse("2026-10-12"),
        "R5",
        "indeterminate",
        id="R5 a remission of the month of the relapse",
    ),
    pytest.param(
        chart().all_b("2025-01-01").remission("2026-09").relapse("2026-10-12"),
        "R10",
        "relapsed",
        id="R5 near miss: a remission of the month before",
    ),
    pytest.param(
        chart().all_b("2025-01-01").remission("2026-10-01").marrow(62, "2026-10-10").relapse("2026-10-12"),
        "R7",
        "relapsed",
        id="R5 near miss: with a relapse statement",
    ),
    pytest.param(
        in_remission().extramedullary("present", "2026-10-10").marrow(4.9, "2026-10-10"),
        "R4",
        "relapsed",
        id="R4 marrow just below 5 %",
    ),
    pytest.param(
        in_remission().extramedullary("present", "2026-10-10").marrow(30, "2026-10-10"),
        "R7",
        "relapsed",
        id="R4 near miss: the marrow too",
    ),
    pytest.param(
        in_remission().extramedullary("absent", "2026-10-10").marrow(2, "2026-10-10"),
        "R16",
        "in_remission",
        id="R4 near miss: nothing outside the marrow",
    ),
    pytest.param(
        in_remission().csf(0, "2026-10-10").marrow(2, "2026-10-10"), "R16", "in_remission", id="R4 near miss: clean CSF"
    ),
    pytest.param(
        in_remission().condition(SECONDARY_BRAIN, "2026-10-10", clinical="active"),
        "R16",
        "in_remission",
        id="R4 near miss: a secondary malignancy of unnamed origin",
    ),
    pytest.param(
        chart().all_b("2025-01-01").extramedullary("present", "2026-09-01").remission("2026-10-10"),
        "R16",
        "in_remission",
        id="R4 near miss: before the last remission",
    ),
    pytest.param(
        in_remission().relapse("2026-09-01").marrow(2, "2026-10-10"), "R6", "indeterminate", id="R6 relapse, then clear"
    ),
    pytest.param(
        in_remission().relapse("2026-09-01").marrow(2, "2026-10-10").remission("2026-10-12"),
        "R16",
        "in_remission",
        id="R6 near miss: a new remission is stated",
    ),
    pytest.param(
        in_remission().relapse("2026-09-01").marrow(2, "2026-10-10").flow(2, "2026-10-10"),
        "R11",
        "indeterminate",
        id="R6 near miss: MRD at 2 %",
    ),
    pytest.param(in_remission(), "R16", "in_remission", id="R16 by statement"),
    pytest.param(chart().all_b("2025-01-01").marrow(2, "2025-03-01"), "R16", "in_remission", id="R16 by marrow"),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").blood(30, "2026-10-20"),
        "R11",
        "indeterminate",
        id="R16 near miss: blood blasts since",
    ),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").marrow(30, "2026-10-20", status="preliminary"),
        "R11a",
        "indeterminate",
        id="R16 near miss: a preliminary marrow since",
    ),
    pytest.param(
        chart().all_b("2021-01-01").marrow(62, "2021-01-01").course("2021-01-05", "2021-02-01"),
        "R3",
        "indeterminate",
        id="R3 old disease with treatment",
    ),
    pytest.param(chart().all_b("2021-01-01"), "R17", "treatment_not_documented", id="R3 near miss: no history at all"),
    pytest.param(
        in_remission().marrow(70, "2026-10-10", status="preliminary"), "R11a", "indeterminate", id="R11a preliminary"
    ),
    pytest.param(
        in_remission().marrow(4, "2026-10-10", status="preliminary"),
        "R16",
        "in_remission",
        id="R11a near miss: preliminary and clear",
    ),
    pytest.param(
        in_remission().growth_factor("2026-10-05").marrow(40, "2026-10-10").phenotype("b-lymphoblastic", "2026-10-10"),
        "R7",
        "relapsed",
        id="R11a near miss: the phenotype is known",
    ),
    pytest.param(
        in_remission().marrow(9, "2026-10-10").relapse("2026-10-10"), "R8", "relapsed", id="R8 with a statement at it"
    ),
    pytest.param(
        in_remission().marrow(9, "2026-09-10").marrow(8, "2026-10-10"), "R8", "relapsed", id="R8 with a second marrow"
    ),
    pytest.param(
        in_remission().marrow(9, "2026-10-10").flow(9, "2026-10-10"), "R8", "relapsed", id="R8 with a second test"
    ),
    pytest.param(in_remission().marrow(9, "2026-10-10"), "R11", "indeterminate", id="R8 near miss: alone"),
    pytest.param(
        in_remission().flow(2, "2026-10-10").molecular(3, "2026-10-10").marrow(3, "2026-10-10"),
        "R11",
        "indeterminate",
        id="R9 near miss: no statement",
    ),
    pytest.param(
        in_remission().relapse("2026-10-10").extramedullary("absent", "2026-10-10"),
        "R10",
        "relapsed",
        id="R10 recorded status",
    ),
    pytest.param(in_remission().status("relapse", "2026-10-10"), "R10", "relapsed", id="R10 by an observation"),
    pytest.param(
        in_remission().condition(C91_00, "2026-10-10", clinical="relapse"),
        "R10",
        "relapsed",
        id="R10 by clinical status",
    ),
    pytest.param(
        in_remission().condition(C91_00, "2026-10-10", clinical="recurrence"), "R10", "relapsed", id="R10 by recurrence"
    ),
    pytest.param(
        in_remission().condition(C91_00, "2026-10-10", stage=(NMDP_STAGE, "RE")), "R10", "relapsed", id="R10 by stage"
    ),
    pytest.param(
        in_remission().condition(C91_00, "2026-10-10", also=[GENERIC_RECURRENCE]),
        "R10",
        "relapsed",
        id="R10 by a generic code on an ALL entry",
    ),
    pytest.param(
        chart().all_b("2025-01-01").condition(C91_00, "2026-10-10", also=[GENERIC_REMISSION]),
        "R16",
        "in_remission",
        id="R16 by a generic code on an ALL entry",
    ),
    pytest.param(
        in_remission().relapse("2026-09-01").remission("2026-10-20"),
        "R16",
        "in_remission",
        id="R10 near miss: remission since",
    ),
    pytest.param(
        in_remission().marrow(0.5, "2026-10-10").flow(9, "2026-10-10"),
        "R11",
        "indeterminate",
        id="R11 morphology and flow apart",
    ),
    pytest.param(
        one_course().marrow(2, "2026-10-10").flow(5, "2026-10-10"), "R15", "indeterminate", id="R15 MRD at 5 %"
    ),
    pytest.param(
        one_course().marrow(2, "2026-10-10").flow(4.9, "2026-10-10"), None, None, id="R15 near miss: MRD just below 5 %"
    ),
    pytest.param(
        one_course().marrow(40, "2026-10-10").molecular(2, "2026-10-10"),
        "R15",
        "indeterminate",
        id="R15 the reverse, without flow",
    ),
    pytest.param(two_courses().marrow(25, "2026-10-10"), "R12", "refractory", id="R12 at 25 %"),
    pytest.param(
        two_courses().marrow(9, "2026-10-10").flow(9, "2026-10-10"),
        "R12",
        "refractory",
        id="R12 at 5 % with a second test",
    ),
    pytest.param(
        two_courses().marrow(24.9, "2026-10-10"), "R18", "indeterminate", id="R12 near miss: below 25 %, alone"
    ),
    pytest.param(
        two_courses().marrow(40, "2026-08-01"), "R18", "indeterminate", id="R12 near miss: before the last course ended"
    ),
    pytest.param(one_course().marrow(25, "2026-10-10"), "R13", "refractory", id="R13 at 25 %"),
    pytest.param(
        one_course().marrow(9, "2026-10-10").flow(5, "2026-10-10"), "R13", "refractory", id="R13 at 5 % with MRD at 5 %"
    ),
    pytest.param(
        one_course().marrow(9, "2026-10-10").refractory("2026-10-12"), "R13", "refractory", id="R13 with a statement"
    ),
    pytest.param(
        one_course().marrow(24.9, "2026-10-10"), "R18", "indeterminate", id="R13 near miss: below 25 %, alone"
    ),
    pytest.param(
        untreated().administration(VINCRISTINE, "2026-09-01").marrow(40, "2026-10-10"),
        "R13",
        "refractory",
        id="R13 courses not documented",
    ),
    pytest.param(
        untreated().statement(VINCRISTINE, "2026-09-01").marrow(40, "2026-10-10"),
        "R13",
        "refractory",
        id="R13 by a statement of use",
    ),
    pytest.param(
        untreated().administration(DEXAMETHASONE, "2026-09-01").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="N6 corticosteroid alone",
    ),
    pytest.param(
        untreated().administration(MERCAPTOPURINE, "2026-09-01").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="N6 maintenance alone",
    ),
    pytest.param(
        untreated().procedure(INTRATHECAL, "2026-09-01").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="N6 intrathecal alone",
    ),
    pytest.param(
        untreated().growth_factor("2026-09-01").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="N6 growth factor alone",
    ),
    pytest.param(
        untreated().procedure(CHEMOTHERAPY, "2026-09-01", "2026-09-28", status="not-done").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="N6 chemotherapy not done",
    ),
    pytest.param(
        untreated().administration(VINCRISTINE, "2026-09-01").blood(5, "2026-10-10"),
        "R12a",
        "indeterminate",
        id="R12a blood blasts after treatment",
    ),
    pytest.param(
        chart().all_unspecified("2026-08-25").administration(VINCRISTINE, "2026-09-01").blood(5, "2026-10-10"),
        "R12a",
        "indeterminate",
        id="R12a C91.00 with blood blasts",
    ),
    pytest.param(
        untreated().administration(VINCRISTINE, "2026-09-01").blood(4.9, "2026-10-10"),
        "R18",
        "indeterminate",
        id="R12a near miss: below 5 %",
    ),
    pytest.param(
        untreated().request(VINCRISTINE, "2026-09-01", intent="plan").marrow(40, "2026-10-10"),
        "R17",
        "treatment_not_documented",
        id="R12a near miss: only planned",
    ),
    pytest.param(one_course().refractory("2026-10-12"), "R14", "refractory", id="R14 recorded"),
    pytest.param(one_course().status("refractory", "2026-10-12"), "R14", "refractory", id="R14 by an observation"),
    pytest.param(
        one_course().condition(C91_00, "2026-10-12", stage=(NMDP_STAGE, "IF")), "R14", "refractory", id="R14 by stage"
    ),
    pytest.param(
        one_course().refractory("2026-10-12", clinical="resolved"), "R18", "indeterminate", id="R14 near miss: resolved"
    ),
    pytest.param(untreated(), "R17", "treatment_not_documented", id="R17 diagnosis only"),
    pytest.param(one_course(), "R18", "indeterminate", id="R17 near miss: treated"),
    pytest.param(
        chart().condition(C91_00, "2026-10-01", clinical="inactive"), "R18", "indeterminate", id="R18 no active ALL"
    ),
]


@pytest.mark.parametrize(("patient", "rule", "classification"), RULES)
def test_the_rule_that_answers(patient: Chart, rule: str | None, classification: str | None) -> None:
    answer = patient.assess()
    if rule is None:
        assert answer.classification not in ("refractory", "relapsed")
    else:
        assert (answer.rule, answer.classification) == (rule, classification)
