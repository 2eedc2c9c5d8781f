"""A household's people for the tests of personal values: fresh on each store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.wiring import Gridtrail
from tests.conftest import empty_postgres_database
from tests.personal.cast import gridtrail_on


@pytest.fixture(params=["sqlite", "postgres"])
def gridtrail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gridtrail]:
    """The wired pieces, ledgers on SQLite and on PostgreSQL, the key store on SQLite."""
    fixture = {"sqlite": "sqlite_url", "postgres": "fresh_postgres_url"}[request.param]
    pieces = gridtrail_on(request.getfixturevalue(fixture), f"sqlite:///{tmp_path}/vault.db", tmp_path)
    yield pieces
    pieces.forget()


@pytest.fixture
def all_sqlite(sqlite_url: str, tmp_path: Path) -> Iterator[Gridtrail]:
    """The wired pieces, ledgers and key store on SQLite."""
    pieces = gridtrail_on(sqlite_url, f"sqlite:///{tmp_path}/vault.db", tmp_path)
    yield pieces
    pieces.forget()


@pytest.fixture
def all_postgres(fresh_postgres_url: str, postgres_url: str, tmp_path: Path) -> Iterator[Gridtrail]:
    """The wired pieces, ledgers and key store on PostgreSQL."""
    with empty_postgres_database(postgres_url) as vault_url:
        pieces = gridtrail_on(fresh_postgres_url, vault_url, tmp_path)
        yield pieces
        pieces.forget()


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest) -> Gridtrail:
    """The wired pieces, ledgers and key store on the same kind of database."""
    return request.getfixturevalue({"sqlite": "all_sqlite", "postgres": "all_postgres"}[request.param])
