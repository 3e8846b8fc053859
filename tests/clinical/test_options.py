"""The gates of the page's options (rules, section 6), row by row."""

from __future__ import annotations

import pytest

from tests.charts import (
    BLINATUMOMAB,
    CYCLE,
    INOTUZUMAB,
    OPTIONS,
    Chart,
    chart,
    relapsed_b,
    relapsed_t,
)

AT = "2026-10-10"
TKIS = ("tki-alone", "tki-with-chemotherapy", "tki-with-corticosteroid")
CD19 = ("blinatumomab", "tisagenlecleucel", "brexucabtagene-autoleucel")
B_ONLY = (*CD19, "inotuzumab-ozogamicin")
FITS, DEPENDS, NOT = "fits", "depends", "does_not_fit"


def relapsed() -> Chart:
    """Relapsed, lineage not on record."""
    return chart().all_unspecified("2025-01-01").remission("2025-03-01").marrow(62, AT).relapse("2026-10-12")


def conflicting() -> Chart:
    """Relapsed, coded as B-cell and as T-cell."""
    return relapsed_b().all_t("2025-01-02")


def second_relapse(patient: Chart) -> Chart:
    return patient.remission("2024-01-01").marrow(40, "2024-10-01").relapse("2024-10-01")


def two_courses(patient: Chart) -> Chart:
    return patient.procedure(CYCLE, "2025-01-10", "2025-02-05").procedure(CYCLE, "2025-02-10", "2025-03-10")


def by_age(birth: str | None) -> Chart:
    return relapsed_b().born(birth)


def test_each_option_once_in_the_order_of_the_page() -> None:
    assert tuple(relapsed_b().assess().options) == OPTIONS


def test_a_refractory_patient_has_the_same_options() -> None:
    patient = chart().all_b("2026-08-25").course("2026-09-01", "2026-09-28").marrow(60, AT)
    assert tuple(patient.assess().options) == OPTIONS


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param(chart().all_b("2025-01-01").remission("2025-03-01"), id="in remission"),
        pytest.param(chart().all_b("2025-01-01"), id="treatment not documented"),
        pytest.param(chart(), id="not ALL"),
        pytest.param(chart().all_b("2025-01-01").remission("2025-03-01").marrow(9, AT), id="possible relapse"),
    ],
)
def test_no_options_unless_relapsed_or_refractory(patient: Chart) -> None:
    assert patient.assess().options == {}


def test_a_clinical_trial_always_fits() -> None:
    for patient in (relapsed(), relapsed_b(), relapsed_t(), conflicting(), by_age(None)):
        assert patient.assess().options["clinical-trial"] == FITS


# -- TKIs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", TKIS)
@pytest.mark.parametrize(
    ("patient", "group", "reasons"),
    [
        pytest.param(relapsed_b().ph("positive", AT), FITS, set(), id="Ph-positive"),
        pytest.param(relapsed_b().ph("negative", AT), NOT, {"ph_negative"}, id="Ph-negative"),
        pytest.param(
            relapsed_b().ph("negative", "2025-01-05"), NOT, {"ph_negative_not_retested"}, id="Ph-negative, not retested"
        ),
        pytest.param(relapsed_b(), DEPENDS, {"ph_unknown"}, id="Ph unknown"),
        pytest.param(relapsed_b().ph("positive", AT).fish(0, AT), DEPENDS, {"ph_conflicting"}, id="Ph conflicting"),
    ],
)
def test_tki(option: str, patient: Chart, group: str, reasons: set[str]) -> None:
    answer = patient.assess()
    assert (answer.options[option], answer.reasons(option)) == (group, reasons)


