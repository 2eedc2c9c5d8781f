"""Many writers of one ledger, in threads and in processes: gapless, and no follower ever skips a committed event."""

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from uuid import uuid4

import pytest
import sqlalchemy as sa

from projections.recorded import read_line
from service.database import is_sqlite, open_database, reading, writing
from service.ledger.store import Ledgers, VersionTaken
from tests.ledger.cast import NEIGHBOUR, SUBDISTRICT, append, check_ledger, drafts

WRITERS, WRITES, WRITES_OF_PROCESS = 6, 15, 60
PROCESSES = multiprocessing.get_context("spawn")


def write_much(url: str, together: Any) -> None:
    """What one process does, at the same time as the others: appends of different sizes to one ledger."""
    engine = open_database(url, lock_timeout_s=30)
    together.wait(60)
    for number in range(WRITES_OF_PROCESS):
        append(Ledgers(engine), SUBDISTRICT, drafts(1 + number % 4))
    engine.dispose()


class Follower(threading.Thread):
    """Reads one ledger from where it stands, over and over, and notes every position it was given."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(daemon=True)
        self.store = Ledgers(engine)
        self.seen: list[int] = []
        self.finish = threading.Event()

    def run(self) -> None:
        while True:
            last_round = self.finish.is_set()
            with reading(self.store.engine) as conn:
                lines = self.store.lines(conn, SUBDISTRICT, len(self.seen), 50)
            self.seen.extend(read_line(line).position for line in lines)
            if not lines and last_round:
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it after one last look."""
        self.finish.set()
        self.join(timeout=60)


def test_threads_that_write_one_ledger_leave_no_gap_and_a_follower_skips_nothing(any_store: sa.Engine) -> None:
    with Follower(any_store) as follower, ThreadPoolExecutor(WRITERS) as pool:
        firsts = list(pool.map(lambda number: append(Ledgers(any_store), SUBDISTRICT, drafts(1 + number % 5)), range(WRITERS * WRITES)))
    size = check_ledger(any_store, SUBDISTRICT)
    assert size == sum(appended.size - appended.first for appended in firsts)
    assert follower.seen == list(range(size))


def test_processes_that_write_one_ledger_leave_no_gap_and_a_follower_skips_nothing(database_url: str) -> None:
    engine = open_database(database_url)
    together = PROCESSES.Barrier(3)
    processes = [PROCESSES.Process(target=write_much, args=(database_url, together)) for _ in range(2)]
    with Follower(engine) as follower:
        for process in processes:
            process.start()
        write_much(database_url, together)
        for process in processes:
            process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert check_ledger(engine, SUBDISTRICT) == 3 * sum(1 + number % 4 for number in range(WRITES_OF_PROCESS))
    assert follower.seen == list(range(check_ledger(engine, SUBDISTRICT)))
    engine.dispose()


def test_first_writers_of_a_new_ledger_make_one_head_between_them(any_store: sa.Engine) -> None:
    for number in range(5):
        ledger = f"{number:09d}"
        together = threading.Barrier(4)

        def first(_: int, ledger: str = ledger, together: threading.Barrier = together) -> int:
            together.wait()
            return append(Ledgers(any_store), ledger, drafts(2)).first

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(first, range(4))) == [0, 2, 4, 6]
        assert check_ledger(any_store, ledger) == 8


def test_a_writer_that_stalls_inside_its_transaction_cannot_make_a_follower_skip_its_events(database: sa.Engine) -> None:
    """The commonest fault of event stores: a later position is seen, followed past, and then an earlier one commits."""
    store = Ledgers(database)
    append(store, SUBDISTRICT, drafts(1))
    with Follower(database) as follower, ThreadPoolExecutor(1) as pool:
        with writing(database) as conn:
            stalled = store.append(conn, SUBDISTRICT, drafts(3))
            behind = pool.submit(append, store, SUBDISTRICT, drafts(2))
            _wait_until(lambda: behind.running() and follower.seen == [0] and _somebody_waits(database))
        assert (stalled.first, behind.result(timeout=30).first) == (1, 4)
    assert follower.seen == list(range(6))
    assert check_ledger(database, SUBDISTRICT) == 6


