"""Every promise of the store is kept twice: by SQLite in a file, and by a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cds_service.store.database import FOR_FEEDBACK, Database, database_url
from tests.store.postgres import Cluster, postgres

__all__ = ["postgres"]

Opened = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    made = cluster.fresh()
    yield made
    cluster.give_back(made)


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    """Opens the database as another process would."""
    made: list[Database] = []

    def another() -> Database:
        made.append(Database(database_url(url), time.monotonic, FOR_FEEDBACK))
        return made[-1]

    yield another
    for database in made:
        database.close()


@pytest.fixture
def database(opened: Opened) -> Database:
    return opened()