# -- chemotherapy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["chemotherapy", "tki-with-chemotherapy"])
@pytest.mark.parametrize(
    ("patient", "group", "reasons"),
    [
        pytest.param(relapsed_b(), FITS, set(), id="nothing on record"),
        pytest.param(relapsed_b().tolerates(True, AT), FITS, set(), id="tolerated"),
        pytest.param(relapsed_b().tolerates(False, AT), DEPENDS, {"not_tolerated"}, id="not tolerated"),
        pytest.param(
            relapsed_b().tolerates(False, "2025-05-05").tolerates(True, AT), FITS, set(), id="tolerated by the newest"
        ),
        pytest.param(
            relapsed_b().tolerates(True, AT).tolerates(False, AT),
            DEPENDS,
            {"tolerance_conflicting"},
            id="both on one day",
        ),
    ],
)
def test_chemotherapy(option: str, patient: Chart, group: str, reasons: set[str]) -> None:
    answer = patient.copy().ph("positive", AT).assess()
    assert (answer.options[option], answer.reasons(option)) == (group, reasons)


def test_a_tki_with_chemotherapy_closes_for_ph_negative_even_when_not_tolerated() -> None:
    answer = relapsed_b().ph("negative", AT).tolerates(False, AT).assess()
    assert answer.options["tki-with-chemotherapy"] == NOT


# -- nelarabine --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "group", "reasons"),
    [
        pytest.param(relapsed_b(), NOT, {"lineage_b"}, id="B-cell"),
        pytest.param(two_courses(relapsed()), DEPENDS, {"lineage_unknown"}, id="lineage unknown"),
        pytest.param(two_courses(conflicting()), DEPENDS, {"lineage_conflicting"}, id="lineage conflicting"),
        pytest.param(relapsed_t(), DEPENDS, {"fewer_regimens"}, id="T-cell, one relapse, no course"),
        pytest.param(
            relapsed_t().procedure(CYCLE, "2025-01-10", "2025-02-05"),
            DEPENDS,
            {"fewer_regimens"},
            id="T-cell, one course",
        ),
        pytest.param(two_courses(relapsed_t()), FITS, set(), id="T-cell, two courses"),
        pytest.param(
            chart()
            .all_t("2023-01-01")
            .remission("2023-03-01")
            .relapse("2024-10-01")
            .marrow(40, "2024-10-01")
            .remission("2025-03-01")
            .marrow(62, AT),
            FITS,
            set(),
            id="T-cell, two relapses",
        ),
    ],
)
def test_nelarabine(patient: Chart, group: str, reasons: set[str]) -> None:
    answer = patient.assess()
    assert (answer.options["nelarabine"], answer.reasons("nelarabine")) == (group, reasons)


# -- lineage of the B-cell options -----------------------------------------------------------------------


@pytest.mark.parametrize("option", B_ONLY)
@pytest.mark.parametrize(
    ("patient", "group", "reason"),
    [
        pytest.param(relapsed_t(), NOT, "lineage_t", id="T-cell"),
        pytest.param(relapsed(), DEPENDS, "lineage_unknown", id="lineage unknown"),
        pytest.param(conflicting(), DEPENDS, "lineage_conflicting", id="lineage conflicting"),
    ],
)
def test_options_for_b_cells(option: str, patient: Chart, group: str, reason: str) -> None:
    answer = patient.copy().born("2004-01-01").assess()
    assert answer.options[option] == group
    assert reason in answer.reasons(option)


