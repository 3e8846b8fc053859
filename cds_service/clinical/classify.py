"""The rules, in order; the first whose whole condition is a clear yes answers.

Each rule is one small function named by its number. What it says, on whose authority and with which
numbers is in ``cards/rules.toml`` and ``cards/definitions.toml``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cds_service.clinical import remission_rules, treatment_rules
from cds_service.clinical.disease_rules import r1, r2, r3, r4, r5, r6
from cds_service.clinical.timeline import Timeline
from cds_service.clinical.verdict import Classification, Verdict

Rule = Callable[[Timeline], Verdict | None]

RULES: dict[str, Rule] = {
    "R1": r1,
    "R2": r2,
    "R5": r5,
    "R4": r4,
    "R6": r6,
    "R16": remission_rules.r16,
    "R3": r3,
    "R11a": remission_rules.r11a,
    "R7": remission_rules.r7,
    "R8": remission_rules.r8,
    "R9": remission_rules.r9,
    "R10": remission_rules.r10,
    "R11": remission_rules.r11,
    "R15": treatment_rules.r15,
    "R12": treatment_rules.r12,
    "R13": treatment_rules.r13,
    "R12a": treatment_rules.r12a,
    "R14": treatment_rules.r14,
    "R17": treatment_rules.r17,
    "R18": treatment_rules.r18,
}
"""Rule number to function, in the order they are asked."""

SILENT_UNLESS_UNREAD = (Classification.IN_REMISSION, Classification.TREATMENT_NOT_DOCUMENTED)


def classify(timeline: Timeline) -> Verdict:
    """The first rule that fires; data that failed to be read turn silence into a question."""
    passed: list[str] = []
    for number, rule in RULES.items():
        verdict = rule(timeline)
        if verdict is not None:
            return _unread(replace(verdict, passed_over=tuple(passed)), timeline)
        passed.append(number)
    raise AssertionError("R18 answers whatever no other rule does")  # pragma: no cover - R18 always answers


def _unread(verdict: Verdict, timeline: Timeline) -> Verdict:
    keys = timeline.facts.unread_keys
    if not keys or verdict.classification not in SILENT_UNLESS_UNREAD:
        return verdict
    return replace(
        verdict,
        classification=Classification.INDETERMINATE,
        reason="unread",
        values=(("keys", ", ".join(keys)),),
    )
