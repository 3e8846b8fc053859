"""Whatever is wrong in ``cards/`` is refused before anyone is answered, each fault by file and field."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from cds_service import catalogue
from cds_service.catalogue import CatalogueError
from cds_service.catalogue_checks import (
    LOINC,
    SNOMED,
    SUMMARY_LIMIT,
    code_fault,
    longest_summaries,
    mod10,
    verhoeff,
)
from cds_service.knowledge import Definitions
from cds_service.settings import KNOWN

TOP = Path(__file__).parent.parent
DUMMY_SET = {
    "resourceType": "ValueSet",
    "id": "planted",
    "url": "urn:rr-all:ValueSet/planted",
    "name": "Planted",
    "status": "draft",
}


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A copy of the catalogue, to be broken."""
    copy = tmp_path / "cards"
    shutil.copytree(TOP / "cards", copy)
    return copy


def change(cards: Path, file: str, old: str, new: str) -> None:
    """Put *new* in the place of the first *old*."""
    path = cards / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer holds {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def plant_set(cards: Path, system: str, *codes: str, name: str = "planted") -> None:
    """Add a value set of *codes*."""
    concepts = [{"code": code} for code in codes]
    content = {
        **DUMMY_SET,
        "url": f"urn:rr-all:ValueSet/{name}",
        "compose": {"include": [{"system": system, "concept": concepts}]},
    }
    folder = cards / "value_sets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "planted.json").write_text(json.dumps(content), encoding="utf-8")


def faults(cards: Path, site: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(CatalogueError) as caught:
        catalogue.load(cards, site)
    return caught.value.faults


def test_the_catalogue_as_shipped_is_whole(cards: Path) -> None:
    knowledge = catalogue.load(cards, None)
    assert len(knowledge.options) == 12
    assert knowledge.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        pytest.param(
            "definitions.toml", "[m1_limit]", "[m1_limit", "definitions.toml: not TOML: .*line", id="unparsable"
        ),
        pytest.param(
            "definitions.toml", "[m3_floor]", "[m1_limit]", "definitions.toml: not TOML: .*m1_limit", id="a table twice"
        ),
        pytest.param(
            "options.toml",
            'id = "chemotherapy"',
            'id = "chemotherapy"\ndose = "none"',
            "options.toml: option.1: .*dose",
            id="unknown key",
        ),
        pytest.param("rules.toml", 'title = "Not ALL"\n', "", "rules.toml: rule.0: .*title", id="missing key"),
        pytest.param(
            "definitions.toml", 'unit = "%"\n', "", "definitions.toml: m1_limit: .*unit", id="number without unit"
        ),
        pytest.param(
            "definitions.toml",
            'source = "nci-2010"\n',
            "",
            "definitions.toml: m1_limit: .*source",
            id="number without source",
        ),
        pytest.param(
            "options.toml",
            "\nsoft = true",
            '\nsoft = "yes"',
            "options.toml: option.1.condition.0.soft: ",
            id="wrong type",
        ),
        pytest.param(
            "definitions.toml", 'value = "5"', 'value = "five"', "definitions.toml: m1_limit.value: ", id="not a number"
        ),
        pytest.param(
            "definitions.toml",
            'value = "180"',
            'value = "180.5"',
            "definitions.toml: evidence_days.value: must be a whole number of d",
            id="half a day",
        ),
        pytest.param(
            "options.toml",
            'id = "tki-with-chemotherapy"',
            'id = "tki-alone"',
            "options.toml: option: tki-alone: listed 2 times",
            id="option id twice",
        ),
        pytest.param(
            "services.toml",
            'code = "on-a-trial"',
            'code = "goals-of-care"',
            "services.toml: override_reason: goals-of-care: listed 2 times",
            id="override reason twice",
        ),
        pytest.param(
            "definitions.toml",
            'source = "nci-2010"',
            'source = "nci-2011"',
            "definitions.toml: m1_limit.source: nci-2011 is not in",
            id="definition cites unknown source",
        ),
        pytest.param(
            "rules.toml",
            'sources = ["icd-10-cm"]',
            'sources = ["icd-11"]',
            "rules.toml: R1.sources: icd-11 is not in",
            id="rule cites unknown source",
        ),
        pytest.param(
            "options.toml",
            'source = "blincyto-uspi"',
            'source = "blincyto"',
            "options.toml: blinatumomab: source blincyto is not in",
            id="label gate cites unknown source",
        ),
        pytest.param(
            "options.toml",
            'statements = ["D12"]',
            'statements = ["D12", "D99"]',
            "options.toml: clinical-trial.statements: D99 is not in",
            id="option cites unknown statement",
        ),
        pytest.param(
            "services.toml",
            'statements = ["D8"]',
            'statements = ["D80"]',
            "services.toml: expert-review.statements: D80 is not in",
            id="suggestion cites unknown statement",
        ),
        pytest.param(
            "options.toml",
            'statements = ["D12"]',
            'statements = ["D13"]',
            "statements.toml: D12: no option, rule or suggestion cites it",
            id="statement of an option that nobody cites",
        ),
        pytest.param(
            "options.toml",
            'check = "ph_positive"',
            'check = "ph_status"',
            "options.toml: tki-alone: no function implements the check ph_status",
            id="check without function",
        ),
        pytest.param(
            "options.toml",
            'check = "fit_with_donor"',
            'check = "ph_positive"',
            "options.toml: no option uses the check fit_with_donor",
            id="function without option",
        ),
        pytest.param(
            "options.toml",
            'parent = "car-t"',
            'parent = "car"',
            "options.toml: tisagenlecleucel: car is no option",
            id="unknown parent",
        ),
        pytest.param(
            "rules.toml",
            'id = "R1"',
            'id = "R2"',
            "rules.toml: rule: the rules must be, in order, R1, R2, R5",
            id="rule order",
        ),
        pytest.param(
            "rules.toml",
            "({date})",
            "({day})",
            r"rules.toml: R2.another_leukemia.summary: nothing fills \{day\}",
            id="sentence placeholder nobody fills",
        ),
        pytest.param(
            "templates/detail_listed.md",
            "{fits}",
            "{fitting}",
            r"templates/detail_listed.md: nothing fills \{fitting\}",
            id="template placeholder nobody fills",
        ),
        pytest.param(
            "templates/detail_listed.md",
            "{fits}",
            "",
            r"templates/detail_listed.md: \{fits\} is missing",
            id="template without its placeholder",
        ),
        pytest.param(
            "templates/detail_listed.md", "{fits}", "{fits", "templates/detail_listed.md: ", id="placeholder left open"
        ),
        pytest.param(
            "templates/detail_unclear.md",
            "**Unclear",
            "<b>**Unclear",
            "templates/detail_unclear.md: HTML",
            id="HTML in a template",
        ),
        pytest.param(
            "templates/summary_listed.md",
            "Expert opinion advised.",
            "Expert opinion is advised for every such patient.",
            "templates/summary_listed.md: a summary can reach",
            id="summary too long",
        ),
        pytest.param(
            "rules.toml",
            'summary = "marrow results disagree',
            'summary = "' + "marrow results disagree, " * 4,
            "rules.toml: R5.marrows_disagree: a summary can reach",
            id="reason too long for its summary",
        ),
        pytest.param(
            "definitions.toml",
            "[fish_cutoff]",
            "[fish_limit]",
            "definitions.toml: fish_cutoff: missing; the rules need it",
            id="definition missing",
        ),
        pytest.param(
            "definitions.toml",
            "[fish_cutoff]",
            "[fish_limit]",
            "definitions.toml: fish_limit: no rule uses it",
            id="definition unused",
        ),
        pytest.param(
            "services.toml",
            '"karyotype"',
            '"caryotype"',
            "services.toml: observation_sets: caryotype is no value set",
            id="prefetch of an unknown value set",
        ),
        pytest.param(
            "sources.toml",
            'label_date = "2024-06"',
            "",
            "sources.toml: .*: a label needs a label_date",
            id="label without date",
        ),
        pytest.param(
            "wording.toml", 'b_cell = "B-cell ALL"\n', "", "wording.toml: lineage.b_cell: missing", id="word missing"
        ),
        pytest.param(
            "value_sets/disease-status.json",
            "{",
            "[{",
            "value_sets/disease-status.json: no FHIR ValueSet",
            id="broken JSON",
        ),
        pytest.param(
            "value_sets/disease-status.json",
            '"status": "draft"',
            '"status": 7',
            "value_sets/disease-status.json: no FHIR ValueSet",
            id="no valid value set",
        ),
    ],
)
def test_a_planted_mistake_is_named(cards: Path, file: str, old: str, new: str, says: str) -> None:
    change(cards, file, old, new)
    found = faults(cards)
    assert any(re.match(says, fault) for fault in found), found


