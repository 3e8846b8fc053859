"""Everything relevant on record as rows in order of time: what each is, and its part in the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cds_service.clinical.assess import evidence
from cds_service.clinical.facts import FACT_FIELDS, Fact
from cds_service.clinical.when import BEGINNING, When
from cds_service.decision import Decision
from cds_service.fact_text import kind_of, measured
from cds_service.knowledge import Knowledge

BESIDE = "undated, and two dated sources say otherwise"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and what a mark stands for. *role*: decided, used, other or aside."""

    anchor: str
    when: When | None
    kind: str
    text: str
    ref: str
    status: str
    role: str
    note: str
    fact: Fact | None

    @property
    def date(self) -> str:
        if self.when is None:
            return "no date read"
        return f"up to {self.when.last.date()}" if self.when.first == BEGINNING else self.when.text

    @property
    def name(self) -> str:
        """All of it in one line, for whoever does not see the mark."""
        said = f"{self.text}, {self.date} ({', '.join(filter(None, (self.status, self.ref)))})"
        return f"{said}: {self.note}" if self.note else said


def rows_of(decision: Decision, knowledge: Knowledge, dates: Mapping[str, When]) -> tuple[Row, ...]:
    """A row for each fact, and for each resource set aside; *dates* are of the latter."""
    facts, words = decision.assessment.facts, knowledge.words
    held = [fact for name in FACT_FIELDS.values() for fact in getattr(facts, name)]
    whys = {row.ref: words["set_aside"][row.why] for row in facts.set_aside}
    known = {fact.ref for fact in held}
    made = [_fact_row(fact, decision, knowledge, whys) for fact in held]
    made += [
        Row("", dates.get(ref), "set aside", why, ref, "", "aside", "set aside", None)
        for ref, why in whys.items()
        if ref not in known
    ]
    made.sort(key=lambda row: (row.when is not None, row.when or When.day(decision.today), row.ref, row.kind))
    return tuple(replace(row, anchor=f"fact-{number}") for number, row in enumerate(made, 1))


def _fact_row(fact: Fact, decision: Decision, knowledge: Knowledge, whys: Mapping[str, str]) -> Row:
    role, note = _role(fact, decision, knowledge, whys)
    kind = kind_of(fact).replace("_", " ")
    return Row("", fact.when, kind, measured(fact, knowledge), fact.ref, fact.status, role, note, fact)


def _role(fact: Fact, decision: Decision, knowledge: Knowledge, whys: Mapping[str, str]) -> tuple[str, str]:
    purposes = knowledge.words["purpose"]
    for used in decision.assessment.verdict.used:
        if used.fact == fact:
            return "decided", f"decided the class: {purposes[used.purpose]}"
    if fact in decision.assessment.timeline.beside:
        return "aside", f"set aside: {BESIDE}"
    if fact.ref in whys:
        return "aside", f"set aside: {whys[fact.ref]}"
    for used in evidence(decision.assessment):
        if used.fact == fact:
            return "used", f"used for: {purposes[used.purpose]}"
    return "other", ""
