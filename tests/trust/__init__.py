"""Who may call: real keys, made once for the whole run, and the tokens they sign."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.trust.clients import Client
from cds_service.trust.jwks import PinnedKeys, read_key_set

Json = dict[str, Any]

NOW = 1_790_000_000.0
BASE_URL = "https://cds.example.org"
PATH = "/cds-services/rr-all"
AUDIENCE = BASE_URL + PATH
ISSUER = "https://ehr.example.org/oauth"
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
EVERY_ALGORITHM = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
KID = "kid-of-{}"


def private_key(algorithm: str, whose: str = "the site's") -> Any:
    """One key pair for each algorithm and each owner."""
    return _made(algorithm, whose)


@cache
def _made(algorithm: str, whose: str) -> Any:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    return rsa.generate_private_key(65537, 1024 if whose == "a small one" else 2048)


def jwk(algorithm: str, whose: str = "the site's", **changes: Any) -> Json:
    """The public half as a site publishes it; a change of ... leaves a member out."""
    public = private_key(algorithm, whose).public_key()
    numbers = (ECAlgorithm if algorithm in CURVES else RSAAlgorithm).to_jwk(public, as_dict=True)
    members = {**numbers, "kid": KID.format(algorithm), "alg": algorithm, "use": "sig"}
    members.pop("key_ops", None)
    return {name: value for name, value in (members | changes).items() if value is not ...}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


@cache
def pinned(*algorithms: str) -> PinnedKeys:
    found = read_key_set(key_set(*map(jwk, algorithms)), algorithms)
    assert not found.faults
    return found.keys


def client(*algorithms: str, **changes: Any) -> Client:
    """A site that signs with *algorithms*, ES384 and RS384 unless told."""
    names = algorithms or ("ES384", "RS384")
    site = Client(
        "site", ISSUER, frozenset(names), "generic", "reject", frozenset(), pinned(*names), None, (), {}, None
    )
    return replace(site, **changes)


def key_of(site: Client, kid: str) -> jwt.PyJWK | None:
    """The keys of a site whose keys are pinned."""
    assert isinstance(site.keys, PinnedKeys)
    return site.keys.by_id.get(kid)


def claims(**changes: Any) -> Json:
    """What a good token says; a change of ... leaves a claim out."""
    made = {"iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 300, "jti": "token-1"} | changes
    return {name: value for name, value in made.items() if value is not ...}


def part(content: Any) -> str:
    """One part of a token, of bytes or of JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, payload: Any, key: Any, algorithm: str) -> str:
    """A token with exactly this header and payload, signed by *key* with *algorithm*."""
    text = f"{part(header)}.{part(payload)}"
    signer = jwt.get_algorithm_by_name(algorithm)
    return f"{text}.{part(signer.sign(text.encode(), signer.prepare_key(key)))}"


def token(algorithm: str = "ES384", header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A good token but for the changes; a change of ... leaves a member out."""
    named = {"alg": algorithm, "typ": "JWT", "kid": KID.format(algorithm)} | dict(header or {})
    kept = {name: value for name, value in named.items() if value is not ...}
    return signed(kept, claims(**changes), private_key(algorithm), algorithm)
