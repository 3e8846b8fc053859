"""The charts that the clinical rules ask for by name, each with the class the rules' text gives."""

from __future__ import annotations

import pytest

from tests.charts import (
    AML,
    B_COMBINED,
    BLINATUMOMAB,
    C91_00,
    C91_02,
    CHEMOTHERAPY,
    CML_RELAPSE,
    GENERIC_RECURRENCE,
    HISTORY,
    LOINC,
    LYMPHOMA,
    MENINGEAL,
    MIXED,
    PARTIAL_REMISSION,
    PH_LIKE,
    PH_NEGATIVE_B_ALL,
    PH_POSITIVE_ALL,
    SNOMED,
    T_COMBINED,
    VINCRISTINE,
    WORSENED,
    Chart,
    chart,
    relapsed_b,
)

TKIS = ("tki-alone", "tki-with-chemotherapy", "tki-with-corticosteroid")


def in_remission() -> Chart:
    return chart().all_b("2024-01-01").remission("2024-03-01")


def newly_diagnosed() -> Chart:
    return chart().all_b("2026-08-25")


CLASSES = [
    pytest.param(chart().all_unspecified("2026-10-01"), "treatment_not_documented", "R17", id="C91.00 alone"),
    pytest.param(
        chart().all_b("2026-10-01").remission("2026-10-09").marrow(92, "2026-10-10"),
        "indeterminate",
        "R5",
        id="C91.01 mis-picked a day before a 92 % marrow",
    ),
    pytest.param(
        chart()
        .all_b("2024-01-01")
        .remission("2024-03-01")
        .relapse("2025-05-01")
        .marrow(60, "2025-05-01")
        .remission("2025-09-02")
        .marrow(2, "2025-09-01"),
        "in_remission",
        "R16",
        id="relapse, then coded second remission with a clean marrow",
    ),
    pytest.param(
        chart().all_b("2024-01-01").relapse("2026-10-01").remission("2026-10-08").relapse("2026-10-20"),
        "relapsed",
        "R10",
        id="relapse, remission and relapse codes within 20 days",
    ),
    pytest.param(
        chart().all_b("2024-01-01").remission("2026-10-08").relapse("2026-10-08"),
        "indeterminate",
        "R5",
        id="remission and relapse coded the same day",
    ),
    pytest.param(chart().relapse("2021-05-05"), "indeterminate", "R3", id="only C91.02 of 2021"),
    pytest.param(
        chart().all_b("2024-01-01").relapse("2026-10-01", clinical="resolved"),
        "treatment_not_documented",
        "R17",
        id="a relapse entry resolved beside an active diagnosis",
    ),
    pytest.param(
        in_remission().relapse("2026-10-01", clinical="resolved"),
        "in_remission",
        "R16",
        id="a relapse entry resolved after remission",
    ),
    pytest.param(
        in_remission().relapse("2026-10-01", abated="2026-10-20"),
        "in_remission",
        "R16",
        id="a relapse entry abated after remission",
    ),
    pytest.param(
        chart()
        .all_b("2019-01-01")
        .relapse("2020-05-05", category="problem", updated="2026-09-01T10:00:00Z")
        .remission("2024-04-04"),
        "indeterminate",
        "R5",
        id="problem list recorded 2020, edited 2026, encounter remission 2024",
    ),
    pytest.param(
        chart()
        .all_b("2026-05-25")
        .course("2026-06-01", "2026-06-29")
        .observation((LOINC, "88040-1"), "2026-07-01", PARTIAL_REMISSION)
        .marrow(40, "2026-07-15"),
        "refractory",
        "R13",
        id="partial remission then 40 %",
    ),
    pytest.param(
        in_remission().condition(GENERIC_RECURRENCE, "2026-10-01", clinical="active"),
        "in_remission",
        "R16",
        id="generic recurrent neoplasm of the breast",
    ),
    pytest.param(
        chart().procedure(CHEMOTHERAPY, "2015-01-01", "2015-06-01").all_b("2026-10-10").marrow(92, "2026-10-10"),
        "treatment_not_documented",
        "R17",
        id="old chemotherapy for another cancer, then new ALL at 92 %",
    ),
    pytest.param(
        chart("2026-09-17").all_b("2026-08-30").procedure(CHEMOTHERAPY, "2026-09-01").marrow(40, "2026-09-16"),
        "treatment_not_documented",
        "R17",
        id="a day-15 marrow, seen the day after",
    ),
    pytest.param(
        chart().all_b("2026-08-30").course("2026-09-01", "2026-09-28").marrow(40, "2026-09-16"),
        "indeterminate",
        "R18",
        id="a day-15 marrow and nothing since",
    ),
    pytest.param(
        chart()
        .all_b("2026-08-30")
        .course("2026-09-01", "2026-09-28")
        .marrow(60, "2026-09-16")
        .marrow(40, "2026-10-01"),
        "refractory",
        "R13",
        id="day-15 and day-30 marrows with disease",
    ),
    pytest.param(
        chart().all_b("2026-08-30").course("2026-09-01", "2026-09-28").marrow(60, "2026-09-16").marrow(2, "2026-10-01"),
        "in_remission",
        "R16",
        id="day-15 with disease, day-30 without",
    ),
    pytest.param(
        newly_diagnosed()
        .administration(VINCRISTINE, "2026-09-01")
        .administration(VINCRISTINE, "2026-09-15")
        .marrow(40, "2026-10-10"),
        "refractory",
        "R13",
        id="two infusions in one induction",
    ),
    pytest.param(
        newly_diagnosed().request(VINCRISTINE, "2026-09-01").marrow(60, "2026-10-10"),
        "indeterminate",
        "R12a",
        id="requests only",
    ),
    pytest.param(
        in_remission().marrow(12, "2026-10-10").phenotype("normal-precursors", "2026-10-10"),
        "in_remission",
        "R16",
        id="hematogones by phenotype",
    ),
    pytest.param(
        in_remission().marrow(12, "2026-10-10").flow(0.005, "2026-10-10"),
        "in_remission",
        "R16",
        id="hematogones by negative flow",
    ),
    pytest.param(
        in_remission().growth_factor("2026-10-01").marrow(14, "2026-10-10"),
        "indeterminate",
        "R11a",
        id="G-CSF blasts at 14 %",
    ),
    pytest.param(
        in_remission().growth_factor("2026-10-01").marrow(30, "2026-10-10"),
        "indeterminate",
        "R11a",
        id="G-CSF blasts at 30 %",
    ),
    pytest.param(
        in_remission().marrow(30, "2026-10-10", specimen="s").flow(6, "2026-10-10", specimen="s"),
        "relapsed",
        "R8",
        id="remission, M3, MRD 6 %",
    ),
    pytest.param(in_remission().marrow(70, "2026-10-10", status="corrected"), "relapsed", "R7", id="corrected 70 %"),
    pytest.param(in_remission().marrow(70, "2026-10-10", status="amended"), "relapsed", "R7", id="amended 70 %"),
    pytest.param(
        in_remission().marrow(2, "2025-01-10").marrow(40, "2025-01-10").marrow(70, "2026-10-10"),
        "relapsed",
        "R7",
        id="clashing marrows long ago, 70 % now",
    ),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").marrow(40, "2026-10-10"),
        "indeterminate",
        "R5",
        id="clashing marrows now",
    ),
    pytest.param(
        chart().all_b("2026-09-01").condition(CML_RELAPSE, "2026-09-15", clinical="active").marrow(70, "2026-10-10"),
        "indeterminate",
        "R2",
        id="CML lymphoid blast phase, coded",
    ),
    pytest.param(
        in_remission()
        .marrow(30, "2026-10-10", specimen="s")
        .flow(0, "2026-10-10", specimen="s")
        .ratio(40, "2026-10-10", specimen="s"),
        "indeterminate",
        "R2",
        id="CML lymphoid blast phase: transcript high, flow negative",
    ),
    pytest.param(
        in_remission().condition(AML, "2019-05-05", clinical="active").marrow(70, "2026-10-10").relapse("2026-10-12"),
        "relapsed",
        "R7",
        id="one AML visit years ago",
    ),
    pytest.param(chart().condition(LYMPHOMA, "2026-09-01"), "not_all", "R1", id="T-LBL without marrow"),
    pytest.param(
        chart().condition(LYMPHOMA, "2026-09-01").marrow(24, "2026-10-10"), "not_all", "R1", id="T-LBL, marrow 24 %"
    ),
    pytest.param(
        chart().condition(LYMPHOMA, "2026-09-01").marrow(25, "2026-10-10"),
        "indeterminate",
        "R2",
        id="T-LBL, marrow 25 %",
    ),
    pytest.param(
        chart().condition(T_COMBINED, "2024-01-01").remission("2024-03-01").marrow(30, "2026-10-10"),
        "relapsed",
        "R7",
        id="combined term, M3 after remission",
    ),
    pytest.param(
        chart()
        .condition(B_COMBINED, "2024-01-01")
        .status("complete-remission", "2024-03-01")
        .status("relapse", "2026-10-01"),
        "indeterminate",
        None,
        id="combined term only, relapse by status only",
    ),
    pytest.param(
        chart().condition(B_COMBINED, "2024-01-01").status("refractory", "2026-10-01"),
        "indeterminate",
        None,
        id="combined term only, refractory by status only",
    ),
    pytest.param(chart().condition(MIXED, "2026-09-01").marrow(70, "2026-10-10"), "not_all", "R1", id="MPAL only"),
    pytest.param(
        in_remission().marrow(70, "2026-10-10").phenotype("mixed-phenotype", "2026-10-10"),
        "indeterminate",
        "R2",
        id="mixed phenotype at return",
    ),
    pytest.param(
        in_remission().marrow(70, "2026-10-10").phenotype("myeloid", "2026-10-10"),
        "indeterminate",
        "R2",
        id="lineage switch to myeloid",
    ),
    pytest.param(
        in_remission().marrow(70, "2026-10-10").phenotype("t-lymphoblastic", "2026-10-10"),
        "indeterminate",
        "R2",
        id="lineage switch to T",
    ),
    pytest.param(
        in_remission().transplant("2024-06-01").marrow(70, "2026-10-10").origin("donor", "2026-10-10"),
        "indeterminate",
        "R2",
        id="donor cells",
    ),
    pytest.param(
        in_remission().csf(20, "2026-10-10").marrow(2, "2026-10-10"), "relapsed", "R4", id="isolated CNS at relapse"
    ),
    pytest.param(
        in_remission().extramedullary("present", "2026-10-10").marrow(2, "2026-10-11"),
        "relapsed",
        "R4",
        id="isolated testis at relapse",
    ),
    pytest.param(
        in_remission().condition(MENINGEAL, "2026-10-10", clinical="active").marrow(2, "2026-10-11"),
        "relapsed",
        "R4",
        id="isolated CNS at relapse, as a diagnosis",
    ),
    pytest.param(
        chart().all_b("2026-10-10").csf(20, "2026-10-12"), "treatment_not_documented", "R17", id="CNS at diagnosis"
    ),
    pytest.param(
        chart()
        .all_b("2026-05-10")
        .csf(20, "2026-05-10")
        .marrow(80, "2026-05-10")
        .remission("2026-07-10")
        .marrow(1, "2026-07-09"),
        "in_remission",
        "R16",
        id="CNS at diagnosis, then remission",
    ),
    pytest.param(
        in_remission().csf(20, "2026-10-10").relapse("2026-10-12"),
        "relapsed",
        "R4",
        id="CSF blasts and C91.02 without a marrow",
    ),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").flow(200, "2026-10-10", unit="/10*6"),
        "in_remission",
        "R16",
        id="MRD 200 /10*6",
    ),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").flow(0.01, "2026-10-10", unit=None),
        "in_remission",
        "R16",
        id="MRD 0.01 without unit",
    ),
    pytest.param(
        in_remission().marrow(2, "2026-10-10").flow(0.01, "2026-10-10", comparator="<"),
        "in_remission",
        "R16",
        id="MRD <0.01 %",
    ),
    pytest.param(in_remission().marrow(0.62, "2026-10-10", unit="1"), "indeterminate", "R11", id="0.62 with unit 1"),
    pytest.param(in_remission().marrow(62, "2026-10-10", unit=None), "indeterminate", "R11", id="62 without unit"),
    pytest.param(
        in_remission().observation((LOINC, "97509-4"), "2026-10-01", WORSENED),
        "in_remission",
        "R16",
        id="mCODE worsened",
    ),
    pytest.param(
        chart().condition(C91_00, "2026-10-01", verification="provisional"), "not_all", "R1", id="provisional C91.00"
    ),
    pytest.param(
        chart().condition(HISTORY, "2026-10-01").marrow(70, "2026-10-10"), "not_all", "R1", id="history code Z85.6"
    ),
    pytest.param(
        chart().condition((SNOMED, "161436008"), "2026-10-01"), "not_all", "R1", id="history code of SNOMED CT"
    ),
    pytest.param(
        in_remission().marrow(60, "2026-10-10"), "relapsed", "R7", id="remission without any treatment record"
    ),
]


