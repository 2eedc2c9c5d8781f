"""Who may write a SQLite database now, and how the writers of one process share a commit. Read by service.database only."""

import contextvars
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

MOST_TOGETHER = 64
"""Pieces of work in one commit: more would make the first of them wait long for the last."""


class Busy(Exception):
    """The database did not give a lock or an answer in time. Nothing was recorded; trying again later is right."""


class CommitUnknown(Exception):
    """The connection broke at COMMIT: whether it was stored is unknown.

    Never try the same write again blindly: look it up by sequence and hash first.
    """


class Turnstile:
    """Lets the writers of several processes to a SQLite file one after another, by locks on a file beside it.

    SQLite's own waiting sleeps up to a tenth of a second, and whoever has just written writes again meanwhile. Here a process waits in
    front of the turnstile, then inside it: who leaves comes to stand behind whoever is inside. It only keeps order; what protects the data
    is SQLite's own lock, so that others may write without coming through here.
    """

    LOOK_S = 0.0002

    def __init__(self, path: str) -> None:
        self.path = path
        self._files: tuple[int, int, int] | None = None

    def enter(self, until: float) -> None:
        """Waits for the turn. Busy where it has not come by then (time.monotonic)."""
        front, inside = self._opened()
        self._wait(front, until)
        try:
            self._wait(inside, until)
        finally:
            fcntl.flock(front, fcntl.LOCK_UN)

    def leave(self) -> None:
        """The turn is over."""
        fcntl.flock(self._opened()[1], fcntl.LOCK_UN)

    def _opened(self) -> tuple[int, int]:
        # A lock belongs to the open file, which a child process would share with its parent: so each process opens its own.
        if self._files is None or self._files[0] != os.getpid():
            front, inside = (os.open(self.path + end, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for end in ("-front", "-turn"))
            self._files = (os.getpid(), front, inside)
        return self._files[1:]

    def _wait(self, file: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Busy("Another process kept the database for too long.") from None
                time.sleep(self.LOOK_S)
            else:
                return


class Turns:
    """Who may use a SQLite database now. Writers of one process queue here, since SQLite's own waiting is by sleeping and unfair.

    In memory there is one connection: readers take their turn as well, and whoever asks again inside a turn shares the open transaction.
    """

    def __init__(self, timeout_s: float, path: str | None = None) -> None:
        self.timeout_s = timeout_s
        self.turnstile = Turnstile(path) if path else None
        self.lock = threading.Lock()
        self.holder: int | None = None
        self.conn: sa.Connection | None = None

    @property
    def mine(self) -> bool:
        return self.holder == threading.get_ident()

    @contextmanager
    def taken(self) -> Iterator[None]:
        if self.mine:
            raise RuntimeError("This thread is writing already: one transaction cannot stand inside another.")
        if not self.lock.acquire(timeout=self.timeout_s):
            raise Busy(f"Another writer kept the database for more than {self.timeout_s} seconds.")
        self.holder = threading.get_ident()
        try:
            with self._turn():
                yield
        finally:
            self.holder = self.conn = None
            self.lock.release()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self.turnstile is None:
            yield
            return
        self.turnstile.enter(time.monotonic() + self.timeout_s)
        try:
            yield
        finally:
            self.turnstile.leave()


class Job:
    """One thread's work. told is set when the work is done, or when its thread is to lead the next commit."""

    __slots__ = ("done", "failed", "result", "told", "work")

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.told = threading.Event()
        self.done = False
        self.result: Any = None
        self.failed: BaseException | None = None

    def end(self, failed: BaseException | None = None) -> None:
        self.failed = failed
        self.done = True
        self.told.set()


class Together:
    """Commits the work of all threads that wait at the same time at once: one write to the disk serves them all.

    The first that comes leads: it begins the transaction, does everybody's work in the order of arrival, each behind a savepoint, commits,
    and only then tells them. What one of them raises is told to that one alone.
    """

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self._door = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._led = False

    def do(self, engine: sa.Engine, work: Callable[[Any], Any]) -> Any:
        """What work(driver) gave, once it is committed."""
        job = Job(work)
        with self._door:
            self._waiting.append(job)
            lead, self._led = not self._led, True
        if not lead:
            job.told.wait()
        if not job.done:
            self._lead(engine, job)
        if job.failed is not None:
            raise job.failed
        return job.result

    def _lead(self, engine: sa.Engine, mine: Job) -> None:
        try:
            with self.turns.taken():
                held = engine.raw_connection()
                try:
                    # Without the leader's own deadline, which SQLite would ask for in the middle of the others' work.
                    contextvars.Context().run(self._commit, held.driver_connection)
                finally:
                    held.close()
        except BaseException as failed:
            if not mine.done:
                mine.end(failed)
        finally:
            self._hand_on(mine)

    def _hand_on(self, mine: Job) -> None:
        with self._door:
            if mine in self._waiting:
                self._waiting.remove(mine)
            following = self._waiting[0] if self._waiting else None
            self._led = following is not None
        if following is not None:
            following.told.set()

    def _commit(self, driver: Any) -> None:
        driver.execute("BEGIN IMMEDIATE")
        with self._door:
            jobs = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
        failed: BaseException | None = RuntimeError("the leader of a commit was interrupted")
        try:
            for job in jobs:
                _do(driver, job)
            failed = _committed(driver)
        except BaseException as broken:
            failed = broken
            raise
        finally:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            for job in jobs:
                if not job.done:
                    job.end(failed)


def _do(driver: Any, job: Job) -> None:
    """Does a job's work in the transaction; what it raises is its own. A fault that ended the whole transaction is raised."""
    driver.execute("SAVEPOINT work")
    try:
        job.result = job.work(driver)
    except Exception as failed:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO work")
        job.end(failed)
    driver.execute("RELEASE work")


def _committed(driver: Any) -> BaseException | None:
    try:
        driver.execute("COMMIT")
    except Exception as lost:
        unknown = CommitUnknown("The commit failed; whether it was stored must be looked up.")
        unknown.__cause__ = lost
        return unknown
    return None
