"""The town of the sync tests: fresh on each store, or once per module on SQLite where a test only asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.database import open_database
from service.ledger import schema
from tests.sync.town import Town


@pytest.fixture
def town(database: sa.Engine, tmp_path: Path) -> Town:
    """A fresh town on SQLite and on PostgreSQL."""
    return Town(database, tmp_path)


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for a whole module, in memory, for tests that leave nothing behind."""
    engine = open_database("sqlite://")
    schema.create_all(engine)
    yield Town(engine, tmp_path_factory.mktemp("town"))
    engine.dispose()
