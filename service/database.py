"""The one database, SQLite or PostgreSQL: opened with durable settings, and the two ways to use it, reading and writing.

Read by everything that holds a connection. Nobody else begins a transaction.
"""

import importlib
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import StaticPool

from service.turns import Busy, CommitUnknown, Together, Turns

try:
    sqlite = importlib.import_module("pysqlite3.dbapi2")
except ImportError:  # No wheel for this platform; the version check below decides whether the standard library's will do.
    sqlite = importlib.import_module("sqlite3")

T = TypeVar("T")

CORRUPTING = ((3, 7, 0), (3, 51, 2))
"""First and last SQLite whose WAL can be corrupted when several connections write and checkpoint at once."""

DURABLE = {"synchronous_commit": ("on", "remote_apply"), "fsync": ("on",), "full_page_writes": ("on",)}
"""PostgreSQL settings and the values under which an acknowledged commit outlives a crash of this machine.

``local`` and ``remote_write`` are refused too: with a synchronous standby they acknowledge what a fail-over can lose.
"""

LOCKED = frozenset({"55P03", "57014", "40P01", "25P03"})
"""SQLSTATEs of a wait that was cut short: lock timeout, statement timeout, deadlock, idle in transaction."""


class DatabaseRefused(RuntimeError):
    """The database cannot be used as it is; the sentence says what to change."""


class UnsafeSqlite(DatabaseRefused):
    """This SQLite can corrupt a database in WAL mode."""


class NotDurable(DatabaseRefused):
    """A commit on this database could be lost after it was acknowledged."""


class RolledBack(RuntimeError):
    """A statement of the transaction failed, the failure was swallowed, and so nothing was committed."""


