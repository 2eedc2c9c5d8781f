"""``python -m bench.ingest``: how fast batches of 40 entries come in over HTTP, beside the raw rate of the same database in the same run.

For each store: sync events/s over HTTP with client, server and database on this machine; raw rates of 40 rows a transaction into a bare
table with the same indexes (executemany, unnest, COPY); their ratio; processor time an event of the web processes and of the database;
latency. What proving costs: a publisher works beside it (tiles, checkpoints), and the same batches go to a server that keeps no tree and no
journal and signs nothing (bench.plain), in turns with it. And what the eventsourcing library's own PostgreSQL recorder saves in process (it
needs the package psycopg-pool). Medians of the repetitions, and JSON.
"""

import argparse
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
import sqlalchemy as sa
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment

from bench.fleet import ENTRIES, Tablet, make_fleet
from bench.load import free_port, send_all, serving
from bench.raw import BARE, INSERT_POSTGRES, INSERT_SQLITE, ROWS, rows_of
from bench.stores import Store, cpu_of, environment_of, postgres_store, sqlite_store
from bench.told import keep
from service.audit.tables import ROOT, all_published, heads_of
from service.config import Config
from service.database import is_sqlite, open_database, reading
from service.ledger.bulk import COLUMNS
from service.wiring import Gridtrail

RESULTS = Path(__file__).parent / "results"
STORES: dict[str, Callable[[], AbstractContextManager[Store]]] = {"sqlite": sqlite_store, "postgresql": postgres_store}
LABELS = {
    "sync_per_s": "sync over HTTP, events/s",
    "raw_executemany_per_s": "raw: executemany, rows/s",
    "raw_unnest_per_s": "raw: unnest, rows/s",
    "raw_copy_per_s": "raw: COPY, rows/s",
    "sync_to_raw": "sync / best raw",
    "web_us": "web CPU an event, µs",
    "database_us": "database CPU an event, µs",
    "cpu_us": "web + database, µs",
    "p50_ms": "batch latency p50, ms",
    "p99_ms": "batch latency p99, ms",
    "publisher_us": "publisher CPU an event: tiles and checkpoints, µs",
    "plain_sync_per_s": "without trees, journal, signatures: events/s",
    "plain_cpu_us": "  web + database, µs",
    "plain_p99_ms": "  batch latency p99, ms",
    "with_to_without": "with them / without them, events/s",
    "library_per_s": "eventsourcing's own recorder, in process, events/s",
}


def main() -> None:
    """Measures each store and prints the medians."""
    options = _options()
    print(f"{options.tablets} tablets x {options.batches} batches x {ENTRIES} entries, {options.ledgers} ledgers, {options.repeats} times")
    print(f"web {options.workers} x {options.threads} threads, client {options.clients} x {options.client_threads}, {os.cpu_count()} cores")
    measured = {}
    for name in options.stores:
        with STORES[name]() as store, STORES[name]() as plain:
            measured[name] = measure(store, plain, options)
    medians = {name: {key: statistics.median(values) for key, values in each.items()} for name, each in measured.items()}
    _print(medians)
    keep("ingest", {"options": vars(options), "medians": medians, "all": measured})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--tablets", type=int, default=224)
    parser.add_argument("--batches", type=int, default=4, help="batches of each tablet in each repetition")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ledgers", type=int, default=56)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=Config.threads, help="threads of each web process")
    parser.add_argument("--clients", type=int, default=1, help="client processes")
    parser.add_argument("--client-threads", type=int, default=8, help="threads of each client process")
    return parser.parse_args()


