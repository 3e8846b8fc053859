"""Values nobody expects. Every text holds :data:`CANARY`, and none of them is fit to be an id or a code."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

CANARY = "qz7canary"
"""In every name, text, identifier, note, token and odd value: found in an answer or a log, it leaked."""

TEXTS = tuple(
    f"{CANARY} {text}"
    for text in (
        "",
        "[x](https://evil.example)",
        "www.evil.example",
        "<img src=x onerror=alert(1)>",
        "` **x** `",
        "\n# x\n- y",
        "{0.__class__} {{context.patientId}} %s",
        "\u202e\u200b\ufeff",
        "\U0001f9ec" * 30,
        "'; DROP TABLE cards;--",
        "a" * 5000,
        "Bone marrow blasts 95 %",
    )
)
NUMBERS = (
    *("0", "-0", "-1", "1e30", "1e31", "-1e30", "1e-30", "1e1000000", "-1e999999999", "1e-1000000", "0.1e400"),
    *("9" * 40, "9" * 41, "9" * 5000, "0." + "0" * 60 + "1", "NaN", "Infinity", "100", "100.0000001", "62"),
)
DATES = (
    *("0000", "0001", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999", "9999-12-31", "9999-12-31T23:59:59-14:00"),
    *("99999", "2025-02-29", "2025-02-30", "2025-13", "2025-00", "2025-12-32", "2025-12-11T24:00:00Z", "2025-12-11T23"),
    *("2025-12-11T23:59:60Z", "2025-12-11T10:00:00", "2025-12-11T10:00:00.123456789Z", "2025-12-11T10:00:00+99:99"),
    *("2024-02-29", "1900", "2099-01-01", "20251211", " 2025", "2025 ", "2025-12-11\n", "T", "-", "+2025-01-01"),
    *(
        "1969-12-31T23:59:59Z",
        "2025-12",
        "2024",
        "2025-12-10T23:30:00-11:00",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
    ),
)
NAMES = ("coding", "value", "reference", "code", "system", "id", "resourceType")
RAW = "raw-json-"
"""A text that begins so stands for JSON that Python's writer would not write."""


def number(rng: Random) -> Any:
    """A number as raw JSON."""
    return RAW + rng.choice(NUMBERS)


def value(rng: Random, depth: int = 0) -> Any:
    """Anything JSON can hold, and some that it cannot."""
    simple: tuple[Callable[[Random], Any], ...] = (
        _text,
        _text,
        _text,
        number,
        number,
        _date,
        _empty,
        deep,
        _many,
        _broken,
    )
    kind = rng.randrange(len(simple) + 3)
    if kind < len(simple) or depth > 2:
        return simple[kind % len(simple)](rng)
    inner = value(rng, depth + 1)
    return [inner] if kind == len(simple) else {rng.choice(NAMES): inner}


def _text(rng: Random) -> str:
    return rng.choice(TEXTS)


def _date(rng: Random) -> str:
    return rng.choice(DATES)


def _empty(rng: Random) -> Any:
    return rng.choice((None, True, False, "", 0, [], {}))


def _many(rng: Random) -> list[Any]:
    return [rng.choice((None, 0, "", {})) for _ in range(rng.choice((1, 3, 50, 2000)))]


def _broken(rng: Random) -> str:
    return RAW + rng.choice((r'"\ud800"', r'"\u0000"', r'"a\udc00\ud800"', '{"a":1,"a":2}', "-", "01", '"\\x"'))


def deep(rng: Random) -> Any:
    """Something nested about as deeply as allowed, or far more."""
    levels = rng.choice((10, 60, 62, 63, 64, 65, 100, 900, 3000))
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}"), ('{"extension":[', "]}")))
    return f"{RAW}{opened * levels}1{closed * levels}"