def open_database(url: str, *, lock_timeout_s: float = 5, statement_timeout_s: float = 30, pool_size: int = 10) -> sa.Engine:
    """The engine for a URL, with timeouts and durable settings, which are asserted before anybody writes.

    ``sqlite:///file``, ``sqlite://`` (in memory, for tests: one connection that readers and writers take in turn), or ``postgresql://…``.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed, lock_timeout_s, pool_size)
    elif parsed.get_backend_name() == "postgresql":
        engine = _open_postgres(parsed, lock_timeout_s, statement_timeout_s, pool_size)
    else:
        raise DatabaseRefused(f"{parsed.get_backend_name()} is not a database that Gridtrail knows: use sqlite or postgresql.")
    if not is_memory(engine):
        assert_durable(engine)
    return engine


def is_sqlite(engine: sa.Engine | sa.Connection) -> bool:
    """Whether this is SQLite rather than PostgreSQL."""
    return engine.dialect.name == "sqlite"


def is_memory(engine: sa.Engine) -> bool:
    """Whether this is SQLite in memory, which is durable for nobody."""
    return is_sqlite(engine) and isinstance(engine.pool, StaticPool)


def check_sqlite_version(version: tuple[int, ...]) -> None:
    """UnsafeSqlite for the versions that can corrupt a WAL database."""
    if CORRUPTING[0] <= version <= CORRUPTING[1]:
        running = ".".join(map(str, version))
        raise UnsafeSqlite(
            f"SQLite {running} runs here. 3.7.0 to 3.51.2 can corrupt a database that several connections write. "
            "Install the package pysqlite3 (0.6.1 or later, it carries its own SQLite), or use PostgreSQL."
        )


def _open_sqlite(url: sa.URL, lock_timeout_s: float, pool_size: int) -> sa.Engine:
    check_sqlite_version(sqlite.sqlite_version_info)
    options: dict[str, Any] = {"poolclass": StaticPool}
    path = url.database if url.database and url.database != ":memory:" else None
    if path:
        options = {"poolclass": sa.QueuePool, "pool_size": pool_size, "max_overflow": pool_size}
    engine = sa.create_engine(
        url.set(drivername="sqlite"),
        module=sqlite,
        connect_args={"check_same_thread": False, "timeout": lock_timeout_s, "isolation_level": None},
        **options,
    )
    engine.turns = Turns(lock_timeout_s, None if path and path.startswith("file:") else path)  # type: ignore[attr-defined]
    engine.together = Together(engine.turns)  # type: ignore[attr-defined]
    sa.event.listen(engine, "connect", _set_sqlite_up)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_sqlite_up(raw: Any, _: Any) -> None:
    # The driver must not begin transactions of its own: it would begin them deferred, and two readers that both turn
    # writers in the middle of a transaction fail at once, without waiting.
    raw.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # Without it REPLACE deletes rows past the triggers that refuse deletes.
        "recursive_triggers=ON",
        # What is deleted is overwritten: an erased value must not stand in a page that nothing points at.
        "secure_delete=ON",
        "temp_store=MEMORY",
        "cache_size=-65536",
    ):
        raw.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(conn: sa.Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("writes") else "BEGIN")


def _open_postgres(url: sa.URL, lock_timeout_s: float, statement_timeout_s: float, pool_size: int) -> sa.Engine:
    limits = {
        "lock_timeout": lock_timeout_s,
        "statement_timeout": statement_timeout_s,
        "idle_in_transaction_session_timeout": statement_timeout_s,
    }
    options = " ".join(f"-c {name}={max(1, int(seconds * 1000))}" for name, seconds in limits.items())
    given = url.query.get("options", "")
    # The URL's own options come last, so that they win.
    options = f"{options} {given if isinstance(given, str) else ' '.join(given)}".strip()
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        connect_args={"options": options, "connect_timeout": 10, "application_name": "gridtrail"},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=statement_timeout_s,
    )
    sa.event.listen(engine, "checkout", _refuse_dead)
    return engine


def _refuse_dead(raw: Any, _record: Any, _fairy: Any) -> None:
    """Tells the pool to open a fresh connection in place of one that the server closed meanwhile. Nothing was sent on it.

    Costs one system call where a ping costs a round trip: a server that goes away closes its sockets, and a closed socket can be read.
    """
    try:
        waiting = select.poll()
        waiting.register(raw.fileno(), select.POLLIN)
        while waiting.poll(0):
            raw.pgconn.consume_input()  # Perhaps only a notice or a changed setting; at the end of the stream this raises.
    except psycopg.Error as gone:
        raise sa.exc.InvalidatePoolError from gone


def assert_durable(engine: sa.Engine) -> None:
    """NotDurable unless what is acknowledged here outlives a crash."""
    with reading(engine) as conn:
        wrong = _wrong_in_sqlite(conn) if is_sqlite(engine) else _wrong_in_postgres(conn)
    if wrong:
        raise NotDurable(f"{' '.join(wrong)} Acknowledged work could be lost; Gridtrail does not start on such a database.")


def _wrong_in_sqlite(conn: sa.Connection) -> list[str]:
    wrong = []
    mode = conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        wrong.append(f"journal_mode is {mode}, not wal (is the file on a network share?).")
    if conn.exec_driver_sql("PRAGMA synchronous").scalar_one() < 2:
        wrong.append("synchronous is less than FULL.")
    if not conn.exec_driver_sql("PRAGMA foreign_keys").scalar_one():
        wrong.append("foreign_keys is off.")
    return wrong


def _wrong_in_postgres(conn: sa.Connection) -> list[str]:
    found = {name: conn.exec_driver_sql(f"SHOW {name}").scalar_one() for name in DURABLE}
    return [f"{name} is {found[name]}; it must be {' or '.join(right)}." for name, right in DURABLE.items() if found[name] not in right]


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that sees one moment of the database and cannot write. Keep it short; nothing new appears in it."""
    turns: Turns | None = getattr(engine, "turns", None)
    if turns is None:
        with _named_waits(), engine.connect() as conn:
            conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield conn
    elif not is_memory(engine):
        with _named_waits(), engine.connect() as conn:
            yield conn
    elif turns.mine and turns.conn is not None:
        yield turns.conn
    else:
        with turns.taken(), engine.connect() as conn:
            turns.conn = conn
            yield conn


@contextmanager
def glancing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection on which each statement sees a moment of its own: for one statement, or for several that need not agree.

    Cheaper than reading on PostgreSQL, by the two round trips that begin and end a transaction.
    """
    if is_sqlite(engine):
        with reading(engine) as conn:
            yield conn
    else:
        with _named_waits(), engine.connect() as conn:
            yield conn.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that writes; committed at the end, rolled back on any exception.

    Nothing is retried here. Busy: nothing was recorded. CommitUnknown: look before you write again.
    """
    turns: Turns | None = getattr(engine, "turns", None)
    if turns is None:
        with _named_waits(), engine.connect() as conn:
            yield from _transaction(conn)
    else:
        with turns.taken(), _named_waits(), engine.connect() as conn:
            turns.conn = conn
            conn.execution_options(writes=True)
            yield from _transaction(conn)


@contextmanager
def looking(engine: sa.Engine) -> Iterator[Any]:
    """The driver's own connection, for one statement, which sees one moment of the database; nothing may be written through it.

    Cheaper than reading: no transaction is begun and ended around the statement.
    """
    if is_memory(engine):
        with reading(engine) as conn:
            yield conn.connection.driver_connection
    elif is_sqlite(engine):
        with _named_failures(), _held(engine) as driver:
            yield driver
    else:
        with _named_failures(), _held(engine) as driver, _single_statements(driver):
            yield driver


