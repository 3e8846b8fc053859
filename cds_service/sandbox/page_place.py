"""Where in a text of JSON a fault lies: the line and column a tester has to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_STEP = re.compile(r"[^.\[\]]+")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    line: int
    column: int


def place_of_fault(text: str, expression: str | None) -> Place | None:
    """Where *text* stops being JSON; else the member *expression* names, or the nearest one that exists."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Place(error.lineno, error.colno)
    except (ValueError, RecursionError):
        return None
    return _place_of(text, tuple(_STEP.findall(expression))) if expression else None


def _place_of(text: str, wanted: Path) -> Place:
    if wanted[0] == "Bundle":
        wanted = wanted[1:]
    best, offset = 0, len(text) - len(text.lstrip())
    for path, start in _members(text):
        if len(path) > best and path == wanted[: len(path)]:
            best, offset = len(path), start
    before = text[:offset]
    return Place(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


@dataclass(slots=True)
class _Level:
    """An open object or array: the key or index reached, and whether a key comes next."""

    is_object: bool
    at: str
    key_next: bool


def _members(text: str) -> Iterator[tuple[Path, int]]:
    """The path of each member and item of well-formed JSON, with where its key or value begins."""
    levels: list[_Level] = []
    for found in _TOKEN.finditer(text):
        token = found.group()
        level = levels[-1] if levels else None
        if token in "]}":
            levels.pop()
        elif token == ",":
            assert level is not None  # well-formed: a comma stands inside something
            level.key_next = level.is_object
            level.at = level.at if level.is_object else str(int(level.at) + 1)
        elif token != ":":
            if level is not None and level.key_next:
                level.at, level.key_next = json.loads(token), False
                yield tuple(each.at for each in levels), found.start()
                continue
            if level is not None and not level.is_object:
                yield tuple(each.at for each in levels), found.start()
            if token in "{[":
                levels.append(_Level(token == "{", "0", token == "{"))
