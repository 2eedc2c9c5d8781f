"""How long a request may take. Read by service.admission, which begins and ends them, and asked wherever a request waits.

gunicorn's own timeout watches its process, not its threads: a thread that is stuck in a database or in a slow client would be stuck for
ever. So each request has a deadline, asked before each statement and inside long ones on SQLite (PostgreSQL has its statement timeout);
and a connection that is still open some time after it is cut, which wakes a thread out of any read or write.
"""

import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa

from service.database import Busy, is_sqlite
from service.measures import POOL, POOL_LIMIT

LOOK_S = 0.5
AFTERWARDS = 1.25
"""The connection is cut at so many times the deadline, which leaves the time to say 503."""
STEPS = 200_000
"""SQLite's instructions between two looks at the deadline: some milliseconds."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class OutOfTime(Busy):
    """The request took longer than any may; what it was about to record is not recorded."""


def begin(seconds: float) -> None:
    """The request of this thread has so many seconds from now on."""
    _deadline.set(time.monotonic() + seconds)


def end() -> None:
    """The request is over."""
    _deadline.set(None)


def left(at_most: float) -> float:
    """The seconds that one may wait: at most so many, and not beyond the deadline."""
    until = _deadline.get()
    return at_most if until is None else max(0.0, min(at_most, until - time.monotonic()))


def passed() -> bool:
    """Whether the request's time is over."""
    until = _deadline.get()
    return until is not None and time.monotonic() > until


def check() -> None:
    """OutOfTime where the request's time is over."""
    if passed():
        raise OutOfTime("The request took too long and was given up; nothing more was recorded.")


def watch(engine: sa.Engine) -> sa.Engine:
    """Asks for the deadline before each use of a connection and each statement, and counts the connections in use."""
    sa.event.listen(engine, "before_cursor_execute", _check)
    sa.event.listen(engine, "checkout", _check)
    if is_sqlite(engine):
        sa.event.listen(engine, "checkout", _look_inside)
    pool = engine.pool
    if isinstance(pool, sa.QueuePool):
        sa.event.listen(engine, "checkout", lambda *_: POOL.set(pool.checkedout()))
        sa.event.listen(engine, "checkin", lambda *_: POOL.set(pool.checkedout() - 1))
        POOL_LIMIT.set(pool.size() + max(0, pool._max_overflow))
    return engine


def _look_inside(raw: Any, record: Any, _: Any) -> None:
    """Lets a connection ask for the deadline while it works, from its first use here on."""
    if "deadline" not in record.info:
        record.info["deadline"] = True
        raw.set_progress_handler(passed, STEPS)


def _check(*_: Any) -> None:
    check()


class Cutter:
    """Cuts connections whose request is long past its deadline. One thread of each process, begun with the first request."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.lock = threading.Lock()
        self.open: dict[int, tuple[float, Any]] = {}
        self.thread: threading.Thread | None = None

    def add(self, connection: Any) -> int:
        """A request begins on a connection (a socket, or None where there is none); gives its number."""
        number = id(connection)
        if connection is not None:
            with self.lock:
                self.open[number] = (time.monotonic() + self.seconds, connection)
                if self.thread is None or not self.thread.is_alive():
                    self.thread = threading.Thread(target=self._watch, name="cutter", daemon=True)
                    self.thread.start()
        return number

    def remove(self, number: int) -> None:
        """The request of that number is over."""
        with self.lock:
            self.open.pop(number, None)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            with self.lock:
                late = [number for number, (until, _) in self.open.items() if until < now]
                for number in late:
                    _cut(self.open.pop(number)[1])


def _cut(connection: Any) -> None:
    # Under the lock: a number that is still here belongs to a request that is still running, so nobody has closed the socket.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
