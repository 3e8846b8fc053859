"""The assessment as text for a terminal: the answer first, then a dated timeline, then the options."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from io import StringIO
from math import log10

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

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
PROSE = 100
"""Columns a paragraph is wrapped at, where the terminal has as many."""
ENDLESS = 1000
"""Columns of a file or a pipe: wider than any table here."""
DECIDED = "bold cyan"


def show_assessment(decision: Decision, knowledge: Knowledge, console: Console) -> None:
    """Print what the card says, with the whole timeline it was read from, as wide as *console* is."""
    width = min(PROSE, console.width)
    for line in _answer(decision, knowledge, width):
        _say(line, console)
    _say(f"Timeline up to {decision.today.isoformat()}  (* decided the answer)", console)
    console.print(_timeline(decision, knowledge, console))
    for line in (*_options(decision, knowledge), *_absent(decision, knowledge), *_changes(decision, knowledge, width)):
        _say(line, console)
    _say(f"\nCatalogue {knowledge.version} {knowledge.digest}\nRules not reviewed by a clinician.", console)


def assessment_text(decision: Decision, knowledge: Knowledge) -> str:
    """The same for a file or a pipe: no colour, and lines as long as they need to be."""
    written = StringIO()
    show_assessment(decision, knowledge, Console(file=written, width=ENDLESS, force_terminal=False))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _say(line: str, console: Console) -> None:
    """A line as it is; the terminal wraps what is too long, so that it is copied in one piece."""
    console.out(line, highlight=False)


def _answer(decision: Decision, knowledge: Knowledge, width: int) -> list[str]:
    """The class, the rule, why, and what the card says of it."""
    assessment, words = decision.assessment, knowledge.words
    rule = knowledge.rules[assessment.verdict.rule]
    sentence = rule.reasons[assessment.verdict.reason].detail.format(**_values(decision, knowledge))
    modifiers = "; ".join(words["modifier"][name] for name in assessment.modifiers)
    lineage, ph = assessment.situation.lineage.value.replace("_", "-"), assessment.situation.ph.value.value
    return [
        f"{decision.classification.value.replace('_', ' ').upper()}  ({rule.id}: {rule.title})",
        *textwrap.wrap(sentence, width),
        f"Lineage {lineage}, Ph {ph}" + (f"; {modifiers}" if modifiers else ""),
        _card(decision, knowledge),
        "",
    ]


def _card(decision: Decision, knowledge: Knowledge) -> str:
    if decision.silence:
        return f"No card: {decision.silence}"
    return f"Card: {summary(decision, knowledge)}" if decision.speaks else "No card: nothing to say"


def _values(decision: Decision, knowledge: Knowledge) -> dict[str, str]:
    values = dict(decision.assessment.verdict.values)
    if "site" in values:
        values["site"] = knowledge.words["site"][values["site"]]
    return values


def _timeline(decision: Decision, knowledge: Knowledge, console: Console) -> RenderableType:
    """The facts by date, as a table where it fits, and with each resource on a line of its own where not."""
    facts = decision.assessment.facts
    found: list[Fact] = [fact for name in FACT_FIELDS.values() for fact in getattr(facts, name)]
    if not found:
        return "  (no relevant facts)"
    found.sort(key=lambda f: (f.when.first, f.when.last, f.ref))
    rows = [_row(fact, decision, knowledge) for fact in found]
    wide, endless = _wide(rows), console.options.update(width=ENDLESS)
    return wide if console.measure(wide, options=endless).maximum <= console.width else _narrow(rows)


@dataclass(frozen=True, slots=True)
class _Row:
    """One fact as it is shown; *style* is for the eye only, the star in *date* says the same."""

    date: Text
    bar: str
    what: str
    value: str
    ref: str
    part: str
    style: str


def _row(fact: Fact, decision: Decision, knowledge: Knowledge) -> _Row:
    parts = [used.purpose for used in decision.assessment.verdict.used if used.fact == fact]
    when = "?" if fact.when.first == BEGINNING else fact.when.text
    return _Row(
        date=Text(f"{'*' if parts else ' '} {when}"),
        bar=_bar(fact),
        what=kind_of(fact).replace("_", " "),
        value=measured(fact, knowledge),
        ref=fact.ref,
        part=", ".join(knowledge.words["purpose"][purpose] for purpose in dict.fromkeys(parts)),
        style=DECIDED if parts else "",
    )


def _wide(rows: list[_Row]) -> Table:
    table = _table("  Date", "", "What", "Value", "Resource", "Part in the answer")
    for row in rows:
        cells = (Text(text) for text in (row.bar, row.what, row.value, row.ref, row.part))
        table.add_row(row.date, *cells, style=row.style)
    return table


def _narrow(rows: list[_Row]) -> Table:
    table = _table("  Date", "What, value and part in the answer; resource")
    for row in rows:
        part = f" ({row.part})" if row.part else ""
        table.add_row(row.date, Text(f"{row.what}: {row.value}{part}\n{row.ref}"), style=row.style)
    return table


def _table(date: str, *others: str) -> Table:
    """Without lines; a date is never broken, other cells between words, and nothing is cut off."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    table.add_column(date, no_wrap=True)
    for name in others:
        table.add_column(name, overflow="fold")
    return table


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


def _absent(decision: Decision, knowledge: Knowledge) -> list[str]:
    """What is not on record, and which resources were set aside, with why."""
    assessment, words = decision.assessment, knowledge.words
    lines: list[str] = []
    if assessment.missing:
        lines += ["", "Not on record: " + ", ".join(words["missing"][m] for m in assessment.missing)]
    if assessment.facts.set_aside:
        lines += ["", "Set aside"]
        lines += [f"  {row.ref}: {words['set_aside'][row.why]}" for row in assessment.facts.set_aside]
    return lines


def _changes(decision: Decision, knowledge: Knowledge, width: int) -> list[str]:
    """What any one of a few facts would change, those that change the class first."""
    found = what_would_change(decision.assessment, knowledge, decision.today)
    lines = ["", "What would change it (any one of)"] if found else []
    for change in found:
        facts = "; ".join(addition_text(added, knowledge) for added in change.additions)
        lines += textwrap.wrap(facts, width, initial_indent="  ", subsequent_indent="  ")
        lines += [f"    -> {line}" for line in _effects(change, knowledge)]
    return lines


def _effects(change: Change, knowledge: Knowledge) -> list[str]:
    names = {option.id: option.name for option in knowledge.options}
    after = change.after
    shown = [f"{after.classification.value.replace('_', ' ')} ({after.rule})"] if change.reclassifies else []
    if bool(change.before.groups) is not bool(after.groups):
        shown.append("the options are listed" if after.groups else "no options are listed")
    return shown + [f"{names[name]}: {new.value.replace('_', ' ')}" for name, _, new in change.moves]
