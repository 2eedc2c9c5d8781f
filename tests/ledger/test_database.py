"""The database itself: what it refuses to start on, what it refuses to do, and how waits and broken commits are told."""

import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from service import database as databases
from service.database import Busy, CommitUnknown, DatabaseRefused, NotDurable, RolledBack, UnsafeSqlite, open_database, reading, writing
from service.ledger import schema
from service.ledger.store import Ledgers
from service.ledger.tables import REFUSAL
from tests.ledger.cast import SUBDISTRICT, append, check_ledger, drafts

# ---- opening


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 51, 2)])
def test_a_sqlite_that_can_corrupt_its_database_is_refused_with_what_to_do(version: tuple[int, ...]) -> None:
    with pytest.raises(UnsafeSqlite, match=r"SQLite 3\..* runs here.*pysqlite3"):
        databases.check_sqlite_version(version)


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 53, 4), (4, 0, 0)])
def test_a_mended_sqlite_is_taken(version: tuple[int, ...]) -> None:
    databases.check_sqlite_version(version)


def test_another_database_is_refused() -> None:
    with pytest.raises(DatabaseRefused, match="use sqlite or postgresql"):
        open_database("mysql://localhost/gridtrail")


def test_a_sqlite_file_is_opened_durable(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, lock_timeout_s=7)
    with reading(engine) as conn:
        found = {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous", "foreign_keys")}
        assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        assert conn.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 7000
    engine.dispose()


def test_a_sqlite_whose_commits_could_be_lost_is_refused(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=NORMAL").close())
    engine.dispose()
    with pytest.raises(NotDurable, match="synchronous is less than FULL"):
        databases.assert_durable(engine)
    engine.dispose()


def test_a_database_in_memory_is_durable_for_nobody() -> None:
    with pytest.raises(NotDurable, match="journal_mode is memory"):
        databases.assert_durable(open_database("sqlite://"))


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_a_postgresql_whose_commits_could_be_lost_is_refused(fresh_postgres_url: str, value: str) -> None:
    url = sa.make_url(fresh_postgres_url).update_query_dict({"options": f"-c synchronous_commit={value}"})
    with pytest.raises(NotDurable, match=f"synchronous_commit is {value}; it must be on or remote_apply"):
        open_database(url.render_as_string(hide_password=False))


def test_postgresql_connections_have_limits_on_every_wait(fresh_postgres_url: str) -> None:
    engine = open_database(fresh_postgres_url, lock_timeout_s=2, statement_timeout_s=9)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with reading(engine) as conn:
        assert [conn.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names] == ["2s", "9s", "9s"]
    engine.dispose()


# ---- history cannot be changed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET line = line",
        "UPDATE events SET topic = 'x' WHERE position = 0",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 1",
        "INSERT INTO events SELECT * FROM events WHERE position = 0 ON CONFLICT (ledger, position) DO UPDATE SET topic = 'x'",
    ],
)
def test_the_database_refuses_to_change_or_remove_an_event(any_store: sa.Engine, statement: str) -> None:
    append(Ledgers(any_store), SUBDISTRICT, drafts(2))
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(any_store) as conn:
        conn.exec_driver_sql(statement)
    assert check_ledger(any_store, SUBDISTRICT) == 2


def test_postgresql_refuses_to_truncate_events(fresh_postgres_url: str) -> None:
    engine = open_database(fresh_postgres_url)
    append(Ledgers(engine), SUBDISTRICT, drafts(2))
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(engine) as conn:
        conn.exec_driver_sql("TRUNCATE events")
    assert check_ledger(engine, SUBDISTRICT) == 2
    engine.dispose()


@pytest.mark.parametrize("position", ["position", "position + 9"], ids=["of the same position", "of the same version"])
def test_sqlite_refuses_to_replace_an_event(sqlite_url: str, position: str) -> None:
    engine = open_database(sqlite_url)
    append(Ledgers(engine), SUBDISTRICT, drafts(2))
    rest = "stream, version, topic, recorded_at, by_person, tablet, seq, line FROM events WHERE position = 0"
    with pytest.raises(sa.exc.DBAPIError, match=REFUSAL), writing(engine) as conn:
        conn.exec_driver_sql(f"REPLACE INTO events SELECT ledger, {position}, {rest}")
    assert check_ledger(engine, SUBDISTRICT) == 2
    engine.dispose()


# ---- reading and writing


