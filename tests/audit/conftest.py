"""The town of the sync tests, for the tests of the audit: fresh on each store."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.sync.town import Town


@pytest.fixture
def town(database: sa.Engine, tmp_path: Path) -> Town:
    """A fresh town on SQLite and on PostgreSQL."""
    return Town(database, tmp_path)
