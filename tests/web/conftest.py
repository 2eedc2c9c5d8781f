"""The city of the web tests: one per module on SQLite."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from tests.web.city import City, build


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    tmp = tmp_path_factory.mktemp("city")
    return build(f"sqlite:///{tmp}/gridtrail.db", tmp)


@pytest.fixture(scope="module")
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """A database without tables on the tests' PostgreSQL."""
    name = f"gridtrail_web_{uuid4().hex[:12]}"
    plain = sa.make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    yield sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city on each store, one per module."""
    tmp = tmp_path_factory.mktemp("town")
    url = f"sqlite:///{tmp}/gridtrail.db" if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url")
    town = build(url, tmp)
    yield town
    town.gridtrail.database.dispose()