@pytest.mark.parametrize(("patient", "classification", "rule"), CLASSES)
def test_the_class_of_a_named_chart(patient: Chart, classification: str, rule: str | None) -> None:
    answer = patient.assess()
    assert (answer.classification, answer.rule) == (classification, rule or answer.rule)


def test_codes_within_twenty_days_are_one_relapse() -> None:
    answer = chart().all_b("2024-01-01").relapse("2026-10-01").remission("2026-10-08").relapse("2026-10-20").assess()
    assert "recorded_status_only" in answer.modifiers
    assert "second_or_later_relapse" not in answer.modifiers


def test_a_resolved_relapse_alone_decides_nothing() -> None:
    answer = chart().condition(C91_02, "2026-10-01", clinical="resolved").assess()
    assert answer.classification == "indeterminate"
    assert "relapse-no-longer-active" in answer.aside


def test_partial_remission_is_set_aside_with_its_reason() -> None:
    answer = in_remission().observation((LOINC, "88040-1"), "2026-10-01", PARTIAL_REMISSION).assess()
    assert "not-a-complete-status" in answer.aside


def test_two_infusions_are_one_course() -> None:
    answer = (
        newly_diagnosed()
        .administration(VINCRISTINE, "2026-09-01")
        .administration(VINCRISTINE, "2026-09-15")
        .marrow(40, "2026-10-10")
        .assess()
    )
    assert "one_course_only" in answer.modifiers