@pytest.mark.parametrize(
    ("system", "code", "says"),
    [
        pytest.param(SNOMED, "91857004", "fails the SNOMED CT check digit", id="SNOMED CT"),
        pytest.param(LOINC, "11150-1", "fails the LOINC check digit", id="LOINC"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-cm", "C91-00", "is not of the form of ICD-10-CM", id="ICD-10-CM"),
        pytest.param(
            "http://hl7.org/fhir/sid/icd-10-cm", "C91.01", "stands in .* a code has one meaning", id="two meanings"
        ),
    ],
)
def test_a_code_that_cannot_stand_is_named(cards: Path, system: str, code: str, says: str) -> None:
    plant_set(cards, system, code)
    assert any(re.search(f"^value_sets/.*: {re.escape(code)}: {says}", fault) for fault in faults(cards))


def test_a_code_listed_twice_in_one_set_is_named(cards: Path) -> None:
    plant_set(cards, "urn:example:local", "A1", "A1")
    assert "value_sets/planted.json: A1: listed 2 times" in faults(cards)


def test_several_faults_are_reported_together(cards: Path) -> None:
    change(cards, "definitions.toml", 'source = "nci-2010"', 'source = "nci-2011"')
    change(cards, "options.toml", 'statements = ["D12"]', 'statements = ["D12", "D99"]')
    plant_set(cards, LOINC, "11150-1")
    found = faults(cards)
    assert {fault.split(": ")[0] for fault in found} == {"definitions.toml", "options.toml", "value_sets/planted.json"}


def test_faults_of_form_are_reported_together(cards: Path) -> None:
    change(cards, "definitions.toml", "[m1_limit]", "[m1_limit")
    change(cards, "rules.toml", 'title = "Not ALL"\n', "")
    (cards / "templates" / "detail_listed.md").unlink()
    assert {fault.split(": ")[0] for fault in faults(cards)} == {"definitions.toml", "rules.toml", "detail_listed.md"}


# -- a site's own value sets -------------------------------------------------------------------------


def test_a_site_adds_its_codes_to_the_set_whose_url_ends_alike(cards: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    plant_set(site, "urn:example:lab", "BM-BLAST", name="marrow-blasts")
    knowledge = catalogue.load(cards, site)
    assert knowledge.meanings["urn:example:lab", "BM-BLAST"] == "marrow-blasts"
    assert "urn:example:lab|BM-BLAST" in knowledge.service.prefetch["observations"]
    assert knowledge.digest != catalogue.load(cards, None).digest


def test_a_site_cannot_give_a_known_code_another_meaning(cards: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    plant_set(site, LOINC, "11150-0", name="blood-blasts")
    assert any("11150-0: stands in value_sets/marrow-blasts.json too" in fault for fault in faults(cards, site))


# -- check digits ------------------------------------------------------------------------------------


def test_every_shipped_code_passes_the_check_of_its_system() -> None:
    knowledge = catalogue.load(TOP / "cards", None)
    codes = list(knowledge.meanings)
    assert sum(system == SNOMED for system, _ in codes) > 100
    assert sum(system == LOINC for system, _ in codes) > 50
    assert [pair for pair in codes if code_fault(*pair)] == []


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        pytest.param("91857003", True, id="acute lymphoid leukemia"),
        pytest.param("91857004", False, id="last digit changed"),
        pytest.param("91587003", False, id="two digits exchanged"),
        pytest.param("9185700", False, id="digit lost"),
        pytest.param("", False, id="empty"),
    ],
)
def test_the_snomed_ct_check_digit(code: str, passes: bool) -> None:
    assert verhoeff(code) is passes


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        pytest.param("11150-0", True, id="blasts in bone marrow"),
        pytest.param("11150-1", False, id="check digit changed"),
        pytest.param("11510-0", False, id="two digits exchanged"),
        pytest.param("111500", False, id="without hyphen"),
    ],
)
def test_the_loinc_check_digit(code: str, passes: bool) -> None:
    assert mod10(code) is passes


