"""Every entry of the attack corpus, against the real application and the real checks of addresses and tokens."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jwt import PyJWK
from werkzeug.test import TestResponse

from cds_service.compose import EXTENSION
from cds_service.ehr import pages
from cds_service.outbound.address import UnsafeAddress, parse_address
from cds_service.outbound.fetch import NotFetched
from cds_service.trust.clients import Client
from cds_service.trust.jwks import PinnedKeys, read_key_set
from cds_service.trust.tokens import Refused, verify
from tests.corpus import Entry, edited, entries, joined
from tests.corpus.planting import leaves, planted, replaced
from tests.corpus.service import FEEDBACK, HOOK, cards_without_ids, open_service
from tests.corpus.tokens import AUDIENCE, Signers, token
from tests.stories import story

BASE_STORY = "g01-first-marrow-relapse"
ALLOWED_BASE = "https://ehr.example.org/api/FHIR/R4"
MARKER = "zq7"
NOW = 1_800_000_000.0
JSON = {"Content-Type": "application/json"}
LEAST = {"urls": 80, "jwts": 60, "json_bodies": 60, "fhir_bodies": 60, "markdown": 40}


def each(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["id"]) for entry in entries(name)])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return open_service(story(BASE_STORY).about["today"], tmp_path_factory.mktemp("service")).test_client()


@pytest.fixture(scope="module")
def base(client: FlaskClient) -> dict[str, Any]:
    """The answer to the base story as it is."""
    response = hook(client, json.dumps(story(BASE_STORY).request).encode())
    assert response.status_code == 200
    return dict(response.get_json())


def hook(client: FlaskClient, body: bytes, headers: dict[str, str] = JSON) -> TestResponse:
    return client.post(HOOK, data=body, headers=headers)


def conclusion(answer: dict[str, Any]) -> dict[str, Any]:
    """What the chart was taken to say: class, rule, each option's group. What was set aside may differ."""
    found = answer["extension"][EXTENSION]
    names = ("classification", "rule", "reason", "modifiers", "lineage", "ph_status", "options", "evidence")
    return {name: found.get(name) for name in names}


@pytest.mark.parametrize("name", LEAST)
def test_each_file_is_large_enough_and_names_each_entry_once(name: str) -> None:
    found = entries(name)
    assert len(found) >= LEAST[name]
    assert len({entry["id"] for entry in found}) == len(found)
    assert all(entry["tries"] and "expect" in entry for entry in found)


# Addresses.


@each("urls")
def test_only_addresses_below_the_allowed_base_are_held(entry: Entry) -> None:
    assert _held(joined(entry["url"]).decode(), entry.get("from")) is (entry["expect"] == "held")


def _held(text: str, page: str | None) -> bool:
    """*text* as an address by itself, or as the link to the next page on *page*."""
    try:
        address = parse_address(text) if page is None else pages._followed(text, page)
    except (UnsafeAddress, NotFetched):
        return False
    return parse_address(ALLOWED_BASE).holds(address)


# Tokens.


@pytest.fixture(scope="module")
def signers() -> Signers:
    return Signers()


@pytest.fixture(scope="module")
def clients(signers: Signers) -> tuple[Client, ...]:
    """Client a: pinned keys. Client b: two tenants and an allow-listed jku."""
    return (
        _client("a", signers.published("ec-1", "a+b/c=", "rsa-1", "rsa-1024"), frozenset(), None),
        _client("b", signers.published("ec-1"), frozenset({"north", "south"}), "https://b.example.org/jwks.json"),
    )


def _client(name: str, key_set: bytes, tenants: frozenset[str], jku: str | None) -> Client:
    algorithms = frozenset({"RS384", "ES384"})
    return Client(
        name=name,
        issuer=f"https://{name}.example.org",
        algorithms=algorithms,
        profile="generic",
        replay="reject",
        tenants=tenants,
        keys=read_key_set(key_set, algorithms).keys,
        jku=jku,
        fhir_bases=(),
        prefetch_names={},
        ca_file=None,
    )


@each("jwts")
def test_only_sound_tokens_are_admitted(entry: Entry, signers: Signers, clients: tuple[Client, ...]) -> None:
    assert _verdict(token(entry, signers, NOW), clients) == entry["expect"]


