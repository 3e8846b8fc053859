"""What a rule answers: the class, why, and on which facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cds_service.clinical.facts import Fact


class Classification(Enum):
    RELAPSED = "relapsed"
    REFRACTORY = "refractory"
    INDETERMINATE = "indeterminate"
    IN_REMISSION = "in_remission"
    TREATMENT_NOT_DOCUMENTED = "treatment_not_documented"
    NOT_ALL = "not_all"


@dataclass(frozen=True, slots=True)
class Used:
    """A fact the answer rests on, and what it was used for (a key of ``cards/wording.toml``)."""

    fact: Fact
    purpose: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first rule that fired. *reason* names one of the rule's sentences in ``cards/rules.toml``;
    *values* fill its placeholders."""

    rule: str
    classification: Classification
    reason: str
    values: tuple[tuple[str, str], ...] = ()
    used: tuple[Used, ...] = ()
    modifiers: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