# -- CD19 and CD22 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [*CD19, "inotuzumab-ozogamicin"])
@pytest.mark.parametrize(
    ("case", "group", "reason"),
    [
        ("never tested", FITS, None),
        ("positive", FITS, None),
        ("negative", NOT, "negative"),
        ("partial", DEPENDS, "partial"),
        ("negative, then positive", FITS, None),
        ("positive, then negative", NOT, "negative"),
        ("both on one day", DEPENDS, "conflicting"),
        ("therapy, no result", DEPENDS, "therapy_since"),
        ("result, then therapy", DEPENDS, "therapy_since"),
        ("therapy, then positive", FITS, None),
        ("therapy and positive on one day", DEPENDS, "therapy_since"),
        ("negative, then therapy", NOT, "negative"),
        ("positive, entered in error", FITS, None),
        ("negative, entered in error", FITS, None),
    ],
)
def test_antigen(option: str, case: str, group: str, reason: str | None) -> None:
    name, drug = ("cd22", INOTUZUMAB) if option == "inotuzumab-ozogamicin" else ("cd19", BLINATUMOMAB)
    patient = (
        chart()
        .all_b("2023-01-01")
        .remission("2023-03-01")
        .relapse("2024-10-01")
        .marrow(40, "2024-10-01")
        .remission("2025-03-01")
        .marrow(62, AT)
        .born("2004-01-01")
    )
    match case:
        case "positive" | "negative" | "partial":
            patient.antigen(name, case, AT)
        case "negative, then positive":
            patient.antigen(name, "negative", "2025-01-01").antigen(name, "positive", AT)
        case "positive, then negative":
            patient.antigen(name, "positive", "2025-01-01").antigen(name, "negative", AT)
        case "both on one day":
            patient.antigen(name, "positive", AT).antigen(name, "negative", AT)
        case "therapy, no result":
            patient.administration(drug, "2025-04-01")
        case "result, then therapy":
            patient.antigen(name, "positive", "2025-01-01").administration(drug, "2025-04-01")
        case "therapy, then positive":
            patient.administration(drug, "2025-04-01").antigen(name, "positive", AT)
        case "therapy and positive on one day":
            patient.administration(drug, AT).antigen(name, "positive", AT)
        case "negative, then therapy":
            patient.antigen(name, "negative", "2025-01-01").administration(drug, "2025-04-01")
        case "positive, entered in error" | "negative, entered in error":
            patient.antigen(name, case.split(",")[0], AT, status="entered-in-error")
    answer = patient.assess()
    assert answer.options[option] == group
    assert answer.reasons(option) == ({f"{name}_{reason}"} if reason else set())


def test_an_untested_antigen_is_missing() -> None:
    assert {"cd19_expression", "cd22_expression"} <= relapsed_b().assess().missing


def test_car_t_cells_are_cd19_directed() -> None:
    answer = relapsed_b().car_t("2025-06-01").assess()
    assert answer.reasons("blinatumomab") == {"cd19_therapy_since"}
    assert "after_car_t" in answer.modifiers


# -- age ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "birth", "group", "reason"),
    [
        pytest.param("blinatumomab", "2026-10-02", NOT, "under_one_month", id="a day short of one month"),
        pytest.param("blinatumomab", "2026-10-01", FITS, None, id="one month today"),
        pytest.param("blinatumomab", "2026-09-30", FITS, None, id="a day past one month"),
        pytest.param("blinatumomab", "2026-10", DEPENDS, "age_straddles", id="born some day of October"),
        pytest.param("blinatumomab", None, FITS, None, id="one month, age unknown"),
        pytest.param("inotuzumab-ozogamicin", "2025-11-02", NOT, "under_one_year", id="a day short of one year"),
        pytest.param("inotuzumab-ozogamicin", "2025-11-01", FITS, None, id="one year today"),
        pytest.param("inotuzumab-ozogamicin", "2025-10-31", FITS, None, id="a day past one year"),
        pytest.param("inotuzumab-ozogamicin", "2025-11", DEPENDS, "age_straddles", id="born some day of November"),
        pytest.param("inotuzumab-ozogamicin", "2025-12", NOT, "under_one_year", id="born in December"),
        pytest.param("inotuzumab-ozogamicin", "2025-10", FITS, None, id="born in October"),
        pytest.param("inotuzumab-ozogamicin", "2025", DEPENDS, "age_straddles", id="born in 2025"),
        pytest.param("inotuzumab-ozogamicin", None, FITS, None, id="one year, age unknown"),
        pytest.param("brexucabtagene-autoleucel", "2008-11-02", NOT, "under_eighteen", id="a day short of 18"),
        pytest.param("brexucabtagene-autoleucel", "2008-11-01", FITS, None, id="18 today"),
        pytest.param("brexucabtagene-autoleucel", "2008-10-31", FITS, None, id="a day past 18"),
        pytest.param("brexucabtagene-autoleucel", "2008", DEPENDS, "age_straddles", id="born in 2008"),
        pytest.param("brexucabtagene-autoleucel", "2009", NOT, "under_eighteen", id="born in 2009"),
        pytest.param("brexucabtagene-autoleucel", "2007", FITS, None, id="born in 2007"),
        pytest.param("brexucabtagene-autoleucel", None, DEPENDS, "age_unknown", id="18, age unknown"),
        pytest.param("tisagenlecleucel", "2000-11-02", FITS, None, id="the last day of being 25"),
        pytest.param("tisagenlecleucel", "2000-11-01", NOT, "over_twenty_five", id="26 today"),
        pytest.param("tisagenlecleucel", "2000-10-31", NOT, "over_twenty_five", id="26 yesterday"),
        pytest.param("tisagenlecleucel", "2001-11-01", FITS, None, id="25 today"),
        pytest.param("tisagenlecleucel", "2000", DEPENDS, "age_straddles", id="born in 2000"),
        pytest.param("tisagenlecleucel", "1999", NOT, "over_twenty_five", id="born in 1999"),
        pytest.param("tisagenlecleucel", "2001", FITS, None, id="born in 2001"),
        pytest.param("tisagenlecleucel", None, DEPENDS, "age_unknown", id="25, age unknown"),
    ],
)
def test_age(option: str, birth: str | None, group: str, reason: str | None) -> None:
    patient = (
        chart()
        .all_b("2023-01-01")
        .remission("2023-03-01")
        .relapse("2024-10-01")
        .marrow(40, "2024-10-01")
        .remission("2025-03-01")
        .marrow(62, AT)
        .born(birth)
    )
    answer = patient.assess()
    assert answer.options[option] == group
    assert answer.reasons(option) == ({reason} if reason else set())


