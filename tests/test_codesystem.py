"""The project's own codes are published, defined, and the only ones its value sets use."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.codesystem import CodeSystem

TOP = Path(__file__).parent.parent
FILES = sorted((TOP / "docs" / "codesystem").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def defined() -> dict[tuple[str, str], str]:
    """(system, code) to display."""
    return {
        (system["url"], concept["code"]): concept["display"]
        for system in map(read, FILES)
        for concept in system["concept"]
    }


def used() -> Iterator[tuple[str, str, str]]:
    """Every code of our own in the value sets and in ``services.toml``: (system, code, display)."""
    for path in sorted((TOP / "cards" / "value_sets").glob("*.json")):
        for include in read(path)["compose"]["include"]:
            for concept in include["concept"]:
                yield include["system"], concept["code"], concept.get("display", "")
    services = tomllib.loads((TOP / "cards" / "services.toml").read_text(encoding="utf-8"))
    for coding in (services["topic"], *services["suggestion"], *services["override_reason"]):
        yield coding["system"], coding["code"], coding["display"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_is_a_valid_complete_code_system(path: Path) -> None:
    content = read(path)
    CodeSystem.model_validate(content)
    codes = [concept["code"] for concept in content["concept"]]
    assert content["content"] == "complete"
    assert content["count"] == len(codes) == len(set(codes))
    assert all(concept["display"] and concept["definition"] for concept in content["concept"])


def test_every_code_of_our_own_that_is_used_is_defined_with_the_same_display() -> None:
    ours = {(system, code): display for system, code, display in used() if system.startswith("urn:rr-all:")}
    assert ours == defined()
