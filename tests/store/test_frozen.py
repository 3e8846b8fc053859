"""A PostgreSQL that neither answers nor hangs up costs a bounded time, and is found again."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import insert, text

from cds_service.store.database import FOR_HOOKS, Database, Patience, StoreDown, database_url
from cds_service.store.tables import seen_token
from tests.store.postgres import Cluster
from tests.store.test_contract import count

CONNECTING = 2.0
"""Seconds psycopg waits at least for a new connection."""


def test_a_frozen_postgresql_is_left_in_time_and_found_again(postgres: Cluster) -> None:
    database = Database(database_url(postgres.fresh()), time.monotonic, Patience(0.25, 0.1, rest=0.0))
    database.run(lambda c: c.execute(insert(seen_token).values(token=b"1", expires=1.0)))
    postgres.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreDown):
            count(database, seen_token)
        assert time.monotonic() - began < FOR_HOOKS.wait + CONNECTING + 1.0
    finally:
        postgres.thaw()
    assert count(database, seen_token) == 1
    assert database.up
    database.close()


def test_it_may_freeze_in_the_middle_of_a_transaction(postgres: Cluster) -> None:
    database = Database(database_url(postgres.fresh()), time.monotonic, Patience(0.25, 0.1, rest=0.0))
    assert count(database, seen_token) == 0

    def freeze_and_ask(connection: object) -> None:
        postgres.freeze()
        connection.execute(text("SELECT 1"))  # type: ignore[attr-defined]

    began = time.monotonic()
    try:
        with pytest.raises(StoreDown):
            database.run(freeze_and_ask)
        assert time.monotonic() - began < 1.5
    finally:
        postgres.thaw()
    assert count(database, seen_token) == 0
    database.close()


def test_a_statement_that_takes_too_long_is_ended_by_the_server_itself(postgres: Cluster) -> None:
    database = Database(database_url(postgres.fresh()), time.monotonic, Patience(0.25, 0.1, rest=0.0))
    with pytest.raises(StoreDown) as down:
        database.run(lambda connection: connection.execute(text("SELECT pg_sleep(5)")))
    assert "statement timeout" in str(down.value.__cause__)
    database.close()
