"""Which tokens are accepted, and why each other one is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.trust.clients import Client
from cds_service.trust.jwks import PinnedKeys
from cds_service.trust.tokens import MAX_TOKEN, REASONS, Claims, Refused, read_unverified, verify
from tests.trust import (
    AUDIENCE,
    EVERY_ALGORITHM,
    ISSUER,
    KID,
    NOW,
    claims,
    client,
    jwk,
    key_of,
    part,
    private_key,
    signed,
    token,
)

HEADER = {"alg": "ES384", "typ": "JWT", "kid": KID.format("ES384")}
JKU = "https://ehr.example.org/keys"


def admitted(text: str, *sites: Client, now: float = NOW, audience: Any = (AUDIENCE,)) -> Claims:
    return verify(text, audience, sites or [client()], key_of, now)


def refusal(text: str, *sites: Client, now: float = NOW, audience: Any = (AUDIENCE,)) -> str:
    with pytest.raises(Refused) as refused:
        admitted(text, *sites, now=now, audience=audience)
    return refused.value.reason


def with_keys(site: Client, **keys: jwt.PyJWK) -> Client:
    return client(*site.algorithms, keys=PinnedKeys(keys))


# Accepted.


def test_a_good_token_tells_who_calls() -> None:
    site = client()
    assert admitted(token(tenant="t1"), site) == Claims(site, ISSUER, "t1", "token-1", NOW + 300)


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_every_algorithm_a_site_may_list_works_with_its_own_key(algorithm: str) -> None:
    assert admitted(token(algorithm), client(algorithm)).token_id == "token-1"


def test_a_token_like_epics_is_accepted() -> None:
    epic = client("RS384", keys=PinnedKeys({"Rm9v+Zm9v/YmFy=": jwt.PyJWK(jwk("RS384"))}))
    early = token("RS384", {"kid": "Rm9v+Zm9v/YmFy="}, nbf=NOW - 300, exp=NOW + 900)
    assert admitted(early, epic).expires == NOW + 900


@pytest.mark.parametrize("typ", ["JWT", "jwt", "Jwt"])
def test_typ_is_compared_without_case(typ: str) -> None:
    assert admitted(token(header={"typ": typ}))


@pytest.mark.parametrize(
    ("aud", "audience"),
    [
        pytest.param(AUDIENCE, AUDIENCE, id="text against text"),
        pytest.param([AUDIENCE], (AUDIENCE,), id="a list of one"),
        pytest.param(["https://other.example", AUDIENCE], (AUDIENCE,), id="one of a list"),
        pytest.param(AUDIENCE + "/", (AUDIENCE,), id="a slash more in the token"),
        pytest.param(AUDIENCE, (AUDIENCE + "/",), id="a slash more in ours"),
        pytest.param(AUDIENCE, (AUDIENCE + "/feedback", AUDIENCE), id="one of several of ours"),
    ],
)
def test_aud_names_the_address_called(aud: Any, audience: Any) -> None:
    assert admitted(token(aud=aud), audience=audience)


@pytest.mark.parametrize(
    "aud",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param(7, id="a number"),
        pytest.param({AUDIENCE: 1}, id="an object"),
        pytest.param([], id="an empty list"),
        pytest.param([AUDIENCE, 7], id="a list with a number"),
        pytest.param([[AUDIENCE]], id="a list in a list"),
        pytest.param("", id="empty"),
        pytest.param("h", id="one letter of it"),
        pytest.param(AUDIENCE + "//", id="two slashes more"),
        pytest.param(AUDIENCE + "/feedback", id="another path"),
        pytest.param(AUDIENCE.upper(), id="another case"),
        pytest.param("https://cds.example.org", id="the service's base only"),
        pytest.param("https://other.example/cds-services/rr-all", id="another host"),
    ],
)
def test_a_token_for_another_address_is_refused(aud: Any) -> None:
    assert refusal(token(aud=aud)) == "audience"
    assert refusal(token(aud=aud), audience=AUDIENCE) == "audience"


# Times: F12, the leeway is exactly 60 seconds.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"exp": NOW - 59}, None, id="expired 59 s ago"),
        pytest.param({"exp": NOW - 60}, None, id="expired 60 s ago"),
        pytest.param({"exp": NOW - 60.5}, "expired", id="expired 60.5 s ago"),
        pytest.param({"exp": NOW - 61}, "expired", id="expired 61 s ago"),
        pytest.param({"iat": NOW + 59, "exp": NOW + 300}, None, id="issued 59 s ahead"),
        pytest.param({"iat": NOW + 60, "exp": NOW + 300}, None, id="issued 60 s ahead"),
        pytest.param({"iat": NOW + 60.25, "exp": NOW + 300}, "too-early", id="issued 60.25 s ahead"),
        pytest.param({"iat": NOW + 61, "exp": NOW + 300}, "too-early", id="issued 61 s ahead"),
        pytest.param({"nbf": NOW + 59}, None, id="not before 59 s ahead"),
        pytest.param({"nbf": NOW + 60}, None, id="not before 60 s ahead"),
        pytest.param({"nbf": NOW + 60.75}, "too-early", id="not before 60.75 s ahead"),
        pytest.param({"nbf": NOW + 61}, "too-early", id="not before 61 s ahead"),
        pytest.param({"nbf": NOW - 300}, None, id="not before long ago"),
        pytest.param({"iat": NOW, "exp": NOW + 1199}, None, id="life of 1199 s"),
        pytest.param({"iat": NOW, "exp": NOW + 1200}, None, id="life of 1200 s"),
        pytest.param({"iat": NOW, "exp": NOW + 1200.5}, "lifetime", id="life of 1200.5 s"),
        pytest.param({"iat": NOW, "exp": NOW + 1201}, "lifetime", id="life of 1201 s"),
        pytest.param({"iat": NOW, "exp": NOW + 0.5}, None, id="life of half a second"),
        pytest.param({"iat": NOW, "exp": NOW}, "lifetime", id="no life"),
        pytest.param({"iat": NOW, "exp": NOW - 1}, "lifetime", id="ends before it begins"),
    ],
)
def test_the_times_of_a_token(changes: dict[str, float], reason: str | None) -> None:
    text = token(**({"iat": NOW - 200} | changes))
    if reason is None:
        assert admitted(text).token_id == "token-1"
    else:
        assert refusal(text) == reason


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_exp_and_iat_are_required(name: str) -> None:
    assert refusal(token(**{name: ...})) == "times"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [None, True, False, "1790000000", [NOW], {}, ""], ids=repr)
def test_a_time_is_a_number(name: str, value: Any) -> None:
    assert refusal(token(**{name: value})) == "times"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 41])
def test_a_time_is_a_number_that_can_be_held(number: str) -> None:
    payload = json.dumps(claims(exp=...))[:-1] + f', "exp": {number}}}'
    assert refusal(signed(HEADER, payload.encode(), private_key("ES384"), "ES384")) == "not-json"


def test_a_time_of_forty_digits_is_only_far_away() -> None:
    assert refusal(token(exp=int("9" * 40))) == "lifetime"


# Who issued it.


@pytest.mark.parametrize(
    "issuer", [..., None, 7, [ISSUER], "", ISSUER + "/", ISSUER.upper(), "https://evil.example"], ids=repr
)
def test_only_a_listed_issuer_is_accepted_letter_by_letter(issuer: Any) -> None:
    assert refusal(token(iss=issuer)) == "issuer"


def test_nobody_is_accepted_when_nobody_is_listed() -> None:
    with pytest.raises(Refused, match="iss is not"):
        verify(token(), AUDIENCE, [], key_of, NOW)


def test_a_listed_tenant_is_accepted() -> None:
    assert admitted(token(tenant="t1"), client(tenants=frozenset({"t1", "t2"}))).tenant == "t1"


@pytest.mark.parametrize("tenant", [..., None, "t3", "T1", "", 7, ["t1"]], ids=repr)
def test_where_tenants_are_listed_one_of_them_must_be_named(tenant: Any) -> None:
    assert refusal(token(tenant=tenant), client(tenants=frozenset({"t1", "t2"}))) == "tenant"


@pytest.mark.parametrize("tenant", ["anything", ""])
def test_where_no_tenant_is_listed_any_is_accepted(tenant: str) -> None:
    assert admitted(token(tenant=tenant)).tenant == tenant


@pytest.mark.parametrize("tenant", [None, 7, True, ["t1"], {}], ids=repr)
def test_a_tenant_is_text(tenant: Any) -> None:
    assert refusal(token(tenant=tenant)) == "tenant"


def test_sites_of_one_issuer_are_told_apart_by_tenant() -> None:
    north = client(name="north", tenants=frozenset({"n"}))
    south = client(name="south", tenants=frozenset({"s"}))
    assert admitted(token(tenant="s"), north, south).client is south
    assert admitted(token(tenant="n"), north, south).client is north


@pytest.mark.parametrize(
    "jti", [pytest.param(..., id="missing"), None, 7, True, ["a"], "", pytest.param("x" * 257, id="257 long")]
)
def test_a_jti_is_text_that_can_be_remembered(jti: Any) -> None:
    assert refusal(token(jti=jti)) == "token-id"


@pytest.mark.parametrize("jti", ["x", "x" * 256], ids=["1 long", "256 long"])
def test_a_jti_of_any_kept_length_is_accepted(jti: str) -> None:
    assert admitted(token(jti=jti)).token_id == jti


# The key, and the algorithm, are never the token's to choose.


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_a_token_signed_by_nobody_is_refused(algorithm: str, signature: str) -> None:
    text = f"{part(HEADER | {'alg': algorithm})}.{part(claims())}.{signature}"
    assert refusal(text) == ("algorithm" if signature else "not-a-jwt")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_keyed_with_the_public_key_is_refused(algorithm: str) -> None:
    public = private_key("RS384").public_key()
    for form in (Encoding.PEM, Encoding.DER):
        secret = base64.b64encode(public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo))
        text = signed(HEADER | {"alg": algorithm, "kid": KID.format("RS384")}, claims(), secret, algorithm)
        assert refusal(text) == "algorithm"


def test_a_client_that_is_misconfigured_for_shared_secrets_is_still_not_served() -> None:
    secret = jwt.PyJWK({"kty": "oct", "kid": "s", "k": part(b"0" * 64)}, "HS256")
    site = client(algorithms=frozenset({"HS256", "none"}), keys=PinnedKeys({"s": secret}))
    assert refusal(signed(HEADER | {"alg": "HS256", "kid": "s"}, claims(), b"0" * 64, "HS256"), site) == "algorithm"


@pytest.mark.parametrize("algorithm", [..., None, 7, ["ES384"], "", "es384", "RS512", "ES256", "EdDSA"], ids=repr)
def test_only_an_algorithm_the_client_lists_is_accepted(algorithm: Any) -> None:
    assert refusal(token(header={"alg": algorithm})) == "algorithm"


def test_an_rsa_token_that_names_an_elliptic_key_is_refused() -> None:
    assert refusal(token("RS384", {"kid": KID.format("ES384")})) == "key-type"


def test_an_elliptic_token_that_names_an_rsa_key_is_refused() -> None:
    assert refusal(token("ES384", {"kid": KID.format("RS384")})) == "key-type"


def test_a_key_is_used_with_its_own_algorithm_only() -> None:
    site = client("RS256", "RS384", keys=client("RS384").keys)
    assert refusal(token("RS256", {"kid": KID.format("RS384")}), site) == "key-type"


def test_a_key_on_another_curve_than_its_algorithm_asks_for_is_refused() -> None:
    crossed = with_keys(client(), k=jwt.PyJWK(jwk("ES256"), "ES384"))
    assert refusal(token(header={"kid": "k"}), crossed) == "key-type"


def test_a_key_of_1024_bits_is_refused() -> None:
    small = with_keys(client("RS384"), k=jwt.PyJWK(jwk("RS384", "a small one")))
    assert refusal(token("RS384", {"kid": "k"}), small) == "key-type"


@pytest.mark.parametrize("kid", [..., None, 7, ["k"], "", "k" * 257, "another"], ids=lambda kid: repr(kid)[:20])
def test_a_key_must_be_named_and_known(kid: Any) -> None:
    assert refusal(token(header={"kid": kid})) == "unknown-key"


def test_a_token_signed_with_another_key_is_refused() -> None:
    assert refusal(signed(HEADER, claims(), private_key("ES384", "a stranger's"), "ES384")) == "signature"


@pytest.mark.parametrize("place", [0, 1])
def test_a_token_changed_after_it_was_signed_is_refused(place: int) -> None:
    parts = token().split(".")
    parts[place] = part([HEADER | {"more": 1}, claims(jti="another")][place])
    assert refusal(".".join(parts)) == "signature"


def test_a_signature_in_the_wrong_form_is_refused() -> None:
    text = token().rpartition(".")[0]
    assert refusal(f"{text}.{part(b'0' * 7)}") == "signature"


def test_a_key_that_a_token_brings_along_is_not_used() -> None:
    own = jwk("ES384", "a stranger's")
    for brought in (
        {"jwk": own},
        {"x5c": ["MIIB"]},
        {"x5u": "https://evil.example/c"},
        {"jku": "https://evil.example"},
    ):
        stranger = signed(HEADER | brought, claims(), private_key("ES384", "a stranger's"), "ES384")
        assert refusal(stranger) == "signature"


def test_a_token_of_the_clients_own_jku_or_of_none_is_accepted() -> None:
    assert admitted(token(header={"jku": JKU}), client(jku=JKU))
    assert admitted(token(), client(jku=JKU))


@pytest.mark.parametrize("jku", [None, 7, "", JKU + "/", "https://evil.example/keys"], ids=repr)
def test_a_foreign_jku_is_refused_before_any_key_is_looked_for(jku: Any) -> None:
    looked: list[str] = []

    def look(_: Client, kid: str) -> jwt.PyJWK | None:
        looked.append(kid)
        return None

    with pytest.raises(Refused) as refused:
        verify(token(header={"jku": jku}), AUDIENCE, [client(jku=JKU)], look, NOW)
    assert refused.value.reason == "jku"
    assert looked == []


def test_a_jku_means_nothing_where_the_keys_are_pinned_without_one() -> None:
    assert admitted(token(header={"jku": "https://ehr.example.org/elsewhere"}))


# The form.


@pytest.mark.parametrize("typ", [..., None, 7, "", "JWS", "at+jwt", pytest.param(["JWT"], id="a list")], ids=repr)
def test_another_typ_is_refused(typ: Any) -> None:
    assert refusal(token(header={"typ": typ})) == "typ"


@pytest.mark.parametrize(
    "extension",
    [{"crit": ["b64"], "b64": True}, {"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}],
    ids=repr,
)
def test_a_token_that_asks_for_extensions_is_refused(extension: Any) -> None:
    assert refusal(token(header=extension)) == "critical"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "aaaa.aaaa.",
        ".aaaa.aaaa",
        "aaaa..aaaa",
        "aaaa.aaaa.aaaa.aaaa",
        "aaaa.aaaa.aa+a",
        "aaaa.aaaa.aaa=",
        "aaaa.aaaa.aaaa\n",
        " aaaa.aaaa.aaaa",
        "aaaa.aaaa.aaäa",
        pytest.param("aaaa.aaaa.aaaaa", id="a part of a length base64 cannot have"),
        pytest.param("aaaa.aaaa.AB", id="a part with bits that count for nothing"),
    ],
)
def test_what_is_not_three_parts_of_base64url_is_refused(text: str) -> None:
    assert refusal(text) == "not-a-jwt"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"JWT"', id="text"),
        pytest.param(b"7", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"{} {}", id="two objects"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="a byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a": "\xff"}', id="bytes that are no UTF-8"),
        pytest.param(b'{"iss": "a", "iss": "b"}', id="a name twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', id="a name twice further in"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'{"a": "\\u0000"}', id="U+0000"),
        pytest.param(b'{"a": ' + b"[" * 17 + b"]" * 17 + b"}", id="deep"),
        pytest.param(b'{"a": ' + b"[" * 2500 + b"]" * 2500 + b"}", id="very deep"),
        pytest.param(b'{"a": NaN}', id="NaN"),
    ],
)
def test_header_and_payload_are_strict_json_objects(content: bytes) -> None:
    good = signed(HEADER, claims(), private_key("ES384"), "ES384")
    header, payload, signature = good.split(".")
    reason = "not-json" if content else "not-a-jwt"
    assert refusal(f"{part(content)}.{payload}.{signature}") == reason
    assert refusal(f"{header}.{part(content)}.{signature}") == reason


def test_claims_given_twice_are_refused_even_when_signed() -> None:
    payload = json.dumps(claims())[:-1] + ', "iss": "https://evil.example"}'
    assert refusal(signed(HEADER, payload.encode(), private_key("ES384"), "ES384")) == "not-json"


def test_a_token_may_be_8192_characters_and_no_more() -> None:
    def padded(header: int, payload: int) -> str:
        return token(header={"pad": "x" * header}, pad="x" * payload)

    payload = (MAX_TOKEN - len(padded(0, 0))) * 3 // 4
    texts = [padded(header, payload + more) for header in range(3) for more in range(-6, 6)]
    longest = next(text for text in texts if len(text) == MAX_TOKEN)
    too_long = next(text for text in texts if len(text) == MAX_TOKEN + 1)
    assert admitted(longest)
    assert refusal(too_long) == "too-long"
    assert refusal("a" * 10_000_000) == "too-long"


def test_a_hostile_key_library_failure_is_a_refusal() -> None:
    class Broken(jwt.PyJWK):
        def __init__(self) -> None:
            super().__init__(jwk("ES384"))
            self.Algorithm = None  # type: ignore[assignment]

    assert refusal(token(header={"kid": "k"}), with_keys(client(), k=Broken())) == "signature"


def test_the_checks_are_made_in_the_order_of_the_best_practices() -> None:
    """Issuer, audience, time, tenant, then the key and the signature; so a fetch costs at least a known issuer."""
    site = client(tenants=frozenset({"t1"}), jku=JKU)
    right_header = {"typ": "JWT", "jku": JKU, "alg": "ES384", "kid": HEADER["kid"]}
    header = {"typ": "?", "jku": "?", "alg": "RS256", "kid": "?"}
    right_claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW, "tenant": "t1", "jti": "token-1"}
    said = {"iss": "?", "aud": "?", "exp": NOW - 100, "iat": NOW + 100, "tenant": "?", "jti": ""}
    key = private_key("ES384", "a stranger's")
    reasons = []
    for name in ["typ", "iss", "aud", "exp", "iat", "tenant", "jku", "alg", "kid", "signature", "jti"]:
        reasons.append(refusal(signed(header, said, key, "ES384"), site))
        key = private_key("ES384") if name == "signature" else key
        header |= {name: right_header[name]} if name in header else {}
        said |= {name: right_claims[name]} if name in said else {}
    assert reasons == [
        "typ",
        "issuer",
        "audience",
        "expired",
        "too-early",
        "tenant",
        "jku",
        "algorithm",
        "unknown-key",
        "signature",
        "token-id",
    ]
    assert admitted(signed(header, said, key, "ES384"), site)


# Whatever comes, the answer is one of the reasons.


def reason_of(text: str) -> str | None:
    try:
        admitted(text)
    except Refused as refused:
        return refused.reason
    return None


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda raw: raw.decode("latin-1"))))
def test_any_text_is_refused_for_a_reason(text: str) -> None:
    assert reason_of(text) in REASONS


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
OBJECTS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "jku", "iss", "aud", "exp", "iat", "nbf", "jti", "tenant"])
    | st.text(max_size=8),
    VALUES,
)


@settings(deadline=None)
@given(OBJECTS, OBJECTS)
def test_any_header_and_claims_are_refused_or_kept_within_the_policy(header: Any, changes: Any) -> None:
    text = signed(HEADER | header, claims(**changes), private_key("ES384"), "ES384")
    reason = reason_of(text)
    assert reason in REASONS or (reason is None and read_unverified(text).claims["iss"] == ISSUER)


GOOD = token()


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABCxyz019-_.=+ \0ä"))
def test_a_token_with_one_letter_changed_is_never_accepted(at: int, letter: str) -> None:
    mutated = GOOD[:at] + letter + GOOD[at + 1 :]
    assert mutated == GOOD or reason_of(mutated) in REASONS


def test_a_refusal_says_what_to_do_and_repeats_nothing() -> None:
    with pytest.raises(Refused) as refused:
        admitted(token(iss="https://canary.example"))
    assert str(refused.value) == REASONS["issuer"]
    assert "canary" not in repr(refused.value) + repr(read_unverified(token(iss="https://canary.example")))
