"""The database holds what it was told, is migrated once, and when it is away nobody waits for it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from cds_service.store.database import (
    FOR_HOOKS,
    POSTGRESQL,
    Database,
    DatabaseUrlError,
    Patience,
    StoreDown,
    _switch_to_wal,
    database_url,
)
from cds_service.store.replay import PURGE_EVERY, StoredReplay
from cds_service.store.tables import seen_token

NOW = 1_800_000_000.0
EHR = "https://ehr.example.org"


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def open_at(path: Path, clock: Clock) -> Database:
    return Database(database_url(f"sqlite:///{path}"), clock)


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(seen_token)).scalar_one()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlite:////var/lib/cds/cds-service.db", id="SQLite file"),
        pytest.param("sqlite:///cds-service.db", id="SQLite file beside the process"),
        pytest.param("postgresql://cds:secret@db.example.org/cds", id="PostgreSQL"),
        pytest.param("postgresql+psycopg://cds:secret@db.example.org:5433/cds", id="PostgreSQL, driver named"),
    ],
)
def test_urls_that_name_a_database(url: str) -> None:
    assert database_url(url).drivername in ("sqlite", POSTGRESQL)


@pytest.mark.parametrize(
    "url",
    ["", "canary", "mysql://canary/x", "sqlite://", "sqlite:///:memory:", "postgresql:///x", "postgresql://h:canary/x"],
)
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        database_url(url)
    assert "canary" not in str(refused.value)
    assert "must be" in str(refused.value)


def test_what_was_committed_is_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    first = open_at(tmp_path / "store.db", clock)
    first.run(lambda c: c.execute(insert(seen_token).values(token=b"1", expires=NOW)))
    first.close()
    assert open_at(tmp_path / "store.db", clock).run(count) == 1


def test_sqlite_writes_through_to_the_disk(tmp_path: Path, clock: Clock) -> None:
    def pragmas(connection: Connection) -> tuple[str, int]:
        asked = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")]
        return asked[0], asked[1]

    assert open_at(tmp_path / "store.db", clock).run(pragmas) == ("wal", 2)


class Watched(sqlite3.Connection):
    """Tells of each second try."""

    tries = 0
    twice: threading.Event

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        self.tries += 1
        if self.tries == 2:
            self.twice.set()
        return super().execute(sql, *given)


def test_a_new_database_that_another_process_is_setting_up_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    watched = sqlite3.connect(path, timeout=0, factory=Watched, check_same_thread=False)
    watched.twice = threading.Event()
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        switching = threading.Thread(target=_switch_to_wal, args=(watched, time.monotonic() + 20))
        switching.start()
        assert watched.twice.wait(10)
        holder.execute("COMMIT")
    switching.join(20)
    assert watched.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_database_that_is_held_for_too_long_is_away(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreDown):
            open_at(path, clock).run(count)


def test_a_row_that_is_there_already_is_told_apart_from_a_database_that_is_away(tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path / "store.db", clock)
    row = insert(seen_token).values(token=b"1", expires=NOW)
    store.run(lambda c: c.execute(row))
    with pytest.raises(IntegrityError):
        store.run(lambda c: c.execute(row))
    assert store.up
    assert store.run(count) == 1


def test_a_database_that_is_away_is_tried_once_and_then_rests(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "not-there"
    store = open_at(folder / "store.db", clock)
    with pytest.raises(StoreDown):
        store.run(count)
    assert not store.up
    folder.mkdir()
    clock.now += FOR_HOOKS.rest - 0.1
    with pytest.raises(StoreDown):
        store.run(count)
    clock.now += 0.1
    assert store.run(count) == 0
    assert store.up


def test_a_locked_database_costs_one_caller_a_moment_and_the_others_nothing(tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path / "store.db", clock)
    store.run(count)
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreDown):
            store.run(count)
        began = time.perf_counter()
        for _ in range(100):
            with pytest.raises(StoreDown):
                store.run(count)
        assert time.perf_counter() - began < 0.2
        holder.execute("COMMIT")
    clock.now += FOR_HOOKS.rest
    assert store.run(count) == 0


class Held:
    """A database with one caller inside, who does not come out until told."""

    def __init__(self, path: Path, patience: Patience) -> None:
        self.database = Database(database_url(f"sqlite:///{path}"), time.monotonic, patience)
        self.database.run(count)
        self.inside, self.release = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.caller = threading.Thread(target=self._hold)
        self.caller.start()
        assert self.inside.wait(10)

    def _hold(self) -> None:
        with suppress(StoreDown):
            self.database.run(self._wait)

    def _wait(self, _: Connection) -> None:
        self.inside.set()
        assert self.release.wait(10)
        if self.error:
            raise self.error


def test_who_stands_in_a_line_that_does_not_move_leaves_it_and_who_comes_later_does_not_join(tmp_path: Path) -> None:
    held = Held(tmp_path / "store.db", Patience(wait=5.0, standstill=0.2, rest=5.0))
    began = time.monotonic()
    with pytest.raises(StoreDown):
        held.database.run(count)
    assert 0.1 < time.monotonic() - began < 2.0
    began = time.monotonic()
    with pytest.raises(StoreDown):
        held.database.run(count)
    assert time.monotonic() - began < 0.1
    assert held.database.up
    held.release.set()
    held.caller.join(10)
    assert held.database.run(count) == 0


def test_who_stands_in_line_behind_one_who_fails_does_not_try_again(tmp_path: Path) -> None:
    held = Held(tmp_path / "store.db", Patience(wait=5.0, standstill=5.0, rest=5.0))
    held.error = OSError()
    waiting, tried = threading.Event(), []

    def wait_in_line() -> None:
        waiting.set()
        with suppress(StoreDown):
            held.database.run(tried.append)

    behind = threading.Thread(target=wait_in_line)
    behind.start()
    assert waiting.wait(10)
    time.sleep(0.1)  # so that it stands in line; had it not begun yet, it would find the database resting
    held.release.set()
    behind.join(10)
    assert not behind.is_alive()
    assert tried == []


def test_after_a_rest_a_row_that_is_there_already_says_that_the_database_is_back(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "later"
    store = open_at(folder / "store.db", clock)
    with pytest.raises(StoreDown):
        store.run(count)
    folder.mkdir()
    open_at(folder / "store.db", clock).run(lambda c: c.execute(insert(seen_token).values(token=b"1", expires=NOW)))
    clock.now += FOR_HOOKS.rest
    with pytest.raises(IntegrityError):
        store.run(lambda c: c.execute(insert(seen_token).values(token=b"1", expires=NOW)))
    assert store.up


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.store.database.find_spec", lambda name: None)
    with pytest.raises(DatabaseUrlError, match=r"install rr-all-cds\[postgres\]"):
        database_url("postgresql://cds@db.example.org/cds")


def test_an_error_of_the_database_never_repeats_what_was_to_be_kept(tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path / "store.db", clock)
    with pytest.raises(StoreDown) as down:
        store.run(lambda c: c.execute(text("INSERT INTO nowhere VALUES (:it)"), {"it": "canary"}))
    assert "canary" not in str(down.value.__cause__)


# Replay.


def test_a_token_is_used_once(tmp_path: Path, clock: Clock) -> None:
    replay = StoredReplay(open_at(tmp_path / "store.db", clock))
    assert replay.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert not replay.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert replay.first_use(EHR, "jti-2", NOW + 300, NOW)
    assert replay.first_use("https://other.example.org", "jti-1", NOW + 300, NOW)


def test_a_token_used_before_a_restart_or_at_another_process_is_a_replay(tmp_path: Path, clock: Clock) -> None:
    assert StoredReplay(open_at(tmp_path / "store.db", clock)).first_use(EHR, "jti-1", NOW + 300, NOW)
    assert not StoredReplay(open_at(tmp_path / "store.db", clock)).first_use(EHR, "jti-1", NOW + 300, NOW)


def test_while_the_database_is_away_each_process_remembers_on_its_own(tmp_path: Path, clock: Clock) -> None:
    replay = StoredReplay(open_at(tmp_path / "not-there" / "store.db", clock))
    assert replay.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert not replay.first_use(EHR, "jti-1", NOW + 300, NOW)


def test_what_a_process_saw_before_the_database_went_away_is_still_a_replay(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "store.db"
    replay = StoredReplay(open_at(path, clock))
    assert replay.first_use(EHR, "jti-1", NOW + 300, NOW)
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert not replay.first_use(EHR, "jti-1", NOW + 300, NOW)
        assert replay.first_use(EHR, "jti-2", NOW + 300, NOW)


def test_expired_tokens_are_removed_and_others_kept(tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path / "store.db", clock)
    replay = StoredReplay(store)
    replay.first_use(EHR, "short", NOW + 10, NOW)
    replay.first_use(EHR, "long", NOW + 1200, NOW)
    assert store.run(count) == 2
    replay.first_use(EHR, "later", NOW + 1500, NOW + PURGE_EVERY)
    assert store.run(count) == 2


def test_nothing_readable_of_a_token_is_kept(tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path / "store.db", clock)
    StoredReplay(store).first_use(EHR, "canary-jti", NOW + 10, NOW)
    store.close()
    for file in tmp_path.iterdir():
        assert b"canary" not in file.read_bytes()
        assert EHR.encode() not in file.read_bytes()


def _use(path: str, barrier: object, found: object) -> None:
    replay = StoredReplay(Database(database_url(f"sqlite:///{path}"), time.monotonic))
    replay.first_use(EHR, f"warm-up-{multiprocessing.current_process().pid}", NOW + 300, NOW)
    for turn in range(50):
        barrier.wait(timeout=20)  # type: ignore[attr-defined]
        found.put((turn, replay.first_use(EHR, f"jti-{turn}", NOW + 300, NOW)))  # type: ignore[attr-defined]


def test_of_two_processes_that_see_one_token_at_the_same_time_one_accepts_it(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "store.db"
    open_at(path, clock).run(count)
    made = multiprocessing.get_context("spawn")
    barrier, found = made.Barrier(2), made.Queue()
    workers = [made.Process(target=_use, args=(str(path), barrier, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [found.get(timeout=30) for _ in range(100)]
    for worker in workers:
        worker.join(timeout=10)
        assert worker.exitcode == 0
    assert [sum(first for turn, first in answers if turn == asked) for asked in range(50)] == [1] * 50
