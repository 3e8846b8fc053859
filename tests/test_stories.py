"""Every invented patient is answered as the rules say, and exactly as the golden answer on file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_service.compose import EXTENSION, assessment_json
from tests.golden import text
from tests.stories import Story, knowledge, stories

STORIES = stories()
each_story = pytest.mark.parametrize("story", STORIES, ids=lambda s: s.slug)

GROUPS = ("fits", "depends", "does_not_fit")
SUMMARY_LIMIT = 139
SHOWS = {
    "relapsed",
    "refractory",
    "indeterminate",
    "in remission",
    "not ALL",
    "treatment not documented",
    "record forms",
    "faults",
}
KEYS = {"title", "story", "invented", "today", "shows", "foreign", "why_foreign", "expected"}

NAMED_CHARTS = (
    "c9100-alone",
    "remission-code-a-day-before-92-percent",
    "second-remission-with-a-clean-marrow",
    "status-codes-within-20-days",
    "remission-and-relapse-the-same-day",
    "only-relapse-code-of-2021",
    "resolved-relapse-entry",
    "problem-list-edited-in-2026",
    "problem-list-relapse-beside-two-remissions",
    "partial-remission-then-40-percent",
    "generic-recurrence-of-breast-cancer",
    "generic-recurrence-coded-with-all",
    "old-chemotherapy-for-another-cancer",
    "day-15-marrow",
    "day-30-marrow",
    "two-infusions-in-one-induction",
    "requests-only",
    "hematogones",
    "growth-factor-14-percent",
    "growth-factor-30-percent",
    "remission-m3-by-count-mrd-6-percent",
    "corrected-70-percent",
    "clashing-marrows-long-ago",
    "cml-lymphoid-blast-phase",
    "fusion-high-on-flow-negative-marrow",
    "one-aml-visit-years-ago",
    "lymphoma-code-with-30-percent",
    "combined-term-with-50-percent",
    "combined-term-recorded-relapse",
    "mixed-phenotype",
    "mixed-phenotype-leukemia-only",
    "lineage-switch",
    "cd19-loss",
    "cd19-therapy-since-the-last-cd19-result",
    "donor-cells",
    "isolated-cns-at-relapse",
    "isolated-testis-at-relapse",
    "cns-at-diagnosis",
    "testis-at-diagnosis",
    "csf-blasts-and-relapse-code",
    "mrd-200-per-million",
    "mrd-without-unit",
    "mrd-below-0-01-percent",
    "marrow-0-62-with-unit-1",
    "p210-only-negative",
    "fish-1-percent",
    "coded-ph-negative",
    "ph-positive-then-fish-0",
    "ph-like-diagnosis",
    "fish-and-pcr-disagree",
    "mcode-worsened",
    "born-2000",
    "born-2025-11",
    "born-2025-11-under-one-year",
    "provisional-c9100",
    "history-codes",
    "remission-without-treatment-record",
    "remission-code-without-treatment-record",
    "fit-and-donor-before-the-first-transplant",
    "g60-day-15-of-induction",
    "g13-isolated-cns-relapse",
)
"""The charts that the clinical rules ask a named test for."""


def test_there_are_enough_stories() -> None:
    assert len(STORIES) >= 60


@pytest.mark.parametrize("slug", NAMED_CHARTS)
def test_a_named_chart_has_its_story(slug: str) -> None:
    assert slug in {story.slug for story in STORIES}


@each_story
def test_story_is_told(story: Story) -> None:
    about = story.about
    assert set(about) <= KEYS
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", story.slug)
    assert about["title"]
    assert about["story"].endswith(".")
    assert about["invented"] is True
    assert about["shows"] in SHOWS
    assert date.fromisoformat(about["today"])
    assert story.foreign == ("why_foreign" in about)


@each_story
def test_request_is_a_patient_view(story: Story) -> None:
    request = story.request
    assert set(request) == {"hook", "hookInstance", "context", "prefetch"}
    assert request["hook"] == "patient-view"
    assert request["context"]["patientId"] == request["prefetch"]["patient"]["id"]


@each_story
def test_answer_is_what_the_rules_say(story: Story) -> None:
    decision = story.decide()
    found, expected = assessment_json(decision, knowledge()), story.expected
    groups = {name: [o["id"] for o in found["options"] if o["group"] == name] for name in GROUPS}
    named = {name: found[name] for name in ("classification", "rule", "lineage", "ph_status")}
    assert {**named, **groups, "card": decision.speaks} == {k: v for k, v in expected.items() if k != "modifiers"}
    if "modifiers" in expected:
        assert set(found["modifiers"]) == set(expected["modifiers"])


@each_story
def test_answer_is_the_golden_one(story: Story) -> None:
    """``make golden`` rewrites the files; what it changes is read before it is kept."""
    assert story.golden_path.read_text(encoding="utf-8") == text(story)


@pytest.mark.parametrize("story", [s for s in STORIES if not s.foreign], ids=lambda s: s.slug)
def test_every_resource_is_fhir_r4(story: Story) -> None:
    values = [value for value in story.request["prefetch"].values() if value is not None]
    for value in values:
        for resource in [value, *(e["resource"] for e in value.get("entry", []))]:
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("story", [s for s in STORIES if s.foreign], ids=lambda s: s.slug)
def test_a_foreign_story_is_foreign(story: Story) -> None:
    entries = [e["resource"] for value in story.request["prefetch"].values() if value for e in value.get("entry", [])]
    assert any(not _is_r4(resource) for resource in entries)


def _is_r4(resource: dict[str, Any]) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValueError:
        return False
    return True


def test_no_two_stories_share_a_resource() -> None:
    """The stories are served together: an id belongs to one of them."""
    owners: dict[tuple[str, str], set[str]] = {}
    for story in STORIES:
        for value in story.request["prefetch"].values():
            for entry in (value or {}).get("entry", []):
                if "id" in (resource := entry["resource"]):
                    owners.setdefault((resource["resourceType"], resource["id"]), set()).add(story.slug)
    assert {name: slugs for name, slugs in owners.items() if len(slugs) > 1} == {}


@each_story
def test_no_story_names_a_person(story: Story) -> None:
    """Invented patients have no name, address or number."""
    assert set(story.request["prefetch"]["patient"]) <= {
        "resourceType",
        "id",
        "birthDate",
        "gender",
        "deceasedBoolean",
        "deceasedDateTime",
    }


@each_story
def test_answer_has_no_empty_member(story: Story) -> None:
    assert list(_empties(story.golden, "")) in ([], [".cards"])
    assert bool(story.golden["cards"]) == story.expected["card"]


def _empties(value: Any, where: str) -> Iterator[str]:
    if value in (None, "", [], {}):
        yield where
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _empties(member, f"{where}.{name}")


@pytest.mark.parametrize("story", [s for s in STORIES if s.expected["card"]], ids=lambda s: s.slug)
def test_card_is_short_plain_and_about_nobody(story: Story) -> None:
    (card,) = story.golden["cards"]
    assert len(card["summary"]) <= SUMMARY_LIMIT
    assert "\n" not in card["summary"]
    assert "<" not in card["detail"]
    assert "{" not in card["detail"] + card["summary"]
    assert card["indicator"] == "info"
    created = [a["resource"] for s in card["suggestions"] for a in s["actions"]]
    assert created
    for resource in created:
        get_fhir_model_class("ServiceRequest").model_validate(resource)
        assert resource["subject"] == {"reference": f"Patient/{story.slug}"}


@each_story
def test_options_are_all_listed_once_or_not_at_all(story: Story) -> None:
    twelve = [option.id for option in knowledge().options]
    expected = Counter(option for group in GROUPS for option in story.expected[group])
    listed = [o["id"] for o in story.golden["extension"][EXTENSION].get("options", [])]
    if story.expected["classification"] in ("relapsed", "refractory") and story.expected["rule"] != "R4":
        assert len(twelve) == 12
        assert listed == twelve
        assert expected == Counter(twelve)
    else:
        assert not listed
        assert not expected