def _key_of(client: Client, kid: str) -> PyJWK | None:
    assert isinstance(client.keys, PinnedKeys)
    return client.keys.by_id.get(kid)


def _verdict(made: str, clients: tuple[Client, ...]) -> str:
    try:
        verify(made, [AUDIENCE], clients, _key_of, NOW)
    except Refused as refusal:
        return refusal.reason
    return "admitted"


# Bodies.


@each("json_bodies")
def test_hostile_json_is_answered_with_the_status_it_deserves(entry: Entry, client: FlaskClient) -> None:
    path = FEEDBACK if entry.get("to") == "feedback" else HOOK
    response = client.post(path, data=joined(entry["body"]), headers=entry.get("headers", JSON))
    assert response.status_code == entry["expect"]
    if entry["expect"] != 200:
        assert response.get_json()["resourceType"] == "OperationOutcome"


@each("fhir_bodies")
def test_hostile_fhir_changes_nothing_it_must_not(entry: Entry, client: FlaskClient, base: dict[str, Any]) -> None:
    expect = entry["expect"]
    response = hook(client, edited(story(BASE_STORY).request, entry["edits"]))
    assert response.status_code == expect["status"]
    assert expect.get("absent", "\0").encode() not in response.data
    answer = response.get_json()
    if expect.get("same_card"):
        assert cards_without_ids(answer) == cards_without_ids(base)
    if expect.get("same_answer"):
        assert conclusion(answer) == conclusion(base)
    if "set_aside" in expect:
        resource, why = expect["set_aside"]
        assert {"resource": resource, "why": why} in answer["extension"][EXTENSION]["set_aside"]


# Free text.


def _calls(request: dict[str, Any]) -> list[bytes]:
    """The request, and what makes of it each kind of refusal."""
    foreign = request | {"context": request["context"] | {"patientId": "someone-else"}}
    lacking = request | {"prefetch": {**request["prefetch"], "conditions": {"resourceType": "OperationOutcome"}}}
    sound = json.dumps(request).encode()
    return [sound, json.dumps(foreign).encode(), json.dumps(lacking).encode(), sound[:-1]]


@each("markdown")
def test_no_free_text_reaches_an_answer_an_error_or_the_log(
    entry: Entry, client: FlaskClient, base: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    request = planted(story(BASE_STORY).request, entry["text"])
    with caplog.at_level(logging.DEBUG):
        responses = [hook(client, body) for body in _calls(request)]
    assert [response.status_code for response in responses] == [200, 400, 412, 400]
    assert cards_without_ids(responses[0].get_json()) == cards_without_ids(base)
    for response in responses:
        assert MARKER not in response.get_data(as_text=True).lower()
    assert MARKER not in caplog.text.lower()


@pytest.mark.parametrize("text", ["[zq7](https://evil.example/)", "www.zq7.example x", "zq7` <b>x</b>", "zq7\n# x"])
@pytest.mark.parametrize("slug", [BASE_STORY, "contained-medication", "mcode-shaped-ph-positive"])
def test_no_field_at_all_reaches_an_answer_as_a_link(client: FlaskClient, slug: str, text: str) -> None:
    request = story(slug).request
    for way in leaves(request):
        response = hook(client, json.dumps(replaced(request, way, text)).encode())
        assert response.status_code in (200, 400, 412), way
        assert MARKER not in response.get_data(as_text=True), way


@pytest.mark.parametrize("text", ["[zq7](https://evil.example/)", "www.zq7.example", "zq7` <b>", ""])
def test_no_prefetch_key_reaches_an_answer_as_a_link(client: FlaskClient, text: str) -> None:
    request = story(BASE_STORY).request
    for value in (
        {"resourceType": "OperationOutcome"},
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": "x"}]},
    ):
        response = hook(client, json.dumps(request | {"prefetch": {**request["prefetch"], text: value}}).encode())
        assert response.status_code == 200
        assert "another key" in response.get_data(as_text=True)
        assert MARKER not in response.get_data(as_text=True)


def test_the_corpus_is_data_alone() -> None:
    for file in Path(__file__).with_name("corpus").glob("*.json"):
        assert isinstance(json.loads(file.read_text("utf-8")), list)
