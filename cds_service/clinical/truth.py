"""Three-valued truth: unknown is an answer of its own, never a yes and never a no."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Truth(Enum):
    """Yes, no or unknown, with Kleene's connectives."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, value: bool) -> Truth:
        return cls.YES if value else cls.NO

    def __bool__(self) -> bool:
        raise TypeError("a Truth is not a bool: compare it with Truth.YES or Truth.NO")

    def __invert__(self) -> Truth:
        return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[self]

    def __and__(self, other: Truth) -> Truth:
        if Truth.NO in (self, other):
            return Truth.NO
        return Truth.UNKNOWN if Truth.UNKNOWN in (self, other) else Truth.YES

    @property
    def yes(self) -> bool:
        return self is Truth.YES

    @property
    def no(self) -> bool:
        return self is Truth.NO


def all_of(truths: Iterable[Truth]) -> Truth:
    """Yes when every one is yes, no when any is no."""
    answer = Truth.YES
    for truth in truths:
        answer &= truth
    return answer
