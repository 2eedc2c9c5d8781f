"""``python -m bench.memory``: what the engine holds while all read models are rebuilt from a long history: from nothing, and over rows
that are right.

The work is done by a process of its own, whose resident memory is looked at ten times a second: flat means that the last tenth of the time
needs no more than the second. What it takes of the processor is told too, the database's own aside.
"""

import argparse
import multiprocessing
import time
from typing import Any

import psutil

from bench.history import ledger_names, record_template, write_history
from bench.stores import Store, postgres_store, sqlite_store
from bench.told import keep, show
from service.config import Config
from service.wiring import Gridtrail

STORES = {"sqlite": sqlite_store, "postgresql": postgres_store}
LOOK_S = 0.1
WORKS = {"rebuild_missing": "rebuild, rows missing", "rebuild_right": "rebuild, rows right"}


def main() -> None:
    """Makes the history, folds it, prints."""
    options = _options()
    with STORES[options.store]() as store:
        found = measure(store, options)
    keep("memory", {"options": vars(options), **found})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=list(STORES), default="postgresql")
    parser.add_argument("--events", type=float, default=1e7)
    parser.add_argument("--ledgers", type=int, default=224)
    return parser.parse_args()


def measure(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of each piece of work."""
    config, names = store.config(), ledger_names(options.ledgers)
    pieces = Gridtrail(config)
    pieces.upgrade()
    began = time.perf_counter()
    events = write_history(pieces.database, record_template(), names, int(options.events) // len(names))
    pieces.database.dispose()
    print(f"{events} events in {len(names)} ledgers written in {time.perf_counter() - began:.0f} s", flush=True)
    found: dict[str, Any] = {"events": events}
    for work, title in WORKS.items():
        found[work] = watch(config, events)
        show(title, found[work])
    return found


def watch(config: Config, events: int) -> dict[str, float]:
    """MiB of a process that rebuilds all read models: before the work, after a tenth of the time, at most, in the last tenth."""
    context = multiprocessing.get_context("spawn")
    ready, go, results = context.Event(), context.Event(), context.Queue()
    worker = context.Process(target=rebuild, args=(config, ready, go, results))
    worker.start()
    ready.wait(120)
    process, looks = psutil.Process(worker.pid), []
    looks.append(process.memory_info().rss)
    go.set()
    while worker.is_alive() and results.empty():
        looks.append(process.memory_info().rss)
        time.sleep(LOOK_S)
    clock, own = results.get()
    worker.join()
    tenth = max(1, len(looks) // 10)
    mib = {
        "mib_before": looks[0],
        "mib_most_second_tenth": max(looks[tenth : 2 * tenth] or looks),
        "mib_most_last_tenth": max(looks[-tenth:]),
        "mib_most": max(looks),
    }
    return {**{name: value / 2**20 for name, value in mib.items()}, "events_per_s": events / clock, "events_per_own_s": events / own}


def rebuild(config: Config, ready: Any, go: Any, results: Any) -> None:
    """The process that works."""
    pieces = Gridtrail(config)
    pieces.follower.status()
    ready.set()
    go.wait(120)
    clock, own = time.perf_counter(), time.process_time()
    pieces.follower.rebuild_all()
    results.put((time.perf_counter() - clock, time.process_time() - own))


if __name__ == "__main__":
    main()
