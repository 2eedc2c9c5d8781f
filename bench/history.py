"""Long histories made quickly from a short one that was really recorded. Read by bench.engine.

A template is recorded by the service itself: areas, people, tablets, and batches through the upload. A long history repeats it in other
subdistricts and on later days: names of ledgers and ids are exchanged for others of the same length, so lines keep their real sizes.
The trees of the copies are not made, since the engine does not look at them.
"""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from bench.fleet import make_fleet
from bench.stores import sqlite_in
from service.config import Config
from service.database import open_database, reading
from service.ledger import schema
from service.ledger.tables import ledgers
from service.wiring import Gridtrail, make_app

TABLETS, BATCHES = 8, 12
UUID_HEAD = re.compile(rb'(?<=[":])[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")')
POSITION = re.compile(rb'"position":\d+')
DAY = re.compile(rb"20\d\d-\d\d-\d\d(?=[T\"])")
ONCE = ("area.", "person.", "rulebook.", "tablet.enrolled")
"""Topics that a ledger sees once, at its beginning."""
MOST_ROWS = 5000
NAMES = ("ledger", "position", "stream", "version", "topic", "recorded_at", "line")
INSERT = {
    "sqlite": f"INSERT INTO events ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})",
    "postgresql": f"COPY events ({', '.join(NAMES)}) FROM STDIN (FORMAT BINARY)",
}
KINDS = ("varchar", "int8", "uuid", "int4", "varchar", "varchar", "bytea")


@dataclass(frozen=True)
class Template:
    """The lines of one subdistrict, and how many of them, at the beginning, are not repeated on later days."""

    ledger: str
    lines: list[bytes]


def record_template() -> Template:
    """One subdistrict's history, through enrolment and upload, on SQLite in memory."""
    with tempfile.TemporaryDirectory(prefix="gridtrail-template-") as folder:
        return _recorded(sqlite_in(Path(folder)).config(database_url="sqlite://", log_level="warning"))


def _recorded(config: Config) -> Template:
    database = open_database("sqlite://")
    schema.create_all(database)
    pieces = Gridtrail(config, database=database)
    fleet = make_fleet(pieces, TABLETS, BATCHES, 1)
    client = make_app(pieces).test_client()
    for number in range(BATCHES):
        for tablet in fleet:
            headers = {"Authorization": f"Bearer {tablet.token}"}
            answer = client.post("/v1/sync/batches", data=tablet.bodies[number], headers=headers, content_type="application/x-ndjson")
            if answer.status_code != 200:
                raise SystemExit(f"the template cannot be recorded: {answer.text[:300]}")
    with reading(database) as conn:
        ledger = next(name for name in pieces.ledgers.ledgers(conn) if len(name) == 9)
        return Template(ledger, pieces.ledgers.lines(conn, ledger, 0, 10**6))


def ledger_names(count: int) -> list[str]:
    """Codes of so many subdistricts."""
    return [f"4115{2 + number // 900:02d}{1 + number % 900:03d}" for number in range(count)]


def write_history(database: sa.Engine, template: Template, names: list[str], size: int) -> int:
    """Gives each ledger ``size`` events, after those that it has; gives how many were written."""
    with reading(database) as conn:
        sizes = {row.ledger: row.size for row in conn.execute(sa.select(ledgers.c.ledger, ledgers.c.size))}
    for name in names:
        first = sizes.get(name, 0)
        rows = _rows(template, name, first, first + size)
        with database.begin() as conn:
            _write(conn, rows)
            _set_head(conn, name, first + size)
    return size * len(names)


def _rows(template: Template, ledger: str, start: int, end: int) -> Iterator[tuple[Any, ...]]:
    """Rows of a ledger's positions start..end-1. Position p is the template's line p, and later rounds follow without what is said once."""
    again = [line for line in template.lines if not orjson.loads(line)["topic"].startswith(ONCE)]
    whole, more = len(template.lines), len(again)
    for position in range(start, end):
        turn, at = (0, position) if position < whole else (1 + (position - whole) // more, (position - whole) % more)
        yield _row(template, (template.lines if turn == 0 else again)[at], ledger, position, turn)


def _row(template: Template, line: bytes, ledger: str, position: int, turn: int) -> tuple[Any, ...]:
    line = line.replace(template.ledger.encode(), ledger.encode())
    if turn:
        shift = turn * 2654435761
        fresh = line.find(b'"tablet.uploaded"') < 0
        line = DAY.sub(lambda found: _later(found.group(), turn), line)
        if fresh:
            line = UUID_HEAD.sub(lambda found: b"%08x" % ((int(found.group(), 16) + shift) & 0xFFFFFFFF), line)
    line = POSITION.sub(b'"position":%d' % position, line, count=1)
    said = orjson.loads(line)
    version = said["version"] if fresh_version(turn, line) else position + 1_000_000
    return said["ledger"], position, said["stream"], version, said["topic"], said["recorded_at"], line


def fresh_version(turn: int, line: bytes) -> bool:
    """Whether a line's version can stand in its column: the copies of a tablet's uploads repeat versions, so theirs are made up."""
    return turn == 0 or line.find(b'"tablet.uploaded"') < 0


def _later(day: bytes, turn: int) -> bytes:
    found = LATER.get((day, turn))
    if found is None:
        found = LATER[day, turn] = (date.fromisoformat(day.decode()) + timedelta(days=7 * (turn % 500))).isoformat().encode()
    return found


LATER: dict[tuple[bytes, int], bytes] = {}


def _write(conn: sa.Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    driver: Any = conn.connection.driver_connection
    if conn.dialect.name == "sqlite":
        driver.executemany(INSERT["sqlite"], ((*row[:2], row[2].replace("-", ""), *row[3:]) for row in rows))
        return
    with driver.cursor() as cursor, cursor.copy(INSERT["postgresql"]) as copy:
        copy.set_types(KINDS)
        for row in rows:
            copy.write_row((*row[:2], UUID(row[2]), *row[3:]))


def _set_head(conn: sa.Connection, ledger: str, size: int) -> None:
    conn.execute(sa.delete(ledgers).where(ledgers.c.ledger == ledger))
    head = {"ledger": ledger, "size": size, "frontier": b"", "root": b"", "incarnation": "bench", "recorded_at": ""}
    conn.execute(sa.insert(ledgers).values(head))
