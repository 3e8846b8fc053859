"""Every story gives through ``/fhir`` the card it gives by prefetch, but for those listed with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle

from cds_service.ehr.fill import CallBack
from cds_service.hooks.envelope import HookRequest
from cds_service.outbound.address import parse_address
from cds_service.outbound.fetch import Outbound
from cds_service.sandbox.fhir_search import FILTERS
from cds_service.trust.clients import FhirBase, sandbox_client
from tests.fhir_server.charts import answer, hook_request
from tests.fhir_server.ehr import Ehr
from tests.sandbox.fhir_service import Sandbox, running
from tests.stories import Story, knowledge, stories, story

APART = {
    "next-page-not-followed": "the story's next page is on no server; here its first page is all there is",
    "report-with-contained-results": "the results are contained in a DiagnosticReport, which no template asks for",
    "values-in-components": "the code asked for is a component's, which `code` does not search",
}
"""The stories whose answer differs however they are asked for."""
APART_IN_THE_SANDBOX = APART | {
    "key-that-is-an-outcome": "the sandbox leaves out a key that failed; the story says that it failed",
}
APART_BY_CALLING_BACK = APART | {
    "no-observations-key": "a key that could not be had was tried and failed; the story's was never tried",
}

REFUSED = ("key-that-is-an-outcome", "no-observations-key")
"""The stories whose searches are answered with an error."""
SEARCHED = [kind for kind in FILTERS if kind != "Patient"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("stories") / "store.db", "2026-10-01") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def ehr(service: str) -> Iterator[Ehr]:
    """The endpoint as a FHIR server that would want a token, which it ignores."""
    with requests.Session() as session:
        yield Ehr(f"{service}/fhir", "any", session)


@pytest.fixture(scope="module")
def sandbox(service: str) -> Iterator[Sandbox]:
    with requests.Session() as session:
        yield Sandbox(service, session)


def by_prefetch(told: Story, ehr: Ehr) -> dict[str, Any]:
    return answer(hook_request(told, ehr, told.request["prefetch"]), told)


def in_the_sandbox(told: Story, ehr: Ehr, sandbox: Sandbox) -> dict[str, Any]:
    filled = sandbox.fill(dict(knowledge().service.prefetch), told.request["context"]["patientId"])
    return answer(hook_request(told, ehr, filled), told)


def by_calling_back(told: Story, ehr: Ehr) -> dict[str, Any]:
    return answer(filled_by_us(hook_request(told, ehr, None), ehr, knowledge().service.prefetch), told)


def filled_by_us(request: HookRequest, ehr: Ehr, wanted: Mapping[str, str]) -> HookRequest:
    site = replace(sandbox_client(), fhir_bases=(FhirBase(parse_address(ehr.base), internal=True),))
    filled = CallBack(Outbound(), budget=10.0, slots=1).fill(request, site, wanted)
    return replace(request, prefetch=filled.prefetch)


@pytest.mark.parametrize(
    "told", [each for each in stories() if each.slug not in APART_IN_THE_SANDBOX], ids=lambda t: t.slug
)
def test_in_the_sandbox_a_story_gives_the_card_it_gives_by_prefetch(told: Story, ehr: Ehr, sandbox: Sandbox) -> None:
    assert in_the_sandbox(told, ehr, sandbox) == by_prefetch(told, ehr)


@pytest.mark.parametrize(
    "told", [each for each in stories() if each.slug not in APART_BY_CALLING_BACK], ids=lambda t: t.slug
)
def test_called_back_a_story_gives_the_card_it_gives_by_prefetch(told: Story, ehr: Ehr) -> None:
    assert by_calling_back(told, ehr) == by_prefetch(told, ehr)


@pytest.mark.parametrize("kind", SEARCHED)
def test_what_is_found_is_fhir_r4_where_the_story_is(kind: str, ehr: Ehr) -> None:
    names = [
        each.request["context"]["patientId"] for each in stories() if not each.foreign and each.slug not in REFUSED
    ]
    asked = {"_count": "500", "patient": ",".join(names)}
    pages = ehr.search(f"{kind}?{urlencode(asked)}", by_post=True)
    assert [Bundle(**page).type for page in pages] == ["searchset"] * len(pages)
    assert sum(len(page.get("entry", [])) for page in pages) >= pages[0]["total"] > 0


@pytest.mark.parametrize("slug", APART_IN_THE_SANDBOX)
def test_a_story_apart_differs_in_the_sandbox(slug: str, ehr: Ehr, sandbox: Sandbox) -> None:
    assert in_the_sandbox(story(slug), ehr, sandbox) != by_prefetch(story(slug), ehr)


@pytest.mark.parametrize("slug", APART_BY_CALLING_BACK)
def test_a_story_apart_differs_by_calling_back(slug: str, ehr: Ehr) -> None:
    assert by_calling_back(story(slug), ehr) != by_prefetch(story(slug), ehr)
