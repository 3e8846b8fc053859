"""A measured percentage as an interval: a comparator ("< 5 %") says less than a number does."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from cds_service.clinical.truth import Truth

ZERO, HUNDRED = Decimal(0), Decimal(100)


class Percent(NamedTuple):
    """Between *low* and *high* percent; an open end excludes its own value."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(cls, value: Decimal | int | float | str, comparator: str | None = None) -> Percent:
        """*value* read with a FHIR quantity comparator; *comparator* None is the number itself."""
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        match comparator:
            case None:
                return cls(number, number)
            case "<":
                return cls(ZERO, number, high_open=True)
            case "<=":
                return cls(ZERO, number)
            case ">":
                return cls(number, HUNDRED, low_open=True)
            case ">=":
                return cls(number, HUNDRED)
        raise ValueError(f"not a FHIR R4 quantity comparator: {comparator!r}")

    def reaches(self, floor: Decimal) -> Truth:
        """At least *floor* percent."""
        if self.low >= floor:
            return Truth.YES
        return Truth.NO if self.high < floor or (self.high == floor and self.high_open) else Truth.UNKNOWN

    @property
    def above_zero(self) -> Truth:
        if self.low > ZERO or (self.low == ZERO and self.low_open):
            return Truth.YES
        return Truth.NO if self.high == ZERO else Truth.UNKNOWN

    @property
    def text(self) -> str:
        """The number with its comparator, without unit: "62", "<0.01", ">90"."""
        if self.low == self.high:
            return plain(self.low)
        if self.low == ZERO and not self.low_open:
            return f"<{plain(self.high)}" if self.high_open else f"<={plain(self.high)}"
        return f">{plain(self.low)}" if self.low_open else f">={plain(self.low)}"


def plain(number: Decimal) -> str:
    """At most six significant digits, never an exponent."""
    rounded = Decimal(f"{number:.6g}")
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
