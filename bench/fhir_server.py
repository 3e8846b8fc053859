"""A FHIR server that answers each query after the same while with its part of a chart: ``python -m bench.fhir_server``.

A process of its own, so that what it costs is not taken from whoever calls it.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from bench.charts import chart
from bench.contenders import ROOT
from cds_service.server import SWITCH_SECONDS

KEYS = {
    "Patient": "patient",
    "Condition": "conditions",
    "Observation": "observations",
    "Procedure": "procedures",
    "MedicationRequest": "medications",
    "MedicationAdministration": "administrations",
}
"""Which part of the chart each resource type is answered with, whatever is asked of it."""


@contextmanager
def fhir_server(observations: int, delay_ms: int, certificate: Path) -> Iterator[str]:
    """The base address of a server that runs until the block ends."""
    command = [sys.executable, "-m", "bench.fhir_server", str(observations), str(delay_ms), str(certificate)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"https://localhost:{int(process.stdout.readline())}/fhir"
    finally:
        process.kill()
        process.wait()


def _answers(observations: int) -> dict[str, bytes]:
    """Whole answers by resource type."""
    parts = json.loads(chart(observations))["prefetch"]
    return {kind: _framed(json.dumps(parts[key], separators=(",", ":")).encode()) for kind, key in KEYS.items()}


def _framed(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: dict[str, bytes], seconds: float, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answers, self.seconds, self.tls = answers, seconds, tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake, on the thread of the connection."""
        with self.tls.wrap_socket(request, server_side=True) as connection:
            _Answering(connection, client_address, self)


class _Answering(StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            _, target, _ = line.decode().split()
            self.rfile.read(self._length())
            time.sleep(self.server.seconds)
            self.wfile.write(self.server.answers[target.partition("?")[0].split("/")[2]])

    def _length(self) -> int:
        """Of the body; the headers are read and let go of."""
        length = 0
        while header := self.rfile.readline().strip():
            name, _, text = header.partition(b":")
            length = int(text) if name.lower() == b"content-length" else length
        return length


def main() -> None:
    observations, delay_ms, certificate = sys.argv[1:]
    sys.setswitchinterval(SWITCH_SECONDS)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with _Server(_answers(int(observations)), int(delay_ms) / 1000, tls) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
