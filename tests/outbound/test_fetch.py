"""One exchange with a server that may do anything: a whole 200 within bounds, or a reason from a fixed list."""

from __future__ import annotations

import gzip
import logging
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.outbound.address import parse_address
from cds_service.outbound.fetch import Answer, Deadline, NotFetched, Outbound
from cds_service.outbound.not_fetched import (
    BROKEN,
    COMPRESSED,
    REDIRECT,
    REFUSED_ADDRESS,
    STATUS,
    TIMED_OUT,
    TLS_FAILED,
    TOO_LARGE,
)
from tests.ehr.bad_server import (
    PATIENCE,
    BadServer,
    Behaviour,
    answer,
    drip,
    flood,
    make_tls,
    no_outbound_thread_left,
    proper,
    raw,
    reset,
    serving,
    silent,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIMIT = 1000
BUDGET = 0.4
TOKEN = "canary-token"


@pytest.fixture(autouse=True)
def _leave_no_thread() -> Iterator[None]:
    yield
    assert no_outbound_thread_left()


def send(server: BadServer, seconds: float = PATIENCE, path: str = "/Patient/p1", **options: Any) -> Answer:
    given: dict[str, Any] = {"headers": {"Authorization": f"Bearer {TOKEN}"}, "max_bytes": LIMIT, "internal": True}
    given |= options
    return Outbound().send(parse_address(server.base + path), Deadline(seconds), **given)


def why_not(behave: Behaviour, seconds: float = PATIENCE, **options: Any) -> str:
    """The reason nothing was fetched; the text of the error holds nothing else."""
    with serving(behave) as server, pytest.raises(NotFetched) as refused:
        send(server, seconds, **options)
    assert str(refused.value) == refused.value.why
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return refused.value.why


def test_a_whole_answer_is_returned() -> None:
    with serving(answer(b'{"a":1}', media="Application/FHIR+JSON; charset=utf-8")) as server:
        assert send(server) == Answer(200, "application/fhir+json", b'{"a":1}')
    (visit,) = server.visits
    assert (visit.method, visit.target) == ("GET", "/fhir/Patient/p1")
    assert visit.headers["authorization"] == f"Bearer {TOKEN}"
    assert visit.headers["host"] == f"127.0.0.1:{server.port}"
    assert visit.headers["accept-encoding"] == "identity"
    assert "cookie" not in visit.headers


def test_an_ipv6_address_is_called_by_its_literal() -> None:
    with serving(answer(b"{}"), host="::1") as server:
        assert send(server).status == 200
    assert server.visits[0].headers["host"] == f"[::1]:{server.port}"


def test_a_form_is_posted() -> None:
    with serving(proper) as server:
        send(server, form=[("code", "http://loinc.org|1-8"), ("code", "a b")])
    (visit,) = server.visits
    assert visit.method == "POST"
    assert visit.headers["content-type"] == "application/x-www-form-urlencoded"
    assert visit.body == b"code=http%3A%2F%2Floinc.org%7C1-8&code=a+b"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OK + b"\r\n{}", id="until the connection closes"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", id="in chunks"),
        pytest.param(OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", id="encoded as itself"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}", id="after a 100"),
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}trailing", id="more than it said"),
    ],
)
def test_a_body_may_be_framed_in_any_way_http_knows(text: bytes) -> None:
    with serving(raw(text)) as server:
        assert send(server).body == b"{}"


