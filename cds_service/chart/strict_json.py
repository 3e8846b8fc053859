"""Strict decoding of one relevant resource: bounded depth and numbers, no duplicate keys, no odd text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Never

import msgspec

MAX_DEPTH = 64
MAX_DIGITS = 40
MAX_EXPONENT = 30
_SURROGATE_OR_NUL = re.compile("[\ud800-\udfff\x00]")


class Malformed(ValueError):
    """The resource is not JSON that can be read safely; the message names what, never a value."""


def decode(raw: bytes | memoryview) -> dict[str, Any]:
    """The resource as Python objects, numbers as Decimal. Raises :class:`Malformed`."""
    text = bytes(raw)
    try:
        found = _loads(text)
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Malformed("not JSON") from error
    if not isinstance(found, dict):
        raise Malformed("not a JSON object")
    # Odd characters need an escape, and depth needs brackets: where there are too few, there is nothing to look for.
    if b"\\u" in text or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _check(found)
    return found


def _loads(text: bytes) -> Any:
    """Raises :class:`Malformed` for a key given twice, which is searched for only where one may be.

    Without a backslash every quotation mark opens or closes a string. What was decoded and is written again has
    as many of them, unless one of two equal keys was dropped with its value.
    """
    decoded = str(text, "utf-8")
    if b"\\" in text:
        return _decode_members(decoded)
    found = _decode(decoded)
    return found if _encode(found).count(b'"') == text.count(b'"') else _decode_members(decoded)


def _number(text: str) -> Decimal:
    """A number within 40 digits and an exponent within thirty; checked before any arithmetic."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 4 or abs(int(exponent or 0)) > MAX_EXPONENT:
        raise Malformed("a number out of bounds")
    return Decimal(text)


def _constant(_: str) -> Never:
    raise Malformed("NaN or Infinity")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Malformed("a key given twice")
    return made


_STRICT: Mapping[str, Any] = {"parse_float": _number, "parse_int": _number, "parse_constant": _constant}
_decode = json.JSONDecoder(**_STRICT).decode
_decode_members = json.JSONDecoder(**_STRICT, object_pairs_hook=_object).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def _members(item: dict[str, Any]) -> list[Any]:
    return [*item, *item.values()]


def _check(value: Any) -> None:
    """Bounded depth, and no lone surrogate or NUL in any text."""
    level = [value]
    for _ in range(MAX_DEPTH):
        children = [child for item in level for child in (_members(item) if isinstance(item, dict) else item)]
        if any(isinstance(child, str) and _SURROGATE_OR_NUL.search(child) for child in children):
            raise Malformed("a lone surrogate or NUL")
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise Malformed("nested too deeply")
