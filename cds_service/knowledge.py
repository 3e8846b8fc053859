"""What the answers rest on: types of everything in ``cards/``. Pure; :mod:`cds_service.catalogue` reads it.

Named tuples, as every start makes them: a data class costs a millisecond each.

A code belongs to exactly one meaning: ``Knowledge.meanings[(system, code)]`` names its value set.
``Knowledge.displays`` maps each display (see :func:`plain_display`) to the value sets it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

Coding = tuple[str, str]
"""A (system, code) pair."""


_SEMANTIC_TAG = re.compile(
    r"\s*\((?:disorder|finding|qualifier value|procedure|situation|specimen|body structure|regime/therapy)\)$"
)


def plain_display(display: str) -> str:
    """A display without case and without SNOMED CT's semantic tag, for comparing what it names."""
    plain = display.casefold().strip()
    return _SEMANTIC_TAG.sub("", plain) if plain.endswith(")") else plain


@dataclass(frozen=True, slots=True)
class Definitions:
    """Thresholds and windows of ``cards/definitions.toml``: percent as Decimal, windows in whole days."""

    m1_limit: Decimal
    m3_floor: Decimal
    second_test: Decimal
    mrd_positive: Decimal
    hematogone_ceiling: Decimal
    fusion_ratio_high: Decimal
    fish_cutoff: Decimal
    evidence_days: int
    induction_days: int
    growth_factor_days: int
    one_marrow_days: int
    treatment_lead_days: int
    course_days: int
    infusion_gap_days: int
    submorphologic_tests: int
    refractory_courses: int
    nelarabine_regimens: int
    blinatumomab_months: int
    inotuzumab_years: int
    brexucabtagene_years: int
    tisagenlecleucel_years: int


class Definition(NamedTuple):
    """One threshold or window, with what it means and on whose authority."""

    id: str
    value: Decimal
    unit: str
    meaning: str
    source: str


class Source(NamedTuple):
    id: str
    kind: str
    title: str
    url: str
    seen: str
    publisher: str = ""
    label_date: str = ""
    at: str = ""


class Statement(NamedTuple):
    """One statement of the page."""

    id: str
    text: str
    role: str


class Condition(NamedTuple):
    """A condition of an option: the page's own (statement ids) or a label's (source).

    *soft*: when contradicted the option depends instead of not fitting.
    """

    check: str
    needs: str
    soft: bool
    statements: tuple[str, ...] = ()
    source: str = ""


class Option(NamedTuple):
    id: str
    name: str
    statements: tuple[str, ...]
    conditions: tuple[Condition, ...]
    products: tuple[str, ...] = ()
    parent: str = ""


class Sentence(NamedTuple):
    """What a rule says on the card: *summary* for the quiet card, *detail* for the first paragraph."""

    summary: str
    detail: str


class RuleText(NamedTuple):
    """A rule's wording and authority; its logic is a function of the same number."""

    id: str
    title: str
    condition: str
    classification: str
    sources: tuple[str, ...]
    statements: tuple[str, ...]
    reasons: Mapping[str, Sentence]


class Suggestion(NamedTuple):
    id: str
    label: str
    description: str
    coding: tuple[str, str, str]
    statements: tuple[str, ...]
    description_unclear: str = ""


class OverrideReason(NamedTuple):
    system: str
    code: str
    display: str


class ServiceText(NamedTuple):
    """What discovery publishes."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, str]


class ValueSet(NamedTuple):
    id: str
    title: str
    description: str
    concepts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Knowledge:
    """Everything in ``cards/``, checked. *digest* is SHA-256 over its files."""

    version: str
    digest: str
    reviewed_by: str
    editors: tuple[str, ...]
    page_text_supplied: str
    limits: Definitions
    definitions: tuple[Definition, ...]
    sources: Mapping[str, Source]
    statements: Mapping[str, Statement]
    options: tuple[Option, ...]
    rules: Mapping[str, RuleText]
    option_reasons: Mapping[str, str]
    suggestions: Mapping[str, Suggestion]
    override_reasons: tuple[OverrideReason, ...]
    attributes: tuple[tuple[int, str, str], ...]
    units: Mapping[str, Decimal]
    ambiguous_units: frozenset[str]
    value_strings: Mapping[str, str]
    value_sets: Mapping[str, ValueSet]
    meanings: Mapping[Coding, str]
    displays: Mapping[str, frozenset[str]]
    words: Mapping[str, Mapping[str, str]]
    templates: Mapping[str, str]
    service: ServiceText
    topic: tuple[str, str, str]
    card_source: tuple[str, str]
