"""The servers that are compared, each a process of its own: ours as it is run in production, and the peers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.charts import TODAY, chart

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
INSTALLED = ROOT / "build" / "bench-peers"
NODE = INSTALLED / "node"
VALUE_SETS = INSTALLED / "value_sets.json"
HOOK = "/cds-services/relapsed-refractory-all"
STARTS_WITHIN = 60.0
OURS = "this service"


class Absent(Exception):
    """The peer cannot be measured; the message says why."""


@dataclass(frozen=True)
class Contender:
    """How to start one server. *command* is given the port, then *arguments*."""

    name: str
    command: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    path: str = HOOK


def ours() -> Contender:
    command = (sys.executable, "-m", "cds_service", "serve", "--mode", "demo", "--port")
    return Contender(OURS, command)


def peers() -> tuple[Contender, ...]:
    """The peers in the order of the table."""
    sets, elm = str(VALUE_SETS), str(NODE / "answer.json")
    health = (_python("healthchain"), str(PEERS / "healthchain_service.py"))
    return (
        Contender("Node, JSON.parse, no validation", ("node", str(NODE / "parse_server.mjs")), (sets,)),
        Contender("HealthChain, dicts, no validation", health, (sets, "dicts"), "/cds" + HOOK),
        Contender("HealthChain, its FHIR objects", health, (sets, "objects"), "/cds" + HOOK),
        Contender("cql-execution, cql-exec-fhir", ("node", str(NODE / "cql_server.mjs")), (sets, elm)),
        Contender("FastAPI, fhir.resources bundles", (_python("fastapi"), str(PEERS / "fastapi_service.py")), (sets,)),
    )


def _python(peer: str) -> str:
    return str(INSTALLED / peer / "bin" / "python")


class Running:
    """A server that answers, and what its process has used."""

    def __init__(self, contender: Contender, process: subprocess.Popen[bytes], port: int) -> None:
        self.contender = contender
        self.port = port
        self._pid = process.pid
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, body: bytes) -> bytes:
        """The answer to one call. Raises :class:`Absent` when it is not 200."""
        try:
            return self._ask(body)
        except (HTTPException, OSError):  # an idle connection the server has closed
            self._connection.close()
            return self._ask(body)

    def _ask(self, body: bytes) -> bytes:
        self._connection.request("POST", self.contender.path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise Absent(f"status {response.status}: {answer[:200].decode(errors='replace')}")
        return answer

    def cpu_ms(self) -> float:
        """CPU time of the process so far: the clock behind /proc/PID/stat, which shows it in steps of 10 ms."""
        return time.clock_gettime_ns((~self._pid << 3) | 2) / 1e6

    def kilobytes(self, field: str) -> int:
        """VmRSS, or VmHWM: the most it was since :meth:`forget_peak`."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0])

    def forget_peak(self) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def running(contender: Contender) -> Iterator[Running]:
    """The server until the block ends, once it has given the right answer. Raises :class:`Absent`."""
    with TemporaryDirectory() as folder:
        port = _free_port()
        errors = Path(folder) / "errors"
        process = _start(contender, port, Path(folder), errors)
        server = Running(contender, process, port)
        try:
            _require_right(_first_answer(server, process, errors))
            yield server
        finally:
            server.close()
            process.kill()  # an orderly stop takes seconds, and there is nothing to save
            process.wait()


def _start(contender: Contender, port: int, folder: Path, errors: Path) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "CDS_TODAY": TODAY.isoformat(),
        "CDS_DATABASE_URL": f"sqlite:///{folder}/store.db",
        "CDS_ASSESSMENT_EXTENSION": "off",  # as in production
        "NODE_ENV": "production",
    }
    environ.pop("PYTHONPATH", None)  # what the bench needs, the servers do not
    command = [*contender.command, str(port), *contender.arguments]
    try:
        with errors.open("wb") as sink:
            return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=sink)
    except OSError as error:
        raise Absent(f"{type(error).__name__}: {error.filename}; is it installed? make bench-peers") from None


def _first_answer(server: Running, process: subprocess.Popen[bytes], errors: Path) -> bytes:
    """Asks until the port is open."""
    body = chart(20)
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return server.ask(body)
        except OSError:
            time.sleep(0.002)
    lines = errors.read_text(errors="replace").strip().splitlines() or ["no answer and no error"]
    raise Absent(next((line for line in reversed(lines) if "Error" in line), lines[-1]))


def _require_right(answer: bytes) -> None:
    """A quick wrong answer is no peer's: relapsed, and Philadelphia-negative."""
    summaries = [card["summary"].lower() for card in json.loads(answer)["cards"]]
    if not any("relapsed" in each and "negative" in each for each in summaries):
        raise Absent(f"it answered {summaries}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
