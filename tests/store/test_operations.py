"""What operators do with the store keeps what it should, removes what it should, and says what to do when it cannot."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from cds_service.hooks.feedback import OverrideReason
from cds_service.store import database as store_database
from cds_service.store import operations
from cds_service.store.database import Database, DatabaseUrlError, Patience
from cds_service.store.operations import Copied, Erased, NotDone, Purged, backup, erase, move, purge, upgrade
from cds_service.store.remembered import DAY
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    metadata,
    override_reason,
    seen_token,
)
from tests.store.conftest import Opened
from tests.store.filled import fill
from tests.store.postgres import Cluster
from tests.store.test_contract import EHR, KEY, card, count, feedback, item, rows, write

TODAY = 1_800_000_000.0
PATIENT, EVIDENCE = b"p" * 32, b"e" * 32


def sqlite_url(folder: Path, name: str = "other.db") -> str:
    return f"sqlite:///{folder}/{name}"


def sound(file: Path) -> bool:
    with sqlite3.connect(file) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def days_ago(days: float) -> int:
    return int(TODAY * 1000 - days * DAY)


# Upgrade.


def test_upgrading_makes_the_tables_and_may_be_repeated(url: str, opened: Opened) -> None:
    upgrade(url)
    write(opened(), card())
    upgrade(url)
    assert count(opened(), issued_card) == 1


# Backup.


def test_a_backup_taken_while_the_service_writes_holds_all_that_was_kept_before(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    upgrade(url)
    store = feedback(Database(store_database.database_url(url), lambda: 0.0, store_database.FOR_OPERATORS))
    kept: list[str] = []
    enough, done = threading.Event(), threading.Event()

    def write_on() -> None:
        while not done.is_set():
            each = str(uuid.uuid4())
            store.keep([item(each)], "site", 1)
            kept.append(each)
            if len(kept) == 50:
                enough.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert enough.wait(20)
        before = set(kept)
        backup(url, tmp_path / "backup.db")
    finally:
        done.set()
        writer.join()
    restored = Database(store_database.database_url(sqlite_url(tmp_path, "backup.db")), lambda: 0.0)
    assert sound(tmp_path / "backup.db")
    assert before <= {row.card for row in rows(restored, feedback_event)}
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_never_replaces_a_file(tmp_path: Path) -> None:
    url, file = sqlite_url(tmp_path), tmp_path / "backup.db"
    upgrade(url)
    file.write_text("mine")
    with pytest.raises(NotDone, match="Name another, or remove it"):
        backup(url, file)
    assert file.read_text() == "mine"


def test_postgresql_is_left_to_its_own_tool(tmp_path: Path) -> None:
    with pytest.raises(NotDone, match="pg_dump"):
        backup("postgresql://cds@127.0.0.1/cds", tmp_path / "backup.db")


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    upgrade(url)
    with pytest.raises(NotDone, match="Check the folder"):
        backup(url, tmp_path / "not-there" / "backup.db")
    (tmp_path / "other.db").write_bytes(b"canary" * 1000)
    before = set(tmp_path.iterdir())
    with pytest.raises(NotDone, match="the database"):
        backup(url, tmp_path / "backup.db")
    assert set(tmp_path.iterdir()) <= before


def test_a_copy_of_a_damaged_database_is_no_backup(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    upgrade(url)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'feedback_event'")
    with pytest.raises(NotDone):
        backup(url, tmp_path / "backup.db")
    assert not list(tmp_path.glob("backup*"))


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda url: backup(url, Path("backup.db")), id="backup"),
        pytest.param(lambda url: move(url, url), id="move"),
        pytest.param(lambda url: purge(url, 30, TODAY), id="purge"),
        pytest.param(lambda url: erase(url, PATIENT), id="erase"),
    ],
)
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, operation: Callable[[str], object]) -> None:
    with pytest.raises(NotDone, match="Compare it with CDS_DATABASE_URL"):
        operation(sqlite_url(tmp_path, "mistyped.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_url_that_names_no_database_is_refused() -> None:
    with pytest.raises(DatabaseUrlError):
        upgrade("mysql://canary/x")


def test_a_database_another_program_holds_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "FOR_OPERATORS", Patience(wait=0.05, standstill=1.0, rest=0.0))
    url = sqlite_url(tmp_path)
    upgrade(url)
    with sqlite3.connect(tmp_path / "other.db", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotDone, match="another program holds it"):
            purge(url, 30, TODAY)


# Move.


def filled(tmp_path: Path, many: int) -> str:
    url = sqlite_url(tmp_path, "filled.db")
    upgrade(url)
    fill(tmp_path / "filled.db", many)
    return url


def test_moving_copies_every_row_of_every_table(tmp_path: Path, url: str, opened: Opened) -> None:
    copied = move(filled(tmp_path, 3000), url)
    assert {each.table: each.rows for each in copied} == {
        "seen_token": 300,
        "issued_card": 1000,
        "issued_suggestion": 700,
        "feedback_event": 600,
        "accepted_suggestion": 200,
        "override_reason": 200,
    }
    assert len({each.digest for each in copied}) == len(metadata.sorted_tables)
    assert count(opened(), issued_card) == 1000


def test_after_a_move_new_feedback_gets_the_next_number_and_old_is_known(
    tmp_path: Path, url: str, opened: Opened
) -> None:
    source = sqlite_url(tmp_path, "source.db")
    upgrade(source)
    first, known = item(str(uuid.uuid4())), str(uuid.uuid4())
    old = Database(store_database.database_url(source), lambda: 0.0)
    assert feedback(old).keep([first, item(known)], "site", 1) == 2
    move(source, url)
    store = feedback(opened())
    assert store.keep([item(known), item(str(uuid.uuid4()))], "site", 2) == 1
    numbers = [row.id for row in rows(opened(), feedback_event)]
    assert numbers[:2] == [1, 2]
    assert len(set(numbers)) == 3


def test_there_and_back_again_is_the_same(tmp_path: Path, postgres: Cluster) -> None:
    middle = postgres.fresh()
    there = move(filled(tmp_path, 3000), middle)
    assert move(middle, sqlite_url(tmp_path, "back.db")) == there


def test_moving_nothing_is_allowed(tmp_path: Path, url: str, opened: Opened) -> None:
    source = sqlite_url(tmp_path, "empty.db")
    upgrade(source)
    assert all(each == Copied(each.table, 0, "0" * 64) for each in move(source, url))
    assert feedback(opened()).keep([item(str(uuid.uuid4()))], "site", 1) == 1
    assert [row.id for row in rows(opened(), feedback_event)] == [1]


def test_a_target_that_holds_something_is_left_alone(tmp_path: Path, url: str, opened: Opened) -> None:
    source = filled(tmp_path, 30)
    write(opened(), card())
    with pytest.raises(NotDone, match="Name a new database"):
        move(source, url)
    assert count(opened(), issued_card) == 1


def test_what_comes_out_different_is_not_kept(
    tmp_path: Path, url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = filled(tmp_path, 30)

    def meddle(connection: Connection, table: object) -> Copied:
        return Copied("feedback_event", 1, connection.dialect.name + str(id(connection)))

    monkeypatch.setattr(operations, "_content", meddle)
    with pytest.raises(NotDone, match="came out different"):
        move(source, url)
    assert count(opened(), issued_card) == 0


# Purge.


def test_purging_removes_what_is_older_and_keeps_the_rest(url: str, opened: Opened) -> None:
    database = opened()
    store = feedback(database)
    old, answered_late, young = (str(uuid.uuid4()) for _ in range(3))
    suggestions = {str(uuid.uuid4()): "expert-review"}
    write(
        database,
        card(card=old, issued=days_ago(31), suggestions=suggestions),
        card(card=answered_late, issued=days_ago(31)),
        card(card=young, issued=days_ago(29)),
    )
    store.keep([item(old, outcome="accepted", accepted_suggestions=(str(uuid.uuid4()),))], "site", days_ago(30.5))
    store.keep([item(old, override_reasons=(OverrideReason("on-a-trial"),))], "site", days_ago(30.1))
    store.keep([item(answered_late)], "site", days_ago(29.9))
    for token, expires in ((b"1", TODAY - 1), (b"2", TODAY + 1)):
        database.run(lambda c, t=token, e=expires: c.execute(insert(seen_token).values(token=t, expires=e)))  # type: ignore[misc]
    assert purge(url, 30, TODAY) == Purged(cards=1, feedback=2, tokens=1)
    assert {row.card for row in rows(database, issued_card)} == {answered_late, young}
    assert [row.card for row in rows(database, feedback_event)] == [answered_late]
    assert not any(count(database, table) for table in (issued_suggestion, accepted_suggestion, override_reason))
    assert purge(url, 30, TODAY) == Purged(cards=0, feedback=0, tokens=0)


def test_purging_much_goes_in_steps(url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "AT_ONCE", 3)
    write(opened(), *(card(issued=days_ago(40)) for _ in range(10)))
    assert purge(url, 30, TODAY).cards == 10


def test_purging_everything_is_refused(url: str) -> None:
    upgrade(url)
    with pytest.raises(NotDone, match="at least one day"):
        purge(url, 0, TODAY)


# Erase.


def test_erasing_forgets_the_patient_and_the_comments_and_keeps_the_counts(url: str, opened: Opened) -> None:
    database = opened()
    theirs, another = card(patient=PATIENT, evidence=EVIDENCE), card(patient=b"q" * 32, evidence=EVIDENCE)
    write(database, theirs, another)
    said = (OverrideReason("on-a-trial", user_comment="canary"), OverrideReason("on-a-trial"))
    for client in ("site", "another site"):
        feedback(database).keep([item(each.card, override_reasons=said) for each in (theirs, another)], client, 1)
    assert erase(url, PATIENT) == Erased(cards=1, comments=1)
    kept = {row.card: (row.patient, row.evidence) for row in rows(database, issued_card)}
    assert kept == {theirs.card: (None, None), another.card: (b"q" * 32, EVIDENCE)}
    assert sum(row.comment == "canary" for row in rows(database, override_reason)) == 3
    assert (count(database, feedback_event), count(database, override_reason)) == (4, 8)
    assert erase(url, PATIENT) == Erased(cards=0, comments=0)


def test_what_was_erased_is_in_no_file_of_sqlite_any_more(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    upgrade(url)
    database = Database(store_database.database_url(url), lambda: 0.0)
    theirs = card(patient=PATIENT, evidence=EVIDENCE)
    write(database, theirs)
    feedback(database).keep([item(theirs.card, override_reasons=(OverrideReason(user_comment="canary"),))], "site", 1)
    assert any(b"canary" in file.read_bytes() for file in tmp_path.iterdir())
    erase(url, PATIENT)
    assert not [text for text in (b"canary", PATIENT) for file in tmp_path.iterdir() if text in file.read_bytes()]


def test_the_digest_to_erase_is_the_one_under_which_a_patient_is_remembered(url: str, opened: Opened) -> None:
    from cds_service.store.remembered import Remembered

    digest = Remembered(opened(), KEY).patient(EHR, "p1")
    write(opened(), card(patient=digest, evidence=EVIDENCE))
    assert erase(url, Remembered(opened(), KEY).patient(EHR, "p1")).cards == 1
