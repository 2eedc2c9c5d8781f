"""One turn of the engine, inside one transaction: lock, read, fold, write, move on, for several ledgers and read models at once.

What costs per statement is paid per turn and not per ledger: one statement locks the stands of all its ledgers, one reads their events,
one loads and one writes the rows of a read model. All is tried together first. Where that fails, it is tried again by halves, first of the
work, then of one read model's events in one ledger, so that everything before the event that cannot be taken is kept.
"""

import gc
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from projections.model import ReadModel, Rows, fold_into, touched
from projections.recorded import Recorded, read_line
from projections.rows import Changed, sent_together, table_rows
from projections.tables import PROGRESS

log = logging.getLogger(__name__)

P = PROGRESS.c

WORLD_FAULTS = frozenset({"OperationalError", "InternalError", "MemoryError"})
"""Failures, of whichever driver, that say nothing about the event: the turn is rolled back and tried again, and nothing is parked."""
WORLD_STATES = frozenset({"42P01", "42703", "42501"})
"""SQLSTATEs that do not either: a table or column is not there yet, or a privilege."""
TOO_LARGE = "54"
"""Class of the SQLSTATEs of a value beyond a limit, such as a key too long for an index: the event's, whatever the driver says."""


class Reader(Protocol):
    """What the engine asks of the ledger store."""

    def ledgers(self, conn: sa.Connection) -> dict[str, int]:
        """Size of every ledger by name."""

    def lines(self, conn: sa.Connection, ledger: str, start: int, limit: int) -> list[bytes]:
        """Lines from a position on, in order."""

    def stretches(self, conn: sa.Connection, wanted: Sequence[tuple[str, int, int]]) -> list[list[bytes]]:
        """For each (ledger, start, end), the lines start..end-1 that there are, in order."""


@dataclass(frozen=True, slots=True)
class Target:
    """A read model that is followed. name: under which its position is kept."""

    name: str
    model: ReadModel


@dataclass(slots=True)
class Stand:
    """Where a target stands in a ledger in the course of a turn."""

    ledger: str
    target: Target
    position: int
    parked: str | None = None


@dataclass(slots=True)
class Stretch:
    """Events of a ledger that several targets need: read and decoded once for all of them."""

    ledger: str
    start: int
    end: int
    stands: list[Stand] = field(default_factory=list)


Work = tuple[Stand, list[Recorded]]


