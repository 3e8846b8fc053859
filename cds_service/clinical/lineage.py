"""Lineage of the leukemia: the newest marrow phenotype and the diagnosis codes (rules §5)."""

from __future__ import annotations

from cds_service.clinical.facts import Cells, Fact, Facts, Lineage
from cds_service.clinical.timeline import Timeline
from cds_service.clinical.when import When

_OF_CELLS = {
    Cells.B_LYMPHOBLASTIC: Lineage.B_CELL,
    Cells.T_LYMPHOBLASTIC: Lineage.T_CELL,
    Cells.MYELOID: Lineage.CONFLICTING,
    Cells.MIXED: Lineage.CONFLICTING,
}


def lineage_of_codes(facts: Facts) -> Lineage:
    """What the ALL diagnosis codes agree on."""
    return _agreed({d.lineage for d in facts.diagnoses})


def lineage(timeline: Timeline) -> tuple[Lineage, tuple[Fact, ...]]:
    """The lineage, and the facts it was read from; without ALL, that of the disease on record."""
    abnormal = [p for p in timeline.phenotypes if p.cells is not Cells.NORMAL and p.site != "other"]
    newest = [p for p in abnormal if not any(p.when.before(q.when).yes for q in abnormal)]
    codes = timeline.facts.diagnoses or timeline.facts.other_diseases
    coded = [d for d in codes if d.lineage is not Lineage.UNKNOWN]
    named = {_OF_CELLS[p.cells] for p in newest} | {d.lineage for d in coded}
    return _agreed(named), (*newest, *coded[:1])


def lineage_changed(timeline: Timeline) -> When | None:
    """When the newest phenotype shows another lineage than an earlier one; None when it does not."""
    abnormal = [p for p in timeline.phenotypes if p.cells is not Cells.NORMAL and p.site != "other"]
    if not abnormal:
        return None
    newest = abnormal[-1]
    earlier = {p.cells for p in abnormal if p.when.before(newest.when).yes}
    return newest.when if earlier - {newest.cells} else None


def _agreed(named: set[Lineage]) -> Lineage:
    known = named - {Lineage.UNKNOWN}
    if not known:
        return Lineage.UNKNOWN
    return next(iter(known)) if len(known) == 1 else Lineage.CONFLICTING
