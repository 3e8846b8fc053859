"""The lock file is what the project asks for: each dependency, at a version it may have, by hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parent.parent
LOCK = (TOP / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKED = dict(re.findall(r"^([a-z0-9._-]+)==([^ ]+) \\$", LOCK, re.MULTILINE))


def test_the_lock_holds_every_dependency_at_a_version_it_may_have() -> None:
    asked = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["postgres"]]
    assert {r.name: LOCKED.get(canonicalize_name(r.name)) for r in asked if not _is_met(r)} == {}


def _is_met(asked: Requirement) -> bool:
    version = LOCKED.get(canonicalize_name(asked.name))
    return version is not None and asked.specifier.contains(version)


def test_everything_in_the_lock_is_pinned_by_hash() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.strip())
    assert len(entries) == len(LOCKED) > 20
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []
