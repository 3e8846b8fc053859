"""The real application behind the real server, in a process of its own: ``python -m tests.reliability.launch PORT``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cds_service.assemble import assemble, check
from cds_service.lifecycle import Lifecycle
from cds_service.logs import configure
from cds_service.server import serve
from tests.reliability.load import request_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).parent.parent.parent
HOOK = "/cds-services/relapsed-refractory-all"
STUCK_SECONDS = 8.0
"""How long ``/stuck`` waits, as a call of a slow EHR would."""


def story(name: str = "g01-first-marrow-relapse") -> bytes:
    return (ROOT / "fhir_fixtures" / name / "request.json").read_bytes()


def call() -> bytes:
    """One hook call of a typical story, as sent."""
    return request_bytes(HOOK, story())


class Running:
    """A server process that answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def resident_kilobytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def open_sockets(self) -> int:
        links = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(_target(link).startswith("socket:") for link in links)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # closed since the folder was listed
        return ""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(**environ: str) -> Iterator[Running]:
    """A process of the service until the block ends; then it is told to stop."""
    port = free_port()
    command = [sys.executable, "-m", "tests.reliability.launch", str(port)]
    store = TemporaryDirectory()
    database = f"sqlite:///{store.name}/store.db"
    given = {**os.environ, "CDS_TODAY": "2025-12-20", "CDS_DATABASE_URL": database, **environ}
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=silent, stderr=silent)
    try:
        _until_it_answers(process, port)
        yield Running(process, port)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=40)
        store.cleanup()


def _until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
                caller.sendall(request_bytes("/healthz", more="Connection: close\r\n"))
                if caller.recv(15) == b"HTTP/1.1 200 OK":
                    return
        except OSError:
            continue
    raise AssertionError("the service did not start")


def with_stuck_page(app: WSGIApplication) -> WSGIApplication:
    """*app* with a page that waits as a call of a slow EHR would."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/stuck":
            return app(environ, start_response)
        time.sleep(STUCK_SECONDS)
        start_response("204 No Content", [])
        return [b""]

    return answer


def main(port: int) -> None:
    configure(sys.stderr)
    checked = check(os.environ, "demo")
    lifecycle = Lifecycle()
    app = with_stuck_page(assemble(checked, lifecycle))
    serve(app, host="127.0.0.1", port=port, max_body=checked.settings.max_body, lifecycle=lifecycle)


if __name__ == "__main__":
    main(int(sys.argv[1]))
