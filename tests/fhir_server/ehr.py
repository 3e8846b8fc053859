"""HAPI FHIR's JPA server on loopback, in place of an EHR: started, asked with plain requests, ended.

``make fhir-server-test`` builds it from Maven Central into ``build/fhir-server``.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import parse_qsl

import requests

BUILD = Path(__file__).resolve().parents[2] / "build" / "fhir-server"
PAGE = 2
"""The most resources on one page, whatever ``_count`` asks: so small that most stories need several pages."""
START_WITHIN = 180.0
"""Seconds."""
ANSWER_WITHIN = 30.0
"""Seconds."""


@dataclass(frozen=True)
class Ehr:
    """The running server: its base address, and a session that carries the one token it lets in."""

    base: str
    token: str
    session: requests.Session

    def store(self, resource: Mapping[str, Any]) -> requests.Response:
        """PUT under the resource's own id; the answer is the resource as the server now holds it, or why not."""
        address = f"{self.base}/{resource['resourceType']}/{resource['id']}"
        headers = {"Content-Type": "application/fhir+json"}
        return self.session.put(address, json=resource, headers=headers, timeout=ANSWER_WITHIN)

    def read(self, relative: str) -> dict[str, Any]:
        """One resource, or the first page of a search."""
        return _body(self.session.get(f"{self.base}/{relative}", timeout=ANSWER_WITHIN))

    def search(self, relative: str, *, by_post: bool) -> list[dict[str, Any]]:
        """Every page of one search, in order."""
        kind, _, query = relative.partition("?")
        if by_post:
            form = parse_qsl(query)
            page = _body(self.session.post(f"{self.base}/{kind}/_search", data=form, timeout=ANSWER_WITHIN))
        else:
            page = self.read(relative)
        pages = [page]
        while following := _next(page):
            page = _body(self.session.get(following, timeout=ANSWER_WITHIN))
            pages.append(page)
        return pages


def _body(response: requests.Response) -> dict[str, Any]:
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found


def _next(page: Mapping[str, Any]) -> str | None:
    return next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


@contextmanager
def running() -> Iterator[Ehr]:
    """The server on a free port, empty. It ends when its standard input is closed, so with us too."""
    token = secrets.token_urlsafe()
    with subprocess.Popen(_command(token), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        too_late = Timer(START_WITHIN, server.kill)
        too_late.start()
        assert server.stdout is not None
        base = server.stdout.readline().strip()
        too_late.cancel()
        assert base, "the FHIR server ended, or did not start in time"
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {token}"
            yield Ehr(base, token, session)


def _command(token: str) -> list[str]:
    classpath = os.pathsep.join([str(BUILD / "classes"), (BUILD / "classpath").read_text(encoding="utf-8")])
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", classpath, "EhrServer", token, str(PAGE)]
