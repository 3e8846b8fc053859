"""What deploy/ promises of nginx: the shipped configuration, run in front of two real processes of the service.

Skipped where nginx is not installed.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from cds_service.settings import DEFAULT_MAX_BODY
from tests.proxy import NGINX, Front, Proxy, proxied, two_replicas_behind_nginx, until
from tests.test_command_line import HOOK

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
PUBLIC = ("/cds-services", "/about", "/static/about.css", "/openapi.json", "/version", "/healthz")
CANARY = "canary-of-a-patient"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with two_replicas_behind_nginx(tmp_path_factory.mktemp("front")) as made:
        yield made


@pytest.fixture
def proxy(front: Front) -> Proxy:
    return front.proxy


def test_a_hook_call_over_tls_is_answered_and_its_line_names_the_request(proxy: Proxy) -> None:
    answer = proxy.call_hook()
    assert answer.status == 200
    assert json.loads(answer.body)["cards"]
    (line,) = [line for line in proxy.lines(1) if line["request_id"] == answer.headers["X-Request-Id"]]
    assert (line["route"], line["status"], line["upstream_status"]) == ("hook", "200", "200")


@pytest.mark.parametrize("path", PUBLIC)
def test_what_callers_need_is_passed_on(proxy: Proxy, path: str) -> None:
    answer = proxy.ask("GET", path)
    assert (answer.status, answer.by_the_service) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/report",
        "/readyz",
        "/",
        "/about/",
        "//metrics",
        "/static/../report",
        "/healthz/../metrics",
        "/cds-services/../metrics",
        "/cds-services/%2e%2e/metrics",
        "/cds-services/..%2fmetrics",
    ],
)
def test_nothing_else_exists_outside(proxy: Proxy, path: str) -> None:
    answer = proxy.ask("GET", path)
    assert (answer.status, answer.outcome(), answer.by_the_service) == (404, "not-found", False)


def test_a_body_is_refused_from_the_length_on_from_which_the_service_refuses_it(proxy: Proxy) -> None:
    longest = proxy.ask("POST", HOOK, b" " * DEFAULT_MAX_BODY)
    assert (longest.status, longest.by_the_service) == (401, True)
    refused = proxy.ask("POST", HOOK, b" " * (DEFAULT_MAX_BODY + 1))
    assert (refused.status, refused.outcome(), refused.by_the_service) == (413, "too-long", False)


def test_a_token_of_eight_kilobytes_reaches_the_service(proxy: Proxy) -> None:
    answer = proxy.ask("POST", HOOK, b"{}", Authorization=f"Bearer {'x' * 8192}")
    assert (answer.status, answer.by_the_service) == (401, True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(proxy: Proxy, version: ssl.TLSVersion) -> None:
    assert handshake(proxy, version) == version.name.replace("_", ".")


def test_tls_1_1_is_refused_by_the_proxy(proxy: Proxy) -> None:
    with pytest.raises(ssl.SSLError, match="alert protocol version"), pytest.warns(match="TLSv1_1 is deprecated"):
        handshake(proxy, ssl.TLSVersion.TLSv1_1)


def handshake(proxy: Proxy, version: ssl.TLSVersion) -> str | None:
    """The version agreed on by a client that speaks this one only."""
    context = proxy.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with proxy.connected(context) as secure:
        return secure.version()


def test_one_address_holds_256_calls_at_the_same_time_and_no_more(proxy: Proxy) -> None:
    begun = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode()
    with ExitStack() as stack:
        held = [stack.enter_context(proxy.connected()) for _ in range(256)]
        for each in held:
            each.sendall(begun)
        until(lambda: proxy.ask("GET", "/healthz").status == 429, "the 257th call was answered")
        assert proxy.ask("GET", "/healthz").outcome() == "throttled"
        assert not any(map(received, held)), "one of the 256 was refused"
    until(lambda: proxy.ask("GET", "/healthz").status == 200, "nothing is answered after they left")


def received(connection: ssl.SSLSocket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except ssl.SSLWantReadError:
        return False


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_body_is_in_no_file_while_it_arrives(proxy: Proxy, chunked: bool) -> None:
    body = b" " * (15 << 20)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body) + 1}"
    with proxy.connected() as caller:
        caller.sendall(f"POST {HOOK} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        caller.sendall(b"%x\r\n%s\r\n" % (len(body), body) if chunked else body)
        assert proxy.open_below(proxy.folder / "access") != []
        assert proxy.open_below(proxy.folder / "nginx") == []


def test_answers_keep_coming_while_one_replica_is_killed_and_then_the_other_replaced(front: Front) -> None:
    front.first.process.kill()
    front.first.process.wait()
    before = len(front.proxy.lines(0))
    assert [front.proxy.call_hook().status for _ in range(20)] == [200] * 20
    tried = [line["upstream"] for line in front.proxy.lines(before + 20)[before:]]
    assert any("," in upstream for upstream in tried), "the killed one was never tried"
    front.first.start()
    front.first.until_it_answers()
    front.second.process.terminate()
    answered = {front.proxy.call_hook().status}
    while front.second.process.poll() is None:
        answered.add(front.proxy.call_hook().status)
    assert answered == {200}
    assert front.proxy.call_hook().status == 200
    front.second.start()


class HangsUp:
    """A replica that reads each request and ends without an answer."""

    def __init__(self) -> None:
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):  # closed
            while True:
                with self._listener.accept()[0] as caller:
                    self.requests += b"\r\n\r\n" in caller.recv(65536)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def hanging_up(tmp_path: Path) -> Iterator[tuple[Proxy, list[HangsUp]]]:
    both = [HangsUp(), HangsUp()]
    with proxied(tmp_path, (both[0].port, both[1].port)) as proxy:
        yield proxy, both
    for each in both:
        each.close()


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("GET", 2)])
def test_a_post_that_was_sent_is_never_sent_again(
    hanging_up: tuple[Proxy, list[HangsUp]], method: str, times: int
) -> None:
    proxy, both = hanging_up
    answer = proxy.ask(method, HOOK, b"{}" if method == "POST" else None)
    assert (answer.status, answer.outcome()) == (502, "transient")
    assert sum(each.requests for each in both) == times


def test_nothing_a_caller_wrote_is_in_a_log_of_the_proxy(hanging_up: tuple[Proxy, list[HangsUp]]) -> None:
    proxy, _ = hanging_up
    sent = [HOOK, f"{HOOK}?patient={CANARY}", f"/Patient/{CANARY}", f"/{CANARY}?{CANARY}", f"/cds-services/{CANARY}/x"]
    for path in sent:
        proxy.ask("POST", path, CANARY.encode(), Referer=CANARY, Cookie=CANARY)
    proxy.ask("POST", HOOK, CANARY.encode() * 1_000_000)
    assert [line["route"] for line in proxy.lines(6)] == ["hook", "hook", "other", "other", "other", "hook"]
    for file in ("access", "error"):
        assert CANARY not in (proxy.folder / file).read_text()