def measure(store: Store, plain: Store, options: argparse.Namespace) -> dict[str, list[float]]:
    """All figures of one store: sync, sync without proofs, raw and library take turns, so that all see the same machine."""
    found: dict[str, list[float]] = {}
    with Side(store, options) as side, Side(plain, options, "bench.plain:app") as without:
        side.sync(0, {})  # warms prepared statements and caches
        without.sync(0, {})
        rows = rows_of(side.pieces.database, options.tablets * options.batches * ENTRIES)
        for repeat in range(1, options.repeats + 1):
            side.sync(repeat, found)
            beside: dict[str, list[float]] = {}
            without.sync(repeat, beside)
            for name, values in beside.items():
                found.setdefault(f"plain_{name}", []).extend(values)
            found.setdefault("with_to_without", []).append(found["sync_per_s"][-1] / found["plain_sync_per_s"][-1])
            raw = _raw(store.url, rows)
            for name, rate in raw.items():
                found.setdefault(f"raw_{name}_per_s", []).append(rate)
            found.setdefault("sync_to_raw", []).append(found["sync_per_s"][-1] / max(raw.values()))
            if not is_sqlite(side.pieces.database) and find_spec("psycopg_pool"):
                found.setdefault("library_per_s", []).append(_library(store.url, rows))
    return found


class Side:
    """One server with its fleet, and, where its history is proved, a publisher."""

    def __init__(self, store: Store, options: argparse.Namespace, app: str = "wsgi:app") -> None:
        self.store, self.options = store, options
        self.config = store.config(workers=options.workers, threads=options.threads, port=free_port(), publish_s=1)
        self.pieces = Gridtrail(self.config)
        self.pieces.upgrade()
        self.fleet = make_fleet(self.pieces, options.tablets, options.batches * (options.repeats + 1), options.ledgers)
        self.pieces.database.dispose()
        self.server = serving(self.config, environment_of(self.config), app)
        self.proved = app == "wsgi:app"
        self.publisher = multiprocessing.get_context("spawn").Process(target=publish, args=(self.config,), daemon=True)

    def __enter__(self) -> Self:
        self.web = self.server.__enter__()
        if self.proved:
            self.publisher.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        if self.proved:
            self.publisher.terminate()
            self.publisher.join()
        self.server.__exit__(*raised)
        self.pieces.database.dispose()

    def sync(self, repeat: int, found: dict[str, list[float]]) -> None:
        """Sends a repetition's batches of the whole fleet and waits until they are published."""
        batches = slice(repeat * self.options.batches, (repeat + 1) * self.options.batches)
        publisher = self.publisher.pid if self.proved else None
        before = cpu_of(publisher) if publisher else 0
        _sync(self.store, self.web, self.config, self.fleet, batches, self.options, found)
        if publisher:
            _until_published(self.pieces)
            entries = sum(len(tablet.bodies[batches]) for tablet in self.fleet) * ENTRIES
            found.setdefault("publisher_us", []).append((cpu_of(publisher) - before) / entries * 1e6)


def publish(config: Config) -> None:
    """A process that publishes until it is ended."""
    Gridtrail(config).publisher.run(threading.Event())


