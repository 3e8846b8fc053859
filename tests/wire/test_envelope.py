"""The hook request is read strictly outside its prefetch, and the prefetch is handed on undecoded."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from calls import INSTANCE, body_of, hook_call
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cds_service.chart.bundle import Bundle
from cds_service.errors import BadRequest
from cds_service.hooks.envelope import MAX_ENVELOPE, HookRequest, parse
from cds_service.hooks.shape import schema

AUTHORIZATION = {
    "access_token": "secret-token",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "cds-service",
}
CONTEXT = {"userId": "Practitioner/1", "patientId": "p1"}


def refused(body: bytes | dict[str, Any]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse(body if isinstance(body, bytes) else body_of(body))
    assert caught.value.status == 400
    return caught.value


def with_text(**members: str) -> bytes:
    """A valid call whose further members are given as JSON text."""
    text = body_of(hook_call(prefetch=...)).decode()[:-1]
    return (text + "".join(f', "{name}": {value}' for name, value in members.items()) + "}").encode()


@pytest.mark.parametrize("name", ["request", "feedback"])
def test_each_schema_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_a_plain_call_is_read_whole() -> None:
    call = hook_call(
        context=CONTEXT | {"encounterId": "e1"}, fhirServer="http://ehr.example.org/r4", fhirAuthorization=AUTHORIZATION
    )
    request = parse(body_of(call))
    assert (request.hook_instance, request.user_id, request.patient_id) == (INSTANCE, "Practitioner/1", "p1")
    assert (request.encounter_id, request.fhir_server) == ("e1", "http://ehr.example.org/r4")
    assert request.fhir_authorization is not None
    assert request.fhir_authorization.access_token == "secret-token"
    assert request.fhir_authorization.expires_in == 300


def test_the_token_and_the_prefetch_are_never_printed() -> None:
    request = parse(body_of(hook_call(fhirServer="http://ehr.example.org", fhirAuthorization=AUTHORIZATION)))
    assert "secret-token" not in repr(request)
    assert "resourceType" not in repr(request)


# Point 1: prefetch has four states.


def test_a_key_left_out_a_null_a_failure_and_data_stay_four_different_things() -> None:
    failed = {"resourceType": "OperationOutcome", "issue": []}
    request = parse(body_of(hook_call(prefetch={"looked": None, "failed": failed, "data": {"resourceType": "Bundle"}})))
    assert "absent" not in request.prefetch
    assert bytes(request.prefetch["looked"]) == b"null"
    assert json.loads(bytes(request.prefetch["failed"])) == failed
    assert request.prefetch["data"] == Bundle("Bundle")


def test_a_prefetch_value_is_handed_on_byte_for_byte() -> None:
    value = '{ "a" : [1.50, "é\\u00e9 \\" } {"], "a":2, "b": {"prefetch": {}} }'
    request = parse(with_text(prefetch=f'{{"x": {value} , "y":null}}'))
    assert bytes(request.prefetch["x"]).decode() == value
    assert bytes(request.prefetch["y"]) == b"null"


@pytest.mark.parametrize(
    "prefetch",
    [
        pytest.param('{"patient":PATIENT,"conditions":BUNDLE,"other":null}', id="the patient first"),
        pytest.param('{ "patient" :\t PATIENT\n, "conditions":BUNDLE,"other":null}', id="with space around it"),
        pytest.param('{"conditions":BUNDLE,"other":null,"patient":PATIENT}', id="the patient last"),
        pytest.param('{"patient":PATIENT,"conditions":BUNDLE,"other":{"entry":5}}', id="beside an odd value"),
        pytest.param('{"p\\u0061tient":PATIENT,"conditions":BUNDLE,"other":null}', id="under a key with an escape"),
        pytest.param('{"patient":PATIENT,"conditions":BUNDLE,"other":{"resourceType":"Device"}}', id="beside another"),
    ],
)
@pytest.mark.parametrize("name", ["Ann", r"Ånn } ] \" {", "x" * (1 << 16), r"\ud800"])
def test_bundles_are_told_apart_and_the_rest_is_handed_on_wherever_it_stands(prefetch: str, name: str) -> None:
    patient = f'{{"resourceType":"Patient", "id":"p1","name":[{{"family":"{name}"}}]}}'
    bundle = '{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"urn:1","resource":{"id":"c1"}}]}'
    request = parse(with_text(prefetch=prefetch.replace("PATIENT", patient).replace("BUNDLE", bundle)))
    assert bytes(request.prefetch["patient"]).decode() in (patient, patient.replace("ud800", "u0000"))
    conditions = request.prefetch["conditions"]
    assert isinstance(conditions, Bundle)
    assert [(bytes(e.resource), e.fullUrl) for e in conditions.entry if e] == [(b'{"id":"c1"}', "urn:1")]


def test_equal_values_elsewhere_in_the_body_do_not_confuse_what_is_prefetch() -> None:
    body = (
        b'{"extension": {"prefetch": {"patient": {}}}, "x": "{}", ' + body_of(hook_call(prefetch={"patient": {}}))[1:]
    )
    assert {key: bytes(value) for key, value in parse(body).prefetch.items()} == {"patient": b"{}"}


@pytest.mark.parametrize("prefetch", [..., None, {}])
def test_a_call_without_prefetch_is_read(prefetch: Any) -> None:
    assert parse(body_of(hook_call(prefetch=prefetch))).prefetch == {}


@pytest.mark.parametrize("value", [[], "canary", 7, -1.5, True, False])
def test_a_prefetch_value_that_is_no_resource_is_refused_naming_its_key(value: Any) -> None:
    error = refused(hook_call(prefetch={"patient": None, "observations": value}))
    assert error.expression == "prefetch.observations"
    assert "canary" not in str(error)


@pytest.mark.parametrize("prefetch", [[], "x", 0, True])
def test_a_prefetch_that_is_no_object_is_refused(prefetch: Any) -> None:
    assert refused(hook_call(prefetch=prefetch)).expression == "prefetch"


def test_what_is_odd_inside_a_prefetch_value_is_left_to_whoever_reads_it() -> None:
    odd = '{"a":1,"a":2,"nul":"\\u0000","deep":' + "[" * 100 + "]" * 100 + ',"big":1e400}'
    assert bytes(parse(with_text(prefetch=f'{{"x":{odd}}}')).prefetch["x"]) == odd.encode()


def test_half_a_character_in_a_prefetch_value_costs_that_text_and_not_the_call() -> None:
    sound = r"\ud83d\ude00 \\ud83d"
    request = parse(with_text(prefetch=r'{"x":{"note":"' + sound + r' \ud83d"},"y":{"z":"\udc00 tail"}}'))
    assert bytes(request.prefetch["x"]).decode() == r'{"note":"' + sound + r' \u0000"}'
    assert bytes(request.prefetch["y"]) == rb'{"z":"\u0000 tail"}'


# Point 5: userId holds the resource type, patientId does not.


@pytest.mark.parametrize("user", ["Practitioner/1", "PractitionerRole/a-b.c", "Patient/p1", "RelatedPerson/r1"])
def test_every_kind_of_user_is_accepted(user: str) -> None:
    request = parse(body_of(hook_call(context=CONTEXT | {"userId": user})))
    assert request.user_id == user
    assert request.patient_facing is user.startswith(("Patient/", "RelatedPerson/"))


@pytest.mark.parametrize("user", ["1", "https://ehr.example.org/Practitioner/1", "", "/1", "Practitioner/", "a/b\n", 7])
def test_a_user_id_without_its_type_is_refused(user: Any) -> None:
    assert refused(hook_call(context=CONTEXT | {"userId": user})).expression == "context.userId"


@pytest.mark.parametrize("patient", ["Patient/123", "", "a b", "x" * 65, "p1\n", "é", None, 1, ["p1"]])
def test_a_patient_id_that_is_no_bare_fhir_id_is_refused(patient: Any) -> None:
    assert refused(hook_call(context=CONTEXT | {"patientId": patient})).expression == "context.patientId"


@pytest.mark.parametrize("encounter", ["", None])
def test_an_empty_encounter_is_an_absent_one(encounter: str | None) -> None:
    assert parse(body_of(hook_call(context=CONTEXT | {"encounterId": encounter}))).encounter_id is None


def test_an_encounter_that_is_no_bare_id_is_refused() -> None:
    assert refused(hook_call(context=CONTEXT | {"encounterId": "Encounter/1"})).expression == "context.encounterId"


# Point 10: the same hook instance may come again.


@pytest.mark.parametrize("instance", [INSTANCE, INSTANCE.upper(), "00000000-0000-0000-0000-000000000000"])
def test_any_uuid_is_a_hook_instance_and_it_may_come_twice(instance: str) -> None:
    call = body_of(hook_call(hookInstance=instance))
    assert parse(call) == parse(call)
    assert parse(call).hook_instance == instance


@pytest.mark.parametrize("instance", ["", "1", INSTANCE + "\n", "{" + INSTANCE + "}", None, 5])
def test_a_hook_instance_that_is_no_uuid_is_refused(instance: Any) -> None:
    assert refused(hook_call(hookInstance=instance)).expression == "hookInstance"


# The rest of the envelope.


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_a_required_field_left_out_is_named(field: str) -> None:
    error = refused(hook_call(**{field: ...}))
    assert (error.expression, error.code) == (field, "required")
    assert f"{field} is missing" in str(error)


@pytest.mark.parametrize("field", ["userId", "patientId"])
def test_a_required_field_of_context_left_out_is_named(field: str) -> None:
    context = {name: value for name, value in CONTEXT.items() if name != field}
    assert refused(hook_call(context=context)).expression == f"context.{field}"


@pytest.mark.parametrize("context", [None, [], "x", 1])
def test_a_context_that_is_no_object_is_refused(context: Any) -> None:
    assert refused(hook_call(context=context)).expression == "context"


@pytest.mark.parametrize("hook", ["order-sign", "", "Patient-View", None, 1, ["patient-view"]])
def test_another_hook_is_refused(hook: Any) -> None:
    assert refused(hook_call(hook=hook)).expression == "hook"


def test_unknown_fields_and_extensions_are_ignored() -> None:
    call = hook_call(junk={"a": [1]}, extension={"org.example": {}}, context=CONTEXT | {"more": None})
    assert parse(body_of(call)) == parse(body_of(hook_call()))


def test_an_authorization_without_a_server_is_refused() -> None:
    assert refused(hook_call(fhirAuthorization=AUTHORIZATION)).expression == "fhirServer"


@pytest.mark.parametrize("server", [..., None, "", "http://ehr.example.org"])
def test_an_authorization_of_null_is_an_absent_one(server: Any) -> None:
    assert parse(body_of(hook_call(fhirAuthorization=None, fhirServer=server))).fhir_authorization is None


def test_a_token_for_another_patient_is_refused() -> None:
    other = AUTHORIZATION | {"patient": "p2"}
    error = refused(hook_call(fhirServer="http://ehr.example.org", fhirAuthorization=other))
    assert error.expression == "fhirAuthorization.patient"
    assert "p2" not in str(error)


@pytest.mark.parametrize("patient", ["p1", "", None])
def test_a_token_for_this_patient_or_no_patient_in_particular_is_accepted(patient: str | None) -> None:
    same = AUTHORIZATION | {"patient": patient}
    assert parse(body_of(hook_call(fhirServer="http://ehr.example.org", fhirAuthorization=same))).fhir_authorization


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("access_token", None),
        ("access_token", "a b"),
        ("access_token", ""),
        ("token_type", 1),
        ("scope", []),
        ("expires_in", "300"),
        ("expires_in", True),
        ("subject", {}),
        ("patient", 3),
    ],
)
def test_an_ill_typed_authorization_is_refused_by_field(field: str, value: Any) -> None:
    wrong = AUTHORIZATION | {field: value}
    error = refused(hook_call(fhirServer="http://ehr.example.org", fhirAuthorization=wrong))
    assert error.expression == f"fhirAuthorization.{field}"


@pytest.mark.parametrize(
    "server", ["http://localhost:8080/fhir/", "https://[::1]:8443", "https://ehr.example.org/a?b#c"]
)
def test_a_server_address_is_accepted_with_and_without_a_trailing_slash(server: str) -> None:
    assert parse(body_of(hook_call(fhirServer=server))).fhir_server == server


@pytest.mark.parametrize(
    "server",
    [
        "ehr.example.org",
        "ftp://x",
        "https://",
        "https://evil.com\\@ehr.example.org/",
        "https://a@b",
        "https://a%00b",
        "https://ehr.example.org/\n",
        "https://é.org",
        "https://a b",
        1,
        {},
    ],
)
def test_an_address_two_programs_could_read_differently_is_refused(server: Any) -> None:
    assert refused(hook_call(fhirServer=server)).expression == "fhirServer"


# JSON itself.


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"\xef\xbb\xbf" + body_of(hook_call()), id="byte order mark"),
        pytest.param(json.dumps(hook_call()).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps(hook_call()).encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(with_text(prefetch='{"x":{"note":"\x80"}}').replace("\x80".encode(), b"\xff"), id="not UTF-8"),
        pytest.param(b"// comment\n" + body_of(hook_call()), id="comment"),
        pytest.param(body_of(hook_call())[:-1] + b",}", id="trailing comma"),
        pytest.param(body_of(hook_call())[:-1], id="cut short"),
        pytest.param(body_of(hook_call()) + b"{}", id="two values"),
        pytest.param(b"[" + body_of(hook_call()) + b"]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"patient-view"', id="string"),
        pytest.param(with_text(prefetch='{"x":{"a":01}}'), id="bad number in the prefetch"),
        pytest.param(with_text(prefetch='{"x":{"a":NaN}}'), id="NaN in the prefetch is not JSON"),
        pytest.param(with_text(prefetch='{"x":{"a":"\t"}}'), id="control character in the prefetch"),
        pytest.param(with_text(prefetch='{"x":' + "[" * 100_000 + "}"), id="bottomless prefetch"),
        pytest.param(b"[" * 100_000, id="bottomless"),
        pytest.param(with_text(x='"' + "x" * MAX_ENVELOPE + '"'), id="long envelope"),
        pytest.param(with_text(**{f"x{n}": "1" for n in range(201)}), id="many members"),
        pytest.param(with_text(prefetch=json.dumps({f"x{n}": None for n in range(201)})), id="many prefetch keys"),
    ],
)
def test_a_body_that_is_not_one_json_object_in_utf8_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(with_text(hook='"patient-view"'), "hook", id="field twice"),
        pytest.param(with_text(prefetch="{}", **{"pre\\u0066etch": "{}"}), "prefetch", id="prefetch twice"),
        pytest.param(with_text(prefetch='{"patient":{},"patient":null}'), "prefetch.patient", id="key twice"),
        pytest.param(with_text(x='{"a":{"b":1,"b":1}}'), "x.a.b", id="twice in an unknown field"),
        pytest.param(with_text(x="[1, 1e400]"), "x[1]", id="infinite number"),
        pytest.param(with_text(x="1" * 5000), "x", id="endless number"),
        pytest.param(with_text(x='"\\u0000"'), "x", id="NUL"),
        pytest.param(with_text(x='{"\\u0000": 1}'), "x.*", id="NUL in a key"),
        pytest.param(with_text(x='"a\\ud800b"'), "x", id="lone surrogate"),
        pytest.param(with_text(x="[" * 64 + "]" * 64), "x" + "[0]" * 63, id="one level too deep"),
    ],
)
def test_json_two_parsers_could_read_differently_is_refused_by_path(body: bytes, named: str) -> None:
    assert refused(body).expression == named


def test_sixty_four_levels_are_not_too_deep() -> None:
    assert parse(with_text(x="[" * 63 + "]" * 63)).patient_id == "p1"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_json_does_not_have_are_refused(constant: str) -> None:
    refused(with_text(x=constant))


def test_no_value_and_no_odd_key_is_repeated_in_an_error() -> None:
    for call in (
        hook_call(context={"userId": "canary canary", "patientId": "p1"}),
        hook_call(hook="canary"),
        hook_call(prefetch={"canary canary": 1}),
        hook_call(**{"canary \x00": {}}),
    ):
        error = refused(call)
        assert "canary" not in json.dumps(error.outcome())
        assert error.outcome()["resourceType"] == "OperationOutcome"


def outcome_of(body: bytes) -> HookRequest | None:
    try:
        return parse(body)
    except BadRequest:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_bad_request(body: bytes) -> None:
    outcome_of(body)


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_any_mutation_of_a_call_is_a_request_or_a_bad_request(seed: int, changes: int) -> None:
    dice = random.Random(seed)
    body = bytearray(body_of(hook_call(fhirServer="http://ehr.example.org", fhirAuthorization=AUTHORIZATION)))
    for _ in range(changes):
        at = dice.randrange(len(body))
        body[at : at + dice.randrange(3)] = dice.choice([b"", b'"', b"{", b"]", b",", b"\\", b"\xff", b"\\ud800", b"0"])
    outcome_of(bytes(body))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization"]), ANY_JSON)
def test_any_json_in_any_field_is_a_request_or_a_bad_request(field: str, value: Any) -> None:
    outcome_of(body_of(hook_call(**{field: value})))


@given(st.dictionaries(st.sampled_from("abc"), st.none() | st.dictionaries(st.text(), ANY_JSON, max_size=3)))
def test_prefetch_values_always_come_out_as_they_went_in(prefetch: dict[str, Any]) -> None:
    try:
        body = json.dumps(hook_call(prefetch=prefetch), allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return
    read = parse(body).prefetch
    assert {key: json.loads(bytes(value)) for key, value in read.items()} == prefetch
