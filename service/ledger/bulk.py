"""The one hot statement of the store: a batch of events and the ledger's new head, in the quickest form of each database."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from service.database import sqlite
from service.ledger.arrays import BYTEA_OID, INT4_OID, INT8_OID, TEXT_OID, UUID_OID, Bigs, Blobs, Ints, Texts, Uuids, array_of

if TYPE_CHECKING:
    from service.ledger.store import Draft


class VersionTaken(Exception):
    """An event of that stream and version exists already in the ledger. Nothing was recorded, and the transaction is over."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger
        super().__init__(f"Somebody else recorded the next version of one of these streams of ledger {ledger}.")


class HeadMoved(RuntimeError):
    """The head was taken before; that it moved means that somebody writes past this store."""

    def __init__(self, ledger: str) -> None:
        super().__init__(f"the head of ledger {ledger} is not where it was taken any more")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events with their lines, and the head that the ledger has after them."""

    ledger: str
    first: int
    recorded_at: str
    drafts: Sequence["Draft"]
    lines: list[bytes]
    frontier: bytes
    root: bytes

    @property
    def size(self) -> int:
        return self.first + len(self.lines)


COLUMNS = "(ledger, position, stream, version, topic, recorded_at, by_person, tablet, seq, line)"

INT4, INT8 = Struct(">i"), Struct(">q")

SQLITE_INSERT = f"INSERT INTO events {COLUMNS} VALUES (?,?,?,?,?,?,?,?,?,?)"
SQLITE_HEAD = "UPDATE ledgers SET size = ?, frontier = ?, root = ?, recorded_at = ? WHERE ledger = ? AND size = ?"
SQLITE_TAKE_HEAD = "SELECT size, frontier, incarnation, recorded_at FROM ledgers WHERE ledger = ?"
SQLITE_CONFLICT = "events.ledger, events.stream, events.version"

# What is the same for a whole batch is sent once; the rest goes as one array per column, in binary.
POSTGRES_INSERT = (
    f"INSERT INTO events {COLUMNS} "
    "SELECT %s, %s + n, stream, version, topic, %s, by_person, tablet, seq, line "
    "FROM unnest(%b::uuid[], %b::int4[], %b::text[], %b::uuid[], %b::uuid[], %b::int8[], %b::bytea[]) "
    "WITH ORDINALITY AS rows(stream, version, topic, by_person, tablet, seq, line, n)"
)
# Nobody waits for this statement's count before the commit: a head that is not where it was taken divides by zero.
POSTGRES_HEAD = (
    "UPDATE ledgers SET size = %s / (CASE WHEN size = %s THEN 1 ELSE 0 END), frontier = %b, root = %b, recorded_at = %s WHERE ledger = %s"
)
POSTGRES_TAKE_HEAD = "SELECT size, frontier, incarnation, recorded_at FROM ledgers WHERE ledger = %s FOR UPDATE"
POSTGRES_CONFLICT = "events_stream_version"

MAKE_HEAD = "INSERT INTO ledgers (ledger, size, frontier, root, incarnation, recorded_at) VALUES (?,0,?,?,?,'') ON CONFLICT DO NOTHING"

FAULTS = (VersionTaken, HeadMoved, sqlite.DatabaseError, psycopg.Error)
"""What can end an insert in the middle."""


def on_sqlite(driver: Any) -> bool:
    """Whether a driver's connection is SQLite's."""
    return isinstance(driver, sqlite.Connection)


def take_heads(driver: Any, ledgers: Sequence[str]) -> list[tuple[int, bytes, str, str] | None]:
    """Size, frontier, incarnation and time of each ledger, held until the transaction ends. None where there is none."""
    if on_sqlite(driver):
        return [driver.execute(SQLITE_TAKE_HEAD, (ledger,)).fetchone() for ledger in ledgers]
    cursors = [driver.execute(POSTGRES_TAKE_HEAD, (ledger,), binary=True) for ledger in ledgers]
    return [cursor.fetchone() for cursor in cursors]


def make_head(driver: Any, ledger: str, frontier: bytes, root: bytes, incarnation: str) -> None:
    """Makes the head of an empty ledger, unless somebody did."""
    driver.execute(MAKE_HEAD if on_sqlite(driver) else MAKE_HEAD.replace("?", "%s"), (ledger, frontier, root, incarnation))


def piped(driver: Any) -> AbstractContextManager[Any]:
    """Statements whose results nobody looks at are sent together, where the protocol allows it."""
    return nullcontext() if on_sqlite(driver) else driver.pipeline()


def insert(driver: Any, batch: Batch) -> None:
    """Writes a batch and the head after it. What the database refuses is told by naming_conflicts."""
    if on_sqlite(driver):
        driver.executemany(SQLITE_INSERT, _rows_of(batch))
        moved = driver.execute(SQLITE_HEAD, (batch.size, batch.frontier, batch.root, batch.recorded_at, batch.ledger, batch.first))
        if moved.rowcount != 1:
            raise HeadMoved(batch.ledger)
    else:
        driver.execute(POSTGRES_INSERT, (batch.ledger, batch.first - 1, batch.recorded_at, *_columns_of(batch)))
        driver.execute(POSTGRES_HEAD, (batch.size, batch.first, batch.frontier, batch.root, batch.recorded_at, batch.ledger))


@contextmanager
def naming_conflicts(ledger: str) -> Iterator[None]:
    """VersionTaken and HeadMoved for what the databases call them."""
    try:
        yield
    except sqlite.IntegrityError as taken:
        if SQLITE_CONFLICT in str(taken):
            raise VersionTaken(ledger) from taken
        raise
    except psycopg.errors.UniqueViolation as taken:
        if taken.diag.constraint_name == POSTGRES_CONFLICT:
            raise VersionTaken(ledger) from taken
        raise
    except psycopg.errors.DivisionByZero as moved:
        raise HeadMoved(ledger) from moved


def _rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    ledger, recorded_at = batch.ledger, batch.recorded_at
    ids = _Hex()
    return [
        (
            ledger,
            position,
            ids[draft.stream],
            draft.version,
            draft.topic,
            recorded_at,
            ids[draft.by_person],
            ids[draft.tablet],
            draft.seq,
            line,
        )
        for position, (draft, line) in enumerate(zip(batch.drafts, batch.lines, strict=True), batch.first)
    ]


class _Hex(dict[UUID | None, str | None]):
    """How SQLAlchemy writes ids into SQLite; each is made once."""

    def __missing__(self, id_: UUID | None) -> str | None:
        self[id_] = text = id_.hex if id_ is not None else None
        return text


def _columns_of(batch: Batch) -> tuple[bytes, ...]:
    drafts, name = batch.drafts, _Bytes()
    return (
        Uuids(array_of(UUID_OID, [draft.stream.bytes for draft in drafts])),
        Ints(array_of(INT4_OID, [INT4.pack(draft.version) for draft in drafts])),
        Texts(array_of(TEXT_OID, [draft.topic.encode() for draft in drafts])),
        Uuids(array_of(UUID_OID, [name[draft.by_person] for draft in drafts])),
        Uuids(array_of(UUID_OID, [name[draft.tablet] for draft in drafts])),
        Bigs(array_of(INT8_OID, [None if draft.seq is None else INT8.pack(draft.seq) for draft in drafts])),
        Blobs(array_of(BYTEA_OID, batch.lines)),
    )


class _Bytes(dict[UUID | None, bytes | None]):
    """The bytes of ids; each is made once."""

    def __missing__(self, id_: UUID | None) -> bytes | None:
        self[id_] = plain = id_.bytes if id_ is not None else None
        return plain


def insert_unless_present(conn: sa.Connection, table: sa.Table) -> sa.Insert:
    """An insert that leaves a row alone that is there already."""
    make = sqlite_dialect.insert if conn.dialect.name == "sqlite" else postgresql.insert
    return make(table).on_conflict_do_nothing()
