"""What never reaches the application is refused as it would: an OperationOutcome, CORS, and nothing repeated."""

from __future__ import annotations

import json

import pytest

from cds_service.assemble import assemble, check
from tests.reliability.small import MAX_BODY, SHORT, Started, started

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FAR_OVER = 2 * MAX_BODY + (64 << 10)


def chunks(body: bytes, each: int = 500) -> bytes:
    parts = [body[at : at + each] for at in range(0, len(body), each)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"SECRET\r\n\r\n", 400, id="no request line"),
        pytest.param(b"GET / HTTP/1.1\r\nSECRET\r\n\r\n", 400, id="a header line without a colon"),
        pytest.param(b"GET / HTTP/1.1\r\nSECRET: a\nb\r\n\r\n", 400, id="a bare line feed"),
        pytest.param(HEAD + b"Content-Length: SECRET\r\n\r\n", 400, id="a length that is no number"),
        pytest.param(HEAD + b"Transfer-Encoding: SECRET\r\n\r\n", 400, id="an encoding nobody knows"),
        pytest.param(CHUNKED + b"SECRET\r\n", 400, id="a chunk without its size"),
        pytest.param(CHUNKED + b"1" * 9000, 400, id="a chunk size that does not end"),
        pytest.param(CHUNKED + b"0\r\n" + b"SECRET: a\r\n" * 900, 400, id="a trailer that does not end"),
        pytest.param(HEAD + b"Authorization: " + b"SECRET" * 11_000, 431, id="header lines without end"),
        pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % FAR_OVER, 413, id="a length far over the cap"),
        pytest.param(CHUNKED + chunks(b"a" * FAR_OVER, 4096), 413, id="chunks far over the cap"),
        pytest.param(b"POST /broken HTTP/1.1\r\nContent-Length: 6\r\n\r\nSECRET", 500, id="a fault of the application"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_ends_the_connection(server: Started, sent: bytes, status: int) -> None:
    head, _, body = server.ask(sent).partition(b"\r\n\r\n")
    assert head.split()[1] == b"%d" % status
    assert b"\r\nConnection: close" in head
    assert b"\r\nAccess-Control-Allow-Origin: *" in head
    assert json.loads(body)["resourceType"] == "OperationOutcome"
    assert b"SECRET" not in head + body


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(MAX_BODY, 400, id="at the cap, and read: it is no hook request"),
        pytest.param(MAX_BODY + 1, 413, id="a byte over"),
        pytest.param(2 * MAX_BODY, 413, id="twice the cap"),
    ],
)
def test_a_chunked_body_over_the_cap_is_never_cut_and_accepted(size: int, status: int) -> None:
    """It would be well-formed JSON if it were cut."""
    app = assemble(check({"CDS_MAX_BODY": str(MAX_BODY)}, "demo"))
    body = b"{}".ljust(size)
    head = CHUNKED.replace(b"/ ", b"/cds-services/relapsed-refractory-all ", 1)
    head = head.replace(b"Host:", b"Content-Type: application/json\r\nHost:")
    with started(SHORT, app) as server:
        answer = server.ask(head + chunks(body))
    assert answer.split()[1] == b"%d" % status
    assert (b"\r\nConnection: close\r\n" in answer) == (status == 413)
    assert b'"resourceType":"OperationOutcome"' in answer
