"""What the tests of the audit share: logs with entries of our choice, put into the database without the ceremony of real events."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from service.database import writing
from service.ledger.tables import events

LOG = "411502001"
OTHER = "411502002"

NUMBERED = {
    "sqlite": (
        "WITH RECURSIVE n(n) AS (SELECT :start UNION ALL SELECT n + 1 FROM n WHERE n + 1 < :stop) "
        "INSERT INTO events (ledger, position, stream, version, topic, recorded_at, line) "
        "SELECT :log, n, printf('%032x', n), 1, 'x', 't', CAST('entry ' || n AS BLOB) FROM n"
    ),
    "postgresql": (
        "INSERT INTO events (ledger, position, stream, version, topic, recorded_at, line) "
        "SELECT :log, n, CAST(lpad(to_hex(n), 32, '0') AS uuid), 1, 'x', 't', convert_to('entry ' || n, 'UTF8') "
        "FROM generate_series(CAST(:start AS bigint), CAST(:stop AS bigint) - 1) AS n"
    ),
}


def entry(number: int) -> bytes:
    """The entry that fill puts at a position."""
    return b"entry %d" % number


def fill(database: sa.Engine, log: str, stop: int, start: int = 0) -> None:
    """Gives a log the entries start..stop-1, quickly."""
    with writing(database) as conn:
        conn.execute(sa.text(NUMBERED[database.dialect.name]), {"log": log, "start": start, "stop": stop})


def put(database: sa.Engine, log: str, entries: Sequence[bytes]) -> None:
    """Gives a log exactly these entries."""
    rows = [
        {"ledger": log, "position": at, "stream": UUID(int=at), "version": 1, "topic": "x", "recorded_at": "t", "line": line}
        for at, line in enumerate(entries)
    ]
    with writing(database) as conn:
        conn.execute(sa.insert(events), rows)
