"""The report itself: counts of shown cards and rates with their uncertainty. Pure, and safe to publish.

A card counts once: as accepted when any of its events accepted it, else as overridden when any overrode it, else
as without an answer. Rates are of cards. A :class:`Report` holds nothing that may not be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.report.rates import Rate, rate
from cds_service.report.suppression import Cell, Hidden, alone, is_small, suppress
from cds_service.report.tally import SHOWN, Found, Scope, Tally

ENOUGH_ANSWERS = 20
TOO_OFTEN = 90
"""Percent of answered cards: a rule overridden more often than this is called out."""


@dataclass(frozen=True)
class Line:
    """Shown cards of one kind: *shown* is the sum of the other three. *group* is the class of a rule."""

    name: str
    shown: Cell
    accepted: Cell
    overridden: Cell
    unanswered: Cell
    group: str = ""

    @property
    def answered(self) -> Cell:
        if isinstance(self.accepted, Hidden) or isinstance(self.overridden, Hidden):
            return Hidden.WITHHELD
        return self.accepted + self.overridden

    @property
    def answer_rate(self) -> Rate | None:
        """Answered, of shown."""
        return rate(self.answered, self.shown)

    @property
    def acceptance_rate(self) -> Rate | None:
        """Accepted, of answered."""
        return rate(self.accepted, self.answered)

    @property
    def override_rate(self) -> Rate | None:
        """Overridden, of answered."""
        return rate(self.overridden, self.answered)


@dataclass(frozen=True)
class Reason:
    """Overridden cards for which a reason was given. *code* is empty for cards without any coded reason."""

    system: str
    code: str
    cards: Cell
    rate: Rate | None


@dataclass(frozen=True)
class Suggested:
    """Suggestions of one kind on shown cards, and how many were accepted."""

    kind: str
    offered: Cell
    accepted: Cell
    not_accepted: Cell

    @property
    def rate(self) -> Rate | None:
        return rate(self.accepted, self.offered)


@dataclass(frozen=True)
class Apart:
    """What is in no rate: cards that were not shown, and events by what they were about."""

    silent_cards: Cell
    repeated_cards: Cell
    events_on_shown: Cell
    events_on_not_shown: Cell
    unmatched_events: Cell


@dataclass(frozen=True)
class Report:
    """*called_out* names the rules that were overridden too often, with their class."""

    scope: Scope
    total: Line
    by_rule: tuple[Line, ...]
    by_class: tuple[Line, ...]
    by_week: tuple[Line, ...]
    by_client: tuple[Line, ...]
    called_out: tuple[Line, ...]
    reasons: tuple[Reason, ...]
    suggestions: tuple[Suggested, ...]
    apart: Apart


@dataclass
class _Count:
    accepted: int = 0
    overridden: int = 0
    unanswered: int = 0

    def add(self, tally: Tally) -> None:
        self.accepted += tally.accepted
        self.overridden += tally.overridden
        self.unanswered += tally.cards - tally.accepted - tally.overridden

    @property
    def columns(self) -> dict[str, int]:
        """Those of a :class:`Line`."""
        parts = vars(self)
        return {"shown": sum(parts.values()), **parts}

    @property
    def too_often(self) -> bool:
        answered = self.accepted + self.overridden
        return answered >= ENOUGH_ANSWERS and 100 * self.overridden > TOO_OFTEN * answered


_Name = tuple[str, str, str]
"""A line by its table, its name and its group."""
_TOTAL: _Name = ("total", "", "")


def report(found: Found, scope: Scope) -> Report:
    """The report on what was *found* in *scope*."""
    counts = _counts(found.tallies)
    told = suppress({name: count.columns for name, count in counts.items()}, _families(counts))
    lines = {name: Line(name=name[1], group=name[2], **cells) for name, cells in told.items()}
    return Report(
        scope=scope,
        total=lines[_TOTAL],
        by_rule=_table("rule", lines),
        by_class=_table("class", lines),
        by_week=_table("week", lines),
        by_client=_table("client", lines),
        called_out=tuple(lines[name] for name in _sorted(counts) if name[0] == "rule" and counts[name].too_often),
        reasons=_reasons(found, lines[_TOTAL].overridden),
        suggestions=_suggestions(found.suggestions, lines[_TOTAL]),
        apart=_apart(found),
    )


def _counts(tallies: Iterable[Tally]) -> Mapping[_Name, _Count]:
    counts: dict[_Name, _Count] = defaultdict(_Count, {_TOTAL: _Count()})
    for tally in tallies:
        if tally.display == SHOWN:
            for name in _names(tally):
                counts[name].add(tally)
    return counts


def _names(tally: Tally) -> tuple[_Name, ...]:
    """Every line a tally belongs to. A rule whose class was changed has a line for each."""
    return (
        _TOTAL,
        ("rule", tally.rule, tally.classification),
        ("class", tally.classification, ""),
        ("week", tally.week.isoformat(), ""),
        ("client", tally.client, ""),
    )


def _families(names: Iterable[_Name]) -> list[tuple[_Name, list[_Name]]]:
    """Each line that is the sum of others: the report of its classes, weeks and clients; a class of its rules."""
    families: dict[tuple[_Name, str], list[_Name]] = defaultdict(list)
    for name in names:
        table, _, group = name
        if table != "total":
            families[("class", group, "") if group else _TOTAL, table].append(name)
    return [(total, parts) for (total, _), parts in families.items()]


def _table(table: str, lines: Mapping[_Name, Line]) -> tuple[Line, ...]:
    return tuple(lines[name] for name in _sorted(lines) if name[0] == table)


def _sorted(names: Iterable[_Name]) -> list[_Name]:
    """By number where a name has one: R9 before R11a."""
    return sorted(names, key=lambda name: (len(name[1].rstrip("abc")) if name[0] == "rule" else 0, name[1], name[2]))


def _reasons(found: Found, overridden: Cell) -> tuple[Reason, ...]:
    """Most frequent first, cards without a coded reason last; none where their number is not to be told."""
    if isinstance(overridden, Hidden):
        return ()
    counts = {(system or "", code): count for (system, code), count in found.reasons.items()}
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    if found.overridden_without_code:
        counts["", ""] = found.overridden_without_code
        ranked.append(("", ""))
    cells = _never_just_one_hidden([counts[key] for key in ranked])
    return tuple(Reason(*key, cards=cell, rate=rate(cell, overridden)) for key, cell in zip(ranked, cells, strict=True))


def _never_just_one_hidden(counts: Sequence[int]) -> list[Cell]:
    """Reasons need not add up, but where each card has one they do: then a single hidden count could be told."""
    cells = [alone(count) for count in counts]
    if sum(map(is_small, counts)) == 1 and len(counts) > 1:
        told = [at for at, count in enumerate(counts) if not is_small(count)]
        cells[min(told, key=counts.__getitem__)] = Hidden.WITHHELD
    return cells


def _suggestions(found: Mapping[str, tuple[int, int]], total: Line) -> tuple[Suggested, ...]:
    """None where the number of cards that carry them is not to be told."""
    if isinstance(total.shown, Hidden) or isinstance(total.accepted, Hidden):
        return ()
    lines = []
    for kind, (offered, accepted) in sorted(found.items()):
        values = {"offered": offered, "accepted": accepted, "not_accepted": offered - accepted}
        lines.append(Suggested(kind, **suppress({kind: values})[kind]))
    return tuple(lines)


def _apart(found: Found) -> Apart:
    cards: dict[str, int] = defaultdict(int)
    for tally in found.tallies:
        cards[tally.display] += tally.cards
    on_shown, unmatched = found.events.get(SHOWN, 0), found.events.get(None, 0)
    return Apart(
        silent_cards=alone(cards["silent"]),
        repeated_cards=alone(cards["repeated"]),
        events_on_shown=alone(on_shown),
        events_on_not_shown=alone(sum(found.events.values()) - on_shown - unmatched),
        unmatched_events=alone(unmatched),
    )
