"""The official sandbox's whole sequence against the demo, from its first probe to feedback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.fhir_service import OLD_FHIR_JSON, ORIGIN, WITHIN, Sandbox, running
from tests.stories import story

G01 = "g01-first-marrow-relapse"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """On the day of the story."""
    with running(tmp_path / "store.db", story(G01).about["today"]) as base_url, requests.Session() as session:
        yield Sandbox(base_url, session)


@pytest.fixture
def service(sandbox: Sandbox) -> str:
    return str(sandbox.discover()["id"])


@pytest.fixture
def card(sandbox: Sandbox) -> dict[str, Any]:
    """The story's one card, got as the sandbox gets it."""
    entry = sandbox.discover()
    (found,) = sandbox.call(entry["id"], G01, sandbox.fill(entry["prefetch"], G01))["cards"]
    card: dict[str, Any] = found
    return card


def kept(sandbox: Sandbox) -> float:
    text = requests.get(f"{sandbox.base_url}/metrics", timeout=WITHIN).text
    (line,) = [line for line in text.splitlines() if line.startswith('cds_feedback_items_total{item="new"}')]
    return float(line.split()[-1])


@pytest.mark.parametrize("probe", ["metadata", "Patient", f"Patient/{G01}", f"Condition?patient={G01}"])
def test_each_probe_is_answered_in_the_old_media_type_to_a_page_from_elsewhere(sandbox: Sandbox, probe: str) -> None:
    answer = sandbox.get(probe)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(OLD_FHIR_JSON)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_the_list_of_patients_can_be_shown(sandbox: Sandbox) -> None:
    """The sandbox joins the first name's given and family names of every patient, and shows none if one lacks them."""
    names = [entry["resource"]["name"][0] for entry in sandbox.get("Patient").json()["entry"]]
    assert all(" ".join(name["given"]) and name["family"] for name in names)


def test_every_key_is_filled(sandbox: Sandbox) -> None:
    templates = sandbox.discover()["prefetch"]
    assert sandbox.fill(templates, G01).keys() == templates.keys()


def test_the_card_is_the_storys(card: dict[str, Any]) -> None:
    (told,) = story(G01).golden["cards"]
    assert card["summary"] == told["summary"]
    assert [each["label"] for each in card["suggestions"]] == [each["label"] for each in told["suggestions"]]


def test_an_accepted_suggestion_is_received(sandbox: Sandbox, service: str, card: dict[str, Any]) -> None:
    accepted = [{"id": card["suggestions"][0]["uuid"]}]
    item = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": accepted}
    assert sandbox.feed_back(service, item).status_code == 200
    assert kept(sandbox) == 1


def test_a_dismissal_with_a_reason_is_received(sandbox: Sandbox, service: str, card: dict[str, Any]) -> None:
    reason = {"reason": card["overrideReasons"][0], "userComment": "seen in the sandbox"}
    item = {"card": card["uuid"], "outcome": "overridden", "overrideReason": reason}
    assert sandbox.feed_back(service, item).status_code == 200
    assert kept(sandbox) == 1


def test_of_a_search_that_failed_the_service_is_told_nothing(sandbox: Sandbox) -> None:
    entry = sandbox.discover()
    filled = sandbox.fill(entry["prefetch"], "key-that-is-an-outcome")
    assert entry["prefetch"].keys() - filled.keys() == {"observations"}
    assert sandbox.call(entry["id"], "key-that-is-an-outcome", filled)["cards"] == []