def test_no_summary_can_pass_the_limit_and_the_longest_ones_are_looked_at() -> None:
    knowledge = catalogue.load(TOP / "cards", None)
    lengths = [len(text) for _, text in longest_summaries(knowledge)]
    assert len(lengths) > 50
    assert max(lengths) <= SUMMARY_LIMIT


# -- documentation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_the_readme_names_every_setting(name: str) -> None:
    assert f"`{name}`" in (TOP / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Definitions.__annotations__)
def test_the_cards_readme_names_every_definition(name: str) -> None:
    assert f"`{name}`" in (TOP / "cards" / "README.md").read_text(encoding="utf-8")


PLANTED = [
    ("definitions.toml", 'value = "25"\nunit = "%"', 'value = "4"\nunit = "%"', "m3_floor.value"),
    (
        "options.toml",
        'needs = "CD22 is expressed"\nsource = "besponsa-uspi"',
        'needs = "CD22 is expressed"',
        "cd22_expressed",
    ),
    ("options.toml", 'ph_unknown = "Ph status', 'ph_unknown = "{whose} Ph status', "reasons.ph_unknown"),
    ("options.toml", 'ph_unknown = "', 'ph_unknwon = "', "reasons.ph_unknown"),
    ("rules.toml", "[rule.reason.old]", "[rule.reason.ancient]", "R3.reason.old"),
    (
        "rules.toml",
        "The newest evidence of disease is of {date}",
        "The newest evidence of disease is of {date",
        "R3.old",
    ),
    ("rules.toml", 'classification = "refractory"', 'classification = "relapsed"', "R12.classification"),
    ("services.toml", 'statements = ["D8"]', "statements = []", "D8"),
    ("services.toml", "{{context.patientId}}&_count=500", "{{Patient.id}}&_count=500", "Patient.id"),
    ("services.toml", 'procedures = "Procedure?', 'procedures = "Basket?', "prefetch.procedures"),
    ("services.toml", "%CODES%", "11150-0", "%CODES%"),
    ("sources.toml", 'label_date = "2024-06"', 'label_date = "June 24"', "label_date"),
    ("units.toml", 'labels = ["/10*4"', 'labels = ["%", "/10*4"', "per_ten_thousand"),
    ("units.toml", 'factor = "0.01"', 'factor = "0"', "per_ten_thousand.factor"),
    ("value_strings.toml", 'negative = ["not detected"', 'negative = ["detected", "not detected"', "negative"),
    ("wording.toml", 'mrd_positive = "MRD-positive"\n', "", "modifier.mrd_positive"),
    ("wording.toml", 'positive = "Ph-positive"', 'positive = "Ph-positive\\nso"', "one line"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "named"), PLANTED, ids=[f"{p[0]} {p[3]}" for p in PLANTED])
