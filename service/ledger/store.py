"""The store of recorded lines: appends to ledgers, and reads them back. Read by the sync, the use cases, the engine and the audit.

Writers of one ledger take its head row in turn, for the time of one bulk insert; so positions are gapless, and their order is the order
of the commits: a reader that has seen position p will never see a new event at or below p. Ledgers do not wait for each other.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.clock import Clock, system_clock, utc_text
from projections.recorded import LINE_LIMIT, write_line
from service.ledger import bulk
from service.ledger.bulk import VersionTaken
from service.ledger.stretches import read_stretches
from service.ledger.tables import events, ledgers
from service.ledger.tree import EMPTY_ROOT, Frontier, leaf_hashes

__all__ = ["Appended", "Draft", "EntryTooLarge", "Head", "HistoryBehind", "Ledgers", "VersionTaken", "must_fit"]


class EntryTooLarge(ValueError):
    """An event whose line would be longer than an entry of a ledger may be. Nothing was recorded."""

    def __init__(self, stream: UUID, version: int, size: int) -> None:
        self.stream, self.version, self.size = stream, version, size
        super().__init__(f"Event {version} of {stream} takes {size} bytes; the limit is {LINE_LIMIT}.")


class HistoryBehind(Exception):
    """The database holds less, or something else, than what the service has signed of a ledger. Nothing was recorded."""

    def __init__(self, ledger: str, signed: int, held: int) -> None:
        self.ledger, self.signed, self.held = ledger, signed, held
        super().__init__(
            f"The service has signed {signed} entries of {ledger}, and the database holds {held}, or others: it was restored from a backup "
            "or changed. Nothing is recorded; reading goes on. Bring the right database back, or run: "
            "gridtrail ledger continue --new-incarnation"
        )


@dataclass(slots=True)
class Draft:
    """One event before it has a position. inline: the state was made by write_state, so that it need not be looked at again."""

    stream: UUID
    version: int
    topic: str
    state: bytes
    by_person: UUID | None = None
    tablet: UUID | None = None
    seq: int | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append made of a ledger: its events stand at first..size-1, and root is the tree's."""

    ledger: str
    first: int
    size: int
    root: bytes
    incarnation: str
    recorded_at: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a ledger is. The incarnation changes when a backup is restored, so that tablets send again what was lost."""

    ledger: str
    size: int
    root: bytes
    incarnation: str
    recorded_at: str


class Watch(Protocol):
    """What an append asks before it writes, and tells afterwards: service.audit.watermark."""

    def must_go_on(self, ledger: str, incarnation: str, size: int, stored: bytes) -> None:
        """HistoryBehind where the held head is behind what was signed."""

    def wrote(self, appended: Appended, stored: bytes) -> None:
        """The frontier that was stored, whose root the append knows."""


NO_PLACE, NO_TIME = b'{"ledger":"","position":0', b',"recorded_at":""'
"""What write_line writes for a line without a position and a time."""

LONGEST_POSITION, LENGTH_OF_TIME = 15, 24

HEADS = sa.select(ledgers.c.ledger, ledgers.c.size, ledgers.c.root, ledgers.c.incarnation, ledgers.c.recorded_at).order_by(ledgers.c.ledger)
ONE_HEAD = HEADS.where(ledgers.c.ledger == sa.bindparam("ledger"))
SIZES = sa.select(ledgers.c.ledger, ledgers.c.size).order_by(ledgers.c.ledger)

LINES = (
    sa.select(events.c.line)
    .where(events.c.ledger == sa.bindparam("ledger"), events.c.position >= sa.bindparam("start"))
    .order_by(events.c.position)
    .limit(sa.bindparam("most"))
)
LINE = sa.select(events.c.line).where(events.c.ledger == sa.bindparam("ledger"), events.c.position == sa.bindparam("position"))
TIME = sa.select(events.c.recorded_at).where(events.c.ledger == sa.bindparam("ledger"), events.c.position == sa.bindparam("position"))
STREAMS = (
    sa.select(events.c.stream, events.c.line)
    .where(events.c.ledger == sa.bindparam("ledger"), events.c.stream.in_(sa.bindparam("streams", expanding=True)))
    .order_by(events.c.stream, events.c.version)
)
UPLOADED = (
    sa.select(events.c.seq, events.c.ledger, events.c.position, events.c.topic, events.c.line)
    .where(events.c.tablet == sa.bindparam("tablet"), events.c.seq.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(events.c.seq, events.c.recorded_at, events.c.ledger, events.c.position)
)


class Ledgers:
    """Every ledger of one database. Holds no state; each call works on the connection that it is given."""

    def __init__(self, engine: sa.Engine, clock: Clock = system_clock, watch: Watch | None = None) -> None:
        self.engine = engine
        self.clock = clock
        self.watch = watch
        self._there: set[str] = set()
        """Ledgers that this process has seen with something in them: no rollback takes their heads away."""

    # ---- appending

    def append(self, conn: sa.Connection, ledger: str, drafts: Sequence[Draft]) -> Appended:
        """Records events at the end of a ledger, inside the caller's transaction; call it last, since it takes the ledger's head.

        VersionTaken: somebody recorded one of those versions before; the transaction is rolled back. EntryTooLarge: nothing was written.
        """
        if not drafts:
            raise ValueError("there is nothing to append")
        return self.append_all(conn, {ledger: drafts})[ledger]

    def append_all(self, conn: sa.Connection, drafts: Mapping[str, Sequence[Draft]]) -> dict[str, Appended]:
        """Records events in several ledgers. Heads are taken in the order of the names, so that two such writers cannot deadlock."""
        wanted = {ledger: each for ledger, each in drafts.items() if each}
        try:
            driver = conn.connection.driver_connection
            with bulk.naming_conflicts(", ".join(wanted)), bulk.piped(driver):
                return self.write(driver, self.prepare(wanted))
        except bulk.FAULTS:
            # Rows before the one that failed may stand in the transaction: roll it back here, so that nobody can commit a part of a batch.
            transaction = conn.get_transaction()
            if transaction is not None:
                with suppress(sa.exc.DBAPIError):
                    transaction.rollback()
            raise

    def prepare(self, drafts: Mapping[str, Sequence[Draft]]) -> "Prepared":
        """What can be made of the drafts before anybody has to wait: all of their lines but the position and the time."""
        return Prepared({ledger: drafts[ledger] for ledger in sorted(drafts)}, {name: _tails_of(each) for name, each in drafts.items()})

    def write(self, driver: Any, prepared: "Prepared", held: Callable[[], None] = lambda: None) -> dict[str, Appended]:
        """The same on the driver's own connection, in service.database.recording; conflicts come under the database's own names.

        held is called once the heads are held and before anything is written; it may raise.
        """
        names = list(prepared.drafts)
        if not bulk.on_sqlite(driver) and not self._there.issuperset(names):
            # A head that is not there cannot be held: made later, it would be taken out of order, behind heads that are held already.
            for ledger in names:
                bulk.make_head(driver, ledger, Frontier().to_bytes(), EMPTY_ROOT, _new_incarnation())
        heads = bulk.take_heads(driver, names)
        self._there.update(ledger for ledger, head in zip(names, heads, strict=True) if head is not None and head[0])
        held()
        return {
            ledger: self._write(driver, ledger, head or self._first_head(driver, ledger), prepared)
            for ledger, head in zip(names, heads, strict=True)
        }

    def _write(self, driver: Any, ledger: str, head: Any, prepared: "Prepared") -> Appended:
        drafts = prepared.drafts[ledger]
        first, stored, incarnation, last_time = head
        if self.watch is not None:
            self.watch.must_go_on(ledger, incarnation, first, stored)
        recorded_at = max(utc_text(self.clock()), last_time)
        lines = _lines_of(ledger, first, recorded_at, drafts, prepared.tails[ledger])
        frontier = Frontier.from_bytes(stored)
        if frontier.size != first:
            raise ValueError(f"the head of ledger {ledger} says {first} events and its frontier {frontier.size}")
        frontier.extend(leaf_hashes(lines))
        root = frontier.root()
        stored = frontier.to_bytes()
        bulk.insert(driver, bulk.Batch(ledger, first, recorded_at, drafts, lines, stored, root))
        appended = Appended(ledger, first, frontier.size, root, incarnation, recorded_at)
        if self.watch is not None:
            self.watch.wrote(appended, stored)
        return appended

    def _first_head(self, driver: Any, ledger: str) -> Any:
        # Two first writers may come here at once: the second waits in the insert for the first's commit, and then finds its row.
        bulk.make_head(driver, ledger, Frontier().to_bytes(), EMPTY_ROOT, _new_incarnation())
        return bulk.take_heads(driver, [ledger])[0]

    def begin_incarnation(self, conn: sa.Connection, ledger: str) -> str:
        """Gives a ledger a name that it never had, which its next entry is the first to bear. Called by service.audit.continuing only."""
        incarnation = _new_incarnation()
        conn.execute(sa.update(ledgers).where(ledgers.c.ledger == ledger).values(incarnation=incarnation))
        return incarnation

    # ---- reading

    def lines(self, conn: sa.Connection, ledger: str, start: int = 0, limit: int = 500) -> list[bytes]:
        """The lines from a position on, in order."""
        return list(conn.scalars(LINES, {"ledger": ledger, "start": start, "most": limit}))

    def stretches(self, conn: sa.Connection, wanted: Sequence[tuple[str, int, int]]) -> list[list[bytes]]:
        """For each (ledger, start, end), the lines start..end-1 that there are, in order: one statement for many ledgers."""
        return read_stretches(conn, wanted)

    def line(self, conn: sa.Connection, ledger: str, position: int) -> bytes | None:
        """The line at a position, or None."""
        return conn.scalar(LINE, {"ledger": ledger, "position": position})

    def head(self, conn: sa.Connection, ledger: str) -> Head | None:
        """How far one ledger is, or None where nothing was ever recorded in it."""
        row = conn.execute(ONE_HEAD, {"ledger": ledger}).one_or_none()
        return Head(*row) if row is not None else None

    def heads(self, conn: sa.Connection, names: Iterable[str] | None = None) -> list[Head]:
        """How far every ledger is, or each of those named that there is, in the order of their names."""
        query = HEADS if names is None else HEADS.where(ledgers.c.ledger.in_(sorted(names)))
        return [Head(*row) for row in conn.execute(query)]

    def ledgers(self, conn: sa.Connection) -> dict[str, int]:
        """Size of every ledger by name."""
        return {ledger: size for ledger, size in conn.execute(SIZES)}

    def streams(self, conn: sa.Connection, ledger: str, stream_ids: Iterable[UUID]) -> dict[UUID, list[bytes]]:
        """The lines of some streams of a ledger, each in the order of its versions. Streams without events are left out."""
        found: dict[UUID, list[bytes]] = {}
        wanted = list(stream_ids)
        if wanted:
            for stream, line in conn.execute(STREAMS, {"ledger": ledger, "streams": wanted}):
                found.setdefault(stream, []).append(line)
        return found

    def uploaded(self, conn: sa.Connection, tablet: UUID, first: int, last: int) -> list[tuple[int, str, int, str, bytes]]:
        """What became of a tablet's entries first..last: (seq, ledger, position, topic, line), the earliest outcome of an entry first."""
        return [tuple(row) for row in conn.execute(UPLOADED, {"tablet": tablet, "first": first, "last": last})]

    def find(
        self,
        conn: sa.Connection,
        ledger: str,
        *,
        start: int = 0,
        limit: int = 500,
        stream: UUID | None = None,
        topic: str | None = None,
        by_person: UUID | None = None,
        tablet: UUID | None = None,
        recorded_from: str | None = None,
        recorded_to: str | None = None,
        below: int | None = None,
        newest_first: bool = False,
    ) -> list[bytes]:
        """Lines from a position on that match every filter, or the latest of them. recorded_from is included, recorded_to and below not."""
        query = LINES.order_by(None).order_by(events.c.position.desc()) if newest_first else LINES
        wanted = ((events.c.stream, stream), (events.c.topic, topic), (events.c.by_person, by_person), (events.c.tablet, tablet))
        for column, value in wanted:
            if value is not None:
                query = query.where(column == value)
        if below is not None:
            query = query.where(events.c.position < below)
        if recorded_from is not None:
            start = max(start, self.size_at(conn, ledger, recorded_from, including=False))
        if recorded_to is not None:
            query = query.where(events.c.position < self.size_at(conn, ledger, recorded_to, including=False))
        return list(conn.scalars(query, {"ledger": ledger, "start": start, "most": limit}))

    def size_at(self, conn: sa.Connection, ledger: str, moment: str, *, including: bool = True) -> int:
        """How many events the ledger had at a moment (UTC text): those recorded up to it, or only before it.

        Times never decrease along a ledger, so a search by halves needs no index and about log2(size) looks.
        """
        head = self.head(conn, ledger)
        low, high = 0, head.size if head else 0
        while low < high:
            middle = (low + high) // 2
            recorded_at = conn.scalar(TIME, {"ledger": ledger, "position": middle}) or ""
            if recorded_at < moment or (including and recorded_at == moment):
                low = middle + 1
            else:
                high = middle
        return low


