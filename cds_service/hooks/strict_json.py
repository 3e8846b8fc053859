"""JSON read without leniency: what two parsers could read differently is refused, by path.

Refused: a key given twice, NaN and Infinity, numbers no reader can hold, lone surrogates, U+0000, and
nesting beyond a bound. Python's own ``json`` accepts all of these or fails on them in its own ways.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from cds_service.errors import BadRequest

MAX_DEPTH = 64
MAX_DIGITS = 40

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SURROGATE_OR_NUL = re.compile("[\ud800-\udfff\x00]")
_NAMEABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class _Members(tuple[tuple[str, Any], ...]):
    """The members of one JSON object, duplicates still apart."""


class _OutOfBounds:
    """A number that is not one, or too long to hold."""


_OUT_OF_BOUNDS = _OutOfBounds()


def require_utf8(body: bytes) -> None:
    """RFC 8259, 8.1: JSON between systems MUST be UTF-8, without a byte order mark."""
    if not body.strip():
        raise BadRequest("The body is empty. Send a JSON object.", code="structure")
    if body.startswith(_BYTE_ORDER_MARK):
        raise BadRequest("The body begins with a byte order mark. Send UTF-8 without one.", code="structure")
    if body.isascii():
        return
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8 throughout. Send it as UTF-8.", code="structure") from None


def loads(text: str | bytes, path: str = "", *, depth: int = 1, max_depth: int = MAX_DEPTH) -> Any:
    """The value at *path*, itself at level *depth* of the body. Raises :class:`BadRequest`."""
    try:
        read = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_constant=lambda _: _OUT_OF_BOUNDS,
            parse_float=_float,
            parse_int=_int,
        )
    except RecursionError:
        raise _too_deep(path, max_depth) from None
    except ValueError:
        raise BadRequest(f"{place(path)} is not well-formed JSON.", path or None, "structure") from None
    return _plain(read, path, depth, max_depth)


def place(path: str) -> str:
    """How a message names *path*."""
    return path or "The body"


def below(path: str, key: str) -> str:
    """The path of member *key*; a key that does not look like a field name is not repeated."""
    name = key if _NAMEABLE.fullmatch(key) else "*"
    return f"{path}.{name}" if path else name


def require_text(text: str, path: str) -> None:
    """Refuse text that no database, log or other parser would read alike."""
    if _SURROGATE_OR_NUL.search(text):
        raise BadRequest(f"{place(path)} holds a lone surrogate or U+0000. Send Unicode text.", path or None)


def given_twice(path: str) -> BadRequest:
    """RFC 8259, 4: names within an object SHOULD be unique; which one counts is anyone's guess."""
    return BadRequest(f"{path} is given twice in the same object. Send it once.", path)


def _plain(value: Any, path: str, depth: int, max_depth: int) -> Any:
    if isinstance(value, _Members | list) and depth > max_depth:
        raise _too_deep(path, max_depth)
    if isinstance(value, _Members):
        return _object(value, path, depth, max_depth)
    if isinstance(value, list):
        return [_plain(item, f"{path}[{at}]", depth + 1, max_depth) for at, item in enumerate(value)]
    if isinstance(value, str):
        require_text(value, path)
    elif value is _OUT_OF_BOUNDS:
        raise BadRequest(f"{place(path)} is not a number that can be read. Send a finite number.", path or None)
    return value


def _object(members: _Members, path: str, depth: int, max_depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in members:
        where = below(path, key)
        require_text(key, where)
        if key in made:
            raise given_twice(where)
        made[key] = _plain(value, where, depth + 1, max_depth)
    return made


def _too_deep(path: str, max_depth: int) -> BadRequest:
    return BadRequest(f"{place(path)} is nested more than {max_depth} levels deep.", path[:200] or None)


def _int(text: str) -> int | _OutOfBounds:
    return int(text) if len(text) <= MAX_DIGITS else _OUT_OF_BOUNDS


def _float(text: str) -> float | _OutOfBounds:
    number = float(text)
    return number if math.isfinite(number) else _OUT_OF_BOUNDS