def recording(engine: sa.Engine, work: Callable[[Any], T]) -> T:
    """What work(driver) gives, done in one durable transaction on the driver's own connection; rolled back where it raises.

    On PostgreSQL the statements of work travel in a pipeline, BEGIN before the first and COMMIT behind the last: it costs as many round
    trips as work looks at results. A statement whose result nobody looks at must fail rather than match nothing. On SQLite the work of
    several threads may be committed together, each behind a savepoint of its own; each is answered after the commit.

    Busy: nothing was recorded. CommitUnknown: look before you write again.
    """
    together: Together | None = getattr(engine, "together", None)
    with _named_failures():
        if together is not None:
            return together.do(engine, work)
        with _held(engine) as driver, _single_statements(driver):
            return _in_one_go(driver, work)


def _in_one_go(driver: psycopg.Connection[Any], work: Callable[[Any], T]) -> T:
    done = False
    try:
        with driver.pipeline():
            driver.execute("BEGIN")
            result = work(driver)
            done = True
            end = driver.execute("COMMIT")
    except psycopg.Error as failed:
        if not driver.closed:
            # The server skipped everything behind the statement that failed, COMMIT too.
            driver.rollback()
            raise
        if done:
            raise CommitUnknown("The connection broke at COMMIT; whether it was stored must be looked up.") from failed
        raise
    except BaseException:
        if not driver.closed:
            driver.rollback()
        raise
    if end.statusmessage != "COMMIT":
        raise RolledBack("A statement failed and the transaction was carried on; nothing was committed.")
    return result


@contextmanager
def _held(engine: sa.Engine) -> Iterator[Any]:
    """A pooled connection without SQLAlchemy around its statements."""
    held = engine.raw_connection()
    try:
        yield held.driver_connection
    finally:
        if getattr(held.driver_connection, "closed", False):
            held.invalidate()
        held.close()


@contextmanager
def _single_statements(driver: psycopg.Connection[Any]) -> Iterator[None]:
    """psycopg begins no transaction of its own meanwhile. Known to the driver only; the server is asked nothing."""
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


@contextmanager
def _named_failures() -> Iterator[None]:
    """The driver's failures under the names that SQLAlchemy gives them, and waits as Busy."""
    with _named_waits():
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError, sqlite.OperationalError) as failed:
            if is_wait(failed):
                raise
            lost = isinstance(failed, psycopg.Error) and failed.sqlstate is None
            raise sa.exc.OperationalError("a batch", None, failed, connection_invalidated=lost) from failed


def _transaction(conn: sa.Connection) -> Iterator[sa.Connection]:
    transaction = conn.begin()
    try:
        yield conn
        _refuse_lost_work(conn, transaction)
    except BaseException:
        # A broken connection cannot roll back; the server does it, and the first exception is the one to tell.
        if transaction.is_active:
            with suppress(sa.exc.DBAPIError):
                transaction.rollback()
        raise
    try:
        transaction.commit()
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as lost:
        raise CommitUnknown("The connection broke at COMMIT; whether it was stored must be looked up.") from lost


def _refuse_lost_work(conn: sa.Connection, transaction: sa.RootTransaction) -> None:
    """PostgreSQL answers COMMIT in a failed transaction with a ROLLBACK and no error: that must never look like a success."""
    failed = not transaction.is_active
    if not failed and not is_sqlite(conn):
        failed = conn.connection.driver_connection.info.transaction_status == TransactionStatus.INERROR  # type: ignore[union-attr]
    if failed:
        raise RolledBack("A statement failed and the transaction was carried on; nothing was committed.")


@contextmanager
def _named_waits() -> Iterator[None]:
    """Turns every form of a wait that was cut short into Busy, whether it came through SQLAlchemy or from the driver."""
    try:
        yield
    except Exception as failed:
        if is_wait(failed):
            raise Busy("The database is busy: a lock or an answer did not come in time. Nothing was recorded.") from failed
        raise


def is_wait(failed: BaseException) -> bool:
    """Whether an exception says that the database did not answer in time, rather than that something is wrong."""
    original = getattr(failed, "orig", None) or failed
    if isinstance(failed, sa.exc.TimeoutError) or getattr(original, "sqlstate", None) in LOCKED:
        return True
    return isinstance(original, sqlite.OperationalError) and "locked" in str(original)
