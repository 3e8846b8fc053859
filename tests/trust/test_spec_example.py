"""The one token the CDS Hooks specification prints. It lives three and a half years; a token here may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cds_service.trust.clients import Client
from cds_service.trust.explain import explain
from cds_service.trust.jwks import PinnedKeys, read_key_set
from cds_service.trust.tokens import MAX_LIFE, Refused, read_unverified, verify
from tests.trust import client, jwk, key_of, key_set, private_key, signed

EXAMPLE = json.loads((Path(__file__).parent / "spec_example.json").read_text("utf-8"))
TOKEN = EXAMPLE["authorization"].removeprefix("Bearer ")
AUDIENCE = "https://cds.example.org/cds-services/some-service"
PRINTED_HEADER = {"alg": "ES384", "typ": "JWT", "kid": "example-kid", "jku": "https://fhir-ehr.example.com/jwk_uri"}
PRINTED_CLAIMS = {
    "iss": "https://fhir-ehr.example.com/",
    "aud": AUDIENCE,
    "exp": 1422568860,
    "iat": 1311280970,
    "jti": "ee22b021-e1b7-4611-ba5b-8eec6a33ac1e",
    "tenant": "2ddd6c3a-8e9a-44c6-a305-52111ad302a2",
}
THEN, LONG_AFTER = 1311281000.0, 1790000000.0


def ehr(keys: PinnedKeys) -> Client:
    """The specification's example EHR."""
    return client(
        "ES384",
        issuer=PRINTED_CLAIMS["iss"],
        tenants=frozenset({PRINTED_CLAIMS["tenant"]}),
        jku=PRINTED_HEADER["jku"],
        keys=keys,
    )


def printed_keys() -> PinnedKeys:
    found = read_key_set(json.dumps(EXAMPLE).encode(), ["ES384"])
    assert found.faults == ()
    return found.keys


def refused(now: float) -> str:
    with pytest.raises(Refused) as refusal:
        verify(TOKEN, AUDIENCE, [ehr(printed_keys())], key_of, now)
    return refusal.value.reason


def wrong(now: float) -> list[str]:
    lines = explain(TOKEN, AUDIENCE, [ehr(printed_keys())], key_of, now)
    assert "ok     signature" in lines
    return [line.split()[1].rstrip(":") for line in lines if not line.startswith(("header", "claim", "ok"))]


def test_the_printed_token_says_what_is_printed_beside_it() -> None:
    outline = read_unverified(TOKEN)
    assert outline.header == PRINTED_HEADER
    assert outline.claims == PRINTED_CLAIMS


def test_with_the_clock_set_back_the_printed_token_verifies_but_for_its_long_life() -> None:
    assert wrong(THEN) == ["lifetime"]
    assert refused(THEN) == "lifetime"


def test_today_the_printed_token_has_expired() -> None:
    assert wrong(LONG_AFTER) == ["time", "lifetime"]
    assert refused(LONG_AFTER) == "expired"


def test_the_printed_token_with_a_life_we_allow_is_accepted() -> None:
    keys = read_key_set(key_set(jwk("ES384", kid="example-kid")), ["ES384"]).keys
    claims = PRINTED_CLAIMS | {"exp": PRINTED_CLAIMS["iat"] + MAX_LIFE}
    text = signed(PRINTED_HEADER, claims, private_key("ES384"), "ES384")
    assert verify(text, AUDIENCE, [ehr(keys)], key_of, THEN).token_id == PRINTED_CLAIMS["jti"]
