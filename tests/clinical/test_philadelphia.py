"""Lineage and Philadelphia status (rules, section 5), one sentence at a time."""

from __future__ import annotations

import pytest

from tests.charts import (
    B_ALL,
    B_COMBINED,
    HISTORY,
    PH_LIKE,
    PH_NEGATIVE_B_ALL,
    PH_POSITIVE_ALL,
    SNOMED,
    T_ALL,
    T_COMBINED,
    Chart,
    Code,
    chart,
    relapsed_b,
    relapsed_t,
)

AT_RELAPSE = "2026-10-10"
BEFORE = "2025-01-05"


def relapsed() -> Chart:
    """Relapsed ALL whose diagnosis names no lineage."""
    return chart().all_unspecified("2025-01-01").remission("2025-03-01").marrow(62, AT_RELAPSE).relapse("2026-10-12")


# -- lineage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "lineage"),
    [
        pytest.param(B_ALL, "b_cell", id="B-ALL"),
        pytest.param(T_ALL, "t_cell", id="T-ALL"),
        pytest.param(B_COMBINED, "b_cell", id="B leukemia/lymphoma"),
        pytest.param(T_COMBINED, "t_cell", id="T leukemia/lymphoma"),
        pytest.param(PH_NEGATIVE_B_ALL, "b_cell", id="Ph-negative B-ALL"),
        pytest.param(PH_LIKE, "b_cell", id="Ph-like"),
        pytest.param((SNOMED, "91857003"), "unknown", id="ALL, lineage not stated"),
        pytest.param((SNOMED, "425941003"), "b_cell", id="B-ALL in remission"),
        pytest.param((SNOMED, "427642009"), "t_cell", id="T-ALL in remission"),
    ],
)
def test_lineage_from_the_diagnosis(code: Code, lineage: str) -> None:
    assert relapsed().condition(code, "2025-01-02").assess().lineage == lineage


def test_codes_that_disagree_on_lineage_conflict() -> None:
    answer = relapsed().all_b("2025-01-01").all_t("2025-01-02").assess()
    assert answer.lineage == "conflicting"


def test_nothing_on_lineage_is_unknown() -> None:
    answer = relapsed().condition(HISTORY, "2025-01-02").assess()
    assert answer.lineage == "unknown"
    assert "lineage" in answer.missing


@pytest.mark.parametrize(("cells", "lineage"), [("b-lymphoblastic", "b_cell"), ("t-lymphoblastic", "t_cell")])
def test_lineage_from_the_phenotype(cells: str, lineage: str) -> None:
    assert relapsed().phenotype(cells, AT_RELAPSE).assess().lineage == lineage


def test_normal_precursors_name_no_lineage() -> None:
    assert relapsed().phenotype("normal-precursors", "2025-03-01").assess().lineage == "unknown"


def test_blood_phenotype_soon_after_a_growth_factor_names_no_lineage() -> None:
    patient = relapsed().growth_factor("2026-10-01").phenotype("b-lymphoblastic", "2026-10-10", site="blood")
    assert patient.assess().lineage == "unknown"


def test_blood_phenotype_without_a_growth_factor_names_the_lineage() -> None:
    assert relapsed().phenotype("b-lymphoblastic", AT_RELAPSE, site="blood").assess().lineage in ("b_cell", "unknown")


def test_a_preliminary_phenotype_names_no_lineage() -> None:
    assert relapsed().phenotype("b-lymphoblastic", AT_RELAPSE, status="preliminary").assess().lineage == "unknown"


# -- one result at the relapse -----------------------------------------------------------------------


