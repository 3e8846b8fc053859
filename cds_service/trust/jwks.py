"""JSON Web Key Sets (RFC 7517): which of the keys in one can be used, and why another cannot.

A key has exactly one algorithm here (RFC 8725, 3.1): the one it names, or else the only one the client is
allowed that fits its type. A token never chooses.

PyJWT and cryptography are loaded with the first key: a demo that nobody calls with a token needs none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cds_service.errors import BadRequest
from cds_service.hooks.strict_json import loads

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_KEY_SET = 100_000
"""Bytes a key set may have."""
MAX_KEY_ID = 256
SMALLEST_RSA = 2048
"""Bits an RSA key must have (RFC 7518, 3.3)."""

RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"ES256": ("P-256", "secp256r1"), "ES384": ("P-384", "secp384r1"), "ES512": ("P-521", "secp521r1")}
"""Each ECDSA algorithm's one curve (RFC 7518, 3.4), as a JWK and as ``cryptography`` name it."""
ALGORITHMS = RSA | frozenset(CURVES)
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class NotAKeySet(ValueError):
    """The document as a whole is no key set. *why* says so without repeating any of it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class PinnedKeys:
    """Public keys by their ``kid``."""

    by_id: Mapping[str, PyJWK]


@dataclass(frozen=True)
class KeySet:
    """The usable keys of a document, and a line for each key in it that is not."""

    keys: PinnedKeys
    faults: tuple[str, ...]


class _Unusable(ValueError):
    """What is wrong with one key."""


def read_key_set(document: bytes, algorithms: Collection[str]) -> KeySet:
    """The keys in *document* for a client that may use *algorithms*. Raises :class:`NotAKeySet`."""
    keys: dict[str, PyJWK] = {}
    faults: list[str] = []
    for at, jwk in enumerate(_listed(document)):
        try:
            kid, key = _read_key(jwk, algorithms)
            if kid in keys:
                raise _Unusable("kid: another key in the set has it too; give each key its own")
            keys[kid] = key
        except _Unusable as fault:
            faults.append(f"keys[{at}]: {fault}")
    return KeySet(PinnedKeys(keys), tuple(faults))


def fits(algorithm: str, key: PyJWK) -> bool:
    """*key* is a public key of the type, the curve and at least the size *algorithm* asks for."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    public = key.key
    if isinstance(public, RSAPublicKey):
        return algorithm in RSA and public.key_size >= SMALLEST_RSA
    if isinstance(public, EllipticCurvePublicKey):
        return algorithm in CURVES and CURVES[algorithm][1] == public.curve.name
    return False


def is_key_id(value: object) -> bool:
    """A ``kid`` is any text (Epic's is base64 with + and =), of a length that can be kept."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY_ID


def fingerprint(key: PyJWK) -> bytes:
    """The key itself, whatever it is called and however its numbers are written (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(key.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _listed(document: bytes) -> list[Any]:
    if len(document) > MAX_KEY_SET:
        raise NotAKeySet(f"is longer than {MAX_KEY_SET:,} bytes")
    try:
        read = loads(document.decode("utf-8"))
    except (UnicodeDecodeError, BadRequest):
        raise NotAKeySet("is not well-formed JSON in UTF-8, each member named once") from None
    keys = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(keys, list):
        raise NotAKeySet('is not a JSON Web Key Set; it must be an object with a list called "keys"')
    return keys


def _read_key(jwk: Any, algorithms: Collection[str]) -> tuple[str, PyJWK]:
    from jwt import PyJWK

    if not isinstance(jwk, dict):
        raise _Unusable("must be an object")
    if _SECRET_MEMBERS & jwk.keys():
        raise _Unusable("holds a private or secret key; replace that key, and publish only public halves")
    if not is_key_id(jwk.get("kid")):
        raise _Unusable(f"kid: must be text of 1 to {MAX_KEY_ID} characters")
    if jwk.get("use", "sig") != "sig":
        raise _Unusable("use: must be sig, or left out")
    algorithm = _algorithm(jwk, algorithms)
    try:
        key = PyJWK(jwk, algorithm)
    except Exception:  # noqa: BLE001 - whatever the libraries make of such numbers, it is no key
        raise _Unusable("is not a key that can be read; check its numbers") from None
    if not fits(algorithm, key):
        raise _Unusable(f"is too small; an RSA key needs {SMALLEST_RSA} bits")
    return jwk["kid"], key


def _algorithm(jwk: Mapping[str, Any], allowed: Collection[str]) -> str:
    """The one algorithm of a key: named by it, or left over by its type and what the client may use."""
    fitting = {algorithm for algorithm in allowed if _is_for(algorithm, jwk)}
    if "alg" in jwk:
        fitting = {algorithm for algorithm in fitting if algorithm == jwk["alg"]}
    if not fitting:
        raise _Unusable("alg, kty, crv: no algorithm that the client is allowed fits them; see its algorithms")
    if len(fitting) > 1:
        raise _Unusable("alg: is missing while the client is allowed several that fit; name one")
    return fitting.pop()


def _is_for(algorithm: str, jwk: Mapping[str, Any]) -> bool:
    if algorithm in RSA:
        return bool(jwk.get("kty") == "RSA")
    return bool(jwk.get("kty") == "EC" and algorithm in CURVES and jwk.get("crv") == CURVES[algorithm][0])
