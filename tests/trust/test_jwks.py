"""Which published keys can be used, and what is said of each other one."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.trust.jwks import MAX_KEY_SET, NotAKeySet, fingerprint, fits, read_key_set
from cds_service.trust.sandbox import is_sandbox_key, sandbox_keys
from tests.trust import EVERY_ALGORITHM, jwk, key_set, private_key

BOTH = ["RS384", "ES384"]


def fault(*keys: Any, allowed: Any = BOTH) -> str:
    """The one fault of a set that has one, without its place."""
    (line,) = read_key_set(key_set(*keys), allowed).faults
    place, _, words = line.partition(": ")
    assert place == f"keys[{len(keys) - 1}]"
    return words


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_a_key_of_every_algorithm_can_be_read(algorithm: str) -> None:
    found = read_key_set(key_set(jwk(algorithm)), [algorithm])
    assert found.faults == ()
    assert [key.algorithm_name for key in found.keys.by_id.values()] == [algorithm]


@pytest.mark.parametrize("left_out", ["alg", "use"])
def test_alg_and_use_may_be_left_out(left_out: str) -> None:
    found = read_key_set(key_set(jwk("RS384", **{left_out: ...})), BOTH)
    assert [key.algorithm_name for key in found.keys.by_id.values()] == ["RS384"]


def test_a_key_without_alg_of_a_client_with_several_that_fit_says_nothing() -> None:
    assert "alg: is missing" in fault(jwk("RS384", alg=...), allowed=["RS256", "RS384"])


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(jwk("RS256"), id="another algorithm"),
        pytest.param(jwk("ES256", alg=...), id="another curve"),
        pytest.param(jwk("ES384", crv="P-256"), id="alg and crv disagree"),
        pytest.param(jwk("RS384", kty="EC"), id="alg and kty disagree"),
        pytest.param(jwk("RS384", alg=["RS384"]), id="alg is no text"),
        pytest.param(jwk("RS384", kty=...), id="no type"),
        pytest.param(jwk("ES384", crv=["P-384"]), id="crv is no text"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "AA"}, id="an Edwards curve"),
    ],
)
def test_a_key_must_fit_an_algorithm_the_client_is_allowed(key: Any) -> None:
    assert fault(key).startswith("alg, kty, crv: no algorithm that the client is allowed fits them")


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_or_secret_key_is_refused(member: str) -> None:
    assert "private or secret" in fault(jwk("RS384", **{member: "AQAB"}))


def test_a_whole_private_key_is_refused() -> None:
    private = jwt.algorithms.ECAlgorithm.to_jwk(private_key("ES384"), as_dict=True)
    assert "private or secret" in fault(private | {"kid": "k"})


@pytest.mark.parametrize("kid", [..., None, 7, "", "k" * 257, ["k"]], ids=lambda kid: repr(kid)[:20])
def test_a_key_must_have_a_name(kid: Any) -> None:
    assert fault(jwk("ES384", kid=kid)).startswith("kid:")


def test_two_keys_cannot_have_one_name_and_the_first_keeps_it() -> None:
    first, second = jwk("ES384"), jwk("ES384", "another's")
    assert fault(first, second).startswith("kid: another key in the set has it too")
    kept = read_key_set(key_set(first, second), BOTH).keys.by_id[first["kid"]]
    assert fingerprint(kept) == fingerprint(jwt.PyJWK(first))


@pytest.mark.parametrize("use", ["enc", "SIG", None, 7, ["sig"]], ids=repr)
def test_a_key_for_another_use_is_refused(use: Any) -> None:
    assert fault(jwk("ES384", use=use)).startswith("use:")


def test_an_rsa_key_of_1024_bits_is_refused() -> None:
    assert fault(jwk("RS384", "a small one")) == "is too small; an RSA key needs 2048 bits"


@pytest.mark.parametrize(
    "numbers",
    [{"n": ...}, {"e": ...}, {"n": 7}, {"n": ""}, {"n": "!"}, {"n": None}, {"e": "AA"}, {"n": {"a": 1}}],
    ids=repr,
)
def test_an_rsa_key_without_its_numbers_is_refused(numbers: Any) -> None:
    assert "check its numbers" in fault(jwk("RS384", **numbers))


@pytest.mark.parametrize("numbers", [{"x": ...}, {"y": ...}, {"x": "AA"}, {"x": 7}, {"y": jwk("ES384")["x"]}], ids=str)
def test_an_elliptic_key_that_is_no_point_of_its_curve_is_refused(numbers: Any) -> None:
    assert "check its numbers" in fault(jwk("ES384", **numbers))


@pytest.mark.parametrize("key", [None, 7, "key", [], [jwk("ES384")]], ids=lambda key: repr(key)[:20])
def test_a_key_is_an_object(key: Any) -> None:
    assert fault(key) == "must be an object"


def test_the_good_keys_of_a_set_are_used_and_every_bad_one_is_told() -> None:
    found = read_key_set(key_set(None, jwk("ES384"), jwk("RS384", "a small one"), jwk("RS384")), BOTH)
    assert list(found.keys.by_id) == [jwk("ES384")["kid"], jwk("RS384")["kid"]]
    assert [line.partition(":")[0] for line in found.faults] == ["keys[0]", "keys[2]"]


def test_a_set_may_be_empty() -> None:
    assert read_key_set(key_set(), BOTH).keys.by_id == {}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="an object without keys"),
        pytest.param(b'{"keys": {}}', id="keys that are no list"),
        pytest.param(b'{"keys": [], "keys": []}', id="keys twice"),
        pytest.param(b'{"keys": "\xff"}', id="no UTF-8"),
        pytest.param(json.dumps(jwk("ES384")).encode(), id="one key instead of a set"),
        pytest.param(key_set() + b" " * MAX_KEY_SET, id="too long"),
    ],
)
def test_what_is_no_key_set_is_refused_whole(document: bytes) -> None:
    with pytest.raises(NotAKeySet) as refused:
        read_key_set(document, BOTH)
    assert refused.value.why == str(refused.value)


def test_a_set_may_have_100000_bytes() -> None:
    document = key_set(jwk("ES384"))
    assert read_key_set(document + b" " * (MAX_KEY_SET - len(document)), BOTH).keys.by_id


def test_only_public_keys_fit_an_algorithm() -> None:
    public, private = jwt.PyJWK(jwk("ES384")), jwt.PyJWK(jwk("ES384"))
    private.key = ec.generate_private_key(ec.SECP384R1())
    assert fits("ES384", public)
    assert not fits("ES384", private)
    assert not fits("RS384", public)
    assert not fits("ES384", jwt.PyJWK(jwk("RS384")))


def test_the_sandboxs_key_is_known_under_any_name() -> None:
    (official,) = sandbox_keys().by_id.values()
    assert official.key_id == "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f"
    renamed = jwt.algorithms.ECAlgorithm.to_jwk(official.key, as_dict=True) | {"kid": "ours", "use": "sig"}
    assert is_sandbox_key(jwt.PyJWK(renamed))
    assert not is_sandbox_key(jwt.PyJWK(jwk("ES384")))