ONE_RESULT = [
    pytest.param(relapsed_b(), "unknown", id="no test"),
    pytest.param(relapsed_b().ph("positive", AT_RELAPSE), "positive", id="presence, positive"),
    pytest.param(relapsed_b().ph("negative", AT_RELAPSE), "negative", id="presence, negative"),
    pytest.param(relapsed_b().ph("detected", AT_RELAPSE), "positive", id="text: detected"),
    pytest.param(relapsed_b().ph("Not Detected", AT_RELAPSE), "negative", id="text: not detected"),
    pytest.param(relapsed_b().ph("positive (p190)", AT_RELAPSE), "positive", id="text: positive (p190)"),
    pytest.param(relapsed_b().ph("equivocal", AT_RELAPSE), "unknown", id="text: equivocal"),
    pytest.param(relapsed_b().ph("see comment, probably detected", AT_RELAPSE), "unknown", id="text not on the list"),
    pytest.param(relapsed_b().p210("positive", AT_RELAPSE), "positive", id="p210 positive"),
    pytest.param(relapsed_b().p210("negative", AT_RELAPSE), "unknown", id="p210 negative alone"),
    pytest.param(relapsed_b().p190("positive", AT_RELAPSE), "positive", id="p190 positive"),
    pytest.param(relapsed_b().p190("negative", AT_RELAPSE), "unknown", id="p190 negative alone"),
    pytest.param(
        relapsed_b().p210("negative", AT_RELAPSE).p190("negative", AT_RELAPSE), "negative", id="p210 and p190 negative"
    ),
    pytest.param(relapsed_b().ph("negative", AT_RELAPSE, code="42714-6"), "unknown", id="b2a2+b3a2 negative alone"),
    pytest.param(relapsed_b().ratio(40, AT_RELAPSE), "positive", id="transcript ratio 40 %"),
    pytest.param(relapsed_b().ratio(0, AT_RELAPSE), "negative", id="transcript ratio 0 %"),
    pytest.param(relapsed_b().ratio(0.62, AT_RELAPSE, unit="%{IS}"), "positive", id="0.62 % IS"),
    pytest.param(relapsed_b().ph(0, AT_RELAPSE, code="55147-3"), "unknown", id="p210 ratio 0 alone"),
    pytest.param(relapsed_b().ph(12, AT_RELAPSE, code="52132-8"), "positive", id="p190 ratio 12 %"),
    pytest.param(relapsed_b().ph(2.5, AT_RELAPSE, code="50195-7", unit="1"), "unknown", id="log ratio"),
    pytest.param(relapsed_b().fish(40, AT_RELAPSE), "positive", id="FISH 40 %"),
    pytest.param(relapsed_b().ph("positive", AT_RELAPSE, code="51867-0"), "positive", id="FISH, positive in words"),
    pytest.param(relapsed_b().ph("positive", AT_RELAPSE, code="96494-0"), "unknown", id="ABL-class FISH is not Ph"),
    pytest.param(
        relapsed_b().karyotype("46,XX,t(9;22)(q34;q11.2)[20]", AT_RELAPSE), "positive", id="karyotype with t(9;22)"
    ),
    pytest.param(
        relapsed_b().karyotype("46,XY,t(9;22)(q34.1;q11)[12]/46,XY[8]", AT_RELAPSE), "positive", id="karyotype, mosaic"
    ),
    pytest.param(relapsed_b().karyotype("46,XX[20]", AT_RELAPSE), "unknown", id="a normal karyotype"),
    pytest.param(relapsed_b().karyotype("no t(9;22)(q34;q11.2) seen", AT_RELAPSE), "unknown", id="karyotype negated"),
    pytest.param(
        relapsed_b().karyotype("46,XX,t(4;11)(q21;q23)[20]", AT_RELAPSE), "unknown", id="another translocation"
    ),
    pytest.param(relapsed_b().variant(["HGNC:1014", "HGNC:76"], "positive", AT_RELAPSE), "positive", id="BCR and ABL1"),
    pytest.param(relapsed_b().variant(["HGNC:76"], "positive", AT_RELAPSE), "unknown", id="ABL1 alone"),
    pytest.param(relapsed_b().variant(["HGNC:1014"], "positive", AT_RELAPSE), "unknown", id="BCR alone"),
    pytest.param(relapsed_b().variant(["HGNC:1014", "HGNC:76"], "negative", AT_RELAPSE), "negative", id="neither"),
    pytest.param(relapsed_b().ph("positive", AT_RELAPSE, status="preliminary"), "unknown", id="preliminary"),
    pytest.param(relapsed_b().ph("positive", AT_RELAPSE, status="entered-in-error"), "unknown", id="entered in error"),
]


@pytest.mark.parametrize(("patient", "ph"), ONE_RESULT)
def test_one_result_at_the_relapse(patient: Chart, ph: str) -> None:
    assert patient.assess().ph == ph


# -- over time ---------------------------------------------------------------------------------------


