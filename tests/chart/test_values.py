"""Values: units, comparators, impossible numbers, words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.chart import facts, why
from tests.charts import LOINC, OURS, UCUM, VALUE, Chart, chart, quantity

UNITS = tomllib.loads((Path(__file__).parents[2] / "cards" / "units.toml").read_text(encoding="utf-8"))
FACTOR_OF_ONE = {"percent": "2", "per_ten_thousand": "0.02", "per_hundred_thousand": "0.002"}
READ_AS = FACTOR_OF_ONE | {"per_million": "0.0002", "international_scale": "2"}
DAY = "2026-10-10"


def measured(**value: object) -> Chart:
    return chart().observation((LOINC, "11150-0"), DAY).but_last(valueQuantity=value)


def read_as(written: Chart) -> list[str]:
    return [m.value.text for m in facts(written).marrow]


@pytest.mark.parametrize(("group", "label"), [(group, label) for group in READ_AS for label in UNITS[group]["labels"]])
def test_every_label_of_a_unit_is_read_as_percent(group: str, label: str) -> None:
    assert read_as(measured(value=2, unit=label)) == [READ_AS[group]]
    assert read_as(measured(value=2, unit=f" {label.upper()} ")) == [READ_AS[group]]
    assert read_as(measured(value=2, code=label, system=UCUM)) == [READ_AS[group]]


def test_every_group_of_units_is_tested() -> None:
    assert set(UNITS) == {*READ_AS, "ambiguous"}


@pytest.mark.parametrize("label", UNITS["ambiguous"]["labels"])
def test_a_plain_number_is_ambiguous_for_a_marrow(label: str) -> None:
    written = measured(value=0.62, unit=label)
    assert [m.doubt for m in facts(written).marrow] == [True]
    assert why(written) == {"unit-ambiguous"}


@pytest.mark.parametrize(
    "value",
    [
        {"unit": "per million", "code": "%", "system": UCUM},
        {"unit": "blasts", "code": "{score}", "system": UCUM},
        {"unit": "%", "code": "{score}", "system": UCUM},
        {"unit": "K/uL"},
    ],
)
def test_a_unit_unknown_or_contradicted_by_its_label_is_not_usable(value: dict[str, object]) -> None:
    written = measured(value=62, **value)
    assert facts(written).marrow == ()
    assert why(written) == {"unit-not-usable"}


def test_a_label_in_the_laboratorys_own_words_does_not_contradict_the_ucum_code() -> None:
    assert read_as(measured(value=62, unit="of nucleated cells", code="%", system=UCUM)) == ["62"]


def test_a_code_of_a_foreign_system_is_no_unit() -> None:
    assert why(measured(value=62, code="%", system="urn:other")) == {"no-unit"}


def test_a_blank_unit_is_no_unit() -> None:
    assert why(measured(value=62, unit="  ")) == {"no-unit"}


@pytest.mark.parametrize(("comparator", "text"), [("<", "<5"), ("<=", "<=5"), (">", ">5"), (">=", ">=5")])
def test_a_comparator_makes_an_interval(comparator: str, text: str) -> None:
    assert read_as(chart().marrow(5, DAY, comparator=comparator)) == [text]


def test_an_unknown_comparator_is_set_aside() -> None:
    assert why(chart().marrow(5, DAY, comparator="~")) == {"comparator-unknown"}


@pytest.mark.parametrize(("number", "comparator"), [(-1, None), (100.1, None), (6200, None), (0, "<")])
def test_an_impossible_percentage_is_set_aside(number: float, comparator: str | None) -> None:
    written = chart().marrow(number, DAY, comparator=comparator)
    assert facts(written).marrow == ()
    assert why(written) == {"value-impossible"}


@pytest.mark.parametrize("number", [0, 100])
def test_nothing_and_everything_are_percentages(number: int) -> None:
    assert read_as(chart().marrow(number, DAY)) == [str(number)]


@pytest.mark.parametrize("value", [None, True, "62"])
def test_a_quantity_without_a_number_is_no_value(value: object) -> None:
    assert why(measured(value=value, unit="%")) == {"no-value"}


def test_an_integer_has_no_unit() -> None:
    written = chart().observation((LOINC, "11150-0"), DAY).but_last(valueInteger=62)
    assert [(m.doubt, m.value.text) for m in facts(written).marrow] == [(True, "62")]
    assert why(written) == {"no-unit"}


@pytest.mark.parametrize(("answer", "expression"), [(True, "positive"), (False, "negative")])
def test_a_boolean_is_a_qualitative_answer(answer: bool, expression: str) -> None:
    (found,) = facts(chart().observation((OURS, "cd19-expression"), DAY, answer)).antigens
    assert found.expression == expression


def test_two_coded_answers_that_disagree_are_no_answer() -> None:
    written = chart().antigen("cd19", "positive", DAY)
    written.resources[-1]["valueCodeableConcept"]["coding"].append({"system": VALUE, "code": "negative"})
    assert facts(written).antigens == ()
    assert why(written) == {"value-not-understood"}


@pytest.mark.parametrize("value", [{"valueCodeableConcept": {"coding": "positive"}}, {"interpretation": "POS"}])
def test_a_mangled_answer_is_not_understood(value: dict[str, object]) -> None:
    written = chart().observation((OURS, "cd19-expression"), DAY).but_last(**value)
    assert facts(written).antigens == ()
    assert why(written) == {"value-not-understood"}


@pytest.mark.parametrize("coding", ["positive", {"system": VALUE}, {"system": VALUE, "code": 1}])
def test_a_mangled_coding_of_an_answer_is_passed_over(coding: object) -> None:
    written = chart().antigen("cd19", "positive", DAY)
    written.resources[-1]["valueCodeableConcept"]["coding"].insert(0, coding)
    assert [a.expression for a in facts(written).antigens] == ["positive"]


def test_blasts_in_a_fluid_beyond_percent_are_still_blasts() -> None:
    written = chart().observation((LOINC, "26447-3"), DAY).but_last(valueQuantity=quantity(450, "/uL"))
    assert [e.present for e in facts(written).extramedullary] == [True]
