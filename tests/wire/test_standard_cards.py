"""What the real service publishes and answers, against the sentences of CDS Hooks 2.0.1 about cards."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from calls import BASE_URL, HOOK, Observed, application
from flask.testing import FlaskClient

from cds_service.evidence import is_valid
from cds_service.settings import read_settings

STORIES = Path(__file__).parent.parent.parent / "fhir_fixtures"
RELAPSED, CHILD = "g05-ph-positive-second-relapse", "g02-second-relapse-of-a-child"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    settings = read_settings({"CDS_TODAY": "2026-11-01"}, "demo")
    return application(Observed(), settings).test_client()


def request_of(story: str) -> dict[str, Any]:
    content = json.loads((STORIES / story / "request.json").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def card(client: FlaskClient) -> dict[str, Any]:
    (found,) = client.post(HOOK, json=request_of(RELAPSED)).get_json()["cards"]
    assert isinstance(found, dict)
    return found


def templates(client: FlaskClient) -> dict[str, str]:
    (service,) = client.get("/cds-services").get_json()["services"]
    assert set(service) == {"id", "hook", "title", "description", "usageRequirements", "prefetch"}
    prefetch: dict[str, str] = service["prefetch"]
    return prefetch


def test_templates_are_relative_reads_and_searches_with_tokens_of_the_context(client: FlaskClient) -> None:
    for template in templates(client).values():
        assert re.match(r"[A-Z][A-Za-z]+[/?]", template)
        assert set(re.findall(r"\{\{(.*?)\}\}", template)) == {"context.patientId"}
        assert not re.search(r"(?<!\{)\{(?!\{)|(?<!\})\}(?!\})", template)


def test_templates_stay_in_the_portable_subset_and_repeat_no_parameter(client: FlaskClient) -> None:
    for template in templates(client).values():
        names = [name for name, _ in parse_qsl(template.partition("?")[2])]
        assert len(names) == len(set(names))
        assert set(names) <= {"patient", "code", "_count", "_sort"}


def test_every_uuid_is_lower_case_and_new_each_time(client: FlaskClient) -> None:
    seen: list[str] = []
    for _ in range(2):
        one = card(client)
        seen += [one["uuid"], *(s["uuid"] for s in one["suggestions"])]
    assert len(seen) == len(set(seen))
    assert all(str(uuid.UUID(text)) == text for text in seen)


def test_a_card_has_an_indicator_a_source_and_a_topic_without_the_patient(client: FlaskClient) -> None:
    one = card(client)
    assert one["indicator"] == "info"
    assert one["source"]["label"]
    assert set(one["source"]["topic"]) == {"system", "code", "display"}
    (other,) = client.post(HOOK, json=request_of(CHILD)).get_json()["cards"]
    assert other["source"] == one["source"]


def test_a_card_offers_any_of_its_suggestions_each_with_label_and_one_action(client: FlaskClient) -> None:
    one = card(client)
    assert one["selectionBehavior"] == "any"
    assert one["suggestions"]
    for suggestion in one["suggestions"]:
        assert set(suggestion) == {"label", "uuid", "actions"}
        (action,) = suggestion["actions"]
        assert suggestion["label"]
        assert set(action) == {"type", "description", "resource"}
        assert action["description"]


def test_an_action_creates_a_valid_draft_for_this_patient(client: FlaskClient) -> None:
    for suggestion in card(client)["suggestions"]:
        (action,) = suggestion["actions"]
        resource = action["resource"]
        assert action["type"] == "create"
        assert is_valid(resource)
        assert resource["id"]
        assert (resource["status"], resource["intent"]) == ("draft", "proposal")
        assert resource["subject"] == {"reference": f"Patient/{request_of(RELAPSED)['context']['patientId']}"}


def test_every_override_reason_is_a_coding_with_a_display(client: FlaskClient) -> None:
    reasons = card(client)["overrideReasons"]
    assert reasons
    assert all(set(r) == {"system", "code", "display"} and all(r.values()) for r in reasons)


def test_the_one_link_is_absolute_and_names_no_patient(client: FlaskClient) -> None:
    (link,) = card(client)["links"]
    assert set(link) == {"label", "url", "type"}
    assert link["type"] == "absolute"
    parts = urlsplit(link["url"])
    assert f"{parts.scheme}://{parts.netloc}" == BASE_URL
    assert not parts.query


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield name
            yield from names_in(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from names_in(inside)


def test_nothing_is_sent_that_the_standard_does_not_know(client: FlaskClient) -> None:
    answer = client.post(HOOK, json=request_of(RELAPSED)).get_json()
    assert set(answer) == {"cards", "extension"}
    assert set(answer["extension"]) == {"org.rr-all.assessment"}
    unknown = {"systemActions", "actionSelectionBehavior", "autolaunchable", "appContext", "version", "hookVersion"}
    assert not unknown & set(names_in(answer))


def test_nothing_to_say_is_an_empty_list_of_cards(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    request["prefetch"] = {"patient": request["prefetch"]["patient"], "conditions": None}
    response = client.post(HOOK, json=request)
    assert response.status_code == 200
    assert response.get_json()["cards"] == []


def test_null_and_an_empty_bundle_mean_the_same(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    request["prefetch"] = {"patient": request["prefetch"]["patient"], "conditions": None}
    null = client.post(HOOK, json=request).get_json()
    request["prefetch"]["conditions"] = {"resourceType": "Bundle", "type": "searchset"}
    assert client.post(HOOK, json=request).get_json() == null


def test_an_outcome_in_place_of_conditions_is_412_naming_the_key(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    request["prefetch"]["conditions"] = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "forbidden"}],
    }
    response = client.post(HOOK, json=request)
    assert response.status_code == 412
    assert "conditions" in response.get_data(as_text=True)


def test_a_foreign_patient_is_refused_without_an_id_in_the_answer(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    request["prefetch"]["patient"]["id"] = "somebody-else"
    response = client.post(HOOK, json=request)
    assert response.status_code == 400
    assert "somebody-else" not in response.get_data(as_text=True)


def test_a_key_nobody_asked_for_changes_nothing(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    plain = client.post(HOOK, json=request).get_json()["cards"][0]
    request["prefetch"]["coverage"] = {"resourceType": "Coverage", "id": "x"}
    assert client.post(HOOK, json=request).get_json()["cards"][0]["detail"] == plain["detail"]


def test_the_order_of_entries_changes_nothing(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    plain = client.post(HOOK, json=request).get_json()["cards"][0]
    for value in request["prefetch"].values():
        if value and value["resourceType"] == "Bundle":
            value.get("entry", []).reverse()
    assert client.post(HOOK, json=request).get_json()["cards"][0]["detail"] == plain["detail"]


def test_a_patient_facing_view_gets_no_card(client: FlaskClient) -> None:
    request = request_of(RELAPSED)
    request["context"]["userId"] = "RelatedPerson/mother"
    assert client.post(HOOK, json=request).get_json()["cards"] == []
