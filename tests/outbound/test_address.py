"""An address is one that every reader reads alike, or it is refused without being repeated."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from cds_service.outbound.address import DEFAULT_PORTS, Address, UnsafeAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("https://ehr.example.org", Address("https", "ehr.example.org", 443), "https://ehr.example.org"),
        ("https://ehr.example.org/", Address("https", "ehr.example.org", 443), "https://ehr.example.org"),
        ("HTTPS://EHR.Example.org:443/FHIR/R4/", Address("https", "ehr.example.org", 443, "/FHIR/R4"), None),
        ("http://h:8080/a?b=c|d", Address("http", "h", 8080, "/a", "b=c|d"), "http://h:8080/a?b=c|d"),
        ("http://h?page=2", Address("http", "h", 80, "", "page=2"), "http://h?page=2"),
        ("http://[::1]:8080/a", Address("http", "[::1]", 8080, "/a"), "http://[::1]:8080/a"),
        ("http://[FD00::A]/", Address("http", "[fd00::a]", 80), "http://[fd00::a]"),
        ("http://192.0.2.10/", Address("http", "192.0.2.10", 80), "http://192.0.2.10"),
        ("https://h/a%20b/.../x.y/@z", Address("https", "h", 443, "/a%20b/.../x.y/@z"), None),
        ("https://xn--bcher-kva.example/", Address("https", "xn--bcher-kva.example", 443), None),
        ("https://1.example/", Address("https", "1.example", 443), "https://1.example"),
    ],
)
def test_a_plain_address_is_read_into_its_parts(text: str, address: Address, url: str | None) -> None:
    assert parse_address(text) == address
    assert address.url == (url or address.url)
    assert parse_address(address.url) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (r"https://evil.example\@ehr.example.org/", "backslash"),
        ("https://ehr.example.org@evil.example/", "user information"),
        ("https://user:secret@ehr.example.org/", "user information"),
        ("https://ehr%2eexample.org/", "percent sign in its host"),
        ("http://[fe80::1%25eth0]/", "percent sign in its host"),
        ("https://ehr.example.org /", "spaces"),
        ("https://ehr.example.org/a b", "spaces"),
        ("https://ehr.example.org/\n", "spaces"),
        ("\thttps://ehr.example.org/", "spaces"),
        ("https://ehr.example.org/\x00", "spaces"),
        ("https://ehr.example.org/\x7f", "spaces"),
        ("https://bücher.example/", "not ASCII"),
        ("https://ehr.example.org／a", "not ASCII"),  # a full-width slash
        ("https://ehr.example.org/a\\b", "backslash"),
        ("https://ehr.example.org/#top", "fragment"),
        ("https://ehr.example.org#@evil.example/", "fragment"),
        ("https:///fhir", "no host"),
        ("https://:443/", "no host"),
        ("https://", "no host"),
        ("https:ehr.example.org", "must begin"),
        ("//ehr.example.org/", "must begin"),
        ("/fhir", "must begin"),
        ("", "must begin"),
        ("ftp://ehr.example.org/", "must begin"),
        ("javascript://ehr.example.org/", "must begin"),
        ("https://h:0/", "port"),
        ("https://h:65536/", "port"),
        ("https://h:99999/", "port"),
        ("https://h:/", "odd host or port"),
        ("https://h:+1/", "odd host or port"),
        ("https://h:443:443/", "odd host or port"),
        ("https://h:4a3/", "odd host or port"),
        ("https://[::1/", "odd host or port"),
        ("https://[::1]evil/", "odd host or port"),
        ("https://::1/", "odd host or port"),
        ("https://[]/", "not IPv6"),
        ("https://[127.0.0.1]/", "not IPv6"),
        ("https://[::1::2]/", "not IPv6"),
        ("https://ehr.example.org./", "dot at the end"),
        ("https://127.0.0.1./", "dot at the end"),
        ("https://ehr..example/", "neither a name"),
        ("https://.example/", "neither a name"),
        ("https://-a.example/", "neither a name"),
        ("https://a!b/", "neither a name"),
        ("https://" + "a" * 64 + "/", "neither a name"),
        ("https://" + ".".join(["a" * 60] * 5) + "/", "neither a name"),
        ("http://0x7f000001/", "dotted decimal"),
        ("http://0X7F.1/", "dotted decimal"),
        ("http://2130706433/", "dotted decimal"),
        ("http://127.1/", "dotted decimal"),
        ("http://0177.0.0.1/", "dotted decimal"),
        ("http://127.0.0.01/", "dotted decimal"),
        ("http://256.0.0.1/", "dotted decimal"),
        ("http://1.2.3.4.5/", "dotted decimal"),
        ("http://a.0x/", "dotted decimal"),
        ("https://h/a/../b", "dot segment"),
        ("https://h/a/./b", "dot segment"),
        ("https://h/a/..", "dot segment"),
        ("https://h/a/%2e%2E/b", "encoded dot"),
        ("https://h/a/.%2e/b", "encoded dot"),
        ("https://h/a%2Eb", "encoded dot"),
        ("https://h/a/..;x=1/b", "dot segment"),
        ("https://h/a/..%3bx/b", "dot segment"),
        ("https://h//a", "empty segment"),
        ("https://h/a//", "empty segment"),
        ("https://h/a%2fb", "encoded dot, slash"),
        ("https://h/a%5Cb", "encoded dot, slash"),
        ("https://h/a/%252e%252e/b", "percent sign in its path"),
        ("https://h/a%00", "control character in its path"),
        ("https://h/a%0D%0Ab", "control character in its path"),
        ("https://h/a%7f", "control character in its path"),
        ("https://h/a|b", "percent-encoded"),
        ("https://h/a%zzb", "percent-encoded"),
        ("https://h/a%", "percent-encoded"),
        ("https://h/a?b=%zz", "stray percent"),
        ("https://h/a?b=%", "stray percent"),
        ("https://h/a?b=%0a", "control character in its query"),
    ],
)
def test_an_address_two_readers_could_read_differently_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnsafeAddress) as refused:
        parse_address(text)
    assert why in refused.value.why
    assert str(refused.value) == refused.value.why


def test_a_refusal_never_repeats_the_address() -> None:
    with pytest.raises(UnsafeAddress) as refused:
        parse_address("https://user:canary@ehr.example.org/canary?patient=canary")
    assert "canary" not in repr(refused.value)


@pytest.mark.parametrize(("length", "accepted"), [(8191, True), (8192, True), (8193, False)])
def test_an_address_has_at_most_8192_characters(length: int, accepted: bool) -> None:
    text = "https://h/".ljust(length, "a")
    if accepted:
        assert len(parse_address(text).url) == length
    else:
        with pytest.raises(UnsafeAddress, match="longer than 8192"):
            parse_address(text)


@pytest.mark.parametrize(("port", "accepted"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_a_port_is_one_of_1_to_65535(port: int, accepted: bool) -> None:
    if accepted:
        assert parse_address(f"https://h:{port}/").port == port
    else:
        with pytest.raises(UnsafeAddress, match="port outside"):
            parse_address(f"https://h:{port}/")


@pytest.mark.parametrize(
    ("other", "held"),
    [
        ("https://ehr.example.org/fhir", True),
        ("https://ehr.example.org/fhir/", True),
        ("https://EHR.example.org:443/fhir/Patient/1?a=b", True),
        ("https://ehr.example.org/fhir?page=2", True),
        ("https://ehr.example.org/fhirx", False),
        ("https://ehr.example.org/FHIR/Patient", False),
        ("https://ehr.example.org/", False),
        ("https://ehr.example.org/other/fhir", False),
        ("http://ehr.example.org:443/fhir/Patient", False),
        ("https://ehr.example.org:444/fhir/Patient", False),
        ("https://ehr.example.org.evil.example/fhir/Patient", False),
        ("https://x.ehr.example.org/fhir/Patient", False),
    ],
)
def test_a_base_holds_its_own_origin_and_paths_that_go_on_at_a_slash(other: str, held: bool) -> None:
    assert parse_address("https://ehr.example.org/fhir").holds(parse_address(other)) is held


def test_a_base_at_the_root_holds_every_path_of_its_origin() -> None:
    assert parse_address("https://h/").holds(parse_address("https://h/any/path"))


def test_what_lies_below_a_base_is_read_as_strictly() -> None:
    base = parse_address("https://h/fhir/?ignored=1")
    assert base.below("Condition?patient=p1").url == "https://h/fhir/Condition?patient=p1"
    assert base.below("").url == "https://h/fhir"
    for escape in ("../admin", "/evil.example/", "a/%2e%2e/b"):
        with pytest.raises(UnsafeAddress):
            base.below(escape)


PIECES = [
    *(
        "http://",
        "https://",
        "HTTPS://",
        "user:pw@",
        "h",
        "evil.example",
        "127.0.0.1",
        "[::1]",
        "0x7f",
        "1",
        "a",
        "A-Z",
    ),
    *(
        ":",
        ":443",
        ":80",
        ":0",
        ":8080",
        "/",
        "//",
        "\\",
        ".",
        "..",
        "@",
        "%",
        "%2e",
        "%2F",
        "%40",
        "?",
        "#",
        "_",
        "xn--a",
    ),
    *("[", "]", "|", ";", "&", "=", "{", "~", "-", "*", "+", '"', "\t", " ", "\n", "ß", "\u2025", "。"),
]
HOSTS = ["h", "EHR.example.org", "127.0.0.1", "[::1]", "[FD00::A]", "a_b", "xn--a", "1.example"]
SOUND = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTPS://"]),
    st.sampled_from(HOSTS),
    st.sampled_from(["", ":80", ":443", ":8080", ":08080"]),
    st.lists(st.sampled_from(PIECES)).map(lambda pieces: "/" + "".join(pieces))
    | st.sampled_from(["", "/", "/a/b?c=d|e"]),
)
SPOILED = st.builds(
    lambda text, at, piece: text[:at] + piece + text[at:], SOUND, st.integers(0, 40), st.sampled_from(PIECES)
)


@settings(max_examples=600, deadline=None)
@given(SOUND | SPOILED | st.text().map("https://".__add__))
def test_no_accepted_address_is_another_to_the_library_that_connects(text: str) -> None:
    try:
        address = parse_address(text)
    except UnsafeAddress:
        return
    prepared = requests.Request("GET", address.url).prepare().url
    for read in (parse_url(text), parse_url(address.url), parse_url(prepared or "")):
        assert read.auth is None
        assert read.scheme == address.scheme
        assert read.host == address.host
        assert (read.port or DEFAULT_PORTS[address.scheme]) == address.port
        assert unquote(read.path or "").rstrip("/") == unquote(address.path)
    assert parse_address(address.url) == address