def test_a_mistake_is_caught_before_anyone_is_answered(
    cards: Path, file: str, right: str, wrong: str, named: str
) -> None:
    change(cards, file, right, wrong)
    assert any(named in fault for fault in faults(cards))


def test_a_value_set_a_reader_needs_is_missed(cards: Path) -> None:
    (cards / "value_sets" / "growth-factor.json").unlink()
    assert any("growth-factor.json" in fault for fault in faults(cards))


def test_a_schema_that_is_not_there_is_named(cards: Path) -> None:
    (cards / "schema" / "units.json").unlink()
    assert any("schema/units.json" in fault for fault in faults(cards))


def test_a_value_set_by_filter_is_refused(cards: Path) -> None:
    path = cards / "value_sets" / "growth-factor.json"
    content = json.loads(path.read_text())
    content["compose"]["include"][0]["filter"] = [{"property": "concept", "op": "is-a", "value": "L03AA"}]
    path.write_text(json.dumps(content))
    assert any("growth-factor.json: compose.include" in fault for fault in faults(cards))


def test_a_fault_of_form_does_not_hide_the_others(cards: Path) -> None:
    change(cards, "definitions.toml", 'value = "180"', 'value = "half a year"')
    change(cards, "options.toml", 'statements = ["D12"]', 'statements = ["D12", "D99"]')
    change(cards, "units.toml", "[percent]", "[percent")
    found = faults(cards)
    for named in ("evidence_days", "D99", "units.toml: not TOML"):
        assert any(named in fault for fault in found)
