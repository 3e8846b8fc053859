"""Three-valued truth: unknown is an answer of its own, never a yes and never a no."""

from __future__ import annotations

from enum import Enum


class Truth(Enum):
    """Yes, no or unknown."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, value: bool) -> Truth:
        return cls.YES if value else cls.NO

    def __bool__(self) -> bool:
        raise TypeError("a Truth is not a bool: compare it with Truth.YES or Truth.NO")

    @property
    def yes(self) -> bool:
        return self is Truth.YES

    @property
    def no(self) -> bool:
        return self is Truth.NO
