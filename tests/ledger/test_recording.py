"""A batch recorded on the driver's own connection: in one piece, durable when told, and never mistaken for another outcome."""

import fcntl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa

from projections.recorded import write_line, write_state
from service import database as databases
from service import deadlines, turns
from service.database import Busy, CommitUnknown, is_sqlite, looking, open_database, reading, recording, writing
from service.ledger import bulk
from service.ledger.arrays import INT4_OID, UUID_OID, Ints, Uuids, array_of
from service.ledger.store import Appended, Draft, EntryTooLarge, Ledgers, VersionTaken
from tests.ledger.cast import NEIGHBOUR, SUBDISTRICT, append, check_ledger, drafts


def record(engine: sa.Engine, some: dict[str, list[Draft]], held: Callable[[], None] = lambda: None) -> dict[str, Appended]:
    """One batch, as an upload records it."""
    store = Ledgers(engine)
    prepared = store.prepare(some)
    with bulk.naming_conflicts(SUBDISTRICT):
        return recording(engine, lambda driver: store.write(driver, prepared, held))


def test_a_batch_stands_in_every_ledger_that_it_names(any_store: sa.Engine) -> None:
    done = record(any_store, {NEIGHBOUR: drafts(2), SUBDISTRICT: drafts(3)})
    again = record(any_store, {SUBDISTRICT: drafts(1)})
    assert [(each.first, each.size) for each in (done[SUBDISTRICT], done[NEIGHBOUR], again[SUBDISTRICT])] == [(0, 3), (0, 2), (3, 4)]
    assert [check_ledger(any_store, ledger) for ledger in (SUBDISTRICT, NEIGHBOUR)] == [4, 2]


def test_a_line_is_what_write_line_writes(any_store: sa.Engine) -> None:
    stream = UUID(int=7)
    some = [
        Draft(stream, 1, "visit.made", write_state({"by": "x"}, {"a": 1}, None), inline=True),
        Draft(stream, 2, 'odd","recorded_at":""', b'{"n":1}'),
        Draft(stream, 3, "topic", b"state1"),
    ]
    done = record(any_store, {SUBDISTRICT: some})[SUBDISTRICT]
    with reading(any_store) as conn:
        lines = Ledgers(any_store).lines(conn, SUBDISTRICT)
    assert lines == [
        write_line(SUBDISTRICT, at, stream, draft.version, draft.topic, done.recorded_at, draft.state) for at, draft in enumerate(some)
    ]


def test_a_version_that_is_taken_takes_the_whole_batch_back(any_store: sa.Engine) -> None:
    stream = uuid4()
    append(Ledgers(any_store), SUBDISTRICT, drafts(2, stream))
    with pytest.raises(VersionTaken):
        record(any_store, {NEIGHBOUR: drafts(1), SUBDISTRICT: [*drafts(3), *drafts(1, stream, first=2)]})
    assert [check_ledger(any_store, ledger) for ledger in (SUBDISTRICT, NEIGHBOUR)] == [2, 0]
    assert record(any_store, {SUBDISTRICT: drafts(1)})[SUBDISTRICT].first == 2


def test_who_finds_the_race_lost_once_the_heads_are_held_records_nothing(any_store: sa.Engine) -> None:
    class Lost(Exception):
        pass

    def lose() -> None:
        raise Lost

    with pytest.raises(Lost):
        record(any_store, {SUBDISTRICT: drafts(3)}, lose)
    assert check_ledger(any_store, SUBDISTRICT) == 0


def test_a_line_that_is_too_long_records_nothing(any_store: sa.Engine) -> None:
    with pytest.raises(EntryTooLarge, match="Event 1 of"):
        record(any_store, {SUBDISTRICT: [*drafts(2), Draft(uuid4(), 1, "visit.made", b'{"n":"%b"}' % (b"x" * 65_536))]})
    assert check_ledger(any_store, SUBDISTRICT) == 0


