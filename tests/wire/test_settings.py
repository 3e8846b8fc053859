"""Settings are read once, and every fault is told at once, by variable and without its value."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cds_service.settings import DEFAULT_MAX_BODY, DEMO_BASE_URL, KNOWN, NO_CALLERS_YET, SettingsError, read_settings

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


def test_every_setting_is_read(tmp_path: Path) -> None:
    given = DEMO | {
        "CDS_BASE_URL": "https://cds.example.org:8443/a/",
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


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert read_settings(DEMO | {"CDS_TODAY": "", "CDS_CARDS": " "}) == read_settings(DEMO)


def test_the_command_line_wins_over_the_environment() -> None:
    assert read_settings({"CDS_MODE": "production"}, "demo").demo
    with pytest.raises(SettingsError):
        read_settings(DEMO, "production")


def test_production_is_the_default_and_refused_while_callers_are_not_checked() -> None:
    assert faults() == (NO_CALLERS_YET, "CDS_BASE_URL: production needs the public https:// address of this service")
    assert faults(CDS_MODE="production", CDS_BASE_URL="https://cds.example.org") == (NO_CALLERS_YET,)


def test_production_refuses_plain_http_and_another_clock() -> None:
    found = faults(CDS_BASE_URL="http://cds.example.org", CDS_TODAY="2026-01-31")
    assert [fault.partition(":")[0] for fault in found] == ["CDS_MODE", "CDS_BASE_URL", "CDS_TODAY"]


def test_all_faults_are_told_together_one_line_each_without_values() -> None:
    wrong = {name: "canary\n" for name in KNOWN if name != "CDS_MODE"}
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