def test_mrd_of_200_per_million_is_positive() -> None:
    answer = in_remission().flow(200, "2026-10-10", unit="/10*6").assess()
    assert answer.modifiers == {"mrd_positive"}


def test_mrd_without_unit_is_not_used() -> None:
    answer = in_remission().marrow(2, "2026-10-10").flow(0.01, "2026-10-10", unit=None).assess()
    assert "mrd_positive" not in answer.modifiers
    assert "no-unit" in answer.aside


def test_mrd_below_the_limit_is_not_positive() -> None:
    answer = in_remission().marrow(2, "2026-10-10").flow(0.01, "2026-10-10", comparator="<").assess()
    assert "mrd_positive" not in answer.modifiers


def test_isolated_extramedullary_disease_lists_no_options() -> None:
    answer = in_remission().csf(20, "2026-10-10").marrow(2, "2026-10-10").assess()
    assert "isolated_extramedullary" in answer.modifiers
    assert answer.options == {}
    assert answer.suggestions == ("expert-review",)


def test_csf_blasts_and_an_implied_remission_list_no_options() -> None:
    answer = chart().all_b("2024-01-01").csf(20, "2026-10-10").relapse("2026-10-12").assess()
    assert answer.options == {}


def test_cd19_loss_closes_what_is_directed_at_cd19() -> None:
    answer = relapsed_b().antigen("cd19", "negative", "2026-10-11").assess()
    closed = ("blinatumomab", "tisagenlecleucel", "brexucabtagene-autoleucel", "car-t")
    assert {answer.options[name] for name in closed} == {"does_not_fit"}
    assert answer.options["inotuzumab-ozogamicin"] == "fits"


