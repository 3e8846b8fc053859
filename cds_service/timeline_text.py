"""The assessment as text for a terminal: the answer first, then a dated timeline, then the options."""

from __future__ import annotations

import textwrap
from math import log10

from cds_service.change import Change, addition_text, what_would_change
from cds_service.clinical.facts import FACT_FIELDS, BloodBlasts, Fact, MarrowResult
from cds_service.clinical.options import Group
from cds_service.clinical.when import BEGINNING
from cds_service.compose import reason, summary
from cds_service.decision import Decision
from cds_service.fact_text import kind_of, measured
from cds_service.knowledge import Knowledge

BAR = 16
"""Width of the blast bar; its scale is logarithmic from 0.01 % to 100 %."""


def assessment_text(decision: Decision, knowledge: Knowledge) -> str:
    """What the card says, with the whole timeline it was read from."""
    assessment, words = decision.assessment, knowledge.words
    rule = knowledge.rules[assessment.verdict.rule]
    sentence = rule.reasons[assessment.verdict.reason].detail.format(**_values(decision, knowledge))
    lines = [
        f"{decision.classification.value.replace('_', ' ').upper()}  ({rule.id}: {rule.title})",
        *textwrap.wrap(sentence, 100),
        f"Lineage {assessment.situation.lineage.value.replace('_', '-')}, Ph {assessment.situation.ph.value.value}"
        + (f"; {'; '.join(words['modifier'][m] for m in assessment.modifiers)}" if assessment.modifiers else ""),
    ]
    if decision.silence:
        lines.append(f"No card: {decision.silence}")
    elif decision.speaks:
        lines.append(f"Card: {summary(decision, knowledge)}")
    else:
        lines.append("No card: nothing to say")
    lines += [
        "",
        f"Timeline up to {decision.today.isoformat()}  (* decided the answer)",
        *_timeline(decision, knowledge),
    ]
    lines += _options(decision, knowledge)
    if assessment.missing:
        lines += ["", "Not on record: " + ", ".join(words["missing"][m] for m in assessment.missing)]
    if assessment.facts.set_aside:
        lines += ["", "Set aside"]
        lines += [f"  {row.ref}: {words['set_aside'][row.why]}" for row in assessment.facts.set_aside]
    lines += _changes(decision, knowledge)
    lines += ["", f"Catalogue {knowledge.version} {knowledge.digest}", "Rules not reviewed by a clinician."]
    return "\n".join(lines)


def _values(decision: Decision, knowledge: Knowledge) -> dict[str, str]:
    values = dict(decision.assessment.verdict.values)
    if "site" in values:
        values["site"] = knowledge.words["site"][values["site"]]
    return values


def _timeline(decision: Decision, knowledge: Knowledge) -> list[str]:
    facts = decision.assessment.facts
    decided = {used.fact for used in decision.assessment.verdict.used}
    found: list[Fact] = [fact for name in FACT_FIELDS.values() for fact in getattr(facts, name)]
    found.sort(key=lambda f: (f.when.first, f.when.last, f.ref))
    rows = []
    for fact in found:
        mark = "*" if fact in decided else " "
        when = "?" if fact.when.first == BEGINNING else fact.when.text
        rows.append(f"{mark} {when:<21} {_bar(fact)} {kind_of(fact):<22} {measured(fact, knowledge)}" + f"  {fact.ref}")
    return rows or ["  (no relevant facts)"]


def _bar(fact: Fact) -> str:
    """A bar as long as the logarithm of the blast percentage."""
    if not isinstance(fact, MarrowResult | BloodBlasts) or fact.value.high <= 0:
        return " " * BAR
    share = (log10(max(float(fact.value.high), 0.01)) + 2) / 4
    return ("#" * max(1, round(share * BAR))).ljust(BAR)


def _options(decision: Decision, knowledge: Knowledge) -> list[str]:
    titles = {
        Group.FITS: "On the page and fitting (unordered)",
        Group.DEPENDS: "Depends on a fact not on record",
        Group.DOES_NOT_FIT: "On the page, not for this chart",
    }
    lines: list[str] = []
    for group, title in titles.items():
        members = [o for o in decision.assessment.options if o.group is group]
        if members:
            lines += ["", title]
        for option in members:
            why = reason(option, knowledge)
            lines.append(
                f"  {option.option.name} [{', '.join(option.option.statements)}]" + (f": {why}" if why else "")
            )
    return lines


def _changes(decision: Decision, knowledge: Knowledge) -> list[str]:
    """What any one of a few facts would change, those that change the class first."""
    found = what_would_change(decision.assessment, knowledge, decision.today)
    lines = ["", "What would change it (any one of)"] if found else []
    for change in found:
        facts = "; ".join(addition_text(added, knowledge) for added in change.additions)
        lines += textwrap.wrap(facts, 100, initial_indent="  ", subsequent_indent="  ")
        lines += [f"    -> {line}" for line in _effects(change, knowledge)]
    return lines


def _effects(change: Change, knowledge: Knowledge) -> list[str]:
    names = {option.id: option.name for option in knowledge.options}
    after = change.after
    shown = [f"{after.classification.value.replace('_', ' ')} ({after.rule})"] if change.reclassifies else []
    if bool(change.before.groups) is not bool(after.groups):
        shown.append("the options are listed" if after.groups else "no options are listed")
    return shown + [f"{names[name]}: {new.value.replace('_', ' ')}" for name, _, new in change.moves]
