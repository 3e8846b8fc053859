"""The invented patients of ``fhir_fixtures/``: where they are, what each holds, and how one is answered."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Any

from cds_service.catalogue import load
from cds_service.compose import EXTENSION, hook_response
from cds_service.decide import PatientView, decide
from cds_service.decision import Decision
from cds_service.knowledge import Knowledge

BASE_URL = "http://127.0.0.1:8080"


@cache
def folder() -> Path:
    """``fhir_fixtures/``, beside this folder in a checkout."""
    return Path(__file__).resolve().parent.parent / "fhir_fixtures"


@cache
def knowledge() -> Knowledge:
    """The catalogue, loaded once for all stories."""
    return load()


@dataclass(frozen=True)
class Story:
    """One patient: the request, what the rules say of it, and the answer on file."""

    path: Path

    @property
    def slug(self) -> str:
        return self.path.name

    @cached_property
    def about(self) -> dict[str, Any]:
        """``story.toml``."""
        return tomllib.loads((self.path / "story.toml").read_text(encoding="utf-8"))

    @property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = self.about["expected"]
        return found

    @property
    def foreign(self) -> bool:
        """Deliberately not FHIR R4."""
        return bool(self.about.get("foreign"))

    @cached_property
    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "request.json").read_text(encoding="utf-8"))
        return found

    @property
    def golden_path(self) -> Path:
        return self.path / "response.json"

    @property
    def golden(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.golden_path.read_text(encoding="utf-8"))
        return found

    def decide(self) -> Decision:
        context = self.request["context"]
        view = PatientView(
            patient_id=context["patientId"],
            prefetch={key: json.dumps(value).encode() for key, value in self.request["prefetch"].items()},
            patient_facing=context["userId"].startswith(("Patient/", "RelatedPerson/")),
        )
        return decide(view, knowledge(), date.fromisoformat(self.about["today"]))

    def answer(self) -> dict[str, Any]:
        """The hook response with counted ids and no digest: the same until an answer changes."""
        answer = hook_response(self.decide(), knowledge(), BASE_URL, counted_ids(), with_assessment=True)
        answer["extension"][EXTENSION]["digest"] = "sha256:(of the catalogue in use)"
        return answer


def counted_ids() -> Callable[[], str]:
    """UUIDs in their order of use."""
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


@cache
def stories() -> tuple[Story, ...]:
    """Every story, by name."""
    return tuple(Story(path.parent) for path in sorted(folder().glob("*/story.toml")))


def story(slug: str) -> Story:
    return Story(folder() / slug)
