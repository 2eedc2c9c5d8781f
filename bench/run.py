"""``make bench``: one run, every timing at least three times, medians and ratios as a table and as JSON in bench/results.

Everything is on this machine: web processes, database and load generator share its cores. Commits are durable.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.fleet import ENTRIES, Tablet, make_fleet
from bench.load import free_port, send_all, serving
from bench.raw import insert_rate, rows_of
from bench.stores import Store, cpu_of, postgres_store, sqlite_store
from projections import READ_MODELS
from service.config import Config
from service.ledger.keys import seed_of
from service.wiring import Gridtrail

RESULTS = Path(__file__).parent / "results"
STORES: dict[str, Callable[[], AbstractContextManager[Store]]] = {"sqlite": sqlite_store, "postgresql": postgres_store}
ROWS = (
    ("sync_per_s", "sync over HTTP, events/s"),
    ("raw_per_s", "raw bulk insert, rows/s"),
    ("sync_to_raw", "sync / raw"),
    ("cpu_us", "server CPU an event, µs (web + database)"),
    ("p50_ms", "batch latency p50, ms"),
    ("p99_ms", "batch latency p99, ms"),
    ("follow_per_s", "engine, all read models, events/s"),
    ("rebuild_per_s", "rebuild of all read models, events/s"),
)


def main() -> None:
    """Measures each store and prints the medians."""
    options = _options()
    print(f"{options.tablets} tablets x {options.batches} batches x {ENTRIES} entries, {options.repeats} times, {os.cpu_count()} cores")
    measured = {}
    for name in options.stores:
        with STORES[name]() as store:
            measured[name] = measure(store, options)
    medians = {name: {key: statistics.median(values) for key, values in each.items()} for name, each in measured.items()}
    _print(medians)
    _keep({"options": vars(options), "machine": platform.platform(), "cores": os.cpu_count(), "medians": medians, "all": measured})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--tablets", type=int, default=96)
    parser.add_argument("--batches", type=int, default=4, help="batches of each tablet in each repetition")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ledgers", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8, help="threads of each web process")
    parser.add_argument("--clients", type=int, default=2, help="client processes")
    parser.add_argument("--client-threads", type=int, default=6, help="threads of each client process")
    return parser.parse_args()


def measure(store: Store, options: argparse.Namespace) -> dict[str, list[float]]:
    """All figures of one store, each as often as there are repetitions, one after another so that all see the same machine."""
    config = Config(
        database_url=store.url,
        workers=options.workers,
        threads=options.threads,
        port=free_port(),
        log_format="text",
        signing_key=seed_of(Ed25519PrivateKey.generate()),
    )
    pieces = Gridtrail(config)
    pieces.upgrade()
    fleet = make_fleet(pieces, options.tablets, options.batches * options.repeats, options.ledgers)
    pieces.follower.catch_up()
    found: dict[str, list[float]] = {key: [] for key, _ in ROWS}
    for repeat in range(options.repeats):
        _sync(store, config, fleet, slice(repeat * options.batches, (repeat + 1) * options.batches), options, found)
        rows = rows_of(pieces.database, options.tablets * options.batches * ENTRIES)
        found["raw_per_s"].append(insert_rate(pieces.database, rows))
        found["sync_to_raw"].append(found["sync_per_s"][-1] / found["raw_per_s"][-1])
        found["follow_per_s"].append(_timed(pieces.follower.catch_up))
    for _ in range(options.repeats):
        found["rebuild_per_s"].append(_rebuild(pieces))
    pieces.database.dispose()
    return found


def _sync(
    store: Store, config: Config, fleet: list[Tablet], batches: slice, options: argparse.Namespace, found: dict[str, list[float]]
) -> None:
    expected = sum(len(tablet.bodies[batches]) for tablet in fleet) * ENTRIES
    environment = {
        "GRIDTRAIL_DATABASE_URL": config.database_url,
        "GRIDTRAIL_SIGNING_KEY": config.signing_key,
        "GRIDTRAIL_LOG_FORMAT": "text",
    }
    with serving(config, environment) as pid:
        before = cpu_of(pid) + store.cpu()
        took, sent = send_all(config, fleet, batches, options.clients, options.client_threads)
        cpu = cpu_of(pid) + store.cpu() - before
    if sent.recorded != expected:
        raise SystemExit(f"{sent.recorded} of {expected} entries were recorded: {sent.wrong[:3]}")
    latencies = statistics.quantiles(sent.latencies, n=100)
    found["sync_per_s"].append(expected / took)
    found["cpu_us"].append(cpu / expected * 1e6)
    found["p50_ms"].append(latencies[49] * 1000)
    found["p99_ms"].append(latencies[98] * 1000)


def _timed(work: Callable[[], int]) -> float:
    began = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - began)


def _rebuild(pieces: Gridtrail) -> float:
    """Events of the history, divided by the time in which all read models were folded anew from it."""
    began, count = time.perf_counter(), 0
    for name in READ_MODELS:
        count = max(count, pieces.follower.rebuild(name))
    return count / (time.perf_counter() - began)


def _print(medians: dict[str, dict[str, float]]) -> None:
    print(f"{'median of the run':<44}" + "".join(f"{name:>14}" for name in medians))
    for key, label in ROWS:
        print(f"{label:<44}" + "".join(_shown(each[key]) for each in medians.values()))


def _shown(value: float) -> str:
    return f"{value:>14,.0f}" if value >= 100 else f"{value:>14,.2f}"


def _keep(result: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
