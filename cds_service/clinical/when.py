"""Dates as intervals in UTC: "2025" is all of 2025, a date without a time is the whole day.

Comparing two vague dates can be unknown (rules N2). Distances are in whole calendar days.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cds_service.clinical.truth import Truth

_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
NEARLY_A_DAY = 4
"""Days that one marrow's results may span and still be one date."""
BEGINNING = datetime.min.replace(tzinfo=UTC)


class When(NamedTuple):
    """Some moment between *first* and *last*, both included, both in UTC."""

    first: datetime
    last: datetime

    @classmethod
    def day(cls, first: date, last: date | None = None) -> When:
        """All of the days from *first* to *last*."""
        last = last or first
        return cls(
            datetime(first.year, first.month, first.day, tzinfo=UTC),
            datetime(last.year, last.month, last.day, 23, 59, 59, 999_999, UTC),
        )

    @classmethod
    def parse(cls, text: object) -> When | None:
        """A FHIR date, dateTime or instant as an interval; None when it is none of them."""
        if not isinstance(text, str):
            return None
        if partial := _PARTIAL.fullmatch(text):
            return _partial(*partial.groups())
        if instant := _INSTANT.fullmatch(text):
            return _instant(*instant.groups())
        return None

    def until(self, other: When) -> When:
        """From the first moment of this to the last of *other* (a Period)."""
        return When(min(self.first, other.first), max(self.last, other.last))

    def before(self, other: When) -> Truth:
        """This lies wholly earlier than *other*."""
        if self.last < other.first:
            return Truth.YES
        return Truth.NO if self.first >= other.last else Truth.UNKNOWN

    def days_until(self, other: When) -> tuple[int, int]:
        """The least and the most calendar days from this to *other*."""
        least = (other.first.date() - self.last.date()).days
        most = (other.last.date() - self.first.date()).days
        return least, most

    def at_least_days_before(self, other: When, days: int) -> Truth:
        """*other* comes at least *days* calendar days after this."""
        least, most = self.days_until(other)
        if least >= days:
            return Truth.YES
        return Truth.NO if most < days else Truth.UNKNOWN

    def on_or_after_day(self, other: When) -> Truth:
        """This lies on the first day of *other* or later, by calendar days."""
        start = other.first.date()
        if self.first.date() >= start:
            return Truth.YES
        return Truth.NO if self.last.date() < start else Truth.UNKNOWN

    @property
    def is_dated(self) -> bool:
        """Known to the day, or (a moment between two of them, or a marrow over a few days) nearly so."""
        return (self.last - self.first).days <= NEARLY_A_DAY

    @property
    def text(self) -> str:
        """The shortest FHIR form that says the same: a year, a month, a day, or a range of days."""
        first, last = self.first.date(), self.last.date()
        if first == last:
            return first.isoformat()
        if (first.year, first.month, first.day) == (last.year, 1, 1) and (last.month, last.day) == (12, 31):
            return f"{first.year:04d}"
        if (first.year, first.month, first.day) == (last.year, last.month, 1) and (
            last.day == calendar.monthrange(last.year, last.month)[1]
        ):
            return f"{first.year:04d}-{first.month:02d}"
        if self.first == BEGINNING:
            return f"up to {last.isoformat()}"
        return f"{first.isoformat()}/{last.isoformat()}"


def _partial(year: str, month: str | None, day: str | None) -> When | None:
    try:
        if month is None:
            return When.day(date(int(year), 1, 1), date(int(year), 12, 31))
        if day is None:
            last = calendar.monthrange(int(year), int(month))[1]
            return When.day(date(int(year), int(month), 1), date(int(year), int(month), last))
        return When.day(date(int(year), int(month), int(day)))
    except ValueError:
        return None


def _instant(day: str, clock: str, fraction: str | None, zone: str | None) -> When | None:
    """A moment; to the second unless a fraction says more; without a zone, anywhere on earth."""
    text = f"{day}T{clock}{':00' if len(clock) == 5 else ''}{(fraction or '')[:7]}"
    try:
        if zone is not None:
            moment = datetime.fromisoformat(text + zone).astimezone(UTC)
            return When(moment, moment)
        local = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return When(local - timedelta(hours=14), local + timedelta(hours=12))
    except (ValueError, OverflowError):
        return None


def latest(whens: list[When]) -> When | None:
    """The one that ends last; None of an empty list."""
    return max(whens, key=lambda when: (when.last, when.first), default=None)
