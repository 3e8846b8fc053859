"""Days counted from one today, and the patients that most rules start from."""

from __future__ import annotations

from datetime import date, timedelta

from tests.charts import (
    Chart,
    chart,
)

TODAY = date(2026, 11, 1)


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def plus(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def in_remission() -> Chart:
    return chart().all_b("2025-01-01").remission("2025-06-01")


def untreated() -> Chart:
    return chart().all_b("2026-08-25")


def one_course() -> Chart:
    return untreated().course("2026-09-01", "2026-09-28")


def two_courses() -> Chart:
    return chart().all_b("2026-05-25").course("2026-06-01", "2026-06-28").course("2026-07-10", "2026-08-10")


def rule_and_class(patient: Chart) -> tuple[str, str]:
    answer = patient.assess()
    return answer.rule, answer.classification
