"""What the past costs: pages of one subdistrict's cases as of a moment, beside the fold of its whole history. ``python -m bench.as_of``."""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.stores import sqlite_in
from domain.clock import parse_utc, utc_text
from projections import open_cases
from projections.engine import fold_lines
from projections.recorded import write_state
from projections.sight import EVERYTHING
from service.audit.as_of import SENSES
from service.cli.replay import as_of, lines_of_database
from service.database import reading, writing
from service.ledger.store import Draft
from service.wiring import Gridtrail

LEDGER, YEAR = "411502001", timedelta(days=365)
START = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = ("reported", "accepted", "registered", "dispatched", "acknowledged", "handled", "checked", "closed")
BATCH = 400
PERSON = "0b5b0f0a-2a3c-4d7e-8f10-000000000001"
ROUNDS = 5


def facts(events: int, dice: random.Random) -> Iterator[tuple[float, int, int]]:
    """(seconds into the year, case, version), in order: cases of eight steps that take about five days each."""
    found = []
    for case in range(events // len(STEPS)):
        begun, length = dice.random() * YEAR.total_seconds(), dice.expovariate(1 / timedelta(days=5).total_seconds())
        found += [(begun + length * step / 7, case, step + 1) for step in range(len(STEPS))]
    yield from sorted(found)


def draft(second: float, case: int, version: int, dice: random.Random) -> Draft:
    """One fact; of ten, one is recorded up to a day late."""
    late = dice.random() * 86_400 if dice.random() < 0.1 else 0.0
    happened = utc_text(max(START, START + timedelta(seconds=second - late)))
    area = f"{LEDGER}{case % 20 + 1:03d}{case % 7 + 1:03d}"
    due = utc_text(START + timedelta(seconds=second + 400_000))
    fact = {"by": PERSON, "role": "worker", "happened_at": happened, "day": happened[:10], "tablet": PERSON, "holder": area}
    derived = {**fact, "limit": {}, "calendar": "cn@1", "registrar": LEDGER, "due_at": due, "dispatch_due_at": due, "accept_due_at": due}
    text = {"category": "gridtrail/1/A01", "summary": f"exposed rubbish {case}", "result": "cleared"}
    state = write_state(derived, {"area": area, **text, "level": "grid", "passed": True}, None)
    return Draft(UUID(int=case + 1), version, f"case.{STEPS[version - 1]}", state, inline=True)


def fill(pieces: Gridtrail, events: int, clock: list[datetime]) -> None:
    """A year of one ledger, recorded and folded."""
    dice, batch = random.Random(5), []
    for second, case, version in facts(events, dice):
        batch.append(draft(second, case, version, dice))
        clock[0] = START + timedelta(seconds=second)
        if len(batch) == BATCH:
            append(pieces, batch)
            batch = []
    append(pieces, batch)
    pieces.follower.catch_up(LEDGER, ["open_cases"])


def append(pieces: Gridtrail, batch: list[Draft]) -> None:
    """One batch."""
    if batch:
        with writing(pieces.database) as conn:
            pieces.ledgers.append(conn, LEDGER, batch)


def measure(pieces: Gridtrail, said: str, sense: str, **wanted: Any) -> tuple[float, int, int]:
    """Median ms of a first page of 50, how many rows it had, and how many cases were folded again."""
    took, rows = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        moment = pieces.as_of.moment(said, sense, LEDGER)
        with reading(pieces.database) as conn:
            rows = pieces.as_of.list_cases(conn, EVERYTHING, moment, **{"area": LEDGER, "sort": "due_at", "limit": 51, **wanted})
        took.append((time.perf_counter() - began) * 1000)
    with reading(pieces.database) as conn:
        folded = len(pieces.as_of._folded_again(conn, moment, LEDGER))
    return statistics.median(took), len(rows), folded


def main() -> None:
    """Fills a database to each size and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--url", help="An empty database; a SQLite file of its own if not given.")
    options = parser.parse_args()
    for events in options.events:
        with tempfile.TemporaryDirectory() as folder:
            clock = [START]
            store = sqlite_in(Path(folder))
            config = store.config(statement_timeout_s=600, **({"database_url": options.url} if options.url else {}))
            pieces = Gridtrail(config, clock=lambda clock=clock: clock[0])  # type: ignore[misc]
            pieces.upgrade()
            began = time.perf_counter()
            fill(pieces, events, clock)
            print(f"{events:,} events of {LEDGER} in {time.perf_counter() - began:.0f} s", flush=True)
            report(pieces)
            pieces.database.dispose()


def report(pieces: Gridtrail) -> None:
    """Pages at several moments in both senses, and the whole fold at the middle."""
    year = (pieces.clock() - START).total_seconds()
    for share in (0.02, 0.5, 0.98, 1.0):
        said = utc_text(START + timedelta(seconds=year * share))
        for sense in SENSES:
            ms, rows, folded = measure(pieces, said, sense)
            only, _, _ = measure(pieces, said, sense, area=f"{LEDGER}001")
            told = f"{share:4.0%} of the year, {sense:8} {rows:3} rows {ms:8.1f} ms, {folded:5} cases folded"
            print(f"  {told}; of one community {only:8.1f} ms", flush=True)
    began = time.perf_counter()
    middle = utc_text(parse_utc(utc_text(START)) + timedelta(seconds=year / 2))
    rows = fold_lines(open_cases, as_of(lines_of_database(pieces, LEDGER), "known", None, middle)())
    took = (time.perf_counter() - began) * 1000
    print(f"  by folding all that was recorded until the middle: {took:.0f} ms, {len(rows)} cases", flush=True)


if __name__ == "__main__":
    main()
