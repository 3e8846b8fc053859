"""What a chart, a token or a header holds stays inside: a real process, told everything, repeats nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.planting import planted, resources
from tests.corpus.service import FEEDBACK, HOOK
from tests.stories import story

CANARY = "qz7canary"
PATIENT = "qz7patient"
COMMENT = "qz7comment"
"""A clinician's own words on a card: kept with the feedback, and nowhere else."""
HEADERS = {
    "Content-Type": "application/json",
    "Authorization": f"Bearer {CANARY}Authorization.{CANARY}.{CANARY}",
    "User-Agent": f"{CANARY}UserAgent",
    "Referer": f"https://{CANARY}.example/",
    "Cookie": f"session={CANARY}Cookie",
    "X-Forwarded-For": f"{CANARY}ForwardedFor",
    "X-Request-Id": f"{CANARY}RequestId",
    "traceparent": f"00-{CANARY}-01",
}
Answer = tuple[int, str]
Json = dict[str, Any]


def told() -> Json:
    """The base story with a numbered canary in each free-text field, in the token, and for a patient id."""
    made = planted(story("g01-first-marrow-relapse").request, CANARY)
    made |= {
        "fhirServer": f"https://{CANARY}.example/r4",
        "fhirAuthorization": {
            "access_token": f"{CANARY}AccessToken",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": CANARY,
            "subject": CANARY,
            "patient": PATIENT,
        },
        CANARY: {CANARY: CANARY},
    }
    made["context"] |= {"userId": f"Practitioner/{CANARY}", "encounterId": CANARY, "patientId": PATIENT, "x": CANARY}
    made["prefetch"]["patient"]["id"] = PATIENT
    made["prefetch"][f"{CANARY} key"] = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": CANARY}]}
    for resource in resources(made):
        if "subject" in resource:
            resource["subject"]["reference"] = f"Patient/{PATIENT}"
    # Numbered, so that one that comes out says which field it was in.
    numbers = count(1)
    text = re.sub(rf'(?<=": "){CANARY}(?=")', lambda _: f"{CANARY}{next(numbers)}", json.dumps(made))
    numbered: Json = json.loads(text)
    return numbered


def calls() -> list[tuple[str, str, bytes]]:
    """Method, path and body of a good call, and of one for each way a call can be refused."""
    good = told()
    body = json.dumps(good).encode()
    prefetch, context = good["prefetch"], good["context"]

    def changed(**members: Any) -> bytes:
        return json.dumps(good | members).encode()

    malformed = {
        "resourceType": "Observation",
        "id": f"<b>{CANARY}",
        "code": prefetch["observations"]["entry"][0]["resource"]["code"],
        "component": 7,
    }
    comment = {"reason": {"code": CANARY, "display": CANARY}, "userComment": COMMENT}
    item = {
        "card": "c1",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-01-31T12:00:00Z",
        "overrideReason": comment,
    }
    return [
        ("POST", HOOK, body),
        ("POST", HOOK, body[:-1]),
        ("POST", HOOK, body.replace(CANARY.encode(), b"\xff" + CANARY.encode(), 1)),
        ("POST", HOOK, body.replace(b'"hook":', f'"{CANARY} name":1,"{CANARY} name":2,"hook":'.encode(), 1)),
        ("POST", HOOK, changed(hook=CANARY)),
        ("POST", HOOK, changed(hookInstance=CANARY)),
        ("POST", HOOK, changed(fhirServer=f"ftp://{CANARY}")),
        ("POST", HOOK, changed(context={**context, "patientId": f"Patient/{PATIENT}"})),
        ("POST", HOOK, changed(context={**context, "patientId": f"{PATIENT}-another"})),
        ("POST", HOOK, changed(prefetch={**prefetch, "conditions": CANARY})),
        ("POST", HOOK, changed(prefetch={key: prefetch[key] for key in ("patient",)})),
        ("POST", HOOK, changed(prefetch={**prefetch, "conditions": {"resourceType": CANARY}})),
        (
            "POST",
            HOOK,
            changed(prefetch={**prefetch, "more": {"resourceType": "Bundle", "entry": [{"resource": malformed}]}}),
        ),
        ("POST", f"{HOOK}?patient={CANARY}", body),
        ("POST", f"/cds-services/{CANARY}", body),
        ("PUT", HOOK, body),
        ("GET", f"/{CANARY}", b""),
        ("GET", f"/about?{CANARY}", b""),
        ("GET", "/cds-services", b""),
        ("POST", FEEDBACK, json.dumps({"feedback": [item]}).encode()),
        ("POST", FEEDBACK, json.dumps({"feedback": [item | {"outcome": CANARY}]}).encode()),
        ("POST", FEEDBACK, json.dumps({"feedback": [item | {"outcomeTimestamp": CANARY}]}).encode()),
    ]