def test_cd19_therapy_since_the_last_cd19_result() -> None:
    answer = relapsed_b().antigen("cd19", "positive", "2025-01-01").administration(BLINATUMOMAB, "2025-04-01").assess()
    assert answer.options["blinatumomab"] == "depends"
    assert answer.reasons("blinatumomab") == {"cd19_therapy_since"}
    assert answer.options["brexucabtagene-autoleucel"] == "depends"


def test_a_negative_p210_alone_says_nothing() -> None:
    answer = relapsed_b().p210("negative", "2026-10-11").assess()
    assert answer.ph == "unknown"
    assert {answer.options[name] for name in TKIS} == {"depends"}


def test_fish_at_one_percent_says_nothing() -> None:
    assert relapsed_b().fish(1, "2026-10-11").assess().ph == "unknown"


def test_ph_negative_diagnosis_not_retested() -> None:
    answer = (
        chart().condition(PH_NEGATIVE_B_ALL, "2025-01-01").remission("2025-03-01").marrow(62, "2026-10-10").assess()
    )
    assert (answer.lineage, answer.ph) == ("b_cell", "negative")
    assert "ph_not_retested_since_relapse" in answer.modifiers
    assert {answer.options[name] for name in TKIS} == {"does_not_fit"}
    assert answer.reasons("tki-alone") == {"ph_negative_not_retested"}
    assert "genetic-testing" in answer.suggestions


