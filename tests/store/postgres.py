"""A PostgreSQL of the tests' own, of this machine's binaries: on loopback, with fsync, gone when they end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 30.0
LOOK_SECONDS = 0.02


class Cluster:
    """A PostgreSQL that can be stopped, crashed and started again at the same port."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = _free_port()
        self._binaries = binaries
        self._folder = folder
        self._owner = _owner()
        self._names = itertools.count(1)
        self._spare: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner is not None:
            os.chown(folder, self._owner, -1)
        made = self._run("initdb", "--pgdata=data", "--username=postgres", "--auth=trust", "--encoding=UTF8")
        assert made.wait() == 0, (folder / "log").read_text()

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """PostgreSQL refuses to run as root."""
        with (self._folder / "log").open("ab") as log:
            command = [str(self._binaries / program), *arguments]
            return subprocess.Popen(command, cwd=self._folder, user=self._owner, stdout=log, stderr=log)

    def start(self) -> None:
        """Run, and return when it answers."""
        given = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "on"}
        given |= {"max_connections": 60, "shared_buffers": "32MB"}
        self._process = self._run("postgres", "-D", "data", *(f"--{name}={value}" for name, value in given.items()))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(LOOK_SECONDS)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _conninfo(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End every session and stop, as an operator does."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop without a word and without a checkpoint; the next start recovers."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Connections stay, and nothing answers any more."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=START_SECONDS)
            self._process = None

    def fresh(self) -> str:
        """The URL of an empty database."""
        if self._spare:
            url = self._spare.pop()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
            return url
        name = f"store_{next(self._names)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._conninfo(name)

    def give_back(self, url: str) -> None:
        """Nobody uses *url* any more; the next who asks may, which is faster than a new one."""
        self._spare.append(url)


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL server here."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in debian), key=lambda folder: int(folder.parent.name), default=None)


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that answers, until the block ends."""
    where = binaries()
    assert where is not None, "PostgreSQL is needed; on Debian: apt-get install postgresql"
    with tempfile.TemporaryDirectory(prefix="rr-all-postgres-") as folder:
        cluster = Cluster(where, Path(folder))
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.crash()  # at once: nobody needs it again


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    if binaries() is None:
        pytest.skip("PostgreSQL's server is not installed; on Debian: apt-get install postgresql")
    with running() as cluster:
        yield cluster


def _owner() -> int | None:
    """Whom the server runs as: whoever runs the tests, but not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names["nobody"])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
