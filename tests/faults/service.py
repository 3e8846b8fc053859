"""``cds-service serve`` as an operator starts it: a process group of its own, on loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.history import Operation
from tests.test_assemble import registry
from tests.trust import token

ROOT = Path(__file__).parent.parent.parent
HOOK = "/cds-services/relapsed-refractory-all"
FEEDBACK = f"{HOOK}/feedback"
BASE = "https://cds.example.org"
START_SECONDS = 30.0
LOOK_SECONDS = 0.02
KEY = "0123456789abcdef0123456789abcdef"


class Service:
    """One process group, which can be killed and started again at its port."""

    def __init__(self, folder: Path, url: str, mode: str) -> None:
        self.folder, self.url, self.mode = folder, url, mode
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Run, and return when it answers."""
        command = [sys.executable, "-m", "cds_service", "serve", "--port", str(self.port), "--mode", self.mode]
        given = {"PYTHONPATH": str(ROOT), "CDS_DATABASE_URL": self.url}
        if self.mode == "production":
            clients = str(registry(self.folder, remember_days=30))
            given |= {"CDS_BASE_URL": BASE, "CDS_CLIENTS": clients, "CDS_PATIENT_KEY": KEY}
        with (self.folder / f"log-{self.port}").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | given, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(LOOK_SECONDS)

    def log(self) -> str:
        return (self.folder / f"log-{self.port}").read_text()

    def _answers(self) -> bool:
        try:
            return Line(self.port).get("/healthz").status == 200
        except OSError:
            return False

    def kill(self) -> None:
        """``kill -9`` of the whole group."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        for _ in range(2):  # the second time means at once
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                time.sleep(LOOK_SECONDS)
        return self._process.wait(timeout=40)


@contextmanager
def running(folder: Path, url: str, mode: str = "demo") -> Iterator[Service]:
    service = Service(folder, url, mode)
    service.start()
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def together(folder: Path, url: str, many: int) -> Iterator[list[Service]]:
    """*many* production processes on one database."""
    with ExitStack() as stack:
        started = []
        for at in range(many):
            (folder / str(at)).mkdir()
            started.append(stack.enter_context(running(folder / str(at), url, "production")))
        yield started


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    seconds: float


class Line:
    """One caller's connection; a broken one is made anew for the next call."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, bearer: str | None = None) -> Answer:
        """Raises :class:`OSError` when no whole answer comes."""
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", path, body, headers | ({"Authorization": f"Bearer {bearer}"} if bearer else {}))

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        began = time.monotonic()
        try:
            self._connection.request(method, path, body, headers)
            reply = self._connection.getresponse()
            return Answer(reply.status, reply.read(), time.monotonic() - began)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionError from error

    def close(self) -> None:
        self._connection.close()

    def report(self, card: str, bearer: str | None = None) -> Operation:
        """Post feedback on *card*; what became of it."""
        began = time.monotonic()
        try:
            answer = self.post(FEEDBACK, feedback_body(card), bearer)
        except OSError:
            return Operation(card, began, time.monotonic())
        return Operation(card, began, time.monotonic(), answer.status, answer.body)


def feedback_body(*cards: str) -> bytes:
    said = {"outcome": "overridden", "outcomeTimestamp": "2026-01-31T12:00:00Z"}
    reason = {"reason": {"code": "on-a-trial", "system": "urn:rr-all:override-reason"}}
    return json.dumps({"feedback": [{"card": card, "overrideReason": reason} | said for card in cards]}).encode()


def hook_body(patient: str | None = None) -> bytes:
    """A call of a typical story, about *patient* instead of its own if one is named."""
    body = (ROOT / "fhir_fixtures" / "g01-first-marrow-relapse" / "request.json").read_text()
    return body.replace(json.loads(body)["context"]["patientId"], patient).encode() if patient else body.encode()


def fresh_token(path: str) -> str:
    now = time.time()
    return token(aud=BASE + path, iat=now, exp=now + 900, jti=str(uuid.uuid4()))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
