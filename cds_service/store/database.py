"""One database by URL: SQLite in a file, or PostgreSQL. A database that is away is found out fast and once.

A try is bounded, whoever stands in line leaves when it does not move, and after a failure nobody tries again
for a while: how long each lasts is the caller's choice. Answers to hooks hardly wait for storage; feedback,
which must not be lost, waits longer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from sqlite3 import OperationalError
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from cds_service.store.revision import NotUpgraded, bring_up_to_date

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for a lock or a statement; in a line that stands still; and without a try after a failure."""

    wait: float
    standstill: float
    rest: float


FOR_HOOKS = Patience(wait=0.25, standstill=0.1, rest=5.0)
FOR_FEEDBACK = Patience(wait=1.5, standstill=0.5, rest=0.5)
FOR_OPERATORS = Patience(wait=60.0, standstill=60.0, rest=0.0)
POSTGRESQL = "postgresql+psycopg"
_CONNECTIONS = {"sqlite": 1, POSTGRESQL: 5}
"""SQLite has one writer: its users wait in our line, which is fair, and not for its lock."""
_SWITCH_SECONDS = 0.01
_SERVERS_OWN = 0.1
"""Seconds more than the server's own limit, so that a server that lives says itself that it took too long."""
_ONE_MIGRATION = 0x72722D616C6C
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""


class StoreDown(Exception):
    """The database did not answer in time, or is resting after it did not."""


class DatabaseUrlError(ValueError):
    """The URL names no database this service can use; the text says what to do and repeats nothing of it."""


def database_url(given: str) -> URL:
    """The URL, its driver filled in. Raises :class:`DatabaseUrlError`."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError("must be a URL such as sqlite:////var/lib/cds/cds-service.db") from None
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url
    if url.drivername in ("postgresql", POSTGRESQL) and url.host and url.database:
        if find_spec("psycopg") is None:
            raise DatabaseUrlError("PostgreSQL needs its driver; install rr-all-cds[postgres]")
        return url.set(drivername=POSTGRESQL)
    raise DatabaseUrlError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")


class Database:
    """A pooled database that knows whether it is up. *clock* counts seconds and never goes back."""

    def __init__(self, url: URL, clock: Callable[[], float], patience: Patience = FOR_HOOKS) -> None:
        self._engine = _engine(url, patience.wait)
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._line = threading.Condition()
        self._most = _CONNECTIONS[url.drivername]
        self._busy = 0
        self._moved = 0.0
        self._failures = 0
        self._rest_until = float("-inf")
        self._migrated = False

    @property
    def up(self) -> bool:
        """The last try succeeded."""
        return self._rest_until == float("-inf")

    def run(self, work: Callable[[Connection], T]) -> T:
        """*work* in one transaction, committed when this returns.

        Raises :class:`StoreDown`, or SQLAlchemy's IntegrityError for a row that is there already.
        """
        failures = self._failures
        if not self._may_try():
            raise StoreDown
        with self._turn(failures):
            try:
                if not self._migrated:
                    migrate(self._engine)
                    self._migrated = True
                with self._engine.begin() as connection:
                    done = work(connection)
            except IntegrityError:
                self._rest_until = float("-inf")
                raise
            except (SQLAlchemyError, OSError, NotUpgraded) as error:
                self._failures += 1
                self._rest_until = self._clock() + self._patience.rest
                raise StoreDown from error
            self._rest_until = float("-inf")
            return done

    def close(self) -> None:
        """Give every pooled connection back."""
        self._engine.dispose()

    def _may_try(self) -> bool:
        """Whoever comes first after a rest tries; until that try succeeds, nobody else does."""
        if self.up:
            return True
        with self._lock:
            now = self._clock()
            if now < self._rest_until:
                return False
            self._rest_until = now + self._patience.rest
            return True

    @contextmanager
    def _turn(self, failures: int) -> Iterator[None]:
        """Wait in line for a connection. Who sees nobody come out for too long, or fail, leaves.

        So one caller finds out what is wrong, and the threads of the others answer what needs no database.
        """
        with self._line:
            if not self._busy:
                self._moved = self._clock()
            while self._busy >= (self._most if self._migrated else 1) and self._moving():
                self._line.wait(self._patience.standstill)
            if not self._moving() or self._failures != failures:
                raise StoreDown
            self._busy += 1
        try:
            yield
        finally:
            with self._line:
                self._moved = self._clock()
                self._busy -= 1
                self._line.notify_all()

    def _moving(self) -> bool:
        return not self._busy or self._clock() - self._moved <= self._patience.standstill


def insert_new(connection: Connection, table: Table) -> Any:
    """An INSERT that leaves out each row that is there already."""
    dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # loaded with the engine
    return dialect.insert(table).on_conflict_do_nothing()


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision. Several processes may call this at the same time."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_MIGRATION})"))
        bring_up_to_date(connection)


def _engine(url: URL, wait: float) -> Engine:
    if url.drivername == POSTGRESQL:
        limits = f"-c statement_timeout={int(wait * 1000)} -c lock_timeout={int(wait * 1000)}"
        engine = create_engine(
            url,
            pool_size=_CONNECTIONS[POSTGRESQL],
            max_overflow=0,
            pool_timeout=wait,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 1, "options": limits},
        )
        event.listen(engine, "do_connect", lambda _, __, given, named: _connector(wait)(*given, **named))
        return engine
    connections = _CONNECTIONS["sqlite"]
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait,
        hide_parameters=True,
        connect_args={"timeout": wait},
    )
    event.listen(engine, "connect", lambda connection, _: _set_up_sqlite(connection, wait))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _connector(wait: float) -> Callable[..., Any]:
    from cds_service.store.bounded import connector  # its driver is installed where it is used

    return connector(wait + _SERVERS_OWN)


def _set_up_sqlite(connection: Any, wait: float) -> None:
    """Committed means on disk; readers do not wait for the writer. Transactions begin where we say."""
    connection.isolation_level = None
    _switch_to_wal(connection, time.monotonic() + wait)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: Any, until: float) -> None:
    """SQLite itself does not wait while another process makes the same switch of a new database."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except OperationalError:
            if time.monotonic() >= until:
                raise
            time.sleep(_SWITCH_SECONDS)