def test_a_writer_that_stalls_and_then_fails_leaves_no_gap(database: sa.Engine) -> None:
    store = Ledgers(database)

    def stall_and_fail(behind: list[Any], pool: ThreadPoolExecutor) -> None:
        with writing(database) as conn:
            store.append(conn, SUBDISTRICT, drafts(3))
            behind.append(pool.submit(append, store, SUBDISTRICT, drafts(2)))
            raise InterruptedError

    behind: list[Any] = []
    with ThreadPoolExecutor(1) as pool, pytest.raises(InterruptedError):
        stall_and_fail(behind, pool)
    assert behind[0].result(timeout=30).first == 0
    assert check_ledger(database, SUBDISTRICT) == 2


def test_two_ledgers_do_not_wait_for_each_other(fresh_postgres_url: str) -> None:
    """On PostgreSQL. SQLite has one writer at a time whatever it writes, which is why it serves small cities only."""
    engine = open_database(fresh_postgres_url, lock_timeout_s=0.2)
    store = Ledgers(engine)
    with writing(engine) as conn:
        store.append(conn, SUBDISTRICT, drafts(1))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(append, store, NEIGHBOUR, drafts(2)).result(timeout=30).size == 2
    assert (check_ledger(engine, SUBDISTRICT), check_ledger(engine, NEIGHBOUR)) == (1, 2)
    engine.dispose()


def test_writers_of_several_ledgers_take_them_in_one_order_and_do_not_deadlock(any_store: sa.Engine) -> None:
    store = Ledgers(any_store)

    def both(number: int) -> None:
        order = [SUBDISTRICT, NEIGHBOUR] if number % 2 else [NEIGHBOUR, SUBDISTRICT]
        with writing(any_store) as conn:
            store.append_all(conn, {ledger: drafts(2) for ledger in order})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(both, range(40)))
    assert (check_ledger(any_store, SUBDISTRICT), check_ledger(any_store, NEIGHBOUR)) == (80, 80)


def test_the_first_writers_of_two_new_ledgers_do_not_deadlock_either(any_store: sa.Engine) -> None:
    store, together = Ledgers(any_store), threading.Barrier(4)

    def writer(_: int) -> None:
        for round_ in range(30):
            together.wait(60)
            for _ in range(3):
                with writing(any_store) as conn:
                    store.append_all(conn, {f"411502{side}{round_:02}": drafts(1) for side in "12"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(writer, range(4)))
    with reading(any_store) as conn:
        assert set(store.ledgers(conn).values()) == {12}


def test_of_two_who_record_the_same_version_one_is_told_and_nothing_of_his_stays(any_store: sa.Engine) -> None:
    store = Ledgers(any_store)
    for _ in range(10):
        stream, together = uuid4(), threading.Barrier(3)

        def record(_: int, stream: Any = stream, together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                append(store, SUBDISTRICT, drafts(1) + drafts(1, stream))
            except VersionTaken:
                return False
            return True

        with ThreadPoolExecutor(3) as pool:
            assert sorted(pool.map(record, range(3))) == [False, False, True]
    assert check_ledger(any_store, SUBDISTRICT) == 20


def _somebody_waits(engine: sa.Engine) -> bool:
    """Whether a writer stands waiting for the head. On SQLite it queues before it has a connection, which nothing shows."""
    if is_sqlite(engine):
        return True
    with reading(engine) as conn:
        return conn.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one() > 0


def _wait_until(holds: Any, most: float = 30) -> None:
    deadline = time.monotonic() + most
    while not holds():
        assert time.monotonic() < deadline, "this never came to hold"
        time.sleep(0.005)