def test_a_head_that_was_moved_past_this_store_is_never_committed_over(any_store: sa.Engine) -> None:
    append(Ledgers(any_store), SUBDISTRICT, drafts(2))
    store = Ledgers(any_store)
    prepared = store.prepare({SUBDISTRICT: drafts(1)})

    def work(driver: Any) -> None:
        head = bulk.take_heads(driver, [SUBDISTRICT])[0]
        driver.execute("UPDATE ledgers SET size = 1")
        store._write(driver, SUBDISTRICT, head, prepared)

    with pytest.raises(bulk.HeadMoved), bulk.naming_conflicts(SUBDISTRICT):
        recording(any_store, work)
    assert check_ledger(any_store, SUBDISTRICT) == 2


def test_writers_of_a_sqlite_process_share_commits_and_one_that_fails_fails_alone(sqlite_url: str) -> None:
    engine, stream = open_database(sqlite_url), uuid4()
    append(Ledgers(engine), SUBDISTRICT, drafts(1, stream))
    commits: list[str] = []
    sa.event.listen(engine, "checkout", lambda raw, *_: raw.set_trace_callback(commits.append))

    def write(number: int) -> str:
        try:
            record(engine, {SUBDISTRICT: drafts(1, stream) if number % 4 == 0 else drafts(2)})
        except VersionTaken:
            return "taken"
        return "recorded"

    with ThreadPoolExecutor(12) as pool:
        with writing(engine):  # While somebody writes, the others gather.
            told = [pool.submit(write, number) for number in range(12)]
            while len(engine.together._waiting) < 12:  # type: ignore[attr-defined]
                assert not any(each.done() for each in told)
                time.sleep(0.001)
        assert [each.result() for each in told] == ["taken", "recorded", "recorded", "recorded"] * 3
    assert commits.count("COMMIT") < 6
    assert check_ledger(engine, SUBDISTRICT) == 1 + 9 * 2
    engine.dispose()


def test_a_writer_that_waits_too_long_on_sqlite_is_told_and_the_others_are_not_held_up(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, lock_timeout_s=0.05)
    started, finish = threading.Event(), threading.Event()

    def keep() -> None:
        with writing(engine):
            started.set()
            finish.wait(10)

    keeper = threading.Thread(target=keep)
    keeper.start()
    started.wait(10)
    with ThreadPoolExecutor(3) as pool:
        told = [pool.submit(record, engine, {SUBDISTRICT: drafts(1)}) for _ in range(3)]
        assert [type(each.exception(10)) for each in told] == [Busy] * 3
    finish.set()
    keeper.join()
    assert record(engine, {SUBDISTRICT: drafts(1)})[SUBDISTRICT].first == 0
    engine.dispose()


def test_processes_take_turns_at_a_sqlite_file_and_the_one_that_waits_too_long_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "some.db")
    one, other = turns.Turnstile(path), turns.Turnstile(path)
    one.enter(time.monotonic())
    with pytest.raises(Busy):
        other.enter(time.monotonic() + 0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.enter, time.monotonic() + 60)
        while not _is_held(f"{path}-front"):
            time.sleep(0.001)
        # Whoever leaves comes to stand behind the one that waits inside.
        left: list[bool] = []
        again = pool.submit(lambda: (left.append(True), other.leave()))
        one.leave()
        one.enter(time.monotonic() + 60)
        assert left
        for each in (waiting, again):
            each.result(60)
    one.leave()


