"""What an operator does with the store: upgrade, back up, move, purge, erase. Each error says what to do."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, insert, select, text, update
from sqlalchemy.engine import URL

from cds_service.store.database import FOR_OPERATORS, Database, StoreDown, database_url
from cds_service.store.remembered import DAY
from cds_service.store.tables import feedback_event, issued_card, metadata, override_reason, seen_token

AT_ONCE = 2_000
"""Rows that are copied or removed in one step; the service writes between two removals."""


class NotDone(Exception):
    """The operation changed nothing, or may be repeated; the text says why and what to do."""


@dataclass(frozen=True)
class Copied:
    """One table after a move: *rows*, and a digest of their content, the same at both ends."""

    table: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Purged:
    """How many rows of each kind were removed."""

    cards: int
    feedback: int
    tokens: int


@dataclass(frozen=True)
class Erased:
    """How many cards name the patient's digest no more, and how many comments on them are gone."""

    cards: int
    comments: int


def upgrade(url: str) -> None:
    """Bring the tables to the newest revision. Several may run at the same time, and while the service does.

    Raises DatabaseUrlError, or :class:`NotDone`.
    """
    with _opened(url, may_make=True) as database:
        database.run(lambda connection: None)


def backup(url: str, file: Path) -> None:
    """Copy a SQLite database to *file* while the service writes to it: all that was committed before this began.

    *file* appears once the copy is whole, checked and on disk. Raises DatabaseUrlError, or :class:`NotDone`
    for PostgreSQL, a file that exists already, or one that cannot be written.
    """
    source = _sqlite_file(database_url(url))
    if source is None:
        raise NotDone("PostgreSQL is backed up with its own pg_dump; see its manual.")
    if file.exists():
        raise NotDone("The file for the backup exists already. Name another, or remove it.")
    partial = file.with_name(f"{file.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        _copy(source, partial)
        partial.rename(file)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise NotDone("The copy could not be written whole. Check the folder, its room and the database.") from error


def _sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite database that is there; ``None`` for PostgreSQL."""
    if url.drivername != "sqlite":
        return None
    path = Path(str(url.database))
    if not path.is_file():
        raise NotDone("There is no database at this URL. Compare it with CDS_DATABASE_URL.")
    return path


def _copy(source: Path, target: Path) -> None:
    """In one step, which sees one moment of the source; its writers do not wait."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(_sqlite(source)) as read, closing(_sqlite(target)) as written:
        read.backup(written, pages=-1)
        if written.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError
    with target.open("rb") as made:
        os.fsync(made.fileno())


def _sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=FOR_OPERATORS.wait)


def move(source: str, target: str) -> list[Copied]:
    """Copy every table to an empty *target*, in one transaction; each table's count and content are compared.

    Stop the service first. Raises DatabaseUrlError, or :class:`NotDone`; then nothing is in *target*.
    """
    with _opened(source) as old, _opened(target, may_make=True) as new:
        return old.run(lambda read: new.run(lambda written: _move(read, written)))


def _move(read: Connection, written: Connection) -> list[Copied]:
    if any(_some(written, table) for table in metadata.sorted_tables):
        raise NotDone("The target is not empty. Name a new database; nothing was copied.")
    copied = []
    for table in metadata.sorted_tables:
        for rows in _batches(read, table):
            written.execute(insert(table), rows)
        there, here = _content(read, table), _content(written, table)
        if there != here:
            raise NotDone(f"Table {table.name} came out different. Nothing was kept; stop the service and try again.")
        copied.append(here)
    if written.dialect.name == "postgresql":
        _advance_ids(written)
    return copied


def _some(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table).limit(1)).first() is not None


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    found = connection.execute(select(table).execution_options(yield_per=AT_ONCE))
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _content(connection: Connection, table: Table) -> Copied:
    """The sum of the rows' digests: two databases need not sort text alike."""
    total = count = 0
    for rows in _batches(connection, table):
        for row in rows:
            said = json.dumps(row, sort_keys=True, default=bytes.hex).encode()
            total += int.from_bytes(hashlib.sha256(said).digest(), "big")
        count += len(rows)
    return Copied(table.name, count, f"{total % 2**256:064x}")


def _advance_ids(connection: Connection) -> None:
    """PostgreSQL gives the next event the number after the last that was copied."""
    last = "SELECT coalesce(max(id), 0) + 1 FROM feedback_event"
    connection.execute(text(f"SELECT setval(pg_get_serial_sequence('feedback_event', 'id'), ({last}), false)"))


def purge(url: str, older_than_days: int, now: float) -> Purged:
    """Remove feedback received and cards issued more than *older_than_days* before *now*, and expired tokens.

    A card with younger feedback stays, as that would belong to nothing. *now* is in seconds since 1970.
    Raises DatabaseUrlError, or :class:`NotDone`; what was removed until then stays removed.
    """
    if older_than_days < 1:
        raise NotDone("Keep at least one day.")
    before = int(now * 1000) - older_than_days * DAY
    answered = exists().where(feedback_event.c.card == issued_card.c.card)
    with _opened(url) as database:
        feedback = _remove(database, feedback_event, feedback_event.c.received < before)
        cards = _remove(database, issued_card, issued_card.c.issued < before, ~answered)
        return Purged(cards, feedback, _remove(database, seen_token, seen_token.c.expires < now))


def _remove(database: Database, table: Table, *which: ColumnElement[bool]) -> int:
    """Rows of other tables that hang on these go with them."""
    (key,) = table.primary_key.columns
    some = delete(table).where(key.in_(select(key).where(*which).limit(AT_ONCE)))
    total = 0
    while removed := database.run(lambda connection: connection.execute(some).rowcount):
        total += removed
    return total


def erase(url: str, patient: bytes) -> Erased:
    """Forget one patient, by the keyed digest that :meth:`Remembered.patient` makes: digests of and comments on cards.

    Cards and feedback stay, as they name nobody. A card that was issued while its site remembered nothing
    holds no digest, and is not found. Raises DatabaseUrlError, or :class:`NotDone`.
    """
    with _opened(url) as database:
        erased = database.run(lambda connection: _erase(connection, patient))
    if (file := _sqlite_file(database_url(url))) is not None:
        # Until then the log beside the file still says what was erased.
        with closing(_sqlite(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return erased


def _erase(connection: Connection, patient: bytes) -> Erased:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    theirs = issued_card.c.patient == patient
    events = select(feedback_event.c.id).join(issued_card, _same_card()).where(theirs)
    on_them = override_reason.c.event.in_(events) & override_reason.c.comment.is_not(None)
    comments = connection.execute(update(override_reason).where(on_them).values(comment=None)).rowcount
    cards = connection.execute(update(issued_card).where(theirs).values(patient=None, evidence=None)).rowcount
    return Erased(cards, comments)


def _same_card() -> ColumnElement[bool]:
    return (issued_card.c.card == feedback_event.c.card) & (issued_card.c.client == feedback_event.c.client)


@contextmanager
def _opened(given: str, *, may_make: bool = False) -> Iterator[Database]:
    url = database_url(given)
    if not may_make:
        _sqlite_file(url)
    database = Database(url, time.monotonic, FOR_OPERATORS)
    try:
        yield database
    except StoreDown as error:
        raise NotDone("A database does not answer, or another program holds it. See to that, and try again.") from error
    finally:
        database.close()
