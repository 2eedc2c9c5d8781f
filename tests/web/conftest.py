"""The city of the web tests: one per module on SQLite."""

from collections.abc import Iterator

import pytest

from tests.conftest import empty_postgres_database
from tests.web.city import City, build


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    tmp = tmp_path_factory.mktemp("city")
    return build(f"sqlite:///{tmp}/gridtrail.db", tmp)


@pytest.fixture(scope="module")
def copied_postgres_url(postgres_template: tuple[str, str]) -> Iterator[str]:
    """A database with all tables on the tests' PostgreSQL."""
    with empty_postgres_database(*postgres_template) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city on each store, one per module."""
    tmp = tmp_path_factory.mktemp("town")
    url = f"sqlite:///{tmp}/gridtrail.db" if request.param == "sqlite" else request.getfixturevalue("copied_postgres_url")
    town = build(url, tmp)
    yield town
    town.gridtrail.database.dispose()