def test_ph_positive_then_fish_zero_at_relapse() -> None:
    answer = relapsed_b().condition(PH_POSITIVE_ALL, "2025-01-01").fish(0, "2026-10-10").assess()
    assert answer.ph == "conflicting"
    assert {answer.options[name] for name in TKIS} == {"depends"}


def test_ph_like_is_not_ph_positive() -> None:
    answer = (
        chart()
        .condition(PH_LIKE, "2025-01-01")
        .remission("2025-03-01")
        .marrow(62, "2026-10-10")
        .ph("positive", "2026-10-10", code="96494-0")
        .assess()
    )
    assert (answer.lineage, answer.ph) == ("b_cell", "unknown")


def test_fish_and_pcr_disagree() -> None:
    answer = relapsed_b().fish(40, "2026-10-10").ph("negative", "2026-10-10").assess()
    assert answer.ph == "conflicting"
    assert "ph_methods_disagree" in answer.modifiers


def test_a_birth_year_that_straddles_twenty_five() -> None:
    answer = relapsed_b().born("2000").assess()
    assert answer.options["tisagenlecleucel"] == "depends"
    assert "age_straddles" in answer.reasons("tisagenlecleucel")
    assert answer.options["brexucabtagene-autoleucel"] == "fits"


def test_a_birth_month_that_straddles_one_year() -> None:
    answer = relapsed_b().born("2025-11").assess()
    assert answer.options["inotuzumab-ozogamicin"] == "depends"
    assert answer.options["blinatumomab"] == "fits"
    assert answer.options["brexucabtagene-autoleucel"] == "does_not_fit"


def test_fit_and_donor_recorded_before_the_first_transplant() -> None:
    answer = (
        chart()
        .all_b("2024-01-01")
        .remission("2024-03-01")
        .fit("2024-04-01")
        .donor("2024-04-01")
        .transplant("2024-06-01")
        .marrow(62, "2026-10-10")
        .assess()
    )
    assert answer.options["allogeneic-transplant"] == "depends"
    assert {"physical_fitness", "donor_availability"} <= answer.missing
    assert "after_allogeneic_transplant" in answer.modifiers
