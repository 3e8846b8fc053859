"""A FHIR server on a loopback socket that answers as it is told, byte by byte; and certificates for it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cds_service.chart.bundle import Bundle, Prefetched
from cds_service.outbound.threads import BUSY_NAME

PATIENCE = 5.0
"""Seconds after which something awaited will not come any more."""
DRIP = 0.1
"""Seconds between two bytes of a dripping answer: each is well within any socket timeout."""


@dataclass
class Visit:
    """One request as it came, and the connection to answer it on."""

    connection: socket.socket
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    closing: threading.Event

    @property
    def kind(self) -> str:
        """The resource type asked for: ``Patient`` of ``/fhir/Patient/p1``."""
        return self.target.partition("?")[0].split("/")[2]


Behaviour = Callable[[Visit], None]


@dataclass
class BadServer:
    """Answers every visit as *behave* does and remembers it; one on each connection, unless it is *lasting*."""

    behave: Behaviour
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    lasting: bool = False
    visits: list[Visit] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=64)
        self.port = self._listener.getsockname()[1]
        self._accepted: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def base(self) -> str:
        host = "localhost" if self.tls else f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/fhir"

    @property
    def targets(self) -> list[str]:
        return [visit.target for visit in self.visits]

    @property
    def still_open(self) -> int:
        """Connections that neither side has closed."""
        return sum(thread.is_alive() for thread in self._threads[1:])

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was shut
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(PATIENCE)
            wrapped = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            self._accepted.append(wrapped)
            with wrapped:
                self._answer(wrapped)
                while self.lasting:
                    self._answer(wrapped)

    def _answer(self, connection: socket.socket) -> None:
        visit = _read(connection, self.closing)
        self.visits.append(visit)
        self.behave(visit)

    def close(self) -> None:
        """Wakes whatever still waits for a caller."""
        self.closing.set()
        for each in (self._listener, *self._accepted):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)


@contextmanager
def serving(behave: Behaviour, **options: Any) -> Iterator[BadServer]:
    server = BadServer(behave, **options)
    try:
        yield server
    finally:
        server.close()


def _read(connection: socket.socket, closing: threading.Event) -> Visit:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            raise OSError
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Visit(connection, method, target, headers, body, closing)


# What a server may do.


def raw(text: bytes, *, then_close: bool = True) -> Behaviour:
    def behave(visit: Visit) -> None:
        visit.connection.sendall(text)
        if not then_close:
            visit.closing.wait(PATIENCE)

    return behave


def answer(
    body: bytes | Mapping[str, Any], status: str = "200 OK", media: str = "application/fhir+json", **headers: str
) -> Behaviour:
    """A proper answer; ``Retry_After="3600"`` becomes that header."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(payload)}"]
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)


def reset(visit: Visit) -> None:
    """RST: close with bytes unsent and no lingering."""
    visit.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(visit: Visit) -> None:
    """FIN, with nothing said."""
    visit.connection.close()


def reset_at_once(visit: Visit) -> None:
    reset(visit)
    visit.connection.close()


def silent(visit: Visit) -> None:
    visit.closing.wait(PATIENCE)


def drip(before: bytes, drop: bytes) -> Behaviour:
    """*before*, then *drop* again and again until nobody listens."""

    def behave(visit: Visit) -> None:
        visit.connection.sendall(before)
        while not visit.closing.wait(DRIP):
            visit.connection.sendall(drop)

    return behave


def flood(before: bytes, drop: bytes) -> Behaviour:
    """*before*, then *drop* as fast as it is taken."""

    def behave(visit: Visit) -> None:
        visit.connection.sendall(before)
        while not visit.closing.is_set():
            visit.connection.sendall(drop)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One visit each; the last stays for all that follow."""
    left = list(behaviours)

    def behave(visit: Visit) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(visit)

    return behave


def by_kind(**behaviours: Behaviour) -> Behaviour:
    """Each resource type in its own way; the others properly, and empty."""

    def behave(visit: Visit) -> None:
        behaviours.get(visit.kind, proper)(visit)

    return behave


def proper(visit: Visit) -> None:
    answer(PATIENT if visit.kind == "Patient" else bundle())(visit)


PATIENT = {"resourceType": "Patient", "id": "p1"}


def bundle(*ids: str, following: str | None = None) -> dict[str, Any]:
    """A page of Conditions; *following* is the URL of its next link."""
    entries = [{"resource": {"resourceType": "Condition", "id": name}} for name in ids]
    links = [{"relation": "self", "url": "urn:this"}]
    links += [{"relation": "next", "url": following}] if following is not None else []
    return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}


def ids_in(value: Prefetched) -> list[str]:
    assert isinstance(value, Bundle)
    return [json.loads(bytes(entry.resource))["id"] for entry in value.entry if entry is not None]


def no_outbound_thread_left() -> bool:
    """True once no thread speaks to a server any more."""
    return eventually(lambda: not any(thread.name == BUSY_NAME for thread in threading.enumerate()))


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


# Certificates.


def make_tls(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for *host*, and the file of the authority that signed it."""
    key, authority_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Test authority", authority_key, "Test authority", authority_key, None)
    certificate = _certificate(host, key, "Test authority", authority_key, host)
    ca_file, chain = folder / f"{host}.ca.pem", folder / f"{host}.pem"
    ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, ca_file


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signing: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is not None:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return made.sign(signing, hashes.SHA256())
