"""From the bytes of one hook call to a :class:`HookRequest`.

Everything outside the prefetch values is the envelope and is read strictly. Of the prefetch values only the
entries of Bundles are told apart here; each resource stays a view into the body, and the envelope's JSON Schema
sees a stub of the same JSON type in place of a value, so a chart of any size costs one pass over its bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cds_service.chart.bundle import NULL, Bundle, Prefetched, parted
from cds_service.errors import BadRequest
from cds_service.hooks.shape import compiled, require_shape
from cds_service.hooks.strict_json import MAX_DEPTH, below, given_twice, loads, place, require_text, require_utf8

MAX_ENVELOPE = 1 << 20
"""Bytes the envelope may have; a real one has about a thousand."""
MAX_MEMBERS = 200
PATIENT_FACING = frozenset({"Patient", "RelatedPerson"})

_STUBS: Mapping[int, Any] = {ord("{"): {}, ord("["): [], ord('"'): "", ord("n"): None, ord("t"): True, ord("f"): False}
_SCHEMA = compiled("request")
PREFETCH = b'"prefetch"'
JSON_SPACE = b" \t\r\n"
_Parts = tuple[dict[str, msgspec.Raw], dict[str, Prefetched] | None]
_LONE_SURROGATE = re.compile(
    rb"(?P<sound>(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)++)|\\u[dD][89a-fA-F]..",
    re.DOTALL,
)
MENDED_AT_MOST = 1000
LONGEST_FIRST = 1 << 16
_FIRST_NAME = re.compile(rb'\{[ \t\r\n]*"[^"\\]*"[ \t\r\n]*:[ \t\r\n]*')
_read_value = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class FhirAuthorization:
    """CDS Hooks, Passing the Access Token: transient, so never printed, stored or logged."""

    access_token: str = field(repr=False)
    token_type: str = "Bearer"
    expires_in: int | None = None
    scope: str | None = None
    subject: str | None = None
    patient: str | None = None


@dataclass(frozen=True)
class HookRequest:
    """One call of patient-view. *prefetch* holds Bundles, and the JSON of any other value as it came."""

    hook_instance: str
    user_id: str
    patient_id: str
    encounter_id: str | None = None
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None
    prefetch: Mapping[str, Prefetched] = field(default_factory=dict, repr=False)

    @property
    def patient_facing(self) -> bool:
        """patient-view, context: userId may be a Patient or RelatedPerson; then the patient reads the card."""
        return self.user_id.partition("/")[0] in PATIENT_FACING


def parse(body: bytes, max_depth: int = MAX_DEPTH) -> HookRequest:
    """The request in *body*, or :class:`BadRequest` naming the field or prefetch key."""
    require_utf8(body)
    members, prefetch = _parted(body) or _parted_anyhow(body)
    _require_small(members)
    envelope = {
        key: loads(bytes(raw), below("", key), depth=2, max_depth=max_depth)
        for key, raw in members.items()
        if key != "prefetch"
    }
    if "prefetch" in members:
        envelope["prefetch"] = _stub(memoryview(members["prefetch"]))
    if prefetch is not None:
        envelope["prefetch"] = {key: _stub(value) for key, value in prefetch.items()}
    require_shape(envelope, _SCHEMA)
    return _hook_request(envelope, prefetch or {})


def _parted(body: bytes) -> _Parts | None:
    """Envelope and prefetch of a body whose last member is prefetch, as clients send it: one pass less.

    With null in the place of its value the object must be whole; then what was replaced, up to the body's last
    brace, is the value, provided it is one object. Whatever does not fit is parted the longer way.
    """
    at = body.find(PREFETCH)
    start = body.find(b"{", at + len(PREFETCH))
    end = body.rfind(b"}")
    if at < 0 or not 0 < start < end or body[at + len(PREFETCH) : start].strip(JSON_SPACE) != b":":
        return None
    try:
        head = _members(body[:start] + b"null}")
        values = _values(memoryview(body)[start:end])
    except BadRequest:
        return None
    return (head, values) if "prefetch" in head and not body[end + 1 :].strip(JSON_SPACE) else None


def _parted_anyhow(body: bytes) -> _Parts:
    members = _members(body)
    raw = members.get("prefetch")
    holds = raw is not None and memoryview(raw)[0] == ord("{")
    return members, _values(memoryview(raw)) if raw is not None and holds else None


def _values(prefetch: memoryview) -> dict[str, Prefetched]:
    """CDS Hooks: a key is absent, null or a resource. In one pass where all but the first value are Bundles or null."""
    try:
        found = _members(prefetch, "prefetch", Bundle | None)
    except BadRequest:  # a fault, or a value of another shape
        return {key: parted(memoryview(raw)) for key, raw in _members(prefetch, "prefetch").items()}
    others = [key for key, value in found.items() if value is not None and value.resourceType != "Bundle"]
    return {key: value or NULL for key, value in found.items()} | _views(prefetch, others, first=next(iter(found), ""))


def _views(prefetch: memoryview, keys: Sequence[str], first: str) -> dict[str, Prefetched]:
    """The values under *keys* as views into the body. *first* is the first key of all."""
    if not keys:
        return {}
    value = _first_value(prefetch) if [*keys] == [first] else None
    if value is not None:
        return {first: value}
    found = _members(prefetch, "prefetch")
    return {key: memoryview(found[key]) for key in keys}


def _first_value(prefetch: memoryview) -> memoryview | None:
    """The first value of an object that is known to be well-formed, if it is short and its name plain: a Patient.

    Byte by byte it is ASCII wherever JSON has a meaning, so positions are the same in Latin-1, which cannot fail.
    """
    name = _FIRST_NAME.match(prefetch)
    if name is None:
        return None
    start = name.end()
    try:
        _, length = _read_value(str(prefetch[start : start + LONGEST_FIRST], "latin-1"))
    except (ValueError, RecursionError):
        return None
    return prefetch[start : start + length]


class _Name:
    """A key compared by identity, so that the decoder keeps both of two equal keys for us to see."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class _Names:
    """Makes the keys of one object; stops at a number no caller needs, before they cost anything."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.made = 0

    def __call__(self, _: type, text: str) -> _Name:
        self.made += 1
        if self.made > MAX_MEMBERS:
            raise BadRequest(
                f"{place(self.path)} has more than {MAX_MEMBERS} members. Send only what CDS Hooks describes.",
                self.path or None,
                "too-long",
            )
        return _Name(text)


def _decode(body: bytes | memoryview, path: str, kind: Any) -> dict[_Name, Any]:
    return msgspec.json.decode(body, type=dict[_Name, kind], dec_hook=_Names(path))


def _members(body: bytes | memoryview, path: str = "", kind: Any = msgspec.Raw) -> dict[str, Any]:
    """The members of one JSON object, known to be well-formed; each value as *kind*, undecoded unless it says more."""
    made: dict[str, Any] = {}
    for name, value in _split(body, path, kind).items():
        where = below(path, name.text)
        require_text(name.text, where)
        if name.text in made:
            raise given_twice(where)
        made[name.text] = value
    return made


def _split(body: bytes | memoryview, path: str, kind: Any) -> dict[_Name, Any]:
    try:
        try:
            return _decode(body, path, kind)
        except msgspec.ValidationError:
            raise BadRequest("The body must be a JSON object.", code="structure") from None
        except msgspec.DecodeError:
            return _decode(_without_lone_surrogates(bytes(body)), path, kind)
    except msgspec.DecodeError:
        raise BadRequest("The body is not well-formed JSON.", code="structure") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply to be read.", code="structure") from None


def _without_lone_surrogates(body: bytes) -> bytes:
    r"""*body* with each lone surrogate escape turned into ``\u0000``.

    Half a character is a fault of the string that holds it, not of the chart: the decoder would refuse the
    body for a truncated note nobody reads. Both are refused alike wherever text is read, so the meaning stays.
    """
    return _LONE_SURROGATE.sub(lambda found: found["sound"] or rb"\u0000", body, count=2 * MENDED_AT_MOST)


def _require_small(members: Mapping[str, msgspec.Raw]) -> None:
    size = sum(len(raw) for key, raw in members.items() if key != "prefetch")
    if size > MAX_ENVELOPE:
        raise BadRequest("The request is too long outside its prefetch. Send the fields of CDS Hooks.", code="too-long")


def _stub(value: Prefetched) -> Any:
    return {} if isinstance(value, Bundle) else _STUBS.get(value[0], 0)


def _hook_request(envelope: Mapping[str, Any], prefetch: Mapping[str, Prefetched]) -> HookRequest:
    context = envelope["context"]
    server = envelope.get("fhirServer") or None
    authorization = _authorization(envelope.get("fhirAuthorization"))
    if authorization is not None:
        _require_consistent(authorization, server, context["patientId"])
    return HookRequest(
        hook_instance=envelope["hookInstance"],
        user_id=context["userId"],
        patient_id=context["patientId"],
        encounter_id=context.get("encounterId") or None,
        fhir_server=server,
        fhir_authorization=authorization,
        prefetch=prefetch,
    )


def _authorization(given: Mapping[str, Any] | None) -> FhirAuthorization | None:
    if given is None:
        return None
    return FhirAuthorization(
        access_token=given["access_token"],
        token_type=given.get("token_type", "Bearer"),
        expires_in=given.get("expires_in"),
        scope=given.get("scope"),
        subject=given.get("subject"),
        patient=given.get("patient") or None,
    )


def _require_consistent(authorization: FhirAuthorization, server: str | None, patient_id: str) -> None:
    if server is None:
        # CDS Hooks, HTTP request: fhirServer is REQUIRED if fhirAuthorization is provided.
        raise BadRequest("fhirServer is missing. Send it whenever fhirAuthorization is sent.", "fhirServer", "required")
    if authorization.patient is not None and authorization.patient != patient_id:
        raise BadRequest(
            "fhirAuthorization.patient and context.patientId name two patients. "
            "Send a token granted for the patient in context.",
            "fhirAuthorization.patient",
        )
