"""Calling back needs a base the site is registered with, and a token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cds_service.ehr.allow import allowed_base, usable_token
from cds_service.hooks.envelope import FhirAuthorization
from tests.ehr.sites import Base

BASES = [Base.of("https://ehr.example.org/fhir"), Base.of("https://other.example.org/r4", internal=True)]
TOKEN = FhirAuthorization("canary-token", "Bearer", 300)


@pytest.mark.parametrize(
    "text",
    ["https://ehr.example.org/fhir", "https://ehr.example.org/fhir/", "https://EHR.example.org:443/fhir"],
)
def test_a_base_may_be_written_in_its_equal_forms(text: str) -> None:
    assert allowed_base(text, BASES) is BASES[0]


def test_each_base_of_a_site_is_its_own() -> None:
    assert allowed_base("https://other.example.org/r4", BASES) is BASES[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://ehr.example.org",
        "https://ehr.example.org/fhir/R4",
        "https://ehr.example.org/fhirx",
        "https://ehr.example.org/FHIR",
        "https://ehr.example.org/fhir?x=y",
        "http://ehr.example.org/fhir",
        "https://ehr.example.org:8443/fhir",
        "https://ehr.example.org.evil.example/fhir",
        r"https://evil.example\@ehr.example.org/fhir",
        "https://ehr.example.org@evil.example/fhir",
        "https://ehr.example.org/fhir/../fhir",
    ],
)
def test_nothing_else_is_a_base(text: str) -> None:
    assert allowed_base(text, BASES) is None


def test_a_site_without_a_base_allows_none() -> None:
    assert allowed_base("https://ehr.example.org/fhir", []) is None


@pytest.mark.parametrize(
    "given",
    [TOKEN, replace(TOKEN, token_type="bearer"), replace(TOKEN, expires_in=None), replace(TOKEN, expires_in=1)],
)
def test_a_bearer_token_with_life_left_is_usable(given: FhirAuthorization) -> None:
    assert usable_token(given) == "canary-token"


@pytest.mark.parametrize(
    "given",
    [
        None,
        replace(TOKEN, token_type="MAC"),
        replace(TOKEN, expires_in=0),
        replace(TOKEN, expires_in=-1),
        replace(TOKEN, access_token=""),
        replace(TOKEN, access_token="a b"),
        replace(TOKEN, access_token="a\r\nHost: evil.example"),
        replace(TOKEN, access_token="a\n"),
        replace(TOKEN, access_token="ß"),
        replace(TOKEN, access_token="a" * 65537),
    ],
)
def test_no_other_token_is(given: FhirAuthorization | None) -> None:
    assert usable_token(given) is None
