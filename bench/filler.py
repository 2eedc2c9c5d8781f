"""Fills a database to a size in minutes, for what depends on size alone. Read by bench.queries and bench.growth.

Cases and what tablets download of them are copies of rows that the demo city's real lines fold to, with ids, places, units and times of
their own; a tenth is open. Events are written for their size only: real keys and indexes, one line of the usual length for all, and the
Merkle tree that they make. Nothing folds such a history, so every read model's position is put at its end.
"""

import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from bench.stores import sqlite_in
from domain.areas import ledger_of
from domain.clock import parse_utc, utc_text
from projections import READ_MODELS, open_cases, tablet_changes
from projections.tables import NEVER, PROGRESS, canonical
from service.database import reading, writing
from service.ledger.tables import ledgers
from service.ledger.tree import Frontier, leaf_hash
from service.seed.plant import plant
from service.wiring import Gridtrail

LINE = b"." * 645
"""As long as the lines of the demo city are in the mean."""
OPEN_SHARE = 0.1
OPEN_DAYS, CLOSED_DAYS = 20, 1000
DEPARTMENTS = (
    "urban_management", "fire", "police", "water", "housing", "traffic", "health", "market", "parks", "civil_affairs", "power", "schools",
)  # fmt: skip
TIMES = (
    "reported_at", "held_since", "accept_due_at", "accepted_at", "registered_at", "dispatch_due_at", "due_at", "late_from",
    "muster_due_at", "handled_at", "checked_at", "closed_at", "changed_at", "recorded_at",
)  # fmt: skip
CASE_COLUMNS = [str(column.name) for column in open_cases.TABLE.columns]
CHANGE_COLUMNS = [str(column.name) for column in tablet_changes.TABLE.columns]


def templates() -> list[dict[str, Any]]:
    """The demo city's cases, as its real lines fold to."""
    with tempfile.TemporaryDirectory(prefix="gridtrail-templates-") as folder:
        config = sqlite_in(Path(folder)).config()
        pieces = Gridtrail(config)
        pieces.upgrade()
        plant(config, Path(folder) / "tablets", date(2026, 11, 20), 1)
        pieces.follower.catch_up()
        with reading(pieces.database) as conn:
            rows = [dict(zip(CASE_COLUMNS, row, strict=True)) for row in conn.execute(sa.select(open_cases.TABLE))]
        pieces.database.dispose()
    return rows


