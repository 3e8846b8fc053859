"""Settings are read once, and every fault is told at once, by variable and without its value."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cds_service.settings import (
    DATABASE_URL,
    DEFAULT_BUDGET_MS,
    DEFAULT_MAX_BODY,
    DEMO_BASE_URL,
    KNOWN,
    SettingsError,
    read_settings,
)

DEMO = {"CDS_MODE": "demo"}


def faults(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return caught.value.faults


def test_demo_needs_nothing_else() -> None:
    settings = read_settings(DEMO | {"PATH": "/bin", "HOME": "/root"})
    assert (settings.mode, settings.demo, settings.base_url) == ("demo", True, DEMO_BASE_URL)
    assert (settings.max_body, settings.cards, settings.today) == (DEFAULT_MAX_BODY, None, None)
    assert settings.assessment_extension is True
    assert (settings.clients, settings.database_url) == (None, DATABASE_URL)
    assert (settings.budget, settings.patient_key) == (DEFAULT_BUDGET_MS / 1000, None)


def test_every_setting_is_read(tmp_path: Path) -> None:
    registry = tmp_path / "clients.toml"
    registry.touch()
    given = DEMO | {
        "CDS_BASE_URL": "https://cds.example.org:8443/a/",
        "CDS_CLIENTS": str(registry),
        "CDS_DATABASE_URL": "sqlite:////var/lib/cds/cds-service.db",
        "CDS_BUDGET_MS": "1500",
        "CDS_PATIENT_KEY": "0123456789abcdef0123456789abcdef",
        "CDS_COMMENTS": "redact",
        "CDS_MAX_BODY": "2048",
        "CDS_CARDS": str(tmp_path),
        "CDS_TODAY": "2026-01-31",
        "CDS_ASSESSMENT_EXTENSION": "off",
    }
    assert set(given) == set(KNOWN)
    settings = read_settings(given)
    assert settings.base_url == "https://cds.example.org:8443/a"
    assert (settings.max_body, settings.cards, settings.today) == (2048, tmp_path, date(2026, 1, 31))
    assert settings.assessment_extension is False
    assert (settings.clients, settings.budget) == (registry, 1.5)
    assert settings.database_url == "sqlite:////var/lib/cds/cds-service.db"
    assert settings.patient_key == b"0123456789abcdef0123456789abcdef"
    assert settings.comments == "redact"


def test_secrets_are_in_no_repr() -> None:
    settings = read_settings(
        DEMO | {"CDS_DATABASE_URL": "postgresql://cds:canary@db/cds", "CDS_PATIENT_KEY": "canary" * 6}
    )
    assert "canary" not in repr(settings)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert read_settings(DEMO | {"CDS_TODAY": "", "CDS_CARDS": " "}) == read_settings(DEMO)


def test_the_command_line_wins_over_the_environment() -> None:
    assert read_settings({"CDS_MODE": "production"}, "demo").demo
    with pytest.raises(SettingsError):
        read_settings(DEMO, "production")


def test_production_is_the_default_and_needs_an_address_and_callers(tmp_path: Path) -> None:
    assert [fault.partition(":")[0] for fault in faults()] == ["CDS_CLIENTS", "CDS_BASE_URL"]
    registry = tmp_path / "clients.toml"
    registry.touch()
    given = {"CDS_BASE_URL": "https://cds.example.org", "CDS_CLIENTS": str(registry)}
    settings = read_settings(given)
    assert (settings.mode, settings.demo, settings.assessment_extension) == ("production", False, False)


def test_production_refuses_every_unsafe_setting_each_named_all_together() -> None:
    found = faults(CDS_BASE_URL="http://cds.example.org", CDS_TODAY="2026-01-31", FLASK_DEBUG="1")
    assert [fault.partition(":")[0] for fault in found] == ["CDS_CLIENTS", "CDS_BASE_URL", "CDS_TODAY", "FLASK_DEBUG"]


def test_a_fault_leaves_the_other_settings_to_be_checked_further(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(DEMO | {"CDS_TODAY": "tomorrow", "CDS_CARDS": str(tmp_path)})
    assert caught.value.settings.cards == tmp_path


def test_all_faults_are_told_together_one_line_each_without_values() -> None:
    # Any text may be a database URL until the store reads it: tests/test_assemble.py.
    wrong = {name: "canary\n" for name in KNOWN if name not in ("CDS_MODE", "CDS_DATABASE_URL")}
    found = faults(CDS_MODE="demo", CDS_CANARY="canary", **wrong)
    assert sorted(fault.partition(":")[0] for fault in found) == sorted([*wrong, "CDS_CANARY"])
    assert not any("canary" in fault or "\n" in fault for fault in found)


def test_a_mistyped_name_is_a_fault_that_suggests_the_right_one() -> None:
    assert faults(CDS_MODE="demo", CDS_BASEURL="http://x") == (
        "CDS_BASEURL: no such setting; did you mean CDS_BASE_URL?",
    )
    assert "known are" in faults(CDS_MODE="demo", CDS_QQQQQQQQQ="1")[0]


@pytest.mark.parametrize(
    "url",
    [
        "cds.example.org",
        "ftp://x",
        "https://",
        "https://a@b",
        "https://x\\@y",
        "https://a?b",
        "https://a#b",
        "https://[x",
        "https://a:99999",
        "https://a/b c",
    ],
)
def test_a_base_url_that_is_not_one_plain_address_is_a_fault(url: str) -> None:
    assert faults(CDS_MODE="demo", CDS_BASE_URL=url)[0].startswith("CDS_BASE_URL: must")


@pytest.mark.parametrize("size", ["0", "-1", "1023", "1e6", "16MB", "9" * 13, "١٢٣٤"])
def test_a_body_limit_out_of_bounds_is_a_fault(size: str) -> None:
    assert faults(CDS_MODE="demo", CDS_MAX_BODY=size)[0].startswith("CDS_MAX_BODY: must")


@pytest.mark.parametrize("day", ["2026-02-30", "20260131", "today", "2026-1-3"])
def test_a_day_that_is_none_is_a_fault(day: str) -> None:
    assert faults(CDS_MODE="demo", CDS_TODAY=day) == ("CDS_TODAY: must be a day written YYYY-MM-DD",)


def test_another_mode_is_a_fault() -> None:
    assert faults(CDS_MODE="debug")[0] == "CDS_MODE: must be demo or production"
