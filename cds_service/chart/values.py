"""What an Observation (or one of its components) says: a percentage, a qualitative answer, a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from cds_service.chart.resource import Resource
from cds_service.clinical.percent import HUNDRED, ZERO, Percent
from cds_service.clinical.truth import Truth
from cds_service.knowledge import Knowledge

UCUM = "http://unitsofmeasure.org"


class NoPercent(Enum):
    """Why there is no percentage; each is a reason a row is set aside with."""

    ABSENT = "no-value"
    TEXT_ONLY = "text-not-interpreted"
    NO_UNIT = "no-unit"
    UNKNOWN_UNIT = "unit-not-usable"
    AMBIGUOUS_UNIT = "unit-ambiguous"
    IMPOSSIBLE = "value-impossible"
    BAD_COMPARATOR = "comparator-unknown"


@dataclass(frozen=True, slots=True)
class Measured:
    """The bare number and comparator, kept where the unit is missing or ambiguous."""

    number: Decimal
    comparator: str | None
    why: NoPercent


def percent(value_of: Mapping[str, Any], knowledge: Knowledge) -> Percent | Measured | NoPercent:
    """valueQuantity as a percentage; valueInteger and valueString are no measurement with a unit."""
    quantity = value_of.get("valueQuantity")
    if not isinstance(quantity, dict):
        return _not_a_quantity(value_of)
    number, comparator = quantity.get("value"), quantity.get("comparator")
    if isinstance(number, bool) or not isinstance(number, Decimal):
        return NoPercent.ABSENT
    if comparator not in (None, "<", "<=", ">", ">="):
        return NoPercent.BAD_COMPARATOR
    factor = _factor(quantity, knowledge)
    if isinstance(factor, NoPercent):
        return Measured(number, comparator, factor)
    return _in_range(number * factor, comparator)


def _not_a_quantity(value_of: Mapping[str, Any]) -> NoPercent | Measured:
    integer = value_of.get("valueInteger")
    if isinstance(integer, Decimal):
        return Measured(integer, None, NoPercent.NO_UNIT)
    return NoPercent.TEXT_ONLY if isinstance(value_of.get("valueString"), str) else NoPercent.ABSENT


def _factor(quantity: Mapping[str, Any], knowledge: Knowledge) -> Decimal | NoPercent:
    """The factor to percent. A UCUM code and a label that mean different things are no usable unit."""
    code, label, system = quantity.get("code"), quantity.get("unit"), quantity.get("system")
    given = [
        text for text in (code if system in (None, UCUM) else None, label) if isinstance(text, str) and text.strip()
    ]
    if not given:
        return NoPercent.NO_UNIT
    names = [_unit_name(text) for text in given]
    if any(name in knowledge.ambiguous_units for name in names):
        return NoPercent.AMBIGUOUS_UNIT
    factors = {knowledge.units[name] for name in names if name in knowledge.units}
    if len(factors) != 1 or names[0] not in knowledge.units:
        return NoPercent.UNKNOWN_UNIT
    return factors.pop()


def _unit_name(text: str) -> str:
    return " ".join(text.casefold().split())


def _in_range(number: Decimal, comparator: str | None) -> Percent | NoPercent:
    if not ZERO <= number <= HUNDRED or (comparator == "<" and number == ZERO):
        return NoPercent.IMPOSSIBLE
    return Percent.of(number, comparator)


class Said(Enum):
    """A qualitative answer."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNCLEAR = "unclear"


SAID_BY_VALUE = {"value-positive": Said.POSITIVE, "value-negative": Said.NEGATIVE, "value-unclear": Said.UNCLEAR}
SAID_BY_INTERPRETATION = {
    "interpretation-positive": Said.POSITIVE,
    "interpretation-negative": Said.NEGATIVE,
    "value-unclear": Said.UNCLEAR,
}


def qualitative(resource: Resource, value_of: Mapping[str, Any], knowledge: Knowledge) -> Said | None:
    """A coded value, a string of the closed list, or an interpretation; unclear when they differ."""
    found = {*_coded(resource, value_of), *_worded(value_of, knowledge), *_interpreted(resource, value_of)}
    if not found:
        return None
    return found.pop() if len(found) == 1 else Said.UNCLEAR


def _coded(resource: Resource, value_of: Mapping[str, Any]) -> set[Said]:
    meanings = resource.meanings_of(value_of.get("valueCodeableConcept"))
    said = {SAID_BY_VALUE[m] for m in meanings if m in SAID_BY_VALUE}
    boolean = value_of.get("valueBoolean")
    if isinstance(boolean, bool):
        said.add(Said.POSITIVE if boolean else Said.NEGATIVE)
    return said


def _worded(value_of: Mapping[str, Any], knowledge: Knowledge) -> set[Said]:
    text = value_of.get("valueString")
    if not isinstance(text, str):
        return set()
    word = knowledge.value_strings.get(" ".join(text.casefold().split()))
    return {Said(word)} if word else set()


def _interpreted(resource: Resource, value_of: Mapping[str, Any]) -> set[Said]:
    concepts = value_of.get("interpretation")
    return {
        SAID_BY_INTERPRETATION[m]
        for concept in (concepts if isinstance(concepts, list) else [])
        for m in resource.meanings_of(concept)
        if m in SAID_BY_INTERPRETATION
    }


def as_truth(said: Said | None) -> Truth:
    """Positive is yes, negative is no, anything else is unknown."""
    return {Said.POSITIVE: Truth.YES, Said.NEGATIVE: Truth.NO}.get(said, Truth.UNKNOWN) if said else Truth.UNKNOWN


def has_value(value_of: Mapping[str, Any]) -> bool:
    return any(name.startswith("value") and name != "valueSet" for name in value_of)


def bare_number(value_of: Mapping[str, Any]) -> Percent | None:
    """A quantity in whatever unit: good only for asking whether it is above zero."""
    quantity = value_of.get("valueQuantity")
    if not isinstance(quantity, dict):
        return None
    number, comparator = quantity.get("value"), quantity.get("comparator")
    if not isinstance(number, Decimal) or number < 0 or (number == 0 and comparator == "<"):
        return None
    if comparator not in (None, "<", "<=", ">", ">="):
        return None
    return Percent.of(number, comparator)
