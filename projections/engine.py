"""The engine: brings every read model up to the end of every ledger, exactly once, by folding. Read by the service and the command line.

One turn takes one transaction: it locks where each read model stands, reads the next events once for all of them, loads the touched
rows, folds in memory, writes the rows in bulk and moves the position on. So a crash leaves rows and position together where they were, and
several engines share the work by the row locks. Rebuilding is the same turn with another table (``rebuilding.py``).

An event that a fold, or the database, cannot take parks that read model in that ledger at that event: the events before it are kept,
the position and the error stand in ``progress``, and nothing else stops. ``resume`` lets it go on after the fix.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from domain.clock import Clock, parse_utc, system_clock, utc_text
from projections import READ_MODELS
from projections.model import ReadModel, fold_into, fold_lines, read_model, touched
from projections.recorded import Recorded, read_line
from projections.rows import digest, digest_of_rows, table_rows
from projections.tables import PROGRESS

__all__ = ["Follower", "ReadModel", "Reader", "Standing", "digest", "digest_of_rows", "fold_lines"]

log = logging.getLogger(__name__)

P = PROGRESS.c
TURN = 2000
"""Events folded in one transaction, at most: enough that statements cost little each, few enough that memory stays flat."""

WORLD_FAULTS = (sa.exc.OperationalError, sa.exc.InternalError, MemoryError)
"""Failures that say nothing about the event: the turn is rolled back and tried again, and nothing is parked."""
WORLD_STATES = frozenset({"42P01", "42703", "42501"})
"""SQLSTATEs that do not either: a table or column is not there yet, or a privilege."""

Transactions = Callable[[sa.Engine], AbstractContextManager[sa.Connection]]


class Reader(Protocol):
    """What the engine asks of the ledger store."""

    def ledgers(self, conn: sa.Connection) -> dict[str, int]:
        """Size of every ledger by name."""

    def lines(self, conn: sa.Connection, ledger: str, start: int, limit: int) -> list[bytes]:
        """Lines from a position on, in order."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a read model has come in a ledger. waiting_since: when the oldest event that it has not folded was recorded."""

    ledger: str
    read_model: str
    position: int
    size: int
    waiting_since: str | None = None
    seconds_behind: float = 0.0
    parked_position: int | None = None
    parked_error: str | None = None
    parked_at: str | None = None

    @property
    def behind(self) -> int:
        """Events recorded and not yet folded."""
        return max(0, self.size - self.position)


@dataclass(frozen=True, slots=True)
class Target:
    """A read model and the table that it is folded into. name: under which its position is kept."""

    name: str
    model: ReadModel
    table: str


@dataclass(slots=True)
class Stand:
    """Where a target stands in the course of a turn."""

    target: Target
    position: int
    parked: str | None = None


