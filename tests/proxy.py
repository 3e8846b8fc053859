"""nginx with the configuration of deploy/, in front of two real processes of the service."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.reliability.launch import _target as target
from tests.reliability.launch import free_port
from tests.test_assemble import registry
from tests.test_command_line import HOOK, fresh_token, hook_request

TOP = Path(__file__).parent.parent
DEPLOY = TOP / "deploy"
BASE_URL = "https://cds.example.org"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what


def connects(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def certificate(folder: Path) -> None:
    """A self-signed one for this machine."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    signed = made.add_extension(names, critical=True).sign(key, hashes.SHA256())
    (folder / "tls.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, plain))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def by_the_service(self) -> bool:
        return "X-Request-Id" in self.headers

    def outcome(self) -> str:
        """The issue code of an OperationOutcome."""
        made = json.loads(self.body)
        assert made["resourceType"] == "OperationOutcome"
        return str(made["issue"][0]["code"])


@dataclass(frozen=True)
class Proxy:
    """nginx with the shipped configuration."""

    port: int
    folder: Path
    pid: int

    def open_below(self, path: Path) -> list[str]:
        """Files there that a worker of nginx has open; a temporary one has no name any more."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        links = [link for worker in workers for link in Path(f"/proc/{worker}/fd").iterdir()]
        return [found for link in links if (found := target(link)).startswith(str(path))]

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "tls.crt")

    @contextmanager
    def connected(self, context: ssl.SSLContext | None = None) -> Iterator[ssl.SSLSocket]:
        """A connection that holds little back: what was sent, nginx has read, but for its own end's buffer."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain,
            (context or self.context()).wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
            yield secure

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context())
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def call_hook(self) -> Answer:
        bearer = f"Bearer {fresh_token(BASE_URL + HOOK)}"
        return self.ask("POST", HOOK, json.dumps(hook_request()).encode(), Authorization=bearer)

    def lines(self, at_least: int) -> list[dict[str, str]]:
        """The access log, once it has so many lines: nginx writes one after its answer."""
        log = self.folder / "access"
        until(lambda: log.read_text().count("\n") >= at_least, "no line in the access log")
        return [json.loads(line) for line in log.read_text().splitlines()]


def configuration(folder: Path, port: int, replicas: tuple[int, int]) -> str:
    """The shipped one with this test's ports and folders in it, and nothing else changed."""
    changed = (DEPLOY / "nginx/nginx.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "listen 8443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "service-a:8080": f"127.0.0.1:{replicas[0]}",
        "service-b:8080": f"127.0.0.1:{replicas[1]}",
        "/etc/nginx/tls": str(folder),
        "/tmp/nginx": str(folder / "nginx"),
        "/dev/stdout": str(folder / "access"),
        "error_log stderr": f"error_log {folder / 'error'}",
    }.items():
        assert shipped in changed
        changed = changed.replace(shipped, here)
    return changed


@contextmanager
def proxied(folder: Path, replicas: tuple[int, int]) -> Iterator[Proxy]:
    port = free_port()
    (folder / "nginx").mkdir()
    certificate(folder)
    (folder / "nginx.conf").write_text(configuration(folder, port, replicas))
    user = "user root; " if os.geteuid() == 0 else ""  # else the workers may not enter this test's folder
    command = [str(NGINX), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", f"{user}daemon off;"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or connects(port), "nginx did not start")
        yield Proxy(port, folder, process.pid)
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


class Replica:
    """One process of the service, in production mode; all share the database in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
        given = kept | {
            "PYTHONPATH": str(TOP),
            "CDS_BASE_URL": BASE_URL,
            "CDS_CLIENTS": str(self._folder / "clients.toml"),
            "CDS_DATABASE_URL": f"sqlite:///{self._folder}/store.db",
        }
        command = [sys.executable, "-m", "cds_service", "serve", "--port", str(self.port)]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self._folder, env=given, stderr=log)

    def until_it_answers(self) -> None:
        until(lambda: self.process.poll() is not None or connects(self.port), "a replica did not start")

    def end(self) -> None:
        """At once: the orderly stop is another test's."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Front:
    proxy: Proxy
    first: Replica
    second: Replica


@contextmanager
def two_replicas_behind_nginx(folder: Path) -> Iterator[Front]:
    registry(folder)
    first, second = Replica(folder), Replica(folder)
    try:
        first.until_it_answers()
        second.until_it_answers()
        with proxied(folder, (first.port, second.port)) as proxy:
            yield Front(proxy, first, second)
    finally:
        first.end()
        second.end()
