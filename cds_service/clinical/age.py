"""Age in completed months, as an interval when the birth date is vague."""

from __future__ import annotations

from datetime import date

from cds_service.clinical.when import When


def age_in_months(birth: When | None, today: date) -> tuple[int, int] | None:
    """The least and the most completed months; None without a usable birth date."""
    if birth is None or birth.first.date() > today:
        return None
    youngest = max(0, _completed_months(min(birth.last.date(), today), today))
    return youngest, _completed_months(birth.first.date(), today)


def _completed_months(born: date, today: date) -> int:
    months = (today.year - born.year) * 12 + today.month - born.month
    return months if today.day >= born.day else months - 1
