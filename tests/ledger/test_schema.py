"""The migrations make exactly the tables that the code has, on both stores, and the triggers with them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from projections.tables import METADATA
from service.database import is_sqlite, open_database, reading, writing
from service.ledger import schema
from service.ledger.store import Ledgers
from service.ledger.tables import REFUSAL
from tests.conftest import empty_postgres_database
from tests.ledger.cast import SUBDISTRICT, append, check_ledger, drafts

OBJECTS = {
    "sqlite": ["SELECT type, name, sql FROM sqlite_master"],
    "postgresql": [
        "SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger",
        "SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT data_type, table_name || '.' || column_name, concat_ws(' ', is_nullable, column_default, character_maximum_length, "
        "collation_name) FROM information_schema.columns WHERE table_schema = 'public'",
    ],
}
"""What a database consists of, in its own words."""


def objects(engine: sa.Engine) -> set[tuple[str, ...]]:
    with reading(engine) as conn:
        rows = [row for query in OBJECTS[engine.dialect.name] for row in conn.exec_driver_sql(query)]
    return {tuple(" ".join(str(cell).replace('"', "").split()) for cell in row) for row in rows if "alembic" not in row[1]}


@pytest.fixture(params=["sqlite", "postgres"])
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """An empty database after every migration."""
    if request.param == "sqlite":
        engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('upgraded')}/upgraded.db")
        schema.upgrade(engine)
        yield engine
        engine.dispose()
        return
    with empty_postgres_database(request.getfixturevalue("postgres_url")) as url:
        engine = open_database(url)
        schema.upgrade(engine)
        yield engine
        engine.dispose()


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # The test below compares their text.
def test_the_migrations_make_the_tables_of_the_code(upgraded: sa.Engine) -> None:
    with reading(upgraded) as conn:
        assert compare_metadata(MigrationContext.configure(conn), schema.metadata()) == []


def test_the_migrations_and_create_all_make_the_same_database(upgraded: sa.Engine, request: pytest.FixtureRequest) -> None:
    fixture = "sqlite_url" if is_sqlite(upgraded) else "fresh_postgres_url"
    created = open_database(request.getfixturevalue(fixture))
    assert objects(upgraded) ^ objects(created) == set()
    created.dispose()


def test_a_migrated_database_records_and_refuses_to_forget(upgraded: sa.Engine) -> None:
    append(Ledgers(upgraded), SUBDISTRICT, drafts(2))
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(upgraded) as conn:
        conn.exec_driver_sql("DELETE FROM events")
    assert check_ledger(upgraded, SUBDISTRICT) == 2


def test_upgrading_again_changes_nothing(upgraded: sa.Engine) -> None:
    before = objects(upgraded)
    schema.upgrade(upgraded)
    assert objects(upgraded) == before


def test_every_module_that_defines_tables_is_known_to_the_schema() -> None:
    """One that is not in TABLE_MODULES would have no tables in the database."""
    root = Path(schema.__file__).parents[2]
    defining = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for package in ("projections", "service")
        for path in (root / package).rglob("*.py")
        if re.search(r"sa\.Table\(|= read_model_table\(", path.read_text("utf-8"))
    }
    assert defining <= set(schema.TABLE_MODULES)


LOCAL = {"accounts", "tokens", "login_attempts", "enrolment_codes"}
"""Tables that belong to no ledger: who may log in, and codes that are spent within a day."""


@pytest.mark.parametrize("name", sorted(schema.metadata().tables))
def test_every_key_starts_with_the_ledger(name: str) -> None:
    """So that the same tables can be distributed by it."""
    table = METADATA.tables[name]
    keys = [table.primary_key, *(each for each in table.constraints if isinstance(each, sa.UniqueConstraint))]
    keys += [index for index in table.indexes if index.unique]
    keys += [each for each in table.constraints if isinstance(each, sa.ForeignKeyConstraint)]
    first = {next(iter(key.columns)).name for key in keys}
    assert first == {"ledger"} or name in LOCAL
