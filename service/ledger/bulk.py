"""The one hot statement of the store: a batch of events and the ledger's new head, in the quickest form of each database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from service.database import sqlite

if TYPE_CHECKING:
    from service.ledger.store import Draft


class VersionTaken(Exception):
    """An event of that stream and version exists already in the ledger. Nothing was recorded, and the transaction is over."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger
        super().__init__(f"Somebody else recorded the next version of one of these streams of ledger {ledger}.")


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

SQLITE_INSERT = f"INSERT INTO events {COLUMNS} VALUES (?,?,?,?,?,?,?,?,?,?)"
SQLITE_HEAD = "UPDATE ledgers SET size = ?, frontier = ?, root = ?, recorded_at = ? WHERE ledger = ? AND size = ?"
SQLITE_CONFLICT = "events.ledger, events.stream, events.version"

# What is the same for a whole batch is sent once; the rest goes as one array per column, in binary.
POSTGRES_INSERT = (
    f"INSERT INTO events {COLUMNS} "
    "SELECT %s, %s + n, stream, version, topic, %s, by_person, tablet, seq, line "
    "FROM unnest(%b::uuid[], %b::int4[], %b::text[], %b::uuid[], %b::uuid[], %b::int8[], %b::bytea[]) "
    "WITH ORDINALITY AS rows(stream, version, topic, by_person, tablet, seq, line, n)"
)
POSTGRES_HEAD = "UPDATE ledgers SET size = %s, frontier = %b, root = %b, recorded_at = %s WHERE ledger = %s AND size = %s"
POSTGRES_CONFLICT = "events_stream_version"


def insert_into_sqlite(conn: sa.Connection, batch: Batch) -> None:
    """Writes a batch through the driver's own cursor."""
    rows = [
        (
            batch.ledger,
            position,
            draft.stream.hex,
            draft.version,
            draft.topic,
            batch.recorded_at,
            draft.by_person and draft.by_person.hex,
            draft.tablet and draft.tablet.hex,
            draft.seq,
            line,
        )
        for position, (draft, line) in enumerate(zip(batch.drafts, batch.lines, strict=True), batch.first)
    ]
    cursor = _driver(conn).cursor()
    try:
        cursor.executemany(SQLITE_INSERT, rows)
        cursor.execute(SQLITE_HEAD, (batch.size, batch.frontier, batch.root, batch.recorded_at, batch.ledger, batch.first))
        _refuse_moved_head(batch, cursor.rowcount)
    except sqlite.IntegrityError as taken:
        _give_up(conn, batch, SQLITE_CONFLICT in str(taken), taken)
    finally:
        cursor.close()


def insert_into_postgres(conn: sa.Connection, batch: Batch) -> None:
    """Writes a batch in one round trip."""
    drafts = batch.drafts
    columns = (
        [draft.stream for draft in drafts],
        [draft.version for draft in drafts],
        [draft.topic for draft in drafts],
        [draft.by_person for draft in drafts],
        [draft.tablet for draft in drafts],
        [draft.seq for draft in drafts],
        batch.lines,
    )
    raw: psycopg.Connection[Any] = _driver(conn)
    try:
        with raw.pipeline(), raw.cursor() as cursor:
            cursor.execute(POSTGRES_INSERT, (batch.ledger, batch.first - 1, batch.recorded_at, *columns))
            cursor.execute(POSTGRES_HEAD, (batch.size, batch.frontier, batch.root, batch.recorded_at, batch.ledger, batch.first))
        _refuse_moved_head(batch, cursor.rowcount)
    except psycopg.errors.UniqueViolation as taken:
        _give_up(conn, batch, taken.diag.constraint_name == POSTGRES_CONFLICT, taken)


def insert_unless_present(conn: sa.Connection, table: sa.Table) -> sa.Insert:
    """An insert that leaves a row alone that is there already."""
    make = sqlite_dialect.insert if conn.dialect.name == "sqlite" else postgresql.insert
    return make(table).on_conflict_do_nothing()


def _driver(conn: sa.Connection) -> Any:
    return conn.connection.driver_connection


def _refuse_moved_head(batch: Batch, rows: int) -> None:
    # The head was taken before; that it moved means that somebody writes past this store.
    if rows != 1:
        raise RuntimeError(f"the head of ledger {batch.ledger} is not at {batch.first} any more")


def _give_up(conn: sa.Connection, batch: Batch, version_taken: bool, failed: Exception) -> Never:
    # Rows before the one that failed may stand in the transaction: roll it back here, so that nobody can commit a part of a batch.
    transaction = conn.get_transaction()
    if transaction is not None:
        transaction.rollback()
    if version_taken:
        raise VersionTaken(batch.ledger) from failed
    raise failed
