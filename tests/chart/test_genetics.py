"""BCR::ABL1 by every method, and the genetic tests that are only dated."""

from __future__ import annotations

import pytest

from cds_service.clinical.facts import PhResult
from cds_service.clinical.truth import Truth
from tests.chart import component, facts, why
from tests.charts import GENES, LOINC, SNOMED, VALUE, Chart, Code, chart, concept, quantity

ISCN = "https://iscn.karger.com"
ISCN_COMPONENT: Code = (LOINC, "81291-7")
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
DAY = "2026-10-10"
PH_KARYOTYPE = "46,XY,t(9;22)(q34;q11.2)[18]/46,XY[2]"


def result(read: Chart) -> PhResult:
    (found,) = facts(read).ph_results
    return found


@pytest.mark.parametrize(
    ("code", "isoform"), [("21821-4", None), ("21822-2", "p210"), ("42714-6", "p210"), ("21823-0", "p190")]
)
def test_a_transcript_that_is_present_is_positive_with_its_isoform(code: str, isoform: str | None) -> None:
    found = result(chart().ph("positive", DAY, code=code))
    assert (found.outcome, found.method, found.isoform) == (Truth.YES, "PCR", isoform)


def test_a_transcript_that_is_absent_is_negative() -> None:
    assert result(chart().ph("negative", DAY)).outcome is Truth.NO


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("Detected", Truth.YES), ("positive  (p190)", Truth.YES), ("Not  Detected", Truth.NO), ("neg", Truth.NO)],
)
def test_a_string_of_the_closed_list_is_read(text: str, outcome: Truth) -> None:
    assert result(chart().ph(text, DAY)).outcome is outcome


def test_a_result_coded_as_equivocal_decides_nothing() -> None:
    read = chart().observation((LOINC, "21821-4"), DAY, (SNOMED, "42425007"))
    assert result(read).outcome is Truth.UNKNOWN
    assert why(read) == {"ph-result-undecided"}


def test_any_other_text_is_not_understood() -> None:
    read = chart().ph("BCR-ABL: see the report of the reference laboratory", DAY)
    assert facts(read).ph_results == ()
    assert why(read) == {"value-not-understood"}


def test_a_value_and_an_interpretation_that_disagree_decide_nothing() -> None:
    read = chart().ph("positive", DAY).but_last(interpretation=[concept((INTERPRETATION, "NEG"))])
    assert result(read).outcome is Truth.UNKNOWN
    assert why(read) == {"ph-result-undecided"}


def test_an_interpretation_alone_is_a_result() -> None:
    read = chart().ph(None, DAY).but_last(interpretation=[concept((INTERPRETATION, "POS"))])
    assert result(read).outcome is Truth.YES


def test_a_test_without_any_result_is_set_aside() -> None:
    read = chart().ph(None, DAY).but_last(dataAbsentReason=concept(("urn:x", "unknown")))
    assert facts(read).ph_results == ()
    assert why(read) == {"no-value"}


def test_a_preliminary_genetic_result_is_set_aside() -> None:
    read = chart().ph("positive", DAY, status="preliminary")
    assert facts(read).ph_results == ()
    assert why(read) == {"preliminary"}


def test_the_result_in_the_only_component_that_has_one_is_the_result() -> None:
    parts = [component(("urn:analyser", "r1"), valueString="POS"), component(("urn:analyser", "r2"))]
    assert result(chart().ph(None, DAY, components=parts)).outcome is Truth.YES


# -- FISH ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "cutoff", "outcome"),
    [
        (5, None, Truth.YES),
        (4.9, None, Truth.UNKNOWN),
        (0, None, Truth.NO),
        (2, 1.5, Truth.YES),
        (1.4, 1.5, Truth.UNKNOWN),
        (4, 0, Truth.UNKNOWN),
    ],
)
def test_fish_is_positive_at_the_laboratorys_cut_off_else_at_five_percent(
    cells: float, cutoff: float | None, outcome: Truth
) -> None:
    found = result(chart().fish(cells, DAY, cutoff=cutoff))
    assert (found.outcome, found.method) == (outcome, "FISH")
    assert found.cutoff == (str(cutoff) if cutoff else "5")


@pytest.mark.parametrize(
    "ranges",
    [
        "up to 1.5 %",
        ["up to 1.5 %"],
        [{"text": "up to 1.5 %"}],
        [{"high": {"value": 1.5}}],
        [{"high": quantity(1.5, "%", "<")}],
    ],
)
def test_a_cut_off_that_cannot_be_read_leaves_the_default(ranges: object) -> None:
    found = result(chart().fish(2, DAY).but_last(referenceRange=ranges))
    assert (found.outcome, found.cutoff) == (Truth.UNKNOWN, "5")


def test_fish_as_a_word_is_a_result() -> None:
    found = result(chart().fish("positive", DAY))
    assert (found.outcome, found.fish) == (Truth.YES, None)


def test_fish_below_a_number_is_undecided() -> None:
    assert why(chart().fish(1, DAY, comparator="<")) == {"ph-result-undecided"}


# -- transcript ratios -----------------------------------------------------------------------------


def test_a_ratio_above_zero_is_positive_and_keeps_its_percentage() -> None:
    found = result(chart().ratio(12.5, DAY))
    assert found.outcome is Truth.YES
    assert found.ratio is not None
    assert found.ratio.text == "12.5"


def test_a_ratio_of_zero_is_negative() -> None:
    assert result(chart().ratio(0, DAY)).outcome is Truth.NO


def test_a_ratio_below_the_limit_of_detection_is_undecided() -> None:
    assert why(chart().ratio(0.003, DAY, comparator="<")) == {"ph-result-undecided"}