@dataclass
class Copies:
    """Makes copies of case rows, each at a place and a time of its own."""

    rows: list[dict[str, Any]]
    dice: random.Random
    now: datetime

    def __post_init__(self) -> None:
        # One in a hundred open cases was whistled for; of the demo city's it is one in eleven.
        self.open = [row for row in self.rows if row["open"] for _ in range(1 if row["called"] else 10)]
        self.closed = [row for row in self.rows if not row["open"]]

    def of_ledger(self, grids: Sequence[str], count: int, first: int, size: int) -> Iterator[dict[str, Any]]:
        """So many cases of one ledger, oldest first, at positions from first up to size."""
        opened = round(count * OPEN_SHARE)
        for number in range(count):
            is_open = number >= count - opened
            days = OPEN_DAYS if is_open else CLOSED_DAYS
            age = days * (1 - (number - (count - opened) if is_open else number) / max(1, opened if is_open else count - opened))
            row = self.dice.choice(self.open if is_open else self.closed)
            yield self._copy(row, self.dice.choice(grids), age, first + number * (size - first) // count)

    def _copy(self, row: dict[str, Any], grid: str, age: float, position: int) -> dict[str, Any]:
        dice = self.dice
        moved = self.now - timedelta(days=age, seconds=dice.randrange(3600)) - parse_utc(row["reported_at"])
        county = grid[:6]
        here = {15: grid, 12: grid[:12], 9: grid[:9], 6: county}
        copy = {
            **row,
            **{name: utc_text(parse_utc(row[name]) + moved) for name in TIMES if row[name] and row[name] != NEVER},
            "ledger": ledger_of(grid),
            "case_id": str(UUID(int=dice.getrandbits(128), version=4)),
            "area": grid,
            "summary": f"{row['summary']} {dice.randrange(1000)}" if row["summary"] else None,
            "position": position,
        }
        for name in ("holder", "registrar"):
            if row[name]:
                copy[name] = f"{county}/{dice.choice(DEPARTMENTS)}" if "/" in row[name] else here[len(row[name])]
        if row["called"]:
            copy["called"] = canonical([f"{county}/{name}" for name in dice.sample(DEPARTMENTS, 2)])
        return copy


def changes_of(row: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What tablet_changes holds of a case: the item, and a row for each audience that has it or had it."""
    payload = canonical({name: value for name, value in row.items() if value is not None and name != "ledger"})
    called = orjson.loads(row["called"]) if row["called"] else []
    audiences = list(dict.fromkeys([*tablet_changes.place_audiences(row["area"]), row["holder"], *called]))
    key = ("case", row["case_id"], row["position"], not row["open"])
    yield row["ledger"], "", *key, "\n".join(audiences) if row["open"] else "", payload
    for audience in audiences:
        yield row["ledger"], audience, *key, None, None


def fill(pieces: Gridtrail, grids: Sequence[str], total_events: int, total_cases: int, rows: list[dict[str, Any]], seed: int = 1) -> None:
    """Brings the history to so many events and the read models to so many cases, over the ledgers of these grids."""
    of_ledger: dict[str, list[str]] = {}
    for grid in grids:
        of_ledger.setdefault(ledger_of(grid), []).append(grid)
    copies = Copies(rows, random.Random(seed), datetime.now(UTC))
    each_events, each_cases = total_events // len(of_ledger), total_cases // len(of_ledger)
    for ledger, mine in sorted(of_ledger.items()):
        with writing(pieces.database) as conn:
            _relaxed(conn)
            first = conn.scalar(sa.select(ledgers.c.size).where(ledgers.c.ledger == ledger)) or 0
            size = max(first, each_events)
            cases = list(copies.of_ledger(mine, each_cases, first, size))
            load(conn, open_cases.TABLE.name, CASE_COLUMNS, (tuple(row[name] for name in CASE_COLUMNS) for row in cases))
            load(conn, tablet_changes.TABLE.name, CHANGE_COLUMNS, (change for row in cases for change in changes_of(row)))
            lengthen(conn, ledger, first, size)


def lengthen(conn: sa.Connection, ledger: str, first: int, size: int) -> None:
    """Gives a ledger events for their size only, up to a size, and puts every read model at its end."""
    if size <= first:
        return
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text(EVENTS_POSTGRES), {"ledger": ledger, "first": first, "last": size - 1, "line": LINE})
    else:
        conn.execute(sa.text(EVENTS_SQLITE), {"ledger": ledger, "first": first, "size": size, "line": LINE})
    frontier = Frontier.from_bytes(conn.scalar(sa.select(ledgers.c.frontier).where(ledgers.c.ledger == ledger)))
    frontier.extend(repeat(leaf_hash(LINE), size - first))
    head = {"size": size, "frontier": frontier.to_bytes(), "root": frontier.root()}
    conn.execute(sa.update(ledgers).where(ledgers.c.ledger == ledger).values(head))
    conn.execute(sa.delete(PROGRESS).where(PROGRESS.c.ledger == ledger))
    conn.execute(sa.insert(PROGRESS), [{"ledger": ledger, "read_model": name, "position": size} for name in READ_MODELS])


NAMES = "(ledger, position, stream, version, topic, recorded_at, tablet, seq, line)"
EVENTS_POSTGRES = f"""INSERT INTO events {NAMES}
    SELECT CAST(:ledger AS varchar), p, md5(CAST(:ledger AS varchar) || p / 4)::uuid, 1 + p % 4,
           'patrol.checkpoint_passed', '2026-01-01T00:00:00.000Z',
           md5(CAST(:ledger AS varchar) || p % 175)::uuid, p / 175, CAST(:line AS bytea)
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS p"""
EVENTS_SQLITE = f"""INSERT INTO events {NAMES}
    WITH RECURSIVE series(p) AS (SELECT :first UNION ALL SELECT p + 1 FROM series WHERE p + 1 < :size)
    SELECT :ledger, p, lower(hex(randomblob(16))), 1, 'patrol.checkpoint_passed', '2026-01-01T00:00:00.000Z',
           printf('%s%023d', :ledger, p % 175), p / 175, :line FROM series"""


def _relaxed(conn: sa.Connection) -> None:
    """Filling need not outlive a crash; what is measured afterwards commits as always."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SET LOCAL synchronous_commit = off")


def load(conn: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows into a table in the quickest way of each database."""
    driver: Any = conn.connection.driver_connection
    names = ", ".join(f'"{name}"' for name in columns)
    if conn.dialect.name == "sqlite":
        driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def analyse(database: sa.Engine) -> None:
    """What a database does at leisure after a bulk load."""
    held = database.raw_connection()
    try:
        driver: Any = held.driver_connection
        if database.dialect.name == "sqlite":
            driver.execute("ANALYZE")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        else:
            driver.autocommit = True
            driver.execute("VACUUM ANALYZE")
            driver.execute("CHECKPOINT")
            driver.autocommit = False
    finally:
        held.close()
