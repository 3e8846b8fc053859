"""A new database is what the migrations would have made of it, and one from another version is never guessed at."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, inspect, text

from cds_service.store.database import Database, StoreDown
from cds_service.store.revision import NEWEST
from cds_service.store.tables import metadata
from cds_service.store.upgrade import MIGRATIONS, upgrade
from tests.store.conftest import Opened

VERSION = "alembic_version"


def revision(connection: Connection) -> list[str]:
    return list(connection.scalars(text(f"SELECT version_num FROM {VERSION}")))


def described(connection: Connection) -> dict[str, object]:
    """Every table with its columns, keys, indexes and constraints, as the database itself tells them."""
    seen = inspect(connection)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in seen.get_columns(name)],
            seen.get_pk_constraint(name),
            sorted(map(str, seen.get_foreign_keys(name))),
            sorted(map(str, seen.get_indexes(name))),
            sorted(map(str, seen.get_unique_constraints(name))),
        )
        for name in seen.get_table_names()
    }


def empty(connection: Connection) -> None:
    """As Alembic leaves a database that was taken back to before its first revision."""
    metadata.drop_all(connection)
    connection.execute(text(f"DELETE FROM {VERSION}"))


def test_the_newest_revision_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


def test_a_new_database_is_what_the_migrations_make(opened: Opened) -> None:
    database = opened()
    made = database.run(described)

    def by_alembic(connection: Connection) -> dict[str, object]:
        Table(VERSION, MetaData()).drop(connection)
        metadata.drop_all(connection)
        upgrade(connection)
        return described(connection)

    assert {*made} == {VERSION, *metadata.tables}
    assert database.run(by_alembic) == made
    assert database.run(revision) == [NEWEST]


def test_alembic_finds_nothing_to_do_in_a_new_database(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert database.run(differences) == []
    assert database.run(lambda connection: MigrationContext.configure(connection).get_current_heads()) == (NEWEST,)


def test_a_database_before_the_newest_revision_is_migrated(opened: Opened) -> None:
    opened().run(empty)
    again = opened()
    assert again.run(revision) == [NEWEST]
    assert {*again.run(described)} == {VERSION, *metadata.tables}


def test_a_database_of_a_revision_nobody_knows_is_away_and_left_as_it_is(opened: Opened) -> None:
    first = opened()
    before = first.run(described)
    first.run(lambda connection: connection.execute(text(f"UPDATE {VERSION} SET version_num = '9999'")))
    with pytest.raises(StoreDown):
        opened().run(revision)
    assert first.run(revision) == ["9999"]
    assert first.run(described) == before


def test_a_table_that_is_not_ours_is_not_taken_over(opened: Opened) -> None:
    def another(connection: Connection) -> None:
        empty(connection)
        Table(VERSION, MetaData()).drop(connection)
        connection.execute(text("CREATE TABLE seen_token (whatever INTEGER)"))

    first = opened()
    first.run(another)
    with pytest.raises(StoreDown):
        opened().run(revision)
    assert {*first.run(described)} == {"seen_token"}
