"""From the bytes of a feedback call to the items in it.

CDS Hooks, Feedback: one call may report on many cards, of many hook instances, and on one card more than
once. A batch is taken as a whole or refused as a whole, so that a caller knows what was received.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cds_service.errors import BadRequest, TooLarge
from cds_service.hooks.shape import compiled, require_shape
from cds_service.hooks.strict_json import loads, require_utf8

MAX_FEEDBACK = 4 << 20
"""Bytes a feedback body may have: five hundred comments of full length fit."""

_SCHEMA = compiled("feedback")


@dataclass(frozen=True)
class OverrideReason:
    """Why a clinician dismissed a card. *user_comment* is free text about a patient: never printed or logged."""

    code: str | None = None
    system: str | None = None
    display: str | None = None
    user_comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FeedbackItem:
    """What became of one card."""

    card: str
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: datetime
    accepted_suggestions: tuple[str, ...] = ()
    override_reasons: tuple[OverrideReason, ...] = ()


def read_feedback(body: bytes) -> tuple[FeedbackItem, ...]:
    """Every item in *body*, or :class:`BadRequest` naming the first field that is wrong."""
    if len(body) > MAX_FEEDBACK:
        raise TooLarge(f"Feedback is longer than {MAX_FEEDBACK:,} bytes. Send fewer items at a time.")
    require_utf8(body)
    document = loads(body)
    require_shape(document, _SCHEMA)
    return tuple(_item(item, f"feedback[{at}]") for at, item in enumerate(document["feedback"]))


def _item(item: Mapping[str, Any], path: str) -> FeedbackItem:
    return FeedbackItem(
        card=item["card"],
        outcome=item["outcome"],
        outcome_timestamp=_timestamp(item["outcomeTimestamp"], f"{path}.outcomeTimestamp"),
        accepted_suggestions=tuple(each["id"] for each in item.get("acceptedSuggestions") or ()),
        override_reasons=tuple(_reasons(item, path)),
    )


def _timestamp(text: str, path: str) -> datetime:
    """CDS Hooks: outcomeTimestamp is an ISO 8601 time as profiled by RFC 3339; the schema fixed its form."""
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise BadRequest(f"{path} is not a time that exists. Send an RFC 3339 time.", path) from None


def _reasons(item: Mapping[str, Any], path: str) -> Iterator[OverrideReason]:
    """The reasons of ``overrideReason``, as specified, and of Epic's ``overrideReasons``."""
    if item.get("overrideReason") is not None:
        yield _reason(item["overrideReason"], f"{path}.overrideReason")
    for at, given in enumerate(item.get("overrideReasons") or ()):
        yield _reason(given, f"{path}.overrideReasons[{at}]")


def _reason(given: Mapping[str, Any] | None, path: str) -> OverrideReason:
    """A coding, a comment, or both: ``{"reason": {…}, "userComment": …}``, or the coding by itself."""
    given = given or {}
    coding = given.get("reason") or given
    comment = given.get("userComment") or None
    if coding.get("code") is None and comment is None:
        raise BadRequest(f"{path} says nothing. Send a coded reason, a userComment or both, or leave it out.", path)
    return OverrideReason(
        code=coding.get("code"),
        system=coding.get("system") or None,
        display=coding.get("display") or None,
        user_comment=comment,
    )