@pytest.mark.parametrize("unit", ["1", "{ratio}", "ratio", "{fraction}", "fraction"])
def test_a_ratio_in_plain_numbers_is_a_fraction(unit: str) -> None:
    found = result(chart().ratio(0.62, DAY, unit=unit))
    assert found.ratio is not None
    assert (found.outcome, found.ratio.text) == (Truth.YES, "62")


@pytest.mark.parametrize("unit", ["1", "copies/mL", None])
def test_a_ratio_whose_size_is_not_known_is_still_above_zero(unit: str | None) -> None:
    found = result(chart().ratio(62, DAY, unit=unit))
    assert (found.outcome, found.ratio) == (Truth.YES, None)


@pytest.mark.parametrize(("code", "isoform"), [("55147-3", "p210"), ("52132-8", "p190")])
def test_a_ratio_of_one_isoform_says_which(code: str, isoform: str) -> None:
    assert result(chart().ph(1, DAY, code=code)).isoform == isoform


def test_a_ratio_given_as_a_word_is_read_as_a_word() -> None:
    assert result(chart().ratio("not detected", DAY)).outcome is Truth.NO


def test_a_log_reduction_is_never_a_percentage() -> None:
    read = chart().ph(4.5, DAY, code="50195-7", unit="{Log_reduction}")
    found = facts(read)
    assert (found.ph_results, found.marrow, len(found.genetic_tests)) == ((), (), 1)
    assert why(read) == {"log-ratio"}


def test_an_abl_class_rearrangement_is_not_the_philadelphia_chromosome() -> None:
    read = chart().ph("positive", DAY, code="96494-0")
    assert (facts(read).ph_results, len(facts(read).genetic_tests)) == ((), 1)
    assert why(read) == {"abl-class-is-not-ph"}


def test_another_fusion_is_a_genetic_test_with_its_date() -> None:
    (found,) = facts(chart().ph("positive", DAY, code="72218-1")).genetic_tests
    assert found.when.text == DAY


# -- karyotype -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iscn",
    [
        PH_KARYOTYPE,
        "46,XX,t(9;22)(q34.1;q11.2)[20]",
        "45~47<2n>,XY,t(9;22)( q34 ; q11 )[3]",
    ],
)
def test_a_karyotype_with_t_9_22_is_positive(iscn: str) -> None:
    found = result(chart().karyotype(iscn, DAY))
    assert (found.outcome, found.method) == (Truth.YES, "karyotype")


@pytest.mark.parametrize(
    "iscn",
    [
        "46,XY[20]",
        "46,XY,t(9;22)(p13;q12)[20]",
        "46,XY[20], t(9;22)(q34;q11.2) not seen",
        "46,XX. Negative for t(9;22)(q34;q11.2)",
        "46,XX[20] without t(9;22)(q34;q11.2)",
        "46,XX[20].nuc ish t(9;22)(q34;q11.2)",
    ],
)
def test_a_karyotype_without_t_9_22_or_with_a_negation_says_nothing(iscn: str) -> None:
    read = chart().karyotype(iscn, DAY)
    assert result(read).outcome is Truth.UNKNOWN
    assert why(read) == {"ph-result-undecided"}
    assert facts(read).reports == ()


def test_a_sentence_in_place_of_a_karyotype_is_a_report_that_is_not_interpreted() -> None:
    read = chart().karyotype("There is a t(9;22)(q34;q11.2) in most cells", DAY)
    assert result(read).outcome is Truth.UNKNOWN
    assert [r.about for r in facts(read).reports] == ["genetics"]


def test_a_karyotype_without_a_text_is_a_report_on_file() -> None:
    read = chart().observation((LOINC, "81861-7"), DAY)
    assert facts(read).ph_results == ()
    assert [r.about for r in facts(read).reports] == ["genetics"]
    assert why(read) == {"no-value"}


def test_a_karyotype_carried_as_a_code_of_a_component_is_read() -> None:
    part = component(ISCN_COMPONENT, valueCodeableConcept=concept((ISCN, PH_KARYOTYPE)))
    other = component((LOINC, "48018-6"), valueCodeableConcept=concept((GENES, "HGNC:76")))
    assert result(chart().observation((LOINC, "81861-7"), DAY, components=[other, part])).outcome is Truth.YES


# -- genomic variants ------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "outcome"), [("present", Truth.YES), ("absent", Truth.NO)])
def test_a_variant_that_names_both_genes_is_the_fusion(value: str, outcome: Truth) -> None:
    found = result(chart().variant(["HGNC:1014", "HGNC:76"], value, DAY))
    assert (found.outcome, found.method) == (outcome, "genomic variant")


@pytest.mark.parametrize("genes", [["HGNC:76"], ["HGNC:1014"], []])
def test_a_variant_of_one_gene_is_no_fusion(genes: list[str]) -> None:
    found = facts(chart().variant(genes, "present", DAY))
    assert (found.ph_results, len(found.genetic_tests)) == ((), 1)


@pytest.mark.parametrize(("value", "count"), [("present", 1), ("absent", 0)])
def test_a_variant_present_with_a_translocation_in_iscn_is_positive(value: str, count: int) -> None:
    part = component(ISCN_COMPONENT, valueCodeableConcept=concept((ISCN, PH_KARYOTYPE)))
    read = chart().observation((LOINC, "69548-6"), DAY, (VALUE, value), components=[part])
    assert [r.outcome for r in facts(read).ph_results] == [Truth.YES] * count


def test_fish_under_a_generic_code_is_named_and_not_read() -> None:
    read = chart().ph(60, DAY, code="62356-1")
    assert facts(read).ph_results == ()
    assert why(read) == {"generic-fish-result"}
