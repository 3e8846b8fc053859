"""What a chart says, each fact with the resource it was read from. Frozen, hashable, order-free.

A fact carries ``ref`` ("Observation/x"), ``when`` and ``status`` (the resource's own status word).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from cds_service.clinical.percent import Percent
from cds_service.clinical.truth import Truth
from cds_service.clinical.when import When


class Lineage(Enum):
    B_CELL = "b_cell"
    T_CELL = "t_cell"
    UNKNOWN = "unknown"
    CONFLICTING = "conflicting"


class Cells(Enum):
    """The phenotype of the cells in a specimen."""

    B_LYMPHOBLASTIC = "b-lymphoblastic"
    T_LYMPHOBLASTIC = "t-lymphoblastic"
    MYELOID = "myeloid"
    MIXED = "mixed-phenotype"
    NORMAL = "normal-precursors"


class StatusKind(Enum):
    REMISSION = "remission"
    RELAPSE = "relapse"
    REFRACTORY = "refractory"


class Test(Enum):
    """How a percentage of marrow cells was measured, weakest first."""

    __test__ = False  # not a pytest class
    MORPHOLOGY = "morphology"
    MOLECULAR = "molecular"
    FLOW = "flow"


@dataclass(frozen=True, slots=True)
class Fact:
    ref: str
    when: When
    status: str


@dataclass(frozen=True, slots=True)
class Diagnosis(Fact):
    """A valid ALL condition. *aged* is when its status was last known to stand."""

    lineage: Lineage
    ph: Truth
    combined: bool
    active: bool
    onset: When | None
    aged: When


@dataclass(frozen=True, slots=True)
class OtherDisease(Fact):
    """A valid condition that is not ALL: lymphoma, myeloid, mixed or other."""

    kind: str
    active: bool
    aged: When
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class Statement(Fact):
    """A clinician's status of ALL. Without *dated* it lies anywhere in ``when``."""

    kind: StatusKind
    dated: bool
    aged: When
    combined: bool


@dataclass(frozen=True, slots=True)
class MarrowResult(Fact):
    """A percentage of nucleated marrow cells. *doubt*: no usable unit, may raise a question only."""

    test: Test
    value: Percent
    specimen: str | None
    preliminary: bool
    doubt: bool


@dataclass(frozen=True, slots=True)
class Phenotype(Fact):
    """Phenotype of cells; *site* is "marrow", "blood" or "other"."""

    cells: Cells
    site: str
    specimen: str | None
    preliminary: bool


@dataclass(frozen=True, slots=True)
class BloodBlasts(Fact):
    value: Percent
    preliminary: bool


@dataclass(frozen=True, slots=True)
class Extramedullary(Fact):
    """Leukemia outside the marrow, present or absent; *site* is one of our own words."""

    present: bool
    site: str


@dataclass(frozen=True, slots=True)
class PhResult(Fact):
    """One result about BCR::ABL1. *ratio* and *cells* are percentages where the test gives them."""

    outcome: Truth
    method: str
    isoform: str | None
    ratio: Percent | None
    fish: Percent | None
    cutoff: str | None
    specimen: str | None


@dataclass(frozen=True, slots=True)
class GeneticTest(Fact):
    """Another genetic test of the leukemia cells: only its date is used."""


@dataclass(frozen=True, slots=True)
class Antigen(Fact):
    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Treatment(Fact):
    """Leukemia therapy given (or only ordered). ``when`` is its whole period."""

    kind: str
    start: When
    end: When | None
    course: bool
    ordered_only: bool


@dataclass(frozen=True, slots=True)
class Transplant(Fact):
    """Allogeneic transplantation, or a complication that implies one."""


@dataclass(frozen=True, slots=True)
class CarT(Fact):
    """CAR T-cells given."""


@dataclass(frozen=True, slots=True)
class Directed(Fact):
    """An antibody directed at *antigen*; CAR T-cells count for CD19 through :class:`CarT`."""

    antigen: str


@dataclass(frozen=True, slots=True)
class GrowthFactor(Fact):
    """``when`` is the whole period it was given."""

    start: When
    end: When


@dataclass(frozen=True, slots=True)
class Judgement(Fact):
    """A yes or no on fitness, donor or tolerance of chemotherapy."""

    about: str
    answer: bool


@dataclass(frozen=True, slots=True)
class Origin(Fact):
    donor: bool


@dataclass(frozen=True, slots=True)
class Report(Fact):
    """A narrative result on file that is not interpreted."""

    about: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A resource that is not evidence, and why (a key of ``cards/wording.toml``)."""

    ref: str
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything read from one chart. Each tuple is sorted, so the order of entries is lost here."""

    patient: str
    birth: When | None = None
    deceased: bool = False
    diagnoses: tuple[Diagnosis, ...] = ()
    other_diseases: tuple[OtherDisease, ...] = ()
    statements: tuple[Statement, ...] = ()
    marrow: tuple[MarrowResult, ...] = ()
    phenotypes: tuple[Phenotype, ...] = ()
    blood: tuple[BloodBlasts, ...] = ()
    extramedullary: tuple[Extramedullary, ...] = ()
    ph_results: tuple[PhResult, ...] = ()
    genetic_tests: tuple[GeneticTest, ...] = ()
    antigens: tuple[Antigen, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    transplants: tuple[Transplant, ...] = ()
    car_t: tuple[CarT, ...] = ()
    directed: tuple[Directed, ...] = ()
    growth_factors: tuple[GrowthFactor, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    origins: tuple[Origin, ...] = ()
    reports: tuple[Report, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    unread_keys: tuple[str, ...] = ()
    absent_keys: tuple[str, ...] = ()

    def without(self, refs: frozenset[str], why: str) -> Facts:
        """The same chart with the resources *refs* set aside for the reason *why*."""
        kept: dict[str, object] = {}
        for name in FACT_FIELDS.values():
            kept[name] = tuple(fact for fact in getattr(self, name) if fact.ref not in refs)
        others = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in FACT_FIELDS.values()}
        others["set_aside"] = tuple(
            sorted({*self.set_aside, *(SetAside(ref, why) for ref in refs)}, key=lambda s: (s.ref, s.why))
        )
        return Facts(**{**others, **kept})


FACT_FIELDS = {
    Diagnosis: "diagnoses",
    OtherDisease: "other_diseases",
    Statement: "statements",
    MarrowResult: "marrow",
    Phenotype: "phenotypes",
    BloodBlasts: "blood",
    Extramedullary: "extramedullary",
    PhResult: "ph_results",
    GeneticTest: "genetic_tests",
    Antigen: "antigens",
    Treatment: "treatments",
    Transplant: "transplants",
    CarT: "car_t",
    Directed: "directed",
    GrowthFactor: "growth_factors",
    Judgement: "judgements",
    Origin: "origins",
    Report: "reports",
}
"""Where each type of fact is kept in :class:`Facts`."""
