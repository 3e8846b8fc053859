"""The policy over one token, in the order CDS Hooks' best practices give. Pure: no clock, network or store.

    verify = read_unverified     the form: size, three parts, two JSON objects
             require_header      typ, no extension that changes what is signed
             issued_by           iss is listed
             require_audience    aud is the address called
             read_times, require_current, require_short_life
             client_of           tenant
             require_jku, key_of_client, require_signature
             token_id            jti is fit to be remembered; whether it was seen is the door's to ask

A key is never taken from a token: ``jwk``, ``x5c``, ``x5u`` and ``jku`` in a header are not followed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cds_service.errors import BadRequest
from cds_service.hooks.strict_json import loads
from cds_service.trust.clients import Client
from cds_service.trust.jwks import ALGORITHMS, MAX_KEY_ID, fits, is_key_id

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWS

MAX_TOKEN = 8192
"""Bytes a token may have."""
MAX_TOKEN_ID = 256
MAX_LIFE = 20 * 60.0
"""Seconds from iat to exp. Epic's live for 15 minutes."""
LEEWAY = 60.0
"""Seconds by which two clocks may differ."""

REASONS: Mapping[str, str] = {
    "no-token": "There is no Authorization header. Send one with a bearer token.",
    "not-bearer": "The Authorization header is not the word Bearer and one token. Send just these two.",
    "too-long": f"The token has more than {MAX_TOKEN} characters. Leave out claims CDS Hooks does not ask for.",
    "not-a-jwt": "The token is not three base64url parts joined by dots. Send it whole and unchanged.",
    "not-json": "The header or the payload is not a JSON object in UTF-8 with each name once. Make it one.",
    "typ": "The header's typ is not JWT. Set it; CDS Hooks requires it.",
    "critical": "The header has crit or b64. Send an ordinary signed token without extensions.",
    "issuer": "iss is not, letter by letter, the issuer of any client. Compare it with clients.toml.",
    "audience": "aud is not the address that was called. Use CDS_BASE_URL and the path, in full, as aud.",
    "times": "exp and iat must be there, and they and nbf must be numbers of seconds since 1970. Correct them.",
    "expired": f"exp is more than {LEEWAY:.0f} seconds ago. Send a fresh token, and check both clocks.",
    "too-early": f"iat or nbf is more than {LEEWAY:.0f} seconds ahead. Check both clocks.",
    "lifetime": f"exp must be after iat, by no more than {MAX_LIFE / 60:.0f} minutes. Issue short-lived tokens.",
    "tenant": "tenant is not one this issuer's client lists. Compare it with tenants in clients.toml.",
    "jku": "jku is not, letter by letter, the client's jku. Compare it with clients.toml; it is never fetched.",
    "algorithm": "alg is not one the client is allowed. Sign with one of its algorithms; none and HS* never are.",
    "unknown-key": f"kid names none of the client's usable keys, or is not text of 1 to {MAX_KEY_ID} characters. "
    "Publish or pin that key, with its alg.",
    "key-type": "alg is not the algorithm of the key that kid names. Sign with that key's own algorithm.",
    "signature": "The signature was not made with the key that kid names. Compare the key with the one pinned.",
    "token-id": f"jti must be text of 1 to {MAX_TOKEN_ID} characters. Give each token its own.",
    "replayed": "The token was used before. Make a new one, with a new jti, for each call.",
}
"""Every reason a caller can be refused for, and what to do about it. The keys are logged and counted."""

_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_DEEPEST = 16

KeyOf = Callable[[Client, str], "PyJWK | None"]


class Refused(Exception):
    """The token is not accepted. *reason* is a key of :data:`REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


@dataclass(frozen=True)
class Outline:
    """What a token says of itself. Nothing of it is known to be true."""

    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Times:
    """Seconds since 1970."""

    issued: float
    not_before: float
    expires: float


@dataclass(frozen=True)
class Claims:
    """What is known of the caller. *expires* is the token's own exp, without leeway."""

    client: Client
    issuer: str
    tenant: str | None
    token_id: str
    expires: float


def verify(token: str, audience: str | Collection[str], clients: Sequence[Client], key_of: KeyOf, now: float) -> Claims:
    """Who signed *token* for *audience* (any one of several addresses). Raises :class:`Refused`."""
    outline = read_unverified(token)
    require_header(outline)
    candidates = issued_by(outline, clients)
    require_audience(outline, audience)
    times = read_times(outline)
    require_current(times, now)
    require_short_life(times)
    client = client_of(outline, candidates)
    require_jku(outline, client)
    require_signature(token, key_of_client(outline, client, key_of))
    return Claims(client, client.issuer, outline.claims.get("tenant"), token_id(outline), times.expires)


