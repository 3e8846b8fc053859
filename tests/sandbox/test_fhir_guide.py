"""The testers' guide says what the service answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.fhir_service import Sandbox, running
from tests.sandbox.test_fhir_stories import APART_BY_CALLING_BACK, APART_IN_THE_SANDBOX

GUIDE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
DAY = re.findall(r"CDS_TODAY=(\S+) make run", GUIDE)[0]
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| ([^|]+) \|$", GUIDE, re.MULTILINE)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("guide") / "store.db", DAY) as base_url, requests.Session() as session:
        yield Sandbox(base_url, session)


def test_the_guide_has_ten_stories() -> None:
    assert len(ROWS) == 10


@pytest.mark.parametrize(("patient", "summary"), ROWS)
def test_each_story_of_the_guide_gives_the_card_it_says(patient: str, summary: str, sandbox: Sandbox) -> None:
    entry = sandbox.discover()
    cards = sandbox.call(entry["id"], patient, sandbox.fill(entry["prefetch"], patient))["cards"]
    assert [card["summary"] for card in cards] == ([] if summary == "no card" else [summary])


def test_the_guide_lists_every_story_that_differs() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \|$", GUIDE.split("except:")[1], re.MULTILINE)
    assert set(listed) == set(APART_IN_THE_SANDBOX) | set(APART_BY_CALLING_BACK)


def test_the_address_of_the_guide_names_our_two_ends_and_a_story() -> None:
    (address,) = re.findall(r"^ *(https://sandbox\.cds-hooks\.org/\?\S+)$", GUIDE, re.MULTILINE)
    assert parse_qs(urlsplit(address).query) == {
        "fhirServiceUrl": ["http://127.0.0.1:8080/fhir"],
        "serviceDiscoveryURL": ["http://127.0.0.1:8080/cds-services"],
        "hook": ["patient-view"],
        "patientId": [ROWS[0][0]],
    }
