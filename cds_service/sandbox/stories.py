"""The stories a tester chooses from: ``fhir_fixtures/``, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ORDER = ("relapsed", "refractory", "indeterminate", "in remission", "treatment not documented", "not ALL")
"""What stories show, in the order a tester meets it; whatever else they show comes after."""


@dataclass(frozen=True)
class Story:
    """One invented patient: *shows* is what the story is told for, *today* the day it is told."""

    name: str
    title: str
    story: str
    shows: str
    today: date
    path: Path

    @property
    def request(self) -> str:
        """The hook request as it is on file: what is shown, edited and downloaded."""
        return (self.path / "request.json").read_text(encoding="utf-8")


def load_stories(folder: Path) -> dict[str, Story]:
    """Every story in *folder* by name, in the order they are listed."""
    found = [_load(path.parent) for path in folder.glob("*/story.toml")]
    found.sort(key=lambda story: (_place(story.shows), story.title.casefold()))
    return {story.name: story for story in found}


def _load(path: Path) -> Story:
    about = tomllib.loads((path / "story.toml").read_text(encoding="utf-8"))
    return Story(path.name, about["title"], about["story"], about["shows"], date.fromisoformat(about["today"]), path)


def _place(shows: str) -> tuple[int, str]:
    return (ORDER.index(shows) if shows in ORDER else len(ORDER)), shows


def grouped(stories: Mapping[str, Story]) -> dict[str, list[Story]]:
    """The stories under what they show."""
    groups: dict[str, list[Story]] = {}
    for story in stories.values():
        groups.setdefault(story.shows, []).append(story)
    return groups