def read_unverified(token: str) -> Outline:
    """The two JSON objects of *token*."""
    if len(token) > MAX_TOKEN:
        raise Refused("too-long")
    parts = _PARTS.fullmatch(token)
    if parts is None:
        raise Refused("not-a-jwt")
    header, payload, _ = [_decoded(part) for part in parts.groups()]
    return Outline(_object(header), _object(payload))


def require_header(outline: Outline) -> None:
    """RFC 7515, 4.1.11: what crit names must be understood or refused; RFC 7797's b64 changes what is signed."""
    typ = outline.header.get("typ")
    if not isinstance(typ, str) or typ.lower() != "jwt":
        raise Refused("typ")
    if {"crit", "b64"} & outline.header.keys():
        raise Refused("critical")


def issued_by(outline: Outline, clients: Sequence[Client]) -> list[Client]:
    """The clients of the token's issuer: several when they are told apart by tenant."""
    issuer = outline.claims.get("iss")
    if found := [client for client in clients if client.issuer == issuer]:
        return found
    raise Refused("issuer")


def require_audience(outline: Outline, audience: str | Collection[str]) -> None:
    """CDS Hooks: aud is the address being called; one slash at its end may come or go."""
    claimed = outline.claims.get("aud")
    named = [claimed] if isinstance(claimed, str) else claimed
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Refused("audience")
    accepted = [audience] if isinstance(audience, str) else audience
    if not {name.removesuffix("/") for name in named} & {name.removesuffix("/") for name in accepted}:
        raise Refused("audience")


def read_times(outline: Outline) -> Times:
    """exp and iat, which CDS Hooks requires, and nbf, which is iat when it is left out."""
    issued, expires = outline.claims.get("iat"), outline.claims.get("exp")
    not_before = outline.claims.get("nbf", issued)
    return Times(_seconds(issued), _seconds(not_before), _seconds(expires))


def require_current(times: Times, now: float) -> None:
    """The token is valid now, give or take :data:`LEEWAY`."""
    if now - times.expires > LEEWAY:
        raise Refused("expired")
    if max(times.issued, times.not_before) - now > LEEWAY:
        raise Refused("too-early")


def require_short_life(times: Times) -> None:
    """A token that lives long must be remembered as long, or it can be replayed."""
    if not 0 < times.expires - times.issued <= MAX_LIFE:
        raise Refused("lifetime")


def client_of(outline: Outline, candidates: Sequence[Client]) -> Client:
    """The one of *candidates*, all of one issuer, that takes calls for the token's tenant."""
    tenant = outline.claims.get("tenant")
    if "tenant" not in outline.claims or isinstance(tenant, str):
        for client in candidates:
            if not client.tenants or tenant in client.tenants:
                return client
    raise Refused("tenant")


def require_jku(outline: Outline, client: Client) -> None:
    """A token's jku is compared, never fetched.

    It can only agree or disagree with where the client's keys come from. A client whose keys are pinned
    without a jku has nothing to compare it with, and then it changes nothing.
    """
    if client.jku is not None and outline.header.get("jku", client.jku) != client.jku:
        raise Refused("jku")


def key_of_client(outline: Outline, client: Client, key_of: KeyOf) -> PyJWK:
    """The client's key of that kid, if its own algorithm, the client's and the token's are one."""
    algorithm, kid = outline.header.get("alg"), outline.header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in client.algorithms & ALGORITHMS:
        raise Refused("algorithm")
    key = key_of(client, kid) if isinstance(kid, str) and is_key_id(kid) else None
    if key is None:
        raise Refused("unknown-key")
    if key.algorithm_name != algorithm or not fits(algorithm, key):
        raise Refused("key-type")
    return key


def require_signature(token: str, key: PyJWK) -> None:
    """The token was signed with *key*, by the key's own algorithm."""
    signed = signatures()
    try:
        signed.decode(token, key, algorithms=[key.algorithm_name])
    except Exception:  # noqa: BLE001 - whatever a library does with a hostile token, the token is refused
        raise Refused("signature") from None


@cache
def signatures() -> PyJWS:
    """What checks them. Loads PyJWT and cryptography: the demo when a token comes, production before any can."""
    from jwt import PyJWS

    return PyJWS()


def token_id(outline: Outline) -> str:
    """The jti."""
    jti = outline.claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_TOKEN_ID:
        raise Refused("token-id")
    return jti


def _decoded(part: str) -> bytes:
    """RFC 7515, 2: base64url without padding; only the one way to write these bytes."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Refused("not-a-jwt") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != part:
        raise Refused("not-a-jwt")
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    """RFC 8725, 2.6: read once and strictly, as a name given twice can mean two things to two readers."""
    try:
        read = loads(raw.decode("utf-8"), max_depth=_DEEPEST)
    except (UnicodeDecodeError, BadRequest):
        raise Refused("not-json") from None
    if not isinstance(read, dict):
        raise Refused("not-json")
    return read


def _seconds(value: object) -> float:
    # Strict JSON has no NaN, no Infinity, and no number too long for a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("times")
    return float(value)