def test_a_leap_day_birthday_comes_on_the_first_of_march() -> None:
    young = chart("2026-02-28").all_b("2024-01-01").remission("2024-03-01").marrow(62, "2026-02-10").born("2008-02-29")
    assert young.assess().options["brexucabtagene-autoleucel"] == NOT
    adult = chart("2026-03-01").all_b("2024-01-01").remission("2024-03-01").marrow(62, "2026-02-10").born("2008-02-29")
    assert adult.assess().options["brexucabtagene-autoleucel"] == FITS


def test_transplantation_is_never_closed_by_age() -> None:
    for birth in ("2026-10-20", "1930-01-01", None):
        answer = by_age(birth).fit("2026-10-20").donor("2026-10-20").assess()
        assert answer.options["allogeneic-transplant"] == FITS


# -- tisagenlecleucel: the line of therapy -----------------------------------------------------------------


def test_tisagenlecleucel_at_a_first_relapse_depends() -> None:
    answer = by_age("2004-01-01").assess()
    assert answer.options["tisagenlecleucel"] == DEPENDS
    assert answer.reasons("tisagenlecleucel") == {"line_of_therapy"}


def test_tisagenlecleucel_at_a_second_relapse_fits() -> None:
    patient = (
        chart()
        .all_b("2023-01-01")
        .remission("2023-03-01")
        .relapse("2024-10-01")
        .marrow(40, "2024-10-01")
        .remission("2025-03-01")
        .marrow(62, AT)
        .born("2004-01-01")
    )
    answer = patient.assess()
    assert "second_or_later_relapse" in answer.modifiers
    assert answer.options["tisagenlecleucel"] == FITS


def test_tisagenlecleucel_after_two_courses_without_remission_fits() -> None:
    patient = (
        chart()
        .all_b("2026-05-25")
        .course("2026-06-01", "2026-06-28")
        .course("2026-07-10", "2026-08-10")
        .marrow(60, AT)
        .born("2004-01-01")
    )
    assert patient.assess().options["tisagenlecleucel"] == FITS


def test_tisagenlecleucel_after_one_course_depends() -> None:
    patient = chart().all_b("2026-08-25").course("2026-09-01", "2026-09-28").marrow(60, AT).born("2004-01-01")
    assert patient.assess().options["tisagenlecleucel"] == DEPENDS


