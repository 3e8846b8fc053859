"""Tokens from the recipes of ``jwts.json``, signed with keys made for this run."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import Algorithm, ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://cds.example.org/cds-services/x"
HEADER = {"alg": "ES384", "typ": "JWT", "kid": "ec-1"}
CLAIMS: dict[str, Any] = {
    "iss": "https://a.example.org",
    "aud": AUDIENCE,
    "iat": {"now": -5},
    "exp": {"now": 295},
    "jti": "7c1d1c1e",
}


class Signers:
    """The keys that recipes name, and how each of them signs."""

    @cached_property
    def ec_1(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP384R1())

    @cached_property
    def wrong(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP384R1())

    @cached_property
    def rsa_1(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @cached_property
    def wrong_rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @cached_property
    def rsa_1024(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)

    def published(self, *kids: str) -> bytes:
        """The JSON Web Key Set that holds the keys of these names."""
        keys = {
            "ec-1": _jwk(ECAlgorithm, self.ec_1),
            "a+b/c=": _jwk(ECAlgorithm, self.ec_1),
            "rsa-1": _jwk(RSAAlgorithm, self.rsa_1) | {"alg": "RS384"},
            "rsa-1024": _jwk(RSAAlgorithm, self.rsa_1024) | {"alg": "RS384"},
        }
        return json.dumps({"keys": [keys[kid] | {"kid": kid, "use": "sig"} for kid in kids]}).encode()

    def own_jwk(self) -> Mapping[str, Any]:
        return _jwk(ECAlgorithm, self.wrong)

    def sign(self, name: str, message: bytes) -> bytes:
        """The signature of *message* that the recipe's ``sign`` asks for."""
        ways: dict[str, Callable[[], bytes]] = {
            "right": lambda: _es384(self.ec_1, message),
            "wrong": lambda: _es384(self.wrong, message),
            "rsa-1": lambda: _rsa("SHA384", self.rsa_1, message),
            "rsa-1-rs256": lambda: _rsa("SHA256", self.rsa_1, message),
            "wrong-rsa": lambda: _rsa("SHA384", self.wrong_rsa, message),
            "rsa1024": lambda: _rsa("SHA384", self.rsa_1024, message),
            "hs256-with-public-pem": lambda: hmac.new(_pem(self.rsa_1), message, hashlib.sha256).digest(),
            "hs384-empty": lambda: hmac.new(b"", message, hashlib.sha384).digest(),
            "none": lambda: b"",
            "zeros": lambda: bytes(96),
            "one-byte": lambda: b"\0",
            "der": lambda: self.ec_1.sign(message, ec.ECDSA(SHA384())),
            "another-payload": lambda: _es384(self.ec_1, message + b"A"),
        }
        return ways[name]()


def token(recipe: Mapping[str, Any], signers: Signers, now: float) -> str:
    """The token of one recipe at the time *now*."""
    header = _text(recipe, "header", HEADER, now, signers)
    claims = _text(recipe, "claims", CLAIMS, now, signers)
    parts = {"H": _base64(header), "P": _base64(claims)}
    parts["S"] = _base64(signers.sign(recipe.get("sign", "right"), f"{parts['H']}.{parts['P']}".encode()))
    return "".join(parts.get(letter, letter) for letter in recipe.get("shape", "H.P.S"))


def _text(recipe: Mapping[str, Any], name: str, plain: Mapping[str, Any], now: float, signers: Signers) -> bytes:
    if f"{name}_text" in recipe:
        return str(recipe[f"{name}_text"]).encode()
    made = {**plain, **recipe.get(name, {})}
    made = {key: _value(value, now, signers) for key, value in made.items()}
    for path in recipe.get("without", ()):
        part, _, key = path.partition(".")
        if part == name:
            del made[key]
    text = json.dumps(made)
    return f"{text[:-1]}{recipe.get(f'append_to_{name}', '')}}}".encode()


def _value(value: Any, now: float, signers: Signers) -> Any:
    if value == {"own": True}:
        return signers.own_jwk()
    return now + value["now"] if isinstance(value, dict) and value.keys() == {"now"} else value


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _jwk(algorithm: type[Algorithm], key: Any) -> dict[str, Any]:
    return dict(algorithm.to_jwk(key.public_key(), as_dict=True))


def _es384(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return ECAlgorithm(ECAlgorithm.SHA384).sign(message, key)


def _rsa(hash_name: str, key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    return RSAAlgorithm(getattr(RSAAlgorithm, hash_name)).sign(message, key)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