def test_a_reader_sees_one_moment(database: sa.Engine) -> None:
    store = Ledgers(database)
    append(store, SUBDISTRICT, drafts(1))
    with reading(database) as conn:
        before = store.lines(conn, SUBDISTRICT)
        append(store, SUBDISTRICT, drafts(1))
        assert store.lines(conn, SUBDISTRICT) == before
    with reading(database) as conn:
        assert len(store.lines(conn, SUBDISTRICT)) == 2


def test_a_reader_in_memory_shares_the_transaction_that_its_thread_has_open() -> None:
    engine = open_database("sqlite://")
    schema.create_all(engine)
    store = Ledgers(engine)
    with writing(engine) as conn:
        store.append(conn, SUBDISTRICT, drafts(1))
        with reading(engine) as same:
            assert store.ledgers(same) == {SUBDISTRICT: 1}


def test_a_transaction_inside_another_is_a_mistake_and_not_a_wait(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with writing(engine), pytest.raises(RuntimeError, match="inside another"), writing(engine):
        pass
    engine.dispose()


def test_a_failed_statement_that_is_swallowed_is_never_taken_for_a_commit(fresh_postgres_url: str) -> None:
    engine = open_database(fresh_postgres_url)

    def careless() -> None:
        with writing(engine) as conn:
            Ledgers(engine).append(conn, SUBDISTRICT, drafts(1))
            with pytest.raises(sa.exc.ProgrammingError):
                conn.exec_driver_sql("SELECT nonsense")

    with pytest.raises(RolledBack):
        careless()
    assert check_ledger(engine, SUBDISTRICT) == 0
    engine.dispose()


def test_a_writer_that_waits_too_long_is_told_that_the_database_is_busy(database_url: str) -> None:
    patient, hasty = open_database(database_url), open_database(database_url, lock_timeout_s=0.05)
    append(Ledgers(patient), SUBDISTRICT, drafts(1))
    with writing(patient) as conn:
        Ledgers(patient).append(conn, SUBDISTRICT, drafts(1))
        with pytest.raises(Busy):
            append(Ledgers(hasty), SUBDISTRICT, drafts(1))
    assert append(Ledgers(hasty), SUBDISTRICT, drafts(1)).first == 2
    patient.dispose()
    hasty.dispose()


def test_writers_of_one_process_queue_and_the_one_that_waits_too_long_is_told(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, lock_timeout_s=0.05)
    told: list[Exception] = []

    def other() -> None:
        try:
            append(Ledgers(engine), SUBDISTRICT, drafts(1))
        except Busy as busy:
            told.append(busy)

    with writing(engine):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(told) == 1
    engine.dispose()


def _sleep(conn: sa.Connection) -> None:
    conn.exec_driver_sql("SET LOCAL statement_timeout = 50")
    conn.exec_driver_sql("SELECT pg_sleep(60)")


def test_a_statement_that_takes_too_long_is_told_as_busy(fresh_postgres_url: str) -> None:
    engine = open_database(fresh_postgres_url)
    with pytest.raises(Busy), reading(engine) as conn:
        _sleep(conn)
    engine.dispose()


def test_a_commit_whose_answer_is_lost_is_unknown_and_is_not_tried_again(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    store, stream = Ledgers(database), uuid4()
    commits: list[Any] = []
    commit = database.dialect.do_commit

    def cut_after_commit(raw: Any) -> None:
        commits.append(raw)
        commit(raw)
        kind = databases.sqlite.OperationalError if databases.is_sqlite(database) else psycopg.OperationalError
        raise kind("server closed the connection unexpectedly")

    with monkeypatch.context() as patched:
        patched.setattr(database.dialect, "do_commit", cut_after_commit)
        with pytest.raises(CommitUnknown, match="looked up"):
            append(store, SUBDISTRICT, drafts(1, stream))
    assert len(commits) == 1
    with reading(database) as conn:
        assert len(store.streams(conn, SUBDISTRICT, [stream])[stream]) == 1
    assert check_ledger(database, SUBDISTRICT) == 1


def test_a_connection_that_is_cut_before_the_commit_recorded_nothing(fresh_postgres_url: str) -> None:
    engine, killer = open_database(fresh_postgres_url), open_database(fresh_postgres_url)
    store = Ledgers(engine)

    def cut() -> None:
        with writing(engine) as conn:
            store.append(conn, SUBDISTRICT, drafts(3))
            victim = conn.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            with writing(killer) as other:
                other.execute(sa.text("SELECT pg_terminate_backend(:victim, 5000)"), {"victim": victim})

    with pytest.raises(CommitUnknown):
        cut()
    assert check_ledger(engine, SUBDISTRICT) == 0
    assert append(store, SUBDISTRICT, drafts(1)).first == 0
    engine.dispose()
    killer.dispose()