def must_fit(ledger: str, drafts: Iterable[Draft]) -> None:
    """EntryTooLarge where a draft's line would be too long, wherever it came to stand."""
    for draft in drafts:
        before, behind = _tail_of(draft)
        size = len(NO_PLACE) + len(ledger) + LONGEST_POSITION + len(before) + LENGTH_OF_TIME + len(behind)
        if size > LINE_LIMIT:
            raise EntryTooLarge(draft.stream, draft.version, size)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Drafts by ledger, in the order of the names, and for each what stands in its line between position and time, and behind the time."""

    drafts: dict[str, Sequence[Draft]]
    tails: dict[str, list[tuple[bytes, bytes]]]


def _tails_of(drafts: Sequence[Draft]) -> list[tuple[bytes, bytes]]:
    return [_tail_of(draft) for draft in drafts]


def _tail_of(draft: Draft) -> tuple[bytes, bytes]:
    if draft.inline:
        named = orjson.dumps({"stream": draft.stream, "version": draft.version, "topic": draft.topic})[1:-1]
        return b',%b,"recorded_at":"' % named, b'","state":%b}' % draft.state
    line = write_line("", 0, draft.stream, draft.version, draft.topic, "", draft.state)
    at = line.index(NO_TIME) + len(NO_TIME) - 1
    return line[len(NO_PLACE) : at], line[at:]


def _lines_of(ledger: str, first: int, recorded_at: str, drafts: Sequence[Draft], tails: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """The lines as write_line would write them, from the parts that were made beforehand."""
    place, time = b'{"ledger":%b,"position":' % orjson.dumps(ledger), recorded_at.encode()
    lines = [b"%b%d%b%b%b" % (place, position, before, time, behind) for position, (before, behind) in enumerate(tails, first)]
    if max(map(len, lines)) > LINE_LIMIT:
        draft, line = next(each for each in zip(drafts, lines, strict=True) if len(each[1]) > LINE_LIMIT)
        raise EntryTooLarge(draft.stream, draft.version, len(line))
    return lines


def _new_incarnation() -> str:
    return secrets.token_hex(8)
