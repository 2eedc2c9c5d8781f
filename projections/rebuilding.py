"""Rebuilding read models beside the live ones: one fold of the history, then what differs is put right. Read by the engine.

The history of a ledger is read and decoded once for all read models, and folded into rows that stand in memory and, beyond a bound, in a
private scratch file; the database is only read. Then the rows are compared with the live ones at the position that both have reached, and
one transaction holds the live read models, folds what was recorded meanwhile, writes the rows that differ or have changed since, and sets
the positions. Readers see the live rows until it commits; a crash before leaves them as they were, and nothing to clear away.

So the cost of writing is that of the difference. A read model of which nothing is right is written whole.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from projections.rebuilt import Rebuilt, Scratch
from projections.tables import PROGRESS
from projections.turn import Stand, Target, begin, decode, dispatch, is_the_worlds, told, without_collector

if TYPE_CHECKING:
    from projections.engine import Follower

P = PROGRESS.c
STRETCH = 4000
"""Events read at once."""
PIECE = 500
"""Events decoded and folded at once, so that little is held beside the rows."""
CLOSE = 2000
"""Events that may be left to fold while the live read models are held."""

FEW_PAGES = -4096
"""SQLite's page cache while a rebuild looks, in KiB below zero."""


class RebuildParked(Exception):
    """The rebuild met an event that a read model cannot fold. That one's live rows are as they were; all others are rebuilt."""


def rebuild(follower: "Follower", targets: Sequence[Target], ledger: str | None) -> int:
    """Rebuilds one ledger's part of some read models, or all parts one after the other. Gives the number of events read."""
    with follower.reading(follower.database) as conn:
        names = sorted(follower.reader.ledgers(conn)) if ledger is None else [ledger]
    read, wrong = 0, []
    with without_collector():
        for name in names:
            with Scratch() as scratch:
                one = LedgerRebuild(follower, targets, name, scratch)
                read += one.run()
                wrong += [f"{part.target.name} cannot be rebuilt in ledger {name}: {part.failed}" for part in one.parts if part.failed]
    if wrong:
        raise RebuildParked("; ".join(wrong))
    return read


@contextmanager
def _looking(follower: "Follower") -> Iterator[sa.Connection]:
    """A look at the database that leaves the memory to the rows: history is walked once, so SQLite has no use for many pages."""
    with follower.reading(follower.database) as conn:
        if conn.dialect.name != "sqlite":
            yield conn
            return
        pages = conn.exec_driver_sql("PRAGMA cache_size").scalar_one()
        conn.exec_driver_sql(f"PRAGMA cache_size = {FEW_PAGES}")
        try:
            yield conn
        finally:
            conn.exec_driver_sql(f"PRAGMA cache_size = {pages}")


class LedgerRebuild:
    """The rebuild of some read models in one ledger."""

    def __init__(self, follower: "Follower", targets: Sequence[Target], ledger: str, scratch: Scratch) -> None:
        self.follower = follower
        self.ledger = ledger
        self.parts = [Rebuilt(target, ledger, follower.database.dialect.name, scratch) for target in targets]
        self.position = 0

    def run(self) -> int:
        """Gives the number of events read."""
        follower = self.follower
        if self._left() == 0:
            return 0
        while (reached := self._reached()) - self.position > CLOSE:
            self._fold_in_a_look(reached)
        with _looking(follower) as conn:
            live = self._stands(conn)
            # In one moment of the database: the live rows are those at exactly this position, where the read model stands at it.
            self._fold_up_to(conn, max(live.values(), default=0))
            for part in self.parts:
                part.compare(conn, exact=live.get(part.target.name) == self.position)
        while (left := self._left()) > CLOSE:
            self._fold_in_a_look(self.position + left)
        with follower.writing(follower.database) as conn:
            self._swap(conn)
        return self.position

    def _left(self) -> int:
        with _looking(self.follower) as conn:
            return self._size(conn) - self.position

    def _size(self, conn: sa.Connection) -> int:
        return self.follower.reader.ledgers(conn).get(self.ledger, 0)

    def _reached(self) -> int:
        """The position of the live read model that is furthest."""
        with _looking(self.follower) as conn:
            return max(self._stands(conn).values(), default=0)

    def _fold_in_a_look(self, end: int) -> None:
        """One transaction for one stretch, so that none is long."""
        with _looking(self.follower) as conn:
            self._fold_up_to(conn, min(end, self.position + STRETCH))

    def _fold_up_to(self, conn: sa.Connection, end: int) -> None:
        """Folds until a position or the end of the ledger. A read model that cannot fold an event is left out from there on."""
        while self.position < end:
            (lines,) = self.follower.reader.stretches(conn, [(self.ledger, self.position, min(end, self.position + STRETCH))])
            if not lines:
                return
            for start in range(0, len(lines), PIECE):
                self._fold(lines[start : start + PIECE])

    def _fold(self, lines: list[bytes]) -> None:
        events, broken = decode(self.ledger, self.position, lines)
        if broken is not None:
            raise RebuildParked(f"the line at position {self.position + len(events)} of ledger {self.ledger} is no event: {broken}")
        parts = {part.target.name: part for part in self.parts if part.failed is None}
        for stand, mine in dispatch([Stand(self.ledger, part.target, 0) for part in parts.values()], events):
            parts[stand.target.name].fold(mine)
        self.position += len(lines)

    def _stands(self, conn: sa.Connection, *, hold: bool = False) -> Mapping[str, int]:
        query = sa.select(P.read_model, P.position).where(P.ledger == self.ledger, P.read_model.in_(self._names(self.parts)))
        query = query.order_by(P.read_model)
        return {name: position for name, position in conn.execute(query.with_for_update() if hold else query)}

    def _swap(self, conn: sa.Connection) -> None:
        begin(conn, [self.ledger], self._names(self.parts))
        # From here the live read models stand still until the commit, so the two cannot miss each other.
        live = self._stands(conn, hold=True)
        self._fold_up_to(conn, max(self._size(conn), *live.values()))
        done = [part for part in self.parts if part.failed is None and self._written(conn, part)]
        here = sa.update(PROGRESS).where(P.ledger == self.ledger, P.read_model.in_(self._names(done)))
        conn.execute(here.values(position=self.position, parked_position=None, parked_error=None, parked_at=None))

    def _written(self, conn: sa.Connection, part: Rebuilt) -> bool:
        try:
            with conn.begin_nested():
                part.write(conn)
        except Exception as wrong:
            if is_the_worlds(wrong):
                raise
            part.failed = told(wrong)
        return part.failed is None

    def _names(self, parts: Collection[Any]) -> list[str]:
        return [part.target.name for part in parts]
