"""A household's people for the tests of personal values: fresh on each store, the key store on the same kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.wiring import Gridtrail
from tests.conftest import empty_postgres_database
from tests.personal.cast import gridtrail_on


@pytest.fixture(params=["sqlite", "postgres"])
def gridtrail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gridtrail]:
    """The wired pieces, ledgers and key store on SQLite, or both on PostgreSQL."""
    if request.param == "sqlite":
        pieces = gridtrail_on(request.getfixturevalue("sqlite_url"), f"sqlite:///{tmp_path}/vault.db", tmp_path)
        yield pieces
        pieces.forget()
        return
    with empty_postgres_database(request.getfixturevalue("postgres_url")) as vault_url:
        pieces = gridtrail_on(request.getfixturevalue("fresh_postgres_url"), vault_url, tmp_path)
        yield pieces
        pieces.forget()