def _is_held(path: str) -> bool:
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_commit_of_many_that_fails_is_unknown_to_all_of_them(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(sqlite_url)

    def loses(driver: Any) -> CommitUnknown:
        driver.execute("ROLLBACK")
        return CommitUnknown("lost")

    with monkeypatch.context() as patched:
        patched.setattr(turns, "_committed", loses)
        with ThreadPoolExecutor(3) as pool:
            told = [pool.submit(record, engine, {SUBDISTRICT: drafts(1)}) for _ in range(3)]
            assert [type(each.exception(10)) for each in told] == [CommitUnknown] * 3
    assert check_ledger(engine, SUBDISTRICT) == 0
    assert record(engine, {SUBDISTRICT: drafts(1)})[SUBDISTRICT].first == 0
    engine.dispose()


@pytest.mark.parametrize("after", ["the heads were taken", "everything was sent but COMMIT"])
def test_a_postgresql_connection_that_breaks_is_unknown_only_once_commit_was_sent(fresh_postgres_url: str, after: str) -> None:
    engine, killer = open_database(fresh_postgres_url), open_database(fresh_postgres_url)
    store = Ledgers(engine)
    append(store, SUBDISTRICT, drafts(1))
    prepared = store.prepare({SUBDISTRICT: drafts(2)})

    def kill(driver: Any) -> None:
        with writing(killer) as conn:
            conn.execute(sa.text("SELECT pg_terminate_backend(:victim, 5000)"), {"victim": driver.info.backend_pid})

    def work(driver: Any) -> None:
        early = after == "the heads were taken"
        store.write(driver, prepared, lambda: kill(driver) if early else None)
        if early:
            driver.execute("SELECT 1").fetchone()
        else:
            kill(driver)

    with pytest.raises(sa.exc.OperationalError if after == "the heads were taken" else CommitUnknown):
        recording(engine, work)
    assert check_ledger(killer, SUBDISTRICT) == 1
    assert record(engine, {SUBDISTRICT: drafts(1)})[SUBDISTRICT].first == 1
    engine.dispose()
    killer.dispose()


def test_a_pooled_connection_that_the_server_closed_is_replaced_before_anything_is_sent(fresh_postgres_url: str) -> None:
    engine, killer = open_database(fresh_postgres_url), open_database(fresh_postgres_url)
    with looking(engine) as driver:
        victim = driver.info.backend_pid
    with writing(killer) as conn:
        conn.execute(sa.text("SELECT pg_terminate_backend(:victim, 5000)"), {"victim": victim})
    with reading(engine) as conn:
        assert conn.scalar(sa.text("SELECT pg_backend_pid()")) != victim
    assert record(engine, {SUBDISTRICT: drafts(1)})[SUBDISTRICT].first == 0
    engine.dispose()
    killer.dispose()


def test_a_notice_on_an_idle_connection_does_not_cost_it(fresh_postgres_url: str) -> None:
    engine, other = open_database(fresh_postgres_url), open_database(fresh_postgres_url)
    with looking(engine) as driver:
        pid = driver.info.backend_pid
        driver.execute("LISTEN something")
    with writing(other) as conn:
        conn.execute(sa.text("NOTIFY something"))
    with looking(engine) as driver:
        assert driver.info.backend_pid == pid
    engine.dispose()
    other.dispose()


def test_a_look_leaves_no_transaction_open(database: sa.Engine) -> None:
    with looking(database) as driver:
        driver.execute("SELECT size FROM ledgers").fetchall()
        if is_sqlite(database):
            assert not driver.in_transaction
        else:
            assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with pytest.raises(sa.exc.OperationalError if is_sqlite(database) else psycopg.errors.UndefinedTable), looking(database) as driver:
        driver.execute("SELECT * FROM no_such_table").fetchall()
    assert not databases.is_memory(database)


def test_arrays_are_read_by_postgresql_as_they_were_meant(fresh_postgres_url: str) -> None:
    engine, one = open_database(fresh_postgres_url), uuid4()
    with looking(engine) as driver:
        uuids, numbers = Uuids(array_of(UUID_OID, [one.bytes, None])), Ints(array_of(INT4_OID, [(-5).to_bytes(4, "big", signed=True)]))
        assert driver.execute("SELECT %b::uuid[], %b::int4[]", (uuids, numbers)).fetchone() == ([one, None], [-5])
    engine.dispose()


def test_whoever_leads_a_commit_lends_nobody_its_deadline(tmp_path: Path) -> None:
    """SQLite asks for it in the middle of a statement, and would take back everybody's work."""
    engine, asked = open_database(f"sqlite:///{tmp_path}/together.db"), []

    def work(_: Any) -> None:
        time.sleep(0.05)
        asked.append(deadlines.passed())

    deadlines.begin(0.02)
    try:
        recording(engine, work)
    finally:
        deadlines.end()
        engine.dispose()
    assert asked == [False]