class Follower:
    """Keeps the read models of one database. Holds no state beside its settings: several may work at once, in threads and in processes."""

    def __init__(
        self,
        database: sa.Engine,
        reader: Reader,
        models: Mapping[str, Any] = READ_MODELS,
        *,
        writing: Transactions,
        reading: Transactions | None = None,
        clock: Clock = system_clock,
        turn: int = TURN,
    ) -> None:
        self.database = database
        self.reader = reader
        self.writing = writing
        self.reading = reading or writing
        self.clock = clock
        self.turn = turn
        self.targets = {name: Target(name, model, model.TABLE.name) for name, model in models.items()}

    # ---- following

    def catch_up(self, ledger: str | None = None, models: Collection[str] | None = None) -> int:
        """Folds all that is recorded and not folded yet; gives the number of events read.

        Who names a ledger waits for an engine that is at work there, so that afterwards what was recorded before the call
        is folded. Otherwise what another engine has taken is left to it.
        """
        targets = [self.targets[name] for name in (models if models is not None else self.targets)]
        wanted = set([ledger] if ledger is not None else [])
        read = 0
        while behind := self._behind(targets, wanted):
            done = self._take_turn(behind, targets, wait=ledger is not None)
            read += done
            if done == 0:
                break
        return read

    def run(self, stop: threading.Event, poll_s: float = 0.2) -> None:
        """Follows until told to stop. A database that is away is waited for, longer each time."""
        pause = poll_s
        while not stop.is_set():
            try:
                idle = self.catch_up() == 0
                pause = poll_s
            except Exception:
                # The engine must outlive whatever the database does; each turn is rolled back as a whole, so going on is safe.
                log.exception("the engine could not take a turn; it tries again")
                idle, pause = True, min(max(pause, 0.1) * 2, 30.0)
            if idle:
                stop.wait(pause)

    def _behind(self, targets: Iterable[Target], wanted: Collection[str] = ()) -> dict[str, int]:
        """Ledgers, with their sizes, in which some target is behind: two small statements, whatever the history's length."""
        names = [target.name for target in targets]
        moving = sa.func.min(sa.case((P.parked_position.is_(None), P.position)))
        query = sa.select(P.ledger, sa.func.count(), moving).where(P.read_model.in_(names)).group_by(P.ledger)
        with self.reading(self.database) as conn:
            sizes = self.reader.ledgers(conn)
            stands = {ledger: (count, position) for ledger, count, position in conn.execute(query)}
        found = {}
        for ledger, size in sizes.items():
            count, position = stands.get(ledger, (0, None))
            if (not wanted or ledger in wanted) and (count < len(names) or (position is not None and position < size)):
                found[ledger] = size
        return found

    def _take_turn(self, behind: Mapping[str, int], targets: list[Target], *, wait: bool) -> int:
        """One transaction: ledgers that are behind, one after the other, until enough events were read. One order for all: no deadlock."""
        read = 0
        with self.writing(self.database) as conn:
            if conn.dialect.name == "postgresql":
                # Read models are derived: a commit that a crash loses takes rows and position with it, and is folded again.
                conn.exec_driver_sql("SET LOCAL synchronous_commit = off")
            for ledger in sorted(behind):
                begin(conn, ledger, [target.name for target in targets])
                read += self.advance(conn, ledger, behind[ledger], targets, wait=wait)
                if read >= self.turn:
                    break
        return read

    def advance(self, conn: sa.Connection, ledger: str, size: int, targets: list[Target], *, wait: bool, limit: int | None = None) -> int:
        """Moves the targets of one ledger on inside the caller's transaction; gives the number of events read.

        Targets that stand within one stretch of events share its reading and decoding; those further on get a stretch of their own.
        """
        stands = sorted(self._locked(conn, ledger, size, targets, wait=wait), key=lambda stand: stand.position)
        read = 0
        while stands:
            lines = self.reader.lines(conn, ledger, stands[0].position, limit or self.turn)
            if not lines:
                break
            last = stands[0].position + len(lines)
            together = [stand for stand in stands if stand.position < last]
            self._fold_stretch(conn, ledger, stands[0].position, lines, together)
            read += len(lines)
            stands = stands[len(together) :]
        return read

    def _locked(self, conn: sa.Connection, ledger: str, size: int, targets: list[Target], *, wait: bool) -> list[Stand]:
        by_name = {target.name: target for target in targets}
        query = (
            sa.select(P.read_model, P.position)
            .where(P.ledger == ledger, P.read_model.in_(list(by_name)), P.parked_position.is_(None), P.position < size)
            .order_by(P.read_model)
            .with_for_update(skip_locked=not wait)
        )
        return [Stand(by_name[name], position) for name, position in conn.execute(query)]

    def _fold_stretch(self, conn: sa.Connection, ledger: str, start: int, lines: list[bytes], stands: list[Stand]) -> None:
        events, broken = decode(ledger, start, lines)
        for stand in stands:
            topics, here = stand.target.model.TOPICS, stand.position
            self._fold(conn, ledger, stand, [event for event in events if event.topic in topics and event.position >= here])
            if stand.parked is None:
                stand.position = max(stand.position, start + len(events))
                stand.parked = broken
        self._move_on(conn, ledger, stands)

    def _fold(self, conn: sa.Connection, ledger: str, stand: Stand, events: list[Recorded]) -> None:
        """Folds and writes; where that fails, again by halves, so that the events before the one that cannot be taken are kept."""
        if not events or stand.parked is not None:
            return
        try:
            with conn.begin_nested():
                target = stand.target
                table = table_rows(target.table, conn.dialect.name)
                rows = table.load(conn, ledger, touched(target.model, events))
                table.write(conn, ledger, fold_into(target.model, rows, events))
        except Exception as wrong:
            if _is_the_worlds(wrong):
                raise
            if len(events) > 1:
                middle = len(events) // 2
                self._fold(conn, ledger, stand, events[:middle])
                self._fold(conn, ledger, stand, events[middle:])
                return
            stand.position, stand.parked = events[0].position, _told(wrong)
            log.error("%s is parked at position %s of ledger %s: %s", stand.target.name, stand.position, ledger, stand.parked)

    def _move_on(self, conn: sa.Connection, ledger: str, stands: list[Stand]) -> None:
        """Positions that are equal, the usual case, take one statement."""
        moved: dict[tuple[int, str | None], list[str]] = {}
        for stand in stands:
            moved.setdefault((stand.position, stand.parked), []).append(stand.target.name)
        for (position, error), names in moved.items():
            values: dict[str, Any] = {"position": position}
            if error is not None:
                values |= {"parked_position": position, "parked_error": error, "parked_at": utc_text(self.clock())}
            conn.execute(sa.update(PROGRESS).where(P.ledger == ledger, P.read_model.in_(names)).values(values))

    # ---- what operators ask

    def resume(self, model: str, ledger: str) -> None:
        """Lets a parked read model go on from the event at which it was parked."""
        with self.writing(self.database) as conn:
            here = sa.update(PROGRESS).where(P.ledger == ledger, P.read_model == self.targets[model].name)
            conn.execute(here.values(parked_position=None, parked_error=None, parked_at=None))

    def status(self) -> list[Standing]:
        """How far each read model has come in each ledger."""
        now = self.clock()
        with self.reading(self.database) as conn:
            sizes = self.reader.ledgers(conn)
            known = {(row.ledger, row.read_model): row for row in conn.execute(sa.select(PROGRESS))}
            since = cache(partial(self._recorded_at, conn))
            return [
                _standing(ledger, name, size, known.get((ledger, name)), since, now)
                for ledger, size in sorted(sizes.items())
                for name in self.targets
            ]

    def _recorded_at(self, conn: sa.Connection, ledger: str, position: int) -> str | None:
        events, _ = decode(ledger, position, self.reader.lines(conn, ledger, position, 1))
        return events[0].recorded_at if events else None

    def wait_for(self, ledger: str, model: str, position: int, timeout_s: float) -> bool:
        """Waits until the event at a position of a ledger is folded. False when the time is over, or where the read model is parked."""
        query = sa.select(P.position, P.parked_position).where(P.ledger == ledger, P.read_model == model)
        until, pause = time.monotonic() + timeout_s, 0.005
        while True:
            with self.reading(self.database) as conn:
                row = conn.execute(query).first()
            if row is not None and row.position > position:
                return True
            left = until - time.monotonic()
            if left <= 0 or (row is not None and row.parked_position is not None):
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 2, 0.1)

    def rebuild(self, model: str, ledger: str | None = None) -> int:
        """Folds a read model anew from the first event, beside the live table, and swaps it in. Gives the number of events read."""
        from projections.rebuilding import rebuild

        return rebuild(self, self.targets[model], ledger)

    def digest(self, conn: sa.Connection, model: str, ledger: str) -> str:
        """SHA-256 over a read model's rows of one ledger."""
        return digest(conn, read_model(self.targets[model].model), ledger)