def _until_published(pieces: Gridtrail) -> None:
    """Waits until every ledger's head is published."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with reading(pieces.database) as conn:
            heads = {head.ledger: head.size for head in heads_of(conn) if head.ledger != ROOT and head.size}
            stand = {ledger: published.size for ledger, published in all_published(conn).items() if ledger != ROOT}
        if heads == stand:
            return
        time.sleep(0.2)
    raise SystemExit("the publisher does not catch up")


def _sync(
    store: Store, pid: int, config: Config, fleet: list[Tablet], batches: slice, options: argparse.Namespace, found: dict[str, list[float]]
) -> None:
    expected = sum(len(tablet.bodies[batches]) for tablet in fleet) * ENTRIES
    web, database = cpu_of(pid), store.cpu()
    took, sent = send_all(config, fleet, batches, options.clients, options.client_threads)
    web, database = cpu_of(pid) - web, store.cpu() - database
    if sent.recorded != expected:
        raise SystemExit(f"{sent.recorded} of {expected} entries were recorded: {sent.wrong[:3]}")
    latencies = statistics.quantiles(sent.latencies, n=100)
    for name, value in {
        "sync_per_s": expected / took,
        "web_us": web / expected * 1e6,
        "database_us": database / expected * 1e6,
        "cpu_us": (web + database) / expected * 1e6,
        "p50_ms": latencies[49] * 1000,
        "p99_ms": latencies[98] * 1000,
    }.items():
        found.setdefault(name, []).append(value)


# ---- the same database without us


def _raw(url: str, rows: list[tuple[Any, ...]]) -> dict[str, float]:
    """Rows a second into a fresh bare table, by each way that the database has."""
    database = open_database(url)
    ways = {"executemany": _executemany_sqlite} if is_sqlite(database) else {"executemany": _executemany, "unnest": _unnest, "copy": _copy}
    rates = {}
    for name, write in ways.items():
        with database.begin() as conn:
            for statement in ("DROP TABLE IF EXISTS raw_events", *BARE):
                conn.exec_driver_sql(statement)
        raw = database.raw_connection()
        began = time.perf_counter()
        for first in range(0, len(rows), ROWS):
            write(raw.driver_connection, rows[first : first + ROWS])
        rates[name] = len(rows) / (time.perf_counter() - began)
        raw.close()
    with database.begin() as conn:
        conn.exec_driver_sql("DROP TABLE raw_events")
    database.dispose()
    return rates


def _executemany_sqlite(driver: Any, rows: list[tuple[Any, ...]]) -> None:
    driver.execute("BEGIN IMMEDIATE")
    driver.executemany(INSERT_SQLITE, rows)
    driver.execute("COMMIT")


INSERT_ONE = f"INSERT INTO raw_events {COLUMNS} VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"


def _executemany(driver: Any, rows: list[tuple[Any, ...]]) -> None:
    with driver.cursor() as cursor:
        cursor.executemany(INSERT_ONE, rows)
    driver.commit()


def _unnest(driver: Any, rows: list[tuple[Any, ...]]) -> None:
    driver.execute(INSERT_POSTGRES, [list(column) for column in zip(*rows, strict=True)])
    driver.commit()


def _copy(driver: Any, rows: list[tuple[Any, ...]]) -> None:
    with driver.cursor() as cursor, cursor.copy(f"COPY raw_events {COLUMNS} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    driver.commit()


# ---- the library's own recorder


def _library(url: str, rows: list[tuple[Any, ...]]) -> float:
    """Events a second that ``eventsourcing.postgres`` saves in process, 40 a transaction: made beforehand, of the same bytes."""
    parsed = sa.make_url(url)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parsed.database or "postgres",
        "POSTGRES_HOST": parsed.host or str(parsed.query.get("host", "")),
        "POSTGRES_PORT": str(parsed.port or 5432),
        "POSTGRES_USER": parsed.username or "postgres",
        "POSTGRES_PASSWORD": parsed.password or "postgres",
    }
    name = f"library_{uuid4().hex[:8]}"
    factory: Any = InfrastructureFactory.construct(Environment(name, settings))
    recorder = factory.application_recorder()
    stored = [StoredEvent(uuid4(), 1, row[4], row[9]) for row in rows]
    began = time.perf_counter()
    for first in range(0, len(stored), ROWS):
        recorder.insert_events(stored[first : first + ROWS])
    took = time.perf_counter() - began
    factory.close()
    with psycopg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as conn:
        conn.execute(f"DROP TABLE IF EXISTS {name}_events".encode())
    return len(stored) / took


def _print(medians: dict[str, dict[str, float]]) -> None:
    print(f"{'median of the run':<52}" + "".join(f"{name:>14}" for name in medians))
    for key, label in LABELS.items():
        print(f"{label:<52}" + "".join(_shown(each.get(key)) for each in medians.values()))


def _shown(value: float | None) -> str:
    if value is None:
        return f"{'-':>14}"
    return f"{value:>14,.0f}" if value >= 100 else f"{value:>14,.2f}"


if __name__ == "__main__":
    main()
