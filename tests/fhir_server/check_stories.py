"""A third party's FHIR R4 server finds by our queries what the stories supply by prefetch: ``make fhir-server-test``.

Not collected by ``make test``: it needs Java 17 and the jars of ``server/pom.xml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import pytest
import requests

from tests.fhir_server.charts import (
    PATIENT,
    Charts,
    answer,
    called_back,
    hook_request,
    queried,
    restamped,
    stored,
)
from tests.fhir_server.ehr import ANSWER_WITHIN, PAGE, Ehr, running
from tests.stories import Story, knowledge, stories, story

REFUSED = {
    "Condition/ds-dstu2-1": "Unknown element 'patient'",
    "Observation/mmbgo-malformed-1": "incorrect type for element coding",
    "Observation/mmbgo-malformed-2": 'Invalid attribute value "two"',
}
"""What the server does not store, and its reason."""

APART = {
    "another-patients-results": "another patient's results are in the prefetch; a search by patient finds none",
    "dstu2-shapes": "the server refuses Condition/ds-dstu2-1",
    "key-that-is-an-outcome": "the prefetch says the search failed; here it succeeds",
    "malformed-marrow-beside-good-ones": "the server refuses both malformed marrows",
    "next-page-not-followed": "the prefetch is page one of several; here all pages are had",
    "no-observations-key": "the prefetch lacks keys; here they are answered, with nothing",
    "report-with-contained-results": "the results are contained in a DiagnosticReport, which no template asks for",
    "search-that-failed": "the prefetch says the search failed; here it succeeds",
    "values-in-components": "the code asked for is a component's, which `code` does not search",
}
"""The stories whose answer must differ, and why."""

COMPARABLE = [each for each in stories() if each.slug not in APART]
OF_SEVERAL_PAGES = "g05-ph-positive-second-relapse"
SEARCHES = {key: template for key, template in knowledge().service.prefetch.items() if "?" in template}


@pytest.fixture(scope="module")
def empty_ehr() -> Iterator[Ehr]:
    with running() as ehr:
        yield ehr


@pytest.fixture(scope="module")
def charts(empty_ehr: Ehr) -> Charts:
    return stored(empty_ehr, stories())


@pytest.fixture
def ehr(empty_ehr: Ehr, charts: Charts) -> Ehr:
    """The server with every chart on it."""
    return empty_ehr


def test_the_server_lets_nobody_in_without_the_token(empty_ehr: Ehr) -> None:
    assert requests.get(f"{empty_ehr.base}/Patient", timeout=ANSWER_WITHIN).status_code == 401


def test_the_server_stores_all_but_what_is_no_fhir_r4(charts: Charts) -> None:
    assert charts.refused.keys() == REFUSED.keys()
    assert [name for name, why in REFUSED.items() if why not in charts.refused[name]] == []


@pytest.mark.parametrize("told", COMPARABLE, ids=lambda told: told.slug)
def test_the_queries_find_what_the_prefetch_holds(told: Story, ehr: Ehr, charts: Charts) -> None:
    supplied = hook_request(told, ehr, restamped(told.request["prefetch"], charts))
    found = hook_request(told, ehr, queried(ehr, supplied.patient_id))
    assert answer(found, told) == answer(supplied, told)


@pytest.mark.parametrize("told", COMPARABLE, ids=lambda told: told.slug)
def test_calling_back_answers_as_the_prefetch_does(told: Story, ehr: Ehr, charts: Charts) -> None:
    supplied = hook_request(told, ehr, restamped(told.request["prefetch"], charts))
    bare = hook_request(told, ehr, None)
    assert answer(called_back(ehr, bare), told) == answer(supplied, told)


@pytest.mark.parametrize("slug", APART)
def test_a_story_apart_differs(slug: str, ehr: Ehr) -> None:
    told = story(slug)
    supplied = hook_request(told, ehr, told.request["prefetch"])
    found = hook_request(told, ehr, queried(ehr, supplied.patient_id))
    assert answer(found, told) != answer(supplied, told)


def test_the_server_cuts_a_search_into_pages(ehr: Ehr) -> None:
    told = story(OF_SEVERAL_PAGES)
    relative = SEARCHES["observations"].replace(PATIENT, told.request["context"]["patientId"])
    held = len(told.request["prefetch"]["observations"]["entry"])
    assert len(ehr.search(relative, by_post=True)) == ceil(held / PAGE) > 1


@pytest.mark.parametrize("key", SEARCHES)
def test_get_and_post_find_the_same(key: str, ehr: Ehr) -> None:
    told = story(OF_SEVERAL_PAGES)
    relative = SEARCHES[key].replace(PATIENT, told.request["context"]["patientId"])
    assert _found(ehr, relative, by_post=False) == _found(ehr, relative, by_post=True)


def _found(ehr: Ehr, relative: str, *, by_post: bool) -> list[str]:
    pages = ehr.search(relative, by_post=by_post)
    return [entry["fullUrl"] for page in pages for entry in page.get("entry", [])]
