"""The operator's commands: they do what they say, and an error says what to do."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.__main__ import main
from cds_service.store.database import Database, database_url
from cds_service.store.ledger import IssuedCard, Ledger
from cds_service.store.remembered import patient_digest

KEY = "0123456789abcdef0123456789abcdef"
ISSUER = "https://ehr.example.org"


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """A database with one old card of a patient who is remembered."""
    url = f"sqlite:///{tmp_path}/store.db"
    database = Database(database_url(url), time.monotonic)
    ledger = Ledger(database)
    patient = patient_digest(KEY.encode(), ISSUER, "p1")
    ledger.note(
        IssuedCard("c1", 1, "s", "site", "relapsed", "R7", "d", "shown", {"s1": "expert-review"}, patient, b"e")
    )
    ledger.close()
    database.close()
    return url


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["store", *arguments], env=environ)


def count(path: Path, table: str = "issued_card", where: str = "1") -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])


def test_upgrade_makes_the_tables_and_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        result = run("upgrade", CDS_DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
        assert (result.exit_code, result.stdout) == (0, "The tables are up to date.\n")
    assert count(tmp_path / "new.db") == 0


def test_upkeep_does_not_depend_on_the_other_settings(tmp_path: Path) -> None:
    environ = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/new.db", "CDS_TODAY": "tomorrow", "CDS_MODE": "production"}
    assert run("upgrade", **environ).exit_code == 0


def test_backup_copies_the_whole_database(filled: str, tmp_path: Path) -> None:
    assert run("backup", str(tmp_path / "copy.db"), CDS_DATABASE_URL=filled).exit_code == 0
    assert count(tmp_path / "copy.db") == 1


def test_move_says_what_was_copied(filled: str, tmp_path: Path) -> None:
    result = run("move", "--to", f"sqlite:///{tmp_path}/target.db", CDS_DATABASE_URL=filled)
    assert result.exit_code == 0
    assert "issued_card: 1 rows" in result.stdout
    assert count(tmp_path / "target.db", "issued_suggestion") == 1


def test_purge_removes_what_is_old(filled: str, tmp_path: Path) -> None:
    result = run("purge", "--older-than", "730", CDS_DATABASE_URL=filled)
    assert result.stdout.startswith("Removed 1 cards")
    assert count(tmp_path / "store.db") == 0


def test_erase_forgets_one_patient(filled: str, tmp_path: Path) -> None:
    asked = ("erase", "--issuer", ISSUER, "--patient")
    assert run(*asked, "p2", CDS_DATABASE_URL=filled, CDS_PATIENT_KEY=KEY).stdout.startswith("Forgotten on 0 cards")
    assert run(*asked, "p1", CDS_DATABASE_URL=filled, CDS_PATIENT_KEY=KEY).stdout.startswith("Forgotten on 1 cards")
    assert count(tmp_path / "store.db", where="patient IS NULL") == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        (("upgrade",), {"CDS_DATABASE_URL": "mysql://canary/x"}, "CDS_DATABASE_URL: must be"),
        (("backup", "x.db"), {"CDS_DATABASE_URL": "sqlite:////not/there.db"}, "no database at this URL"),
        (("erase", "--issuer", "i", "--patient", "p"), {}, "CDS_PATIENT_KEY"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    arguments: tuple[str, ...], environ: dict[str, str], says: str
) -> None:
    result = run(*arguments, **environ)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "canary" not in result.stderr


# The report.


def report(*arguments: str, url: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments], env={"CDS_DATABASE_URL": url})


def test_the_report_is_printed_or_written(filled: str, tmp_path: Path) -> None:
    assert "Feedback" in report(url=filled).stdout
    file = tmp_path / "report.html"
    assert report("--format", "html", "--out", str(file), url=filled).exit_code == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_events_are_exported_as_rows_for_a_range_and_a_site(filled: str) -> None:
    result = report("--format", "csv", "--since", "2026-01-01", "--until", "2026-01-31", "--client", "site", url=filled)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1


def test_a_report_without_a_database_is_one_line() -> None:
    result = report(url="sqlite:////not/there.db")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
