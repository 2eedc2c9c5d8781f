"""Lines of many ledgers in one statement, through the driver's own cursor: what the engine reads. Read by the store."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

Wanted = Sequence[tuple[str, int, int]]
"""(ledger, start, end): the positions start..end-1."""

SQLITE = "SELECT line FROM events WHERE ledger = ? AND position >= ? AND position < ? ORDER BY position"
POSTGRES = (
    "SELECT w.n, e.line FROM unnest(%b::varchar[], %b::int8[], %b::int8[]) WITH ORDINALITY AS w(ledger, first, past, n) "
    "CROSS JOIN LATERAL (SELECT line FROM events WHERE ledger = w.ledger AND position >= w.first AND position < w.past "
    "ORDER BY position) AS e"
)
POSTGRES_ONE = "SELECT line FROM events WHERE ledger = %s AND position >= %s AND position < %s ORDER BY position"


def read_stretches(conn: sa.Connection, wanted: Wanted) -> list[list[bytes]]:
    """The lines of each stretch, in order. PostgreSQL sends them in binary, which is half the work of its text form."""
    driver: Any = conn.connection.driver_connection
    if conn.dialect.name == "sqlite":
        return [_column(driver.execute(SQLITE, each)) for each in wanted]
    with driver.cursor(binary=True) as cursor:
        if len(wanted) == 1:
            return [_column(cursor.execute(POSTGRES_ONE, wanted[0]))]
        found: list[list[bytes]] = [[] for _ in wanted]
        if wanted:
            for number, line in cursor.execute(POSTGRES, [list(column) for column in zip(*wanted, strict=True)]).fetchall():
                found[number - 1].append(line)
        return found


def _column(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [line for (line,) in rows]
