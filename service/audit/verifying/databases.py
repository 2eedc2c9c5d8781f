"""A history in its database: entries with the columns, heads, tiles and read models beside them. Read by open_source."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from service.audit.tables import ROOT, checkpoints, cosignatures, published, root_entries, root_logs
from service.audit.verifying.sources import Page, StoredHead, StoredTile
from service.database import open_database, reading
from service.ledger.bulk import on_sqlite
from service.ledger.tables import events, ledgers

PAGE = 500
COLUMNS = "position, line, stream, version, topic, recorded_at, by_person, tablet, seq"
HEAD = sa.select(ledgers.c.size, ledgers.c.frontier, ledgers.c.root, ledgers.c.incarnation, ledgers.c.recorded_at)
ROOT_HEAD = sa.select(root_logs.c.size, root_logs.c.frontier, root_logs.c.root, root_logs.c.incarnation, root_logs.c.recorded_at).where(
    root_logs.c.ledger == ROOT
)
LINES = {
    "sqlite": f"SELECT {COLUMNS} FROM events WHERE ledger = ? AND position >= ? ORDER BY position",
    "postgresql": f"SELECT {COLUMNS} FROM events WHERE ledger = %s AND position >= %s ORDER BY position",
}
TILE = {
    "sqlite": "SELECT hashes, root FROM tiles WHERE ledger = ? AND level = ? AND number = ?",
    "postgresql": "SELECT hashes, root FROM tiles WHERE ledger = %s AND level = %s AND number = %s",
}
NO_TIME_LIMIT = {"statement_timeout_s": 86_400.0}
"""An audit reads a ledger in one statement, at one moment of the database."""


class DatabaseSource:
    """The database at a URL. It is only read."""

    has_columns = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: sa.Engine | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Connections belong to the process that opened them.
        return {"url": self.url, "_engine": None}

    @property
    def engine(self) -> sa.Engine:
        if self._engine is None:
            self._engine = open_database(self.url, pool_size=2, **NO_TIME_LIMIT)
        return self._engine

    def forget(self) -> None:
        """Leaves the connections to the process that this one was forked from."""
        self._engine = None

    def logs(self) -> dict[str, int]:
        with reading(self.engine) as conn:
            counted = sa.select(events.c.ledger, sa.func.max(events.c.position) + 1).group_by(events.c.ledger)
            sizes = {ledger: size for ledger, size in conn.execute(sa.select(ledgers.c.ledger, ledgers.c.size))}
            found = {ledger: size for ledger, size in conn.execute(counted)}
        return {ledger: found.get(ledger, sizes.get(ledger, 0)) for ledger in sorted(sizes.keys() | found.keys())}

    def has_root_log(self) -> bool:
        with reading(self.engine) as conn:
            return conn.execute(sa.select(root_logs.c.size)).first() is not None

    @contextmanager
    def open(self, log: str) -> Iterator["DatabaseLog"]:
        with reading(self.engine) as conn:
            yield RootLog(conn) if log == ROOT else DatabaseLog(conn, log)

    def checkpoint(self, log: str) -> str | None:
        with reading(self.engine) as conn:
            latest = published(conn, log)
        return latest.note if latest is not None else None

    def earlier(self, log: str) -> list[str]:
        """What earlier incarnations signed, and what witnesses cosigned."""
        latest = self.checkpoint(log)
        with reading(self.engine) as conn:
            notes = list(conn.scalars(sa.select(checkpoints.c.note).where(checkpoints.c.ledger == log)))
            notes += conn.scalars(sa.select(cosignatures.c.note).where(cosignatures.c.ledger == log))
        return sorted({note for note in notes if note != latest})

    def statements(self) -> list[str]:
        """None beside the ledgers: the city's tells them."""
        return []


class DatabaseLog:
    """One ledger on one connection, which sees one moment."""

    def __init__(self, conn: sa.Connection, ledger: str) -> None:
        self.connection = conn
        self.ledger = ledger
        self.driver: Any = conn.connection.driver_connection

    def pages(self, start: int = 0) -> Iterator[Page]:
        fetched = self._on_sqlite(start) if on_sqlite(self.driver) else self._on_postgres(start)
        for rows in fetched:
            yield Page([row[0] for row in rows], [bytes(row[1]) for row in rows], rows)

    def _on_sqlite(self, start: int) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self.driver.execute(LINES["sqlite"], (self.ledger, start))
        while rows := cursor.fetchmany(PAGE):
            yield rows

    def _on_postgres(self, start: int) -> Iterator[list[tuple[Any, ...]]]:
        with self.driver.cursor("audit", binary=True) as cursor:
            cursor.itersize = PAGE
            cursor.execute(LINES["postgresql"], (self.ledger, start))
            while rows := cursor.fetchmany(PAGE):
                yield rows

    def lines_at(self, positions: Sequence[int]) -> list[bytes]:
        query = sa.select(events.c.position, events.c.line).where(events.c.ledger == self.ledger, events.c.position.in_(list(positions)))
        found = {position: bytes(line) for position, line in self.connection.execute(query)}
        return [found[position] for position in positions if position in found]

    def about(self, topics: frozenset[str]) -> Iterator[bytes]:
        query = sa.select(events.c.line).where(events.c.ledger == self.ledger, events.c.topic.in_(sorted(topics)))
        for (line,) in self.connection.execute(query.order_by(events.c.position).execution_options(yield_per=1000)):
            yield bytes(line)

    def tile(self, level: int, number: int) -> tuple[bytes, bytes | None] | None:
        statement = TILE["sqlite" if on_sqlite(self.driver) else "postgresql"]
        row = self.driver.execute(statement, (self.ledger, level, number)).fetchone()
        return (bytes(row[0]), bytes(row[1])) if row is not None else None

    def partial_tiles(self) -> Iterator[StoredTile]:
        return iter(())

    def head(self) -> StoredHead | None:
        row = self.connection.execute(HEAD.where(ledgers.c.ledger == self.ledger)).one_or_none()
        return StoredHead(*row) if row is not None else None


class RootLog(DatabaseLog):
    """The root log: its entries are the ledgers' checkpoints."""

    def __init__(self, conn: sa.Connection) -> None:
        super().__init__(conn, ROOT)

    def pages(self, start: int = 0) -> Iterator[Page]:
        c = root_entries.c
        query = sa.select(c.position, c.entry).where(c.ledger == ROOT, c.position >= start).order_by(c.position)
        for rows in self.connection.execute(query.execution_options(yield_per=PAGE)).partitions():
            yield Page([row.position for row in rows], [bytes(row.entry) for row in rows])

    def head(self) -> StoredHead | None:
        row = self.connection.execute(ROOT_HEAD).one_or_none()
        return StoredHead(*row) if row is not None else None
