"""``python -m bench.engine``: how fast the engine follows and rebuilds, beside a bare loop that reads and decodes the same rows.

Each figure is measured several times, the bare loop anew before each, so that the ratios hold on a machine that others use. Events a second
by the clock and by processor time; the latter counts this process, and in "with the database" PostgreSQL's processes too.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from bench.history import ledger_names, record_template, write_history
from bench.stores import Store, postgres_store, sqlite_store
from bench.told import keep
from projections import READ_MODELS
from projections.recorded import read_line
from projections.tables import PROGRESS
from service.config import Config
from service.database import reading
from service.wiring import Gridtrail

STORES: dict[str, Callable[[], AbstractContextManager[Store]]] = {"sqlite": sqlite_store, "postgresql": postgres_store}
AT_ONCE = 4000
FIGURES = (
    ("bare", "bare loop: read and decode"),
    ("follow", "follow all read models, long ledgers"),
    ("follow_thin", "follow, few events in each of many ledgers"),
    ("rebuild", "rebuild all, live rows right"),
    ("rebuild_empty", "rebuild all, live rows missing"),
    ("rebuild_two", "rebuild all in 2 processes, live rows right"),
)
KINDS = (("clock", "by the clock"), ("own", "by own processor time"), ("all", "with the database"))


def main() -> None:
    """Measures each store, prints medians, keeps all."""
    options = _options()
    template = record_template()
    size = sum(map(len, template.lines)) / len(template.lines)
    events = options.ledgers * options.events
    print(f"{events} events of {size:.0f} bytes in {options.ledgers} ledgers, {options.repeats} times, {os.cpu_count()} cores")
    measured = {}
    for name in options.stores:
        with STORES[name]() as store:
            measured[name] = Bench(store, template, options).run()
    for name, found in measured.items():
        _print(name, found)
    keep("engine", {"options": vars(options), "all": measured})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--ledgers", type=int, default=12)
    parser.add_argument("--events", type=int, default=5000, help="events of each ledger")
    parser.add_argument("--thin-ledgers", type=int, default=224)
    parser.add_argument("--thin-events", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


class Bench:
    """The figures of one store: for each, one dict of rates per repetition."""

    def __init__(self, store: Store, template: Any, options: argparse.Namespace) -> None:
        self.store, self.template, self.options = store, template, options
        self.pieces = Gridtrail(store.config())
        self.names = ledger_names(options.ledgers)
        self.found: dict[str, list[dict[str, float]]] = {key: [] for key, _ in FIGURES}

    def run(self) -> dict[str, list[dict[str, float]]]:
        """All figures."""
        self.pieces.upgrade()
        write_history(self.pieces.database, self.template, self.names, self.options.events)
        follower, count = self.pieces.follower, self.options.ledgers * self.options.events
        for _ in range(self.options.repeats):
            self._forget()
            self._time("bare", self._read_bare, count)
            self._time("follow", follower.catch_up, count)
        for _ in range(self.options.repeats):
            self._time("bare", self._read_bare, count)
            self._time("rebuild", follower.rebuild_all, count)
        for _ in range(self.options.repeats):
            self._empty()
            self._time("bare", self._read_bare, count)
            self._time("rebuild_empty", follower.rebuild_all, count)
        self._rebuild_in_two(count)
        thin = ledger_names(self.options.thin_ledgers + self.options.ledgers)[self.options.ledgers :]
        for _ in range(self.options.repeats):
            written = write_history(self.pieces.database, self.template, thin, self.options.thin_events)
            self._time("follow_thin", follower.catch_up, written)
        self.pieces.database.dispose()
        return self.found

    def _time(self, figure: str, work: Callable[[], Any], count: int) -> None:
        before = time.perf_counter(), time.process_time(), self.store.cpu()
        work()
        clock, own, database = (end - begin for end, begin in zip(_now(self.store), before, strict=True))
        self.found[figure].append({"clock": count / clock, "own": count / own, "all": count / (own + database)})

    def _read_bare(self) -> None:
        for name in self.names:
            with reading(self.pieces.database) as conn:
                position = 0
                while lines := self.pieces.ledgers.stretches(conn, [(name, position, position + AT_ONCE)])[0]:
                    position += len(lines)
                    for line in lines:
                        read_line(line)

    def _empty(self) -> None:
        with self.pieces.database.begin() as conn:
            for model in READ_MODELS.values():
                conn.execute(sa.delete(model.TABLE))
        if self.store.name == "postgresql":
            with self.pieces.database.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.exec_driver_sql("VACUUM")

    def _forget(self) -> None:
        self._empty()
        with self.pieces.database.begin() as conn:
            conn.execute(sa.delete(PROGRESS))

    def _rebuild_in_two(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        shares = [self.names[number::2] for number in range(2)]
        for _ in range(self.options.repeats):
            ready, results = context.Barrier(3), context.Queue()
            workers = [context.Process(target=_rebuild_share, args=(self.pieces.config, share, ready, results)) for share in shares]
            for worker in workers:
                worker.start()
            ready.wait(120)
            database = self.store.cpu()
            took = [results.get() for _ in workers]
            for worker in workers:
                worker.join()
            own = sum(cpu for _, cpu in took)
            rates = {"clock": count / max(clock for clock, _ in took), "own": count / own}
            self.found["rebuild_two"].append({**rates, "all": count / (own + self.store.cpu() - database)})


def _now(store: Store) -> tuple[float, float, float]:
    return time.perf_counter(), time.process_time(), store.cpu()


def _rebuild_share(config: Config, names: list[str], ready: Any, results: Any) -> None:
    pieces = Gridtrail(config)
    pieces.follower.status()
    ready.wait(120)
    clock, own = time.perf_counter(), time.process_time()
    for name in names:
        pieces.follower.rebuild_all(name)
    results.put((time.perf_counter() - clock, time.process_time() - own))


def _print(store: str, found: dict[str, list[dict[str, float]]]) -> None:
    bare = statistics.median(each["own"] for each in found["bare"])
    print(f"\n{store}: events/s, median (best)".ljust(48) + "".join(f"{label:>26}" for _, label in KINDS) + f"{'bare / it':>11}")
    for key, label in FIGURES:
        cells = "".join(_shown([each[kind] for each in found[key]]) for kind, _ in KINDS)
        ratio = bare / statistics.median(each["own"] for each in found[key])
        print(f"{label:<47}{cells}{ratio:>11.1f}")


def _shown(rates: list[float]) -> str:
    return f"{f'{statistics.median(rates):,.0f} ({max(rates):,.0f})':>26}"


if __name__ == "__main__":
    main()
