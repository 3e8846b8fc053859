"""What is kept of a clinician's comment: nothing, the words that cannot name anybody, or all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

Comments = Literal["off", "redact", "store"]
LEFT_OUT = "[…]"
_WORD = re.compile(r"[^\s]+")
_PLAIN = re.compile(r"[a-z]{2,}")


def keeping(mode: Comments, own_words: Iterable[str]) -> Callable[[str], str | None]:
    """How to treat a comment. ``redact`` keeps the words *own_words* use in lower case, and nothing else.

    A list of what to take out always lacks a name; a list of what may stay does not.
    """
    if mode == "store":
        return lambda comment: comment
    if mode == "off":
        return lambda comment: None
    known = {word for text in own_words for word in _PLAIN.findall(text)}
    return lambda comment: _redacted(comment, known)


def _redacted(comment: str, known: set[str]) -> str:
    words = (word if word.strip(".,;:!?()") in known else LEFT_OUT for word in _WORD.findall(comment))
    return re.sub(rf"{re.escape(LEFT_OUT)}(?: {re.escape(LEFT_OUT)})+", LEFT_OUT, " ".join(words))