@contextmanager
def without_collector() -> Iterator[None]:
    """Events and rows hold no cycles, and there are many of them: looking for cycles among them would take a third longer."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def set_for_a_turn(conn: sa.Connection) -> None:
    """Settings of PostgreSQL for one transaction of the engine.

    Read models are derived: a commit that a crash loses takes rows and position with it, and is folded again. And what a turn asks for, it
    asks for by key: a plan that reads a whole table, made while that was small or before it had statistics, would be kept while it grows.
    """
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SELECT set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true)")


def begin(conn: sa.Connection, ledgers: Sequence[str], names: Iterable[str]) -> None:
    """Makes the rows that keep the positions, where a ledger or a read model is new."""
    wanted = sorted(names)
    known = {tuple(row) for row in conn.execute(sa.select(P.ledger, P.read_model).where(P.ledger.in_(ledgers)))}
    missing = [(ledger, name) for ledger in sorted(ledgers) for name in wanted if (ledger, name) not in known]
    if missing:
        insert = sqlite_dialect.insert if conn.dialect.name == "sqlite" else postgresql.insert
        rows = [{"ledger": ledger, "read_model": name, "position": 0} for ledger, name in missing]
        conn.execute(insert(PROGRESS).on_conflict_do_nothing(), rows)


def lock_stands(conn: sa.Connection, sizes: Mapping[str, int], targets: Mapping[str, Target], *, wait: bool) -> list[Stand]:
    """The targets that may move on in these ledgers, locked in one order for all engines: no deadlock."""
    query = (
        sa.select(P.ledger, P.read_model, P.position)
        .where(P.ledger.in_(list(sizes)), P.read_model.in_(list(targets)), P.parked_position.is_(None))
        .order_by(P.ledger, P.read_model)
        .with_for_update(skip_locked=not wait)
    )
    found = (Stand(ledger, targets[name], position) for ledger, name, position in conn.execute(query))
    return [stand for stand in found if stand.position < sizes[stand.ledger]]


def stretches_of(stands: Iterable[Stand], sizes: Mapping[str, int], limit: int) -> list[Stretch]:
    """What has to be read, at most ``limit`` events of a ledger at once. Targets that stand within one stretch share it;
    those further on get one of their own, so that a read model that is far behind holds nobody up."""
    found: list[Stretch] = []
    for stand in sorted(stands, key=lambda stand: (stand.ledger, stand.position)):
        last = found[-1] if found else None
        if last is None or last.ledger != stand.ledger or stand.position >= last.end:
            last = Stretch(stand.ledger, stand.position, min(sizes[stand.ledger], stand.position + limit))
            found.append(last)
        last.stands.append(stand)
    return found


def fold_stretches(conn: sa.Connection, reader: Reader, stretches: Sequence[Stretch]) -> int:
    """Reads, folds and writes; moves the stands on. Gives the number of events read."""
    lines = reader.stretches(conn, [(each.ledger, each.start, each.end) for each in stretches])
    work: list[Work] = []
    reached: list[tuple[Stand, int, str | None]] = []
    for stretch, some in zip(stretches, lines, strict=True):
        events, broken = decode(stretch.ledger, stretch.start, some)
        work += dispatch(stretch.stands, events)
        reached += ((stand, stretch.start + len(events), broken) for stand in stretch.stands)
    take(conn, work)
    for stand, position, broken in reached:
        if stand.parked is None:
            stand.position = max(stand.position, position)
            stand.parked = broken
    return sum(map(len, lines))


def dispatch(stands: Sequence[Stand], events: Sequence[Recorded]) -> Iterator[Work]:
    """Each stand with the events that are for it."""
    lists: list[list[Recorded]] = [[] for _ in stands]
    concerned: dict[str, list[list[Recorded]]] = {}
    for stand, some in zip(stands, lists, strict=True):
        for topic in stand.target.model.TOPICS:
            concerned.setdefault(topic, []).append(some)
    for event in events:
        for some in concerned.get(event.topic, ()):
            some.append(event)
    for stand, some in zip(stands, lists, strict=True):
        if some and some[0].position < stand.position:
            some = [event for event in some if event.position >= stand.position]
        if some:
            yield stand, some


def take(conn: sa.Connection, work: Sequence[Work]) -> None:
    """Folds and writes all of the work; where that fails, again by halves, until the one event that cannot be taken is found."""
    work = [(stand, events) for stand, events in work if stand.parked is None]
    if not work:
        return
    try:
        with conn.begin_nested():
            fold_and_write(conn, work)
    except Exception as wrong:
        if is_the_worlds(wrong):
            raise
        halves = _halves(work)
        if halves:
            for half in halves:
                take(conn, half)
            return
        stand, (event,) = work[0]
        stand.position, stand.parked = event.position, told(wrong)
        log.error("%s is parked at position %s of ledger %s: %s", stand.target.name, stand.position, stand.ledger, stand.parked)


def _halves(work: Sequence[Work]) -> tuple[Sequence[Work], Sequence[Work]] | None:
    middle = len(work) // 2
    if middle:
        return work[:middle], work[middle:]
    stand, events = work[0]
    middle = len(events) // 2
    return ([(stand, events[:middle])], [(stand, events[middle:])]) if middle else None


def fold_and_write(conn: sa.Connection, work: Sequence[Work]) -> None:
    """Loads the rows of all read models first, so that the database writes the one while the next is folded."""
    of_model: dict[str, list[Work]] = {}
    for stand, events in work:
        of_model.setdefault(stand.target.name, []).append((stand, events))
    loaded = []
    for works in of_model.values():
        model = works[0][0].target.model
        table = table_rows(model.TABLE.name, conn.dialect.name)
        wanted = {stand.ledger: touched(model, events) for stand, events in works}
        rows: Mapping[str, Rows] = table.load(conn, wanted) if any(wanted.values()) else {}
        loaded.append((model, table, works, rows))
    with sent_together(conn):
        for model, table, works, rows in loaded:
            changed: Changed = {stand.ledger: fold_into(model, rows.get(stand.ledger, {}), events) for stand, events in works}
            table.write(conn, changed)


def move_on(conn: sa.Connection, stands: Iterable[Stand], now: str) -> None:
    """Keeps where the stands are. Ledgers in which the same targets moved, the usual case, take one statement together."""
    moved: dict[str, dict[int, list[str]]] = {}
    for stand in stands:
        if stand.parked is None:
            moved.setdefault(stand.ledger, {}).setdefault(stand.position, []).append(stand.target.name)
        else:
            here = sa.update(PROGRESS).where(P.ledger == stand.ledger, P.read_model == stand.target.name)
            error = {"parked_position": stand.position, "parked_error": stand.parked, "parked_at": now}
            conn.execute(here.values(position=stand.position, **error))
    together: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for ledger, positions in moved.items():
        for position, names in positions.items():
            together.setdefault(tuple(names), []).append((position, ledger))
    for some, places in together.items():
        _set_positions(conn, some, places)


def _set_positions(conn: sa.Connection, names: Sequence[str], places: Sequence[tuple[int, str]]) -> None:
    """places: (position, ledger)."""
    if conn.dialect.name == "postgresql":
        given = "unnest(CAST(:positions AS int8[]), CAST(:ledgers AS varchar[])) AS k(position, ledger)"
        where = "p.ledger = k.ledger AND p.read_model = ANY(CAST(:names AS varchar[]))"
        positions, ledgers = map(list, zip(*places, strict=True))
        statement = sa.text(f"UPDATE progress AS p SET position = k.position FROM {given} WHERE {where}")
        conn.execute(statement, {"positions": positions, "ledgers": ledgers, "names": list(names)})
    else:
        where = f"ledger = ? AND read_model IN ({', '.join('?' * len(names))})"
        conn.exec_driver_sql(f"UPDATE progress SET position = ? WHERE {where}", [(*place, *names) for place in places])


def decode(ledger: str, start: int, lines: Iterable[bytes]) -> tuple[list[Recorded], str | None]:
    """The events of a stretch of lines, and what is wrong with the line after them, if one is no event of this place.

    RuntimeError where a line stands at another position than it says: to go on would skip events for ever.
    """
    events: list[Recorded] = []
    for position, line in enumerate(lines, start):
        try:
            event = read_line(line)
        except ValueError as wrong:
            return events, told(wrong)
        if event.position != position or event.ledger != ledger:
            raise RuntimeError(f"the line at {position} of ledger {ledger} says that it is {event.position} of {event.ledger}")
        events.append(event)
    return events, None


def is_the_worlds(wrong: Exception) -> bool:
    """Whether a failure says nothing about the event. The driver's own refusal of a value is the event's, whatever class it has."""
    original = getattr(wrong, "orig", None) or wrong
    state = getattr(original, "sqlstate", None) or ""
    if state in WORLD_STATES or getattr(wrong, "connection_invalidated", False):
        return True
    if state.startswith(TOO_LARGE):
        return False
    return not WORLD_FAULTS.isdisjoint(base.__name__ for base in type(wrong).__mro__)


def told(wrong: Exception) -> str:
    """The error as one short text. A statement's parameters are left out: they hold everybody's rows."""
    cause = wrong.orig if isinstance(wrong, sa.exc.DBAPIError) and wrong.orig is not None else wrong
    return f"{type(cause).__name__}: {cause}".replace("\x00", "")[:500]