@pytest.mark.parametrize(("length", "accepted"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_at_most_the_bytes_allowed(length: int, accepted: bool, chunked: bool) -> None:
    body = b"x" * length
    framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (length, body)
    behave = raw(OK + framed) if chunked else answer(body)
    if accepted:
        with serving(behave) as server:
            assert send(server).body == body
    else:
        assert why_not(behave) == TOO_LARGE


@pytest.mark.parametrize("status", [201, 204, 206, 400, 401, 403, 404, 405, 410, 429, 500, 501, 502, 503, 599])
def test_any_other_status_is_a_reason(status: int) -> None:
    assert why_not(answer(b"{}", f"{status} Whatever", Retry_After="3600")) == STATUS.format(status)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed_nor_its_body_read(status: int) -> None:
    with serving(proper) as elsewhere:
        location = f"Location: {elsewhere.base}/Patient/p1\r\n".encode()
        behave = flood(b"HTTP/1.1 %d Moved\r\n%bContent-Encoding: gzip\r\n\r\n" % (status, location), b"x" * 65536)
        assert why_not(behave) == REDIRECT
    assert elsewhere.connections == 0


def test_cookies_are_not_kept() -> None:
    outbound = Outbound()
    with serving(answer(b"{}", Set_Cookie="a=b; Path=/")) as server:
        for _ in range(2):
            outbound.send(parse_address(server.base), Deadline(PATIENCE), headers={}, max_bytes=9, internal=True)
    assert len(server.visits) == 2
    assert all("cookie" not in visit.headers and "authorization" not in visit.headers for visit in server.visits)


def test_the_environment_and_netrc_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(proper) as proxy, serving(proper) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        send(server, headers={})
    assert proxy.connections == 0
    assert "authorization" not in server.visits[0].headers


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        pytest.param(reset, BROKEN, id="reset before a byte"),
        pytest.param(raw(b""), BROKEN, id="closed before a byte"),
        pytest.param(raw(b"HTT"), BROKEN, id="half a status line"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9\r\n"), BROKEN, id="another protocol"),
        pytest.param(raw(OK + b"Content-Length: 100\r\n\r\n{"), BROKEN, id="half a body"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), BROKEN, id="half a chunk"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"), BROKEN, id="no last chunk"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{"), BROKEN, id="no chunk size"),
        pytest.param(raw(OK + b"Content-Length: 1, 2\r\n\r\n{}"), BROKEN, id="two lengths"),
        pytest.param(raw(OK + b"X: y\r\n" * 200 + b"\r\n{}"), BROKEN, id="200 headers"),
        pytest.param(raw(OK + b"X: " + b"y" * 70000 + b"\r\n\r\n{}"), BROKEN, id="a header of 70,000 bytes"),
        pytest.param(flood(OK + b"X: ", b"y" * 65536), BROKEN, id="a header without end"),
        pytest.param(
            flood(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 9999), BROKEN, id="an endless chunk size"
        ),
        pytest.param(flood(OK + b"\r\n", b"x" * 65536), TOO_LARGE, id="an endless body"),
        pytest.param(answer(gzip.compress(b"{}"), Content_Encoding="gzip"), COMPRESSED, id="gzip"),
        pytest.param(answer(b"{}", Content_Encoding="br"), COMPRESSED, id="brotli"),
        pytest.param(answer(gzip.compress(b" " * 10**8), Content_Encoding="gzip"), COMPRESSED, id="gzip bomb"),
    ],
)
def test_a_broken_answer_is_a_reason_at_once(behave: Behaviour, why: str) -> None:
    assert why_not(behave) == why


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(silent, id="accepts and never answers"),
        pytest.param(drip(b"", b"H"), id="drips a status line"),
        pytest.param(drip(OK, b"X"), id="drips a header"),
        pytest.param(drip(OK, b"X: y\r\n"), id="drips headers"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="drips continues"),
        pytest.param(flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="floods continues"),
        pytest.param(drip(OK + b"Content-Length: 500\r\n\r\n", b"x"), id="drips a body of known length"),
        pytest.param(drip(OK + b"\r\n{}", b" "), id="drips blanks after what would do"),
        pytest.param(drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="drips chunks"),
        pytest.param(
            drip(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n"), id="drips trailers"
        ),
        pytest.param(raw(OK + b"Content-Length: 9\r\n\r\n{", then_close=False), id="stops half way"),
    ],
)
def test_no_server_holds_a_caller_or_a_thread_past_the_deadline(behave: Behaviour) -> None:
    began = time.monotonic()
    with serving(behave) as server:
        with pytest.raises(NotFetched) as refused:
            send(server, BUDGET)
        took = time.monotonic() - began
        assert no_outbound_thread_left()
    assert refused.value.why == TIMED_OUT
    assert BUDGET <= took < BUDGET + 0.1


def test_a_private_address_is_refused_unless_it_is_internal() -> None:
    assert why_not(proper, internal=False) == REFUSED_ADDRESS


@pytest.mark.parametrize("header", ["a\r\nX: y", " a", "ß\u2025"])
def test_a_header_that_would_break_the_request_is_no_request(header: str) -> None:
    with serving(proper) as server, pytest.raises(NotFetched) as refused:
        send(server, headers={"Authorization": header})
    assert refused.value.why == BROKEN
    assert server.visits == []


def test_an_answer_in_a_log_or_traceback_shows_no_body() -> None:
    assert "canary" not in repr(Answer(200, "application/json", b"canary"))


def test_nothing_of_the_request_or_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(raw(OK + b"no colon here\r\nContent-Length: 2\r\n\r\n{}")) as server:
        send(server, path="/Patient?patient=canary")
    assert caplog.records == []


# TLS.

Certified = tuple[ssl.SSLContext, Path]


@pytest.fixture(scope="module")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return make_tls(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return make_tls(tmp_path_factory.mktemp("tls"), "elsewhere.example")


def test_a_site_s_own_authority_is_trusted_for_that_site(localhost: Certified) -> None:
    context, ca_file = localhost
    outbound = Outbound()
    with serving(proper, tls=context) as server:
        address = parse_address(server.base + "/Patient/p1")
        for _ in range(2):
            sent = outbound.send(
                address, Deadline(PATIENCE), headers={}, max_bytes=LIMIT, internal=True, ca_file=ca_file
            )
            assert sent.status == 200


def test_a_certificate_for_another_host_is_refused(elsewhere: Certified) -> None:
    context, ca_file = elsewhere
    refuses(context, ca_file)


def test_an_unknown_authority_is_refused(localhost: Certified) -> None:
    refuses(localhost[0], None)


def test_the_site_s_own_authority_replaces_the_others(localhost: Certified, elsewhere: Certified) -> None:
    refuses(localhost[0], elsewhere[1])


def test_an_authority_s_file_that_cannot_be_read_trusts_nobody(localhost: Certified, tmp_path: Path) -> None:
    refuses(localhost[0], tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("not a certificate")
    refuses(localhost[0], tmp_path / "empty.pem")


def refuses(context: ssl.SSLContext, ca_file: Path | None) -> None:
    with serving(proper, tls=context) as server, pytest.raises(NotFetched) as refused:
        send(server, ca_file=ca_file)
    assert refused.value.why == TLS_FAILED
    assert server.visits == []


def test_a_dripping_answer_under_tls_ends_too(localhost: Certified) -> None:
    context, ca_file = localhost
    began = time.monotonic()
    with serving(drip(OK + b"\r\n", b"x"), tls=context) as server:
        with pytest.raises(NotFetched) as refused:
            send(server, BUDGET, ca_file=ca_file)
        assert time.monotonic() - began < BUDGET + 0.1
        assert no_outbound_thread_left()
    assert refused.value.why == TIMED_OUT
