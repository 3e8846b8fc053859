"""The page's twelve options, each exactly once, in the page's order, with the reason for its group."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cds_service.clinical.checks import CHECKS, Answer, Situation
from cds_service.clinical.truth import Truth
from cds_service.knowledge import Condition, Option


class Group(Enum):
    FITS = "fits"
    DEPENDS = "depends"
    DOES_NOT_FIT = "does_not_fit"


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that is not met, its answer, and whether it alone keeps the option from fitting."""

    condition: Condition
    answer: Answer
    closes: bool


@dataclass(frozen=True, slots=True)
class AssessedOption:
    option: Option
    group: Group
    unmet: tuple[Unmet, ...]


def assess_options(options: tuple[Option, ...], situation: Situation) -> tuple[AssessedOption, ...]:
    """Every option of the page, assessed; an option with products under it follows them."""
    alone = {option.id: _assess(option, situation) for option in options}
    return tuple(_with_products(alone[option.id], alone) for option in options)


def _assess(option: Option, situation: Situation) -> AssessedOption:
    unmet = [_unmet(condition, situation) for condition in option.conditions]
    left = tuple([u for u in unmet if u is not None])
    if closing := tuple([u for u in left if u.closes]):
        return AssessedOption(option, Group.DOES_NOT_FIT, closing)
    return AssessedOption(option, Group.DEPENDS if left else Group.FITS, left)


def _unmet(condition: Condition, situation: Situation) -> Unmet | None:
    answer = CHECKS[condition.check](situation)
    if answer.truth is Truth.YES:
        return None
    return Unmet(condition, answer, closes=answer.truth is Truth.NO and not condition.soft)


def _with_products(assessed: AssessedOption, alone: dict[str, AssessedOption]) -> AssessedOption:
    """CAR T-cell therapy fits when a product under it does, and does not when none can."""
    products = [alone[product] for product in assessed.option.products]
    if not products:
        return assessed
    groups = {product.group for product in products}
    if Group.FITS in groups:
        return AssessedOption(assessed.option, Group.FITS, ())
    group = Group.DOES_NOT_FIT if groups == {Group.DOES_NOT_FIT} else Group.DEPENDS
    return AssessedOption(assessed.option, group, ())
