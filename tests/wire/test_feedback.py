"""Feedback is read as the specification describes it, and as Epic spells it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from calls import body_of
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import BadRequest, TooLarge
from cds_service.hooks.feedback import MAX_FEEDBACK, FeedbackItem, OverrideReason, read_feedback

CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
SUGGESTION = "e56e1945-20b3-4393-8503-a1a20fd73152"
AT = "2026-01-31T12:00:00Z"
CODING = {"code": "contraindicated", "system": "http://example.org/reasons"}


def overridden(**more: Any) -> dict[str, Any]:
    item = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": AT} | more
    return {name: value for name, value in item.items() if value is not ...}


def accepted(**more: Any) -> dict[str, Any]:
    return overridden(outcome="accepted", acceptedSuggestions=[{"id": SUGGESTION}]) | more


def read(*items: Any) -> tuple[FeedbackItem, ...]:
    return read_feedback(body_of({"feedback": list(items)}))


def refused(*items: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(*items)
    return caught.value


# Point 12 of what services get wrong: one or many, either spelling, display may be absent.


def test_an_accepted_card_names_its_suggestions() -> None:
    (item,) = read(accepted(acceptedSuggestions=[{"id": "a"}, {"id": "b"}]))
    assert (item.card, item.outcome, item.accepted_suggestions) == (CARD, "accepted", ("a", "b"))
    assert item.outcome_timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_many_items_of_mixed_outcomes_keep_their_order() -> None:
    items = read(accepted(), overridden(), accepted(card="another"))
    assert [item.outcome for item in items] == ["accepted", "overridden", "accepted"]


def test_a_card_may_be_overridden_without_a_reason() -> None:
    assert read(overridden())[0].override_reasons == ()
    assert read(overridden(overrideReason=None, overrideReasons=[], acceptedSuggestions=[]))[0].override_reasons == ()


def test_a_reason_without_display_is_accepted() -> None:
    (item,) = read(overridden(overrideReason={"reason": CODING}))
    assert item.override_reasons == (OverrideReason("contraindicated", "http://example.org/reasons"),)


def test_a_comment_without_a_reason_is_accepted() -> None:
    (item,) = read(overridden(overrideReason={"userComment": "seen", "reason": None}))
    assert item.override_reasons == (OverrideReason(user_comment="seen"),)


@pytest.mark.parametrize(
    "reasons",
    [
        pytest.param([{"reason": CODING}, {"reason": {"code": "b"}}], id="as override reasons"),
        pytest.param([CODING, {"code": "b", "display": ""}], id="as codings"),
    ],
)
def test_epics_spelling_is_accepted_and_every_reason_taken(reasons: list[Any]) -> None:
    (item,) = read(overridden(overrideReasons=reasons))
    assert [reason.code for reason in item.override_reasons] == ["contraindicated", "b"]


def test_both_spellings_at_once_are_added_up() -> None:
    (item,) = read(overridden(overrideReason={"reason": CODING}, overrideReasons=[{"userComment": "too"}]))
    assert [reason.code for reason in item.override_reasons] == ["contraindicated", None]


@pytest.mark.parametrize("reason", [{}, {"userComment": ""}, {"reason": None}, {"reason": {}}, {"system": "s"}])
def test_a_reason_that_says_nothing_is_refused(reason: dict[str, Any]) -> None:
    assert "feedback[0].overrideReason" in str(refused(overridden(overrideReason=reason)).expression)
    assert "feedback[0].overrideReasons[0]" in str(refused(overridden(overrideReasons=[reason])).expression)


@pytest.mark.parametrize("suggestions", [..., None, [], [{}], [{"id": ""}], ["x"], "x"])
def test_an_accepted_card_that_names_no_suggestion_is_refused(suggestions: Any) -> None:
    error = refused(overridden(outcome="accepted", acceptedSuggestions=suggestions))
    assert str(error.expression).startswith("feedback[0].acceptedSuggestions")


@pytest.mark.parametrize("field", ["card", "outcome", "outcomeTimestamp"])
@pytest.mark.parametrize("value", [..., None, "", 1, {}])
def test_a_required_field_left_out_or_ill_typed_is_refused(field: str, value: Any) -> None:
    assert refused(accepted(), overridden(**{field: value})).expression == f"feedback[1].{field}"


def test_another_outcome_is_refused() -> None:
    assert refused(overridden(outcome="ignored")).expression == "feedback[0].outcome"


@pytest.mark.parametrize(
    "time",
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.1Z", "2026-01-31T13:00:00+01:00", "2026-01-31t12:00:00.123456789z"],
)
def test_rfc_3339_times_are_read(time: str) -> None:
    (item,) = read(overridden(outcomeTimestamp=time))
    assert item.outcome_timestamp.astimezone(UTC).replace(microsecond=0) == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "20260131T120000Z",
        "1769860800",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00Z\n",
        "2026-01-31T12:00:00+99:00",
        "0000-01-01T00:00:00Z",
    ],
)
def test_a_time_that_is_not_rfc_3339_is_refused(time: str) -> None:
    assert refused(overridden(outcomeTimestamp=time)).expression == "feedback[0].outcomeTimestamp"


def test_a_comment_has_four_thousand_characters_at_most() -> None:
    (item,) = read(overridden(overrideReason={"userComment": "é" * 4000}))
    assert item.override_reasons[0].user_comment == "é" * 4000
    error = refused(overridden(overrideReason={"userComment": "é" * 4001}))
    assert error.expression == "feedback[0].overrideReason.userComment"


def test_a_comment_is_in_no_repr_and_in_no_error() -> None:
    (item,) = read(overridden(overrideReason={"userComment": "canary"}))
    assert "canary" not in repr(item)
    error = refused(overridden(overrideReason={"userComment": ["canary"]}))
    assert "canary" not in json.dumps(error.outcome())


@pytest.mark.parametrize(
    "document", [[overridden()], overridden(), {}, {"feedback": overridden()}, {"feedback": []}, {"feedback": None}, 1]
)
def test_a_body_that_is_no_object_with_a_feedback_array_is_refused(document: Any) -> None:
    with pytest.raises(BadRequest):
        read_feedback(body_of(document))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"feedback":[],"feedback":[]}',
        b"\xef\xbb\xbf{}",
        b'{"feedback":"\\ud800"}',
        b"[" * 100000,
        b'{"x":' + b"[" * 64 + b"]" * 64 + b"}",
    ],
)
def test_feedback_is_read_as_strictly_as_a_hook_call(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_feedback(body)


def test_a_batch_is_bounded() -> None:
    with pytest.raises(TooLarge):
        read_feedback(b" " * (MAX_FEEDBACK + 1))
    assert len(read(*[overridden()] * 500)) == 500
    assert refused(*[overridden()] * 501).expression == "feedback"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.just(AT),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*accepted(), "overrideReason", "reason", "code", "id"]), inner)
        ),
        max_leaves=15,
    )
)
def test_any_json_as_an_item_is_read_or_refused(item: Any) -> None:
    for batch in ([item], [overridden(overrideReason=item)], [accepted(overrideReasons=item)]):
        with suppress(BadRequest):
            read(*batch)
