"""The engine: brings every read model up to the end of every ledger, exactly once, by folding. Read by the service and the command line.

One turn takes one transaction: it locks where the read models of some ledgers stand, reads the next events once for all of them, loads
the touched rows, folds in memory, writes the rows in bulk and moves the positions on (``turn.py``). So a crash leaves rows and positions
together where they were, and several engines share the work by the row locks. Rebuilding is the same fold beside it (``rebuilding.py``).

An event that a fold, or the database, cannot take parks that read model in that ledger at that event: the events before it are kept,
the position and the error stand in ``progress``, and nothing else stops. ``resume`` lets it go on after the fix.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.clock import Clock, system_clock, utc_text
from projections import READ_MODELS
from projections.model import ReadModel, fold_lines, read_model
from projections.rows import digest, digest_of_rows
from projections.standing import Standing, standings
from projections.tables import PROGRESS
from projections.turn import Reader, Target, begin, fold_stretches, lock_stands, move_on, set_for_a_turn, stretches_of, without_collector

__all__ = ["Follower", "ReadModel", "Reader", "Standing", "digest", "digest_of_rows", "fold_lines"]

log = logging.getLogger(__name__)

P = PROGRESS.c
TURN = 2500
"""Events folded in one transaction, about: enough that statements cost little each, few enough that memory stays flat."""
MOST_LEDGERS = 256
"""Ledgers of one turn, at most."""
LOOK_AGAIN_S = 5.0
"""An idle engine compares the sizes of the ledgers with those at which it had nothing left to do, and looks closer this often."""

Transactions = Callable[[sa.Engine], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Behind:
    """A ledger that some target has not folded whole. new: some target has never begun there."""

    ledger: str
    position: int
    size: int
    new: bool


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
        self.targets = {name: Target(name, model) for name, model in models.items()}

    # ---- following

    def catch_up(self, ledger: str | None = None, models: Collection[str] | None = None) -> int:
        """Folds all that is recorded and not folded yet; gives the number of events read.

        Who names a ledger waits for an engine that is at work there, so that afterwards what was recorded before the call
        is folded. Otherwise what another engine has taken is left to it.
        """
        targets = {name: self.targets[name] for name in (models if models is not None else self.targets)}
        read = 0
        while done := self._go_round(targets, ledger):
            read += done
        return read

    def _go_round(self, targets: Mapping[str, Target], ledger: str | None = None) -> int:
        """Every ledger has its turn before any has another, so that a busy one keeps nobody waiting. Gives the events read."""
        behind = self._behind(targets, ledger)
        return sum(self._take_turn(some, targets, wait=ledger is not None) for some in self._portions(behind))

    def run(self, stop: threading.Event, poll_s: float = 0.2) -> None:
        """Follows until told to stop. A database that is away is waited for, longer each time.

        Between rounds it waits poll_s, unless there was a whole turn's work: a statement costs the same for one event and for many, so
        few events at a time would cost the processor that the uploads need.
        """
        pause, done_at, looked = poll_s, None, 0.0
        while not stop.is_set():
            try:
                sizes, read = self._sizes(), 0
                if sizes != done_at or time.monotonic() >= looked + LOOK_AGAIN_S:
                    read, looked = self._go_round(self.targets), time.monotonic()
                    done_at = sizes if read == 0 else None
                pause = poll_s
            except Exception:
                # The engine must outlive whatever the database does; each turn is rolled back as a whole, so going on is safe.
                log.exception("the engine could not take a turn; it tries again")
                read, done_at, pause = 0, None, min(max(pause, 0.1) * 2, 30.0)
            if read < self.turn:
                stop.wait(pause)

    def _sizes(self) -> dict[str, int]:
        with self.reading(self.database) as conn:
            return self.reader.ledgers(conn)

    def _behind(self, targets: Collection[str], wanted: str | None = None) -> list[Behind]:
        """Ledgers in which some target is behind: two small statements, whatever the history's length."""
        moving = sa.func.min(sa.case((P.parked_position.is_(None), P.position)))
        query = sa.select(P.ledger, sa.func.count(), moving).where(P.read_model.in_(list(targets))).group_by(P.ledger)
        if wanted is not None:
            query = query.where(P.ledger == wanted)
        with self.reading(self.database) as conn:
            sizes = self.reader.ledgers(conn)
            stands = {ledger: (count, position) for ledger, count, position in conn.execute(query)}
        found = []
        for ledger, size in sorted(sizes.items()):
            count, position = stands.get(ledger, (0, 0))
            new = count < len(targets)
            if (wanted is None or ledger == wanted) and (new or (position is not None and position < size)):
                found.append(Behind(ledger, 0 if new or position is None else position, size, new))
        return found

    def _portions(self, behind: Iterable[Behind]) -> Iterator[list[Behind]]:
        """Ledgers for one turn each: many that have little, or one that has much."""
        some: list[Behind] = []
        events = 0
        for each in behind:
            some.append(each)
            events += each.size - each.position
            if events >= self.turn or len(some) >= MOST_LEDGERS:
                yield some
                some, events = [], 0
        if some:
            yield some

    def _take_turn(self, behind: list[Behind], targets: Mapping[str, Target], *, wait: bool) -> int:
        """One transaction: a stretch of each of these ledgers."""
        with without_collector(), self.writing(self.database) as conn:
            set_for_a_turn(conn)
            new = [each.ledger for each in behind if each.new]
            if new:
                begin(conn, new, targets)
            sizes = {each.ledger: each.size for each in behind}
            stands = lock_stands(conn, sizes, targets, wait=wait)
            read = fold_stretches(conn, self.reader, stretches_of(stands, sizes, self.turn))
            self._move_on(conn, stands)
            return read

    def _move_on(self, conn: sa.Connection, stands: Iterable[Any]) -> None:
        move_on(conn, stands, utc_text(self.clock()))

    # ---- what operators ask

    def resume(self, model: str, ledger: str) -> None:
        """Lets a parked read model go on from the event at which it was parked."""
        with self.writing(self.database) as conn:
            here = sa.update(PROGRESS).where(P.ledger == ledger, P.read_model == self.targets[model].name)
            conn.execute(here.values(parked_position=None, parked_error=None, parked_at=None))

    def status(self) -> list[Standing]:
        """How far each read model has come in each ledger."""
        with self.reading(self.database) as conn:
            return standings(conn, self.reader, list(self.targets), self.clock())

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
        """Folds a read model anew from the first event, beside the live rows, and puts right what differs. Gives the events read."""
        return self.rebuild_all(ledger, [model])

    def rebuild_all(self, ledger: str | None = None, models: Collection[str] | None = None) -> int:
        """As rebuild, for all read models, or those named, in one pass over the history: each event is read and decoded once."""
        from projections.rebuilding import rebuild

        return rebuild(self, [self.targets[name] for name in (models if models is not None else self.targets)], ledger)

    def digest(self, conn: sa.Connection, model: str, ledger: str) -> str:
        """SHA-256 over a read model's rows of one ledger."""
        return digest(conn, read_model(self.targets[model].model), ledger)
