"""The demo on a loopback port with ``/fhir``, and two callers of it: a FHIR client and the official sandbox."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key

from cds_service.assemble import assemble, check
from cds_service.lifecycle import Lifecycle
from cds_service.sandbox.fhir import fhir_endpoint
from cds_service.server import Limits, Server, listen
from tests.stories import folder

WITHIN = 10.0
"""Seconds one call may take."""
ORIGIN = "https://sandbox.cds-hooks.org"
OLD_FHIR_JSON = "application/json+fhir"
PATIENT = "{{context.patientId}}"


@contextmanager
def running(database: Path, today: str) -> Iterator[str]:
    """The service in demo mode on *today*; gives its base address."""
    listener = listen("127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    checked = check(
        {
            "CDS_MODE": "demo",
            "CDS_BASE_URL": base_url,
            "CDS_TODAY": today,
            "CDS_DATABASE_URL": f"sqlite:///{database}",
        }
    )
    lifecycle = Lifecycle()
    app = assemble(checked)
    if "fhir" not in app.blueprints:
        app.register_blueprint(fhir_endpoint(folder(), base_url))
    server = Server(app, listener, Limits(lead_seconds=0.0), lifecycle, checked.settings.max_body)
    thread = threading.Thread(target=server.answer_until_stopped, daemon=True)
    thread.start()
    yield base_url
    lifecycle.stop()
    thread.join(WITHIN)
    server.close()
    app.extensions["cds_service"].books.close()


@dataclass(frozen=True)
class Sandbox:
    """What the official sandbox sends, in its order and manner; its signing key is not ours to have."""

    base_url: str
    session: requests.Session

    @property
    def fhir(self) -> str:
        return f"{self.base_url}/fhir"

    def get(self, relative: str) -> requests.Response:
        return self.session.get(f"{self.fhir}/{relative}", headers=self._headers(), timeout=WITHIN)

    def discover(self) -> dict[str, Any]:
        address = f"{self.base_url}/cds-services"
        headers = {"Origin": ORIGIN, "Accept": "application/json"} | self._token(address)
        (service,) = self.session.get(address, headers=headers, timeout=WITHIN).json()["services"]
        found: dict[str, Any] = service
        return found

    def fill(self, templates: dict[str, str], patient: str) -> dict[str, Any]:
        """The prefetch: each search by POST, then by GET when that fails; what fails both ways is left out."""
        answers = {key: self._search(template.replace(PATIENT, patient)) for key, template in templates.items()}
        return {key: answer.json() for key, answer in answers.items() if answer.ok}

    def _search(self, filled: str) -> requests.Response:
        kind, _, query = filled.partition("?")
        if not query:
            return self.get(kind)
        merged = {name: ",".join(values) for name, values in parse_qs(query).items()}
        headers = self._headers()
        answer = self.session.post(f"{self.fhir}/{kind}/_search", data=merged, headers=headers, timeout=WITHIN)
        if answer.ok:
            return answer
        return self.session.get(f"{self.fhir}/{kind}", params=merged, headers=headers, timeout=WITHIN)

    def call(self, service: str, patient: str, prefetch: dict[str, Any]) -> dict[str, Any]:
        """One hook call; the body of the answer."""
        body = {
            "hookInstance": str(uuid.uuid4()),
            "hook": "patient-view",
            "fhirServer": self.fhir,
            "context": {"patientId": patient, "userId": "Practitioner/COREPRACTITIONER1"},
            "prefetch": prefetch,
        }
        answer = self._post(f"{self.base_url}/cds-services/{service}", body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def feed_back(self, service: str, item: dict[str, Any]) -> requests.Response:
        timed = item | {"outcomeTimestamp": "2026-10-01T12:00:00.000Z"}
        return self._post(f"{self.base_url}/cds-services/{service}/feedback", {"feedback": [timed]})

    def _post(self, address: str, body: dict[str, Any]) -> requests.Response:
        headers = {"Origin": ORIGIN, "Accept": "application/json"} | self._token(address)
        return self.session.post(address, json=body, headers=headers, timeout=WITHIN)

    def _headers(self) -> dict[str, str]:
        return {"Origin": ORIGIN, "Accept": OLD_FHIR_JSON}

    def _token(self, audience: str) -> dict[str, str]:
        """ES384, five minutes, the key named by kid and jku; signed by a key made here."""
        now = round(time.time())
        claims = {"iss": ORIGIN, "aud": audience, "exp": now + 300, "iat": now, "jti": str(uuid.uuid4())}
        header = {"kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f", "jku": f"{ORIGIN}/.well-known/jwks.json"}
        token = jwt.encode(claims, generate_private_key(SECP384R1()), algorithm="ES384", headers=header)
        return {"Authorization": f"Bearer {token}"}