class Service:
    """The service in a process of its own; its working and temporary folders are empty at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        (folder / "tmp").mkdir()
        root = str(Path(__file__).parent.parent)
        environ = {**os.environ, "CDS_TODAY": "2025-12-20", "PYTHONPATH": root, "TMPDIR": str(folder / "tmp")}
        command = [sys.executable, "-m", "cds_service", "serve", "--mode", "demo", "--port", str(self.port)]
        self._process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def until_up(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                self.ask("GET", "/healthz", b"")
                return
        raise AssertionError("the service did not start")

    def ask(self, method: str, path: str, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, HEADERS)
            response = connection.getresponse()
            return response.status, f"{response.getheaders()}\n{response.read().decode()}"
        finally:
            connection.close()

    def ask_raw(self, request: bytes) -> str:
        """What comes back on *request*, which may be no HTTP at all."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")

    def stop(self) -> str:
        """Everything it printed."""
        self._process.send_signal(signal.SIGTERM)
        printed, _ = self._process.communicate(timeout=60)
        return printed.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("cwd"))
    try:
        made.until_up()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def answers(service: Service) -> list[Answer]:
    return [service.ask(*call) for call in calls()]


@pytest.fixture(scope="module")
def raw_answers(service: Service) -> list[str]:
    bad = [
        b"GET /%s HTTP/9.9\r\n\r\n",
        b"%s\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n",
        b"GET / HTTP/1.1\r\n%s\r\n\r\n",
    ]
    return [service.ask_raw(line % CANARY.encode()) for line in bad]


@pytest.fixture(scope="module")
def metrics(service: Service, answers: list[Answer]) -> str:
    return service.ask("GET", "/metrics", b"")[1]


@pytest.fixture(scope="module")
def printed(service: Service, answers: list[Answer], raw_answers: list[str], metrics: str) -> str:
    """Standard output and error of the whole life of the process, which ends here."""
    return service.stop()


def test_the_calls_are_answered_and_refused_in_all_the_ways_there_are(answers: list[Answer]) -> None:
    statuses = [status for status, _ in answers]
    assert statuses[0] == 200
    assert {200, 400, 404, 405, 412} <= set(statuses)
    assert max(statuses) < 500


def test_the_chart_is_read_so_that_its_silence_means_something(answers: list[Answer]) -> None:
    assert "Relapsed B-cell ALL" in answers[0][1]
    assert json.dumps(told()).count(CANARY) > 150


def test_no_answer_repeats_free_text_a_token_or_a_header(answers: list[Answer], raw_answers: list[str]) -> None:
    for status, text in answers:
        assert CANARY not in text, status
        assert COMMENT not in text, status
    for text in raw_answers:
        assert CANARY not in text


def test_the_patient_is_named_only_where_a_draft_order_must_name_one(answers: list[Answer]) -> None:
    """By design: the subject of a suggested ServiceRequest, in answers of 200."""
    for status, text in answers:
        assert PATIENT not in (text.replace(f'"reference":"Patient/{PATIENT}"', "") if status == 200 else text)


def test_the_metrics_hold_nothing_of_the_patient(metrics: str) -> None:
    for marker in (CANARY, PATIENT, COMMENT):
        assert marker not in metrics


def test_nothing_printed_or_logged_holds_anything_of_the_patient_or_the_token(printed: str) -> None:
    assert "/cds-services" in printed
    for marker in (CANARY, PATIENT, COMMENT):
        assert marker not in printed


def test_no_file_holds_anything_of_the_patient_or_the_token(service: Service, printed: str) -> None:
    for file in (path for path in service.folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert CANARY.encode() not in content, file.name
        assert PATIENT.encode() not in content, file.name
