"""A history in its database: entries with the columns, heads, tiles and read models beside them. Read by open_source."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from service.audit.verifying.sources import Page, StoredHead, StoredTile
from service.database import open_database, reading
from service.ledger.bulk import on_sqlite
from service.ledger.tables import events, ledgers

PAGE = 2000
COLUMNS = "position, line, stream, version, topic, recorded_at, by_person, tablet, seq"
HEAD = sa.select(ledgers.c.size, ledgers.c.frontier, ledgers.c.root, ledgers.c.incarnation, ledgers.c.recorded_at)
LINES = {
    "sqlite": f"SELECT {COLUMNS} FROM events WHERE ledger = ? AND position >= ? ORDER BY position",
    "postgresql": f"SELECT {COLUMNS} FROM events WHERE ledger = %s AND position >= %s ORDER BY position",
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
        return False

    @contextmanager
    def open(self, log: str) -> Iterator["DatabaseLog"]:
        with reading(self.engine) as conn:
            yield DatabaseLog(conn, log)

    def checkpoint(self, log: str) -> str | None:
        return None

    def earlier(self, log: str) -> list[str]:
        return []

    def statements(self) -> list[str]:
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
            yield Page([row[0] for row in rows], [row[1] for row in rows], rows)

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

    def tile(self, level: int, number: int) -> bytes | None:
        return None

    def partial_tiles(self) -> Iterator[StoredTile]:
        return iter(())

    def head(self) -> StoredHead | None:
        row = self.connection.execute(HEAD.where(ledgers.c.ledger == self.ledger)).one_or_none()
        return StoredHead(*row) if row is not None else None


def text_of(value: Any) -> str | None:
    """An id's canonical text, as either database gives it."""
    if value is None:
        return None
    return str(value) if isinstance(value, UUID) else f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
