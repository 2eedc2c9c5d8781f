"""The same database's raw rate: the same lines into a bare table with the same indexes, 40 rows a transaction, one connection, no rules."""

import time

import sqlalchemy as sa

from service.database import is_sqlite, reading
from service.ledger.bulk import COLUMNS
from service.ledger.tables import events

ROWS = 40
NAMES = ("ledger", "position", "stream", "version", "topic", "recorded_at", "by_person", "tablet", "seq", "line")
INSERT_SQLITE = f"INSERT INTO raw_events {COLUMNS} VALUES ({','.join('?' * len(NAMES))})"
INSERT_POSTGRES = (
    f"INSERT INTO raw_events {COLUMNS} SELECT * FROM unnest(%b::varchar[], %b::int8[], %b::uuid[], %b::int4[], %b::varchar[], "
    "%b::varchar[], %b::uuid[], %b::uuid[], %b::int8[], %b::bytea[])"
)


def rows_of(database: sa.Engine, count: int) -> list[tuple[object, ...]]:
    """Recorded rows as the driver wants them, so that lines and keys have their real sizes."""
    query = sa.select(*(events.c[name] for name in NAMES)).where(events.c.tablet.is_not(None)).limit(count)
    with reading(database) as conn:
        rows = [tuple(row) for row in conn.execute(query)]
    if is_sqlite(database):
        return [
            tuple(
                getattr(value, "hex", value) if name in ("stream", "by_person", "tablet") else value
                for name, value in zip(NAMES, row, strict=True)
            )
            for row in rows
        ]
    return rows


BARE = (
    "CREATE TABLE raw_events AS SELECT * FROM events LIMIT 0",
    "CREATE UNIQUE INDEX raw_events_pkey ON raw_events (ledger, position)",
    "CREATE UNIQUE INDEX raw_events_stream_version ON raw_events (ledger, stream, version)",
    "CREATE INDEX raw_events_tablet_seq ON raw_events (tablet, seq) WHERE tablet IS NOT NULL",
)
"""The table of events without its rules and triggers, with the same indexes."""


def insert_rate(database: sa.Engine, rows: list[tuple[object, ...]]) -> float:
    """Rows a second into a fresh bare table."""
    with database.begin() as conn:
        for statement in BARE:
            conn.exec_driver_sql(statement)
    raw = database.raw_connection()
    try:
        took = _insert_sqlite(raw, rows) if is_sqlite(database) else _insert_postgres(raw, rows)
    finally:
        raw.close()
    with database.begin() as conn:
        conn.exec_driver_sql("DROP TABLE raw_events")
    return len(rows) / took


def _insert_sqlite(raw: object, rows: list[tuple[object, ...]]) -> float:
    driver = raw.driver_connection  # type: ignore[attr-defined]
    began = time.perf_counter()
    for first in range(0, len(rows), ROWS):
        driver.execute("BEGIN IMMEDIATE")
        driver.executemany(INSERT_SQLITE, rows[first : first + ROWS])
        driver.execute("COMMIT")
    return time.perf_counter() - began


def _insert_postgres(raw: object, rows: list[tuple[object, ...]]) -> float:
    driver = raw.driver_connection  # type: ignore[attr-defined]
    began = time.perf_counter()
    for first in range(0, len(rows), ROWS):
        columns = [list(column) for column in zip(*rows[first : first + ROWS], strict=True)]
        driver.execute(INSERT_POSTGRES, columns)
        driver.commit()
    return time.perf_counter() - began