def _is_the_worlds(wrong: Exception) -> bool:
    """Whether a failure says nothing about the event. The driver's own refusal of a value is the event's, whatever class it has."""
    if isinstance(wrong, sa.exc.DBAPIError) and (wrong.connection_invalidated or getattr(wrong.orig, "sqlstate", None) in WORLD_STATES):
        return True
    return isinstance(wrong, WORLD_FAULTS)


def _told(wrong: Exception) -> str:
    """The error as one short text. A statement's parameters are left out: they hold everybody's rows."""
    cause = wrong.orig if isinstance(wrong, sa.exc.DBAPIError) and wrong.orig is not None else wrong
    return f"{type(cause).__name__}: {cause}".replace("\x00", "")[:500]


def _standing(ledger: str, name: str, size: int, row: Any, since: Callable[[str, int], str | None], now: datetime) -> Standing:
    """row: of progress, or None where the read model has not begun there. since: when the event at a position was recorded."""
    position = row.position if row is not None else 0
    waiting = since(ledger, position) if position < size else None
    seconds = 0.0 if waiting is None else max(0.0, (now - parse_utc(waiting)).total_seconds())
    parked = (row.parked_position, row.parked_error, row.parked_at) if row is not None else ()
    return Standing(ledger, name, position, size, waiting, seconds, *parked)


def begin(conn: sa.Connection, ledger: str, names: Iterable[str]) -> None:
    """Makes the rows that keep the positions, where a ledger or a read model is new."""
    known = set(conn.scalars(sa.select(P.read_model).where(P.ledger == ledger)))
    missing = sorted(set(names) - known)
    if missing:
        insert = sqlite_dialect.insert if conn.dialect.name == "sqlite" else postgresql.insert
        rows = [{"ledger": ledger, "read_model": name, "position": 0} for name in missing]
        conn.execute(insert(PROGRESS).on_conflict_do_nothing(), rows)


def decode(ledger: str, start: int, lines: Iterable[bytes]) -> tuple[list[Recorded], str | None]:
    """The events of a stretch of lines, and what is wrong with the line after them, if one is no event of this place.

    RuntimeError where a line stands at another position than it says: to go on would skip events for ever.
    """
    events: list[Recorded] = []
    for position, line in enumerate(lines, start):
        try:
            event = read_line(line)
        except ValueError as wrong:
            return events, _told(wrong)
        if event.position != position or event.ledger != ledger:
            raise RuntimeError(f"the line at {position} of ledger {ledger} says that it is {event.position} of {event.ledger}")
        events.append(event)
    return events, None
