"""Random charts, drawn from the value sets and from the values that lie near the limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from tests.charts import (
    AML,
    B_ALL,
    BLINATUMOMAB,
    C91_00,
    C91_02,
    CYCLE,
    DASATINIB,
    GENERIC_RECURRENCE,
    INDUCTION,
    INOTUZUMAB,
    LYMPHOMA,
    PH_NEGATIVE_B_ALL,
    PH_POSITIVE_ALL,
    REFRACTORY,
    T_ALL,
    T_COMBINED,
    VINCRISTINE,
    Chart,
    Code,
    chart,
    knowledge,
)

TODAY = date(2026, 11, 1)
DAYS = (1, 3, 5, 14, 20, 22, 25, 30, 35, 48, 50, 60, 75, 90, 120, 170, 180, 181, 200, 300, 400, 500, 700, 1500)
PERCENTAGES = (0, 0.005, 0.01, 0.5, 1, 2, 4.9, 5, 8, 12, 24.9, 25, 26, 30, 62, 92, 100)
CONDITION_SETS = (
    "all-b-cell",
    "all-b-combined",
    "all-b-combined-ph-positive",
    "all-b-in-remission",
    "all-b-ph-negative",
    "all-diagnosis",
    "all-in-relapse",
    "all-in-remission",
    "all-ph-positive",
    "all-refractory",
    "all-t-cell",
    "all-t-combined",
    "all-t-in-remission",
    "allogeneic-transplant-sequela",
    "extramedullary-condition",
    "extramedullary-condition-unspecific",
    "generic-relapse",
    "generic-remission",
    "history-code",
    "lymphoblastic-lymphoma",
    "mixed-phenotype-leukemia",
    "myeloid-leukemia",
    "myeloid-leukemia-in-remission",
    "not-a-status",
    "other-b-cell-disease",
    "other-hematologic-disease",
    "other-t-cell-disease",
)
PROCEDURE_SETS = (
    "chemotherapy",
    "chemotherapy-course",
    "allogeneic-transplantation",
    "car-t-infusion",
    "intrathecal-chemotherapy",
)
DRUG_SETS = (
    "leukemia-agent",
    "tyrosine-kinase-inhibitor",
    "cd19-directed-antibody",
    "cd22-directed-antibody",
    "car-t-product",
    "corticosteroid",
    "maintenance-agent",
    "growth-factor",
)
PH_SETS = (
    "ph-presence",
    "ph-presence-p190",
    "ph-presence-p210",
    "ph-ratio",
    "ph-ratio-p190",
    "ph-ratio-p210",
    "ph-fish",
    "ph-log-ratio",
    "abl-class-fish",
    "genetic-variant",
    "other-genetic-result",
)
COMMON: tuple[Code, ...] = (
    B_ALL,
    T_ALL,
    C91_00,
    C91_02,
    REFRACTORY,
    PH_POSITIVE_ALL,
    PH_NEGATIVE_B_ALL,
    T_COMBINED,
    LYMPHOMA,
    AML,
    GENERIC_RECURRENCE,
)


def a_code(rng: Random, sets: tuple[str, ...]) -> Code:
    system, code, _ = rng.choice(knowledge().value_sets[rng.choice(sets)].concepts)
    return system, code


def a_day(rng: Random) -> str:
    return (TODAY - timedelta(days=rng.choice(DAYS))).isoformat()


def a_date(rng: Random) -> str:
    """Mostly a day; sometimes a month, a year or a moment."""
    day = a_day(rng)
    match rng.randrange(12):
        case 0:
            return day[:7]
        case 1:
            return day[:4]
        case 2:
            return f"{day}T22:30:00-05:00"
        case _:
            return day


def a_period(rng: Random) -> tuple[str, str | None]:
    first = TODAY - timedelta(days=rng.choice(DAYS[7:]))
    last = first + timedelta(days=rng.choice((0, 7, 13, 14, 27, 28, 40)))
    return first.isoformat(), rng.choice((None, last.isoformat()))


def a_condition(rng: Random, patient: Chart) -> None:
    code = rng.choice(COMMON) if rng.random() < 0.4 else a_code(rng, CONDITION_SETS)
    updated = f"{a_day(rng)}T08:00:00Z" if rng.random() < 0.3 else None
    patient.condition(
        code,
        a_date(rng),
        category=rng.choice(("encounter", "encounter", "problem", None)),
        clinical=rng.choice(
            (None, None, "active", "active", "remission", "relapse", "recurrence", "inactive", "resolved")
        ),
        verification=rng.choice(("confirmed", "confirmed", "confirmed", None, "provisional", "refuted")),
        updated=updated,
        onset=a_date(rng) if rng.random() < 0.1 else None,
    )


def a_status(rng: Random, patient: Chart) -> None:
    match rng.randrange(4):
        case 0:
            patient.remission(a_date(rng))
        case 1:
            patient.relapse(a_date(rng))
        case 2:
            patient.refractory(a_date(rng))
        case _:
            patient.status(rng.choice(("complete-remission", "relapse", "refractory")), a_date(rng))


def a_marrow(rng: Random, patient: Chart) -> None:
    add = rng.choice((patient.marrow, patient.marrow, patient.flow, patient.molecular))
    add(
        rng.choice(PERCENTAGES),
        a_date(rng),
        comparator=rng.choice((None,) * 6 + ("<", ">", "<=", ">=")),
        unit=rng.choice(("%",) * 8 + (None, "1", "/10*6")),
        status=rng.choice(("final",) * 6 + ("corrected", "preliminary", "cancelled")),
        specimen=rng.choice((None, None, "s1", "s2")),
    )


def blood(rng: Random, patient: Chart) -> None:
    patient.blood(rng.choice(PERCENTAGES), a_date(rng), status=rng.choice(("final", "final", "preliminary")))


def cells(rng: Random, patient: Chart) -> None:
    found = rng.choice(
        ("b-lymphoblastic", "b-lymphoblastic", "t-lymphoblastic", "myeloid", "mixed-phenotype", "normal-precursors")
    )
    patient.phenotype(found, a_date(rng), site=rng.choice(("marrow", "marrow", "blood", "csf")))


def outside(rng: Random, patient: Chart) -> None:
    if rng.random() < 0.5:
        patient.csf(rng.choice((0, 3, 20)), a_date(rng))
    else:
        patient.extramedullary(rng.choice(("present", "absent")), a_date(rng))


def antigens(rng: Random, patient: Chart) -> None:
    patient.antigen(rng.choice(("cd19", "cd22")), rng.choice(("positive", "negative", "partial")), a_date(rng))


def fusion(rng: Random, patient: Chart) -> None:
    value = rng.choice(("positive", "negative", "positive", "negative", "not detected", "text", 0, 0.5, 4.9, 5, 12, 40))
    code = a_code(rng, PH_SETS)
    coded = ("urn:rr-all:value", value) if value in ("positive", "negative") else value
    patient.observation(code, a_date(rng), coded, status=rng.choice(("final", "final", "final", "preliminary")))


def karyotype(rng: Random, patient: Chart) -> None:
    patient.karyotype(rng.choice(("46,XX,t(9;22)(q34;q11.2)[20]", "46,XY[20]", "failed")), a_date(rng))


def procedure(rng: Random, patient: Chart) -> None:
    start, end = a_period(rng)
    code = rng.choice((INDUCTION, CYCLE)) if rng.random() < 0.6 else a_code(rng, PROCEDURE_SETS)
    patient.procedure(code, start, end, status=rng.choice(("completed", "completed", "completed", "not-done")))


def drug(rng: Random, patient: Chart) -> None:
    common = rng.choice((VINCRISTINE, DASATINIB, BLINATUMOMAB, INOTUZUMAB))
    which = common if rng.random() < 0.5 else a_code(rng, DRUG_SETS)
    start, end = a_period(rng)
    match rng.randrange(3):
        case 0:
            patient.request(which, start)
        case 1:
            patient.administration(which, start, end)
        case _:
            patient.statement(which, start, end)


def judgement(rng: Random, patient: Chart) -> None:
    about = rng.choice(("physically-fit-for-transplant", "donor-available", "tolerates-chemotherapy"))
    patient.judgement(about, rng.random() < 0.5, a_date(rng))


def origin(rng: Random, patient: Chart) -> None:
    patient.origin(rng.choice(("donor", "recipient")), a_date(rng))


def report(rng: Random, patient: Chart) -> None:
    patient.report(a_date(rng))


MAKERS: tuple[Callable[[Random, Chart], None], ...] = (
    (a_condition,) * 3
    + (a_status,) * 5
    + (a_marrow,) * 7
    + (procedure,) * 4
    + (fusion,) * 3
    + (drug,) * 3
    + (blood, blood, cells, outside, outside, antigens, antigens, karyotype, judgement, judgement, origin, report)
)
BIRTHS = ("1990-05-05", "1990-05-05", "2004-02-29", "2015", "2000", "2008", "2025-11", "2026-10", "2026-10-20", None)


def random_chart(rng: Random) -> Chart:
    """A chart with up to a dozen entries; most have ALL."""
    patient = chart().born(rng.choice(BIRTHS))
    if rng.random() < 0.85:
        code = rng.choice((B_ALL, B_ALL, T_ALL, C91_00))
        patient.condition(code, a_day(rng), clinical="active")
    if rng.random() < 0.5:
        patient.remission((TODAY - timedelta(days=rng.choice(DAYS[12:]))).isoformat())
    for _ in range(rng.randrange(10)):
        rng.choice(MAKERS)(rng, patient)
    return patient
