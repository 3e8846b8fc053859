"""Databases for reports: empty ones, and one of each kind that holds the simulated feedback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.store.database import FOR_OPERATORS, Database, database_url
from tests.report.simulate import Simulated, simulate, write
from tests.store.postgres import Cluster, postgres

__all__ = ["postgres"]


def opened(url: str) -> Database:
    return Database(database_url(url), time.monotonic, FOR_OPERATORS)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite."""
    made = opened(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    return simulate()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, simulated: Simulated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The simulated feedback in a database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('simulated')}/store.db"
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        url = cluster.fresh()
    made = opened(url)
    made.run(lambda connection: write(connection, simulated))
    yield made
    made.close()