def test_tisagenlecleucel_when_refractory_to_salvage_fits() -> None:
    patient = (
        chart()
        .all_b("2025-01-01")
        .remission("2025-03-01")
        .marrow(62, "2026-07-10")
        .relapse("2026-07-10")
        .course("2026-07-15", "2026-08-15")
        .marrow(50, "2026-09-10")
        .born("2004-01-01")
    )
    answer = patient.assess()
    assert "refractory_to_salvage" in answer.modifiers
    assert answer.options["tisagenlecleucel"] == FITS


# -- CAR T-cells as a whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "group"),
    [
        pytest.param(relapsed_b().born("1980-01-01"), FITS, id="one product fits"),
        pytest.param(relapsed_b().born("2015-01-01"), DEPENDS, id="one depends, the other does not fit"),
        pytest.param(relapsed_b().born(None), DEPENDS, id="both depend"),
        pytest.param(relapsed_t(), NOT, id="neither fits"),
        pytest.param(relapsed_b().antigen("cd19", "negative", AT), NOT, id="CD19-negative"),
    ],
)
def test_car_t(patient: Chart, group: str) -> None:
    assert patient.assess().options["car-t"] == group


# -- transplantation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "group", "reasons"),
    [
        pytest.param(relapsed_b().fit("2026-10-15").donor("2026-10-15"), FITS, set(), id="fit, with a donor"),
        pytest.param(relapsed_b(), DEPENDS, {"fitness_and_donor_unknown"}, id="nothing on record"),
        pytest.param(relapsed_b().fit("2026-10-15"), DEPENDS, {"donor_unknown"}, id="donor not on record"),
        pytest.param(relapsed_b().donor("2026-10-15"), DEPENDS, {"fitness_unknown"}, id="fitness not on record"),
        pytest.param(relapsed_b().fit("2026-10-15", False).donor("2026-10-15"), NOT, {"recorded_unfit"}, id="unfit"),
        pytest.param(
            relapsed_b().fit("2026-10-15").donor("2026-10-15", False), NOT, {"recorded_no_donor"}, id="no donor"
        ),
        pytest.param(relapsed_b().fit("2026-10-15", False), NOT, {"recorded_unfit"}, id="unfit, donor not on record"),
        pytest.param(
            relapsed_b().fit("2026-10-09").donor("2026-10-09"),
            DEPENDS,
            {"fitness_and_donor_unknown"},
            id="both the day before the relapse",
        ),
        pytest.param(
            relapsed_b().fit("2026-10-10").donor("2026-10-10"), FITS, set(), id="both on the day of the relapse"
        ),
        pytest.param(
            relapsed_b().fit("2026-10-15", False).fit("2026-10-20").donor("2026-10-15"),
            FITS,
            set(),
            id="fit by the newest",
        ),
        pytest.param(
            relapsed_b().fit("2026-10-15", False).fit("2026-10-15").donor("2026-10-15"),
            DEPENDS,
            {"fitness_unknown"},
            id="fit and unfit on one day",
        ),
        pytest.param(
            relapsed_b().fit("2025-10-15", False).donor("2025-10-15", False),
            DEPENDS,
            {"fitness_and_donor_unknown"},
            id="unfit before this relapse",
        ),
    ],
)
def test_transplantation(patient: Chart, group: str, reasons: set[str]) -> None:
    answer = patient.assess()
    assert (answer.options["allogeneic-transplant"], answer.reasons("allogeneic-transplant")) == (group, reasons)


def test_fitness_never_in_remission_counts_since_the_diagnosis() -> None:
    patient = chart().all_b("2026-08-25").course("2026-09-01", "2026-09-28").marrow(60, AT)
    assert patient.copy().fit("2026-09-15").donor("2026-09-15").assess().options["allogeneic-transplant"] == FITS
    assert patient.copy().fit("2026-08-20").donor("2026-08-20").assess().options["allogeneic-transplant"] == DEPENDS
