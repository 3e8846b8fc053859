"""What every answer must be, whatever was asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.fuzz.odd import CANARY

T = TypeVar("T")
SLOWEST = 2.0
"""Seconds an answer may take."""
MAY_BE_EMPTY = ("$.cards", "$.services")
LONGEST_SUMMARY = 139


@dataclass(frozen=True)
class Seen:
    """One answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def timed(ask: Callable[[], T]) -> tuple[T, float]:
    """What *ask* gives, and the seconds it took. A slow request is slow again; a busy machine stalls at random."""
    took = []
    for _ in range(2):
        began = time.monotonic()
        answer = ask()
        took.append(time.monotonic() - began)
        if took[-1] <= SLOWEST:
            break
    return answer, min(took)


def faults(seen: Seen, *, of_hook: bool = False) -> Iterator[str]:
    """What is wrong with one answer, without a value of the request."""
    media_type = seen.headers.get("Content-Type", "").partition(";")[0]
    if seen.status >= 500:
        yield f"status {seen.status}"
    if seen.seconds > SLOWEST:
        yield f"took {seen.seconds:.1f} s"
    if CANARY.encode() in seen.body or CANARY in str(seen.headers):
        yield "canary in the answer"
    if media_type == "application/json":
        body = json.loads(seen.body)
        yield from _body_faults(body, seen.status)
        if of_hook and seen.status == 200:
            yield from hook_faults(body)
    elif seen.body and not media_type.startswith("text/"):
        yield f"media type {media_type}"


def _body_faults(body: Any, status: int) -> Iterator[str]:
    yield from (f"empty {at}" for at in empties(body))
    if status >= 400:
        issues = body.get("issue") if body.get("resourceType") == "OperationOutcome" else None
        if not issues or not all(issue.get("severity") and issue.get("code") for issue in issues):
            yield "an error that is no OperationOutcome"


def hook_faults(body: Any) -> Iterator[str]:
    """What is wrong with the body of a 200 answer of the hook."""
    if "cards" not in body:
        yield "no cards"
        return
    cards = body["cards"]
    if not isinstance(cards, list) or len(cards) > 1:
        yield "cards that are not one or none"
        return
    for card in cards:
        summary = card.get("summary", "")
        if not 0 < len(summary) <= LONGEST_SUMMARY or len(summary.encode("utf-16-le")) > 2 * LONGEST_SUMMARY:
            yield "summary too long or empty"
        if "\n" in summary:
            yield "summary of two lines"


def empties(value: Any, at: str = "$") -> Iterator[str]:
    """Where an answer holds null, an empty string, array or object."""
    if value in (None, "", [], {}) and not (value == [] and at in MAY_BE_EMPTY):
        yield at
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from empties(child, f"{at}.{key}")
    elif isinstance(value, list):
        for child in value:
            yield from empties(child, f"{at}[]")
