"""What whoever connects an EHR reads about a token: every check, and what to do, but never the token."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.trust.clients import Client
from cds_service.trust.explain import explain
from tests.trust import AUDIENCE, NOW, client, key_of, token

ALL = [
    "form",
    "typ, crit",
    "iss",
    "aud",
    "exp, iat, nbf",
    "time now",
    "lifetime",
    "tenant",
    "jku",
    "alg, kid",
    "signature",
]
LAST = "jti (not compared with earlier calls)"


def checks(text: str, *sites: Client) -> dict[str, str]:
    """Each check and how it came out."""
    lines = explain(text, (AUDIENCE,), sites or [client()], key_of, NOW)
    return {line[7:].partition(": ")[0]: line[:7].strip() for line in lines if line[:7].strip() in ("ok", "WRONG", "-")}


def wrong(text: str, *sites: Client) -> set[str]:
    return {name for name, how in checks(text, *sites).items() if how == "WRONG"}


def test_a_good_token_passes_every_check() -> None:
    assert checks(token()) == dict.fromkeys([*ALL, LAST], "ok")


def test_header_and_claims_are_shown_and_the_times_can_be_read() -> None:
    lines = explain(token(tenant="t1", nbf="soon", more="canary"), AUDIENCE, [client()], key_of, NOW)
    assert 'header alg: "ES384"' in lines
    assert 'claim tenant: "t1"' in lines
    assert f"claim exp: {NOW + 300} (2026-09-21T14:18:20+00:00)" in lines
    assert 'claim nbf: "soon" (no time)' in lines
    assert "canary" not in "\n".join(lines)


def test_every_fault_is_told_not_only_the_first() -> None:
    text = token("RS384", {"typ": "at", "kid": "another"}, aud="x", exp=NOW - 100, iat=NOW - 2000, jti="")
    assert wrong(text) == {"typ, crit", "aud", "time now", "lifetime", "alg, kid", LAST}
    assert checks(text)["signature"] == "-"


def test_without_an_issuer_what_depends_on_it_is_left_open() -> None:
    found = checks(token(iss="nobody", iat="soon"))
    assert {name for name, how in found.items() if how == "WRONG"} == {"iss", "exp, iat, nbf"}
    assert {name for name, how in found.items() if how == "-"} == {
        "time now",
        "lifetime",
        "tenant",
        "jku",
        "alg, kid",
        "signature",
    }


def test_a_fault_comes_with_its_reason_and_what_to_do() -> None:
    (line,) = [line for line in explain(token(aud="x"), AUDIENCE, [client()], key_of, NOW) if line.startswith("WRONG")]
    assert line.endswith("Use CDS_BASE_URL and the path, in full, as aud. [audience]")


@pytest.mark.parametrize("text", ["", "x", "a" * 9000, "aaaa.aaaa.aaaa"])
def test_what_is_no_token_has_one_fault(text: str) -> None:
    (line,) = explain(text, AUDIENCE, [client()], key_of, NOW)
    assert line.startswith("WRONG  form: ")


def test_neither_the_token_nor_its_signature_is_shown() -> None:
    text = token(iss="nobody")
    shown = "\n".join(explain(text, AUDIENCE, [client()], key_of, NOW))
    for piece in text.split("."):
        assert piece not in shown
        assert piece[:40] not in shown


def test_what_is_shown_is_short_plain_text() -> None:
    lines = explain(token(jti="\x1b[2J" * 300, tenant="\u202e", iat=int("9" * 40)), AUDIENCE, [client()], key_of, NOW)
    assert all(line.isascii() and line.isprintable() and len(line) < 400 for line in lines)
    assert any("(no time)" in line for line in lines)


@settings(deadline=None)
@given(st.text(max_size=100) | st.dictionaries(st.sampled_from(["exp", "aud", "iss", "jti"]), st.floats() | st.text()))
def test_explaining_never_fails(given_text: Any) -> None:
    text = given_text if isinstance(given_text, str) else token(**given_text)
    assert explain(text, AUDIENCE, [client()], key_of, NOW)
