"""Strict JSON: what cannot be read safely is malformed, and the message never repeats a value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.chart.strict_json import MAX_DEPTH, Malformed, decode
from tests.chart import from_prefetch, rows
from tests.charts import Json, chart


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a":', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a":NaN}', "NaN or Infinity"),
        (b'{"a":-Infinity}', "NaN or Infinity"),
        (b'{"a":1,"a":2}', "a key given twice"),
        (b'{"b":{"a":1,"a":1}}', "a key given twice"),
        (b'{"a":1e31}', "a number out of bounds"),
        (b'{"a":1e-31}', "a number out of bounds"),
        (b'{"a":1e99999999}', "a number out of bounds"),
        (b'{"a":' + b"9" * 41 + b"}", "a number out of bounds"),
        (b'{"a":"\\ud800"}', "a lone surrogate or NUL"),
        (b'{"\\ud800":1}', "a lone surrogate or NUL"),
        (b'{"a":["\\u0000"]}', "a lone surrogate or NUL"),
        (nested(MAX_DEPTH), "nested too deeply"),
        (nested(200_000), "nested too deeply"),
    ],
    ids=lambda v: v[:24].decode() if isinstance(v, bytes) else None,
)
def test_what_cannot_be_read_safely_is_malformed(raw: bytes, message: str) -> None:
    with pytest.raises(Malformed) as told:
        decode(raw)
    assert str(told.value) == message


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(['"', '\\"', "\\", ":{"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | TEXT,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, TREES, max_size=3), TEXT, TREES, TREES, st.booleans())
def test_a_key_given_twice_is_found_wherever_it_stands_and_whatever_is_around_it(
    around: Json, key: str, once: Any, again: Any, ascii_only: bool
) -> None:
    """And without the second one, the whole is read as it was written."""
    name, one, two = (json.dumps(each, ensure_ascii=ascii_only) for each in (key, once, again))
    place = json.dumps({**around, "place": ["here"]}, ensure_ascii=ascii_only)
    sound, doubled = (
        place.replace('["here"]', made).encode() for made in (f"{{{name}:{one}}}", f"{{{name}:{one},{name}:{two}}}")
    )
    assert decode(sound) == json.loads(sound, parse_int=Decimal)
    with pytest.raises(Malformed, match="a key given twice"):
        decode(doubled)


def test_numbers_keep_their_digits() -> None:
    assert decode(b'{"a":[0.10,62,1e-30]}') == {"a": [Decimal("0.10"), Decimal(62), Decimal("1e-30")]}


def test_nesting_within_the_bound_is_read() -> None:
    assert list(decode(nested(MAX_DEPTH - 1))) == ["a"]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert decode(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_a_relevant_result_with_a_key_given_twice_is_named_and_not_used() -> None:
    written = chart().marrow(62, "2026-10-10")
    raw = written.prefetch()["observations"].replace(b'"value": 62', b'"value": 1, "value": 62')
    found = from_prefetch(written, observations=raw)
    assert found.marrow == ()
    assert rows(found) == {"Observation/r0": {"malformed"}}
