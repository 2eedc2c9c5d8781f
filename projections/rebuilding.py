"""Rebuilding a read model beside the live one: the same fold into a second table, then a swap in one transaction. Read by the engine.

Readers keep the live rows until the swap commits. Where the rebuild stands is kept in ``progress`` like any position, so a rebuild that
was cut short is begun anew, and two at once on one ledger share the work.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from projections.tables import METADATA, PROGRESS, rebuild_table

if TYPE_CHECKING:
    from projections.engine import Follower, Target

P = PROGRESS.c
STRETCH = 5000
"""Events folded in one transaction. Nobody waits for a rebuild, so it takes more at once than following does."""
CLOSE = 2000
"""Events that may be left to fold while the live read model is held for the swap."""


class RebuildParked(Exception):
    """The rebuild met an event that it cannot fold. The live read model is as it was."""


def rebuild(follower: "Follower", live: "Target", ledger: str | None) -> int:
    """Rebuilds one ledger's part of a read model, or all parts one after the other. Gives the number of events read."""
    if ledger is not None:
        return _rebuild(follower, live, ledger)
    with follower.reading(follower.database) as conn:
        ledgers = sorted(follower.reader.ledgers(conn))
    return sum(_rebuild(follower, live, each) for each in ledgers)


def _rebuild(follower: "Follower", live: "Target", ledger: str) -> int:
    beside = replace(live, name=f"{live.name}_rebuild", table=rebuild_table(live.model.TABLE).name)
    _begin_anew(follower, live, beside, ledger)
    read = 0
    while True:
        done, swapped = _step(follower, live, beside, ledger)
        read += done
        if swapped:
            return read


def _begin_anew(follower: "Follower", live: "Target", beside: "Target", ledger: str) -> None:
    from projections.engine import begin

    with follower.writing(follower.database) as conn:
        begin(conn, ledger, [beside.name, live.name])
        _held(conn, ledger, beside.name)
        _clear(conn, beside.table, ledger)
        here = sa.update(PROGRESS).where(P.ledger == ledger, P.read_model == beside.name)
        conn.execute(here.values(position=0, parked_position=None, parked_error=None, parked_at=None))


def _step(follower: "Follower", live: "Target", beside: "Target", ledger: str) -> tuple[int, bool]:
    """One transaction: another stretch, or the last one and the swap. True when the swap is done."""
    with follower.writing(follower.database) as conn:
        stand = _held(conn, ledger, beside.name)
        if stand is None:
            return 0, True  # Another rebuild of the same ledger has swapped meanwhile.
        size = follower.reader.ledgers(conn).get(ledger, 0)
        if size - stand > CLOSE:
            done = follower.advance(conn, ledger, size, [beside], wait=True, limit=STRETCH)
            _must_not_be_parked(conn, ledger, beside)
            return done, False
        # From here the live read model stands still until the commit, so the two cannot miss each other.
        reached = _held(conn, ledger, live.name) or 0
        size = max(follower.reader.ledgers(conn).get(ledger, 0), reached)
        done = follower.advance(conn, ledger, size, [beside], wait=True, limit=STRETCH)
        _must_not_be_parked(conn, ledger, beside)
        if (_held(conn, ledger, beside.name) or 0) < reached:
            return done, False
        _swap(conn, live, beside, ledger)
        return done, True


def _held(conn: sa.Connection, ledger: str, name: str) -> int | None:
    """The position of a row of progress, locked."""
    return conn.scalar(sa.select(P.position).where(P.ledger == ledger, P.read_model == name).with_for_update())


def _must_not_be_parked(conn: sa.Connection, ledger: str, beside: "Target") -> None:
    row = conn.execute(sa.select(PROGRESS).where(P.ledger == ledger, P.read_model == beside.name)).one()
    if row.parked_position is not None:
        raise RebuildParked(f"{beside.name} cannot fold position {row.parked_position} of ledger {ledger}: {row.parked_error}")


def _swap(conn: sa.Connection, live: "Target", beside: "Target", ledger: str) -> None:
    table, other = METADATA.tables[live.table], METADATA.tables[beside.table]
    _clear(conn, live.table, ledger)
    names = [column.name for column in table.columns]
    rows = sa.select(*(other.c[name] for name in names)).where(other.c.ledger == ledger)
    conn.execute(sa.insert(table).from_select(names, rows))
    _clear(conn, beside.table, ledger)
    position = sa.select(P.position).where(P.ledger == ledger, P.read_model == beside.name).scalar_subquery()
    here = sa.update(PROGRESS).where(P.ledger == ledger, P.read_model == live.name)
    conn.execute(here.values(position=position, parked_position=None, parked_error=None, parked_at=None))
    conn.execute(sa.delete(PROGRESS).where(P.ledger == ledger, P.read_model == beside.name))


def _clear(conn: sa.Connection, table: str, ledger: str) -> None:
    rows = METADATA.tables[table]
    conn.execute(sa.delete(rows).where(rows.c.ledger == ledger))