def test_a_coded_ph_positive_diagnosis_not_retested() -> None:
    answer = relapsed_b().condition(PH_POSITIVE_ALL, "2025-01-01").assess()
    assert answer.ph == "positive"
    assert "ph_not_retested_since_relapse" in answer.modifiers
    assert "genetic_testing_since_relapse" in answer.missing


def test_undetectable_transcript_in_remission_is_a_response() -> None:
    answer = relapsed_b().ph("positive", BEFORE).ph("negative", "2025-06-01").assess()
    assert answer.ph == "positive"
    assert "ph_not_retested_since_relapse" in answer.modifiers


def test_positive_before_and_negative_now_conflicts() -> None:
    assert relapsed_b().ph("positive", BEFORE).ph("negative", AT_RELAPSE).assess().ph == "conflicting"


def test_negative_before_and_positive_now_has_changed() -> None:
    answer = relapsed_b().ph("negative", BEFORE).ph("positive", AT_RELAPSE).assess()
    assert answer.ph == "positive"
    assert "ph_status_changed_since_diagnosis" in answer.modifiers
    assert "donor_origin_not_excluded" not in answer.modifiers


def test_changed_after_a_transplant_may_be_of_donor_origin() -> None:
    answer = relapsed_b().transplant("2025-06-01").ph("negative", BEFORE).ph("positive", AT_RELAPSE).assess()
    assert {"ph_status_changed_since_diagnosis", "donor_origin_not_excluded"} <= answer.modifiers


def test_results_at_the_relapse_that_disagree_conflict() -> None:
    answer = relapsed_b().fish(40, AT_RELAPSE).ph("negative", "2026-10-11").assess()
    assert answer.ph == "conflicting"
    assert "ph_methods_disagree" in answer.modifiers


def test_positive_before_and_positive_now_is_positive() -> None:
    answer = relapsed_b().ph("positive", BEFORE).ph("positive", AT_RELAPSE).assess()
    assert answer.ph == "positive"
    assert not {"ph_status_changed_since_diagnosis", "ph_not_retested_since_relapse"} & answer.modifiers


def test_negative_before_and_negative_now_is_negative() -> None:
    answer = relapsed_b().ph("negative", BEFORE).ph("negative", AT_RELAPSE).assess()
    assert answer.ph == "negative"
    assert answer.reasons("tki-alone") == {"ph_negative"}


def test_only_an_older_negative_is_used_and_said_to_be_old() -> None:
    answer = relapsed_b().ph("negative", BEFORE).assess()
    assert answer.ph == "negative"
    assert "ph_not_retested_since_relapse" in answer.modifiers
    assert answer.reasons("tki-alone") == {"ph_negative_not_retested"}
    assert "genetic-testing" in answer.suggestions


def test_a_result_on_the_day_of_the_relapse_decides() -> None:
    assert "ph_not_retested_since_relapse" not in relapsed_b().ph("positive", AT_RELAPSE).assess().modifiers


def test_a_result_the_day_before_the_relapse_does_not() -> None:
    assert "ph_not_retested_since_relapse" in relapsed_b().ph("positive", "2026-10-09").assess().modifiers


def test_genetic_testing_is_offered_only_while_not_done() -> None:
    assert "genetic-testing" in relapsed_b().assess().suggestions
    assert "genetic-testing" not in relapsed_b().ph("negative", AT_RELAPSE).assess().suggestions
    assert "genetic-testing" in relapsed_b().ph("negative", BEFORE).assess().suggestions


def test_a_t_cell_relapse_may_be_ph_positive() -> None:
    assert relapsed_t().ph("positive", AT_RELAPSE).assess().ph == "positive"


def test_older_results_do_not_carry_over_a_change_of_lineage() -> None:
    """The newest phenotype is T: what was found in the B cells is not known of these."""
    patient = (
        chart()
        .all_b("2024-01-01")
        .phenotype("b-lymphoblastic", "2024-01-01")
        .ph("positive", "2024-01-01")
        .remission("2024-04-01")
        .all_t("2026-10-10")
        .phenotype("t-lymphoblastic", AT_RELAPSE)
        .marrow(62, AT_RELAPSE)
    )
    answer = patient.assess()
    assert (answer.classification, answer.ph) in (("indeterminate", answer.ph), ("relapsed", "unknown"))
