"""One city's day: every tablet's work uploaded over HTTP and visible in every read model, on PostgreSQL, with real web workers and engine.

    python -m bench.city_day                 39,300 tablets x 40 entries, 224 ledgers, 18,100 grids
    python -m bench.city_day --scale 0.05    a twentieth of the tablets, for a quick look

Areas, people, tablets and sealed batches are made before the clock runs. It runs from the first upload until the last event is folded into
the last read model. Afterwards every entry that the tablets hold is looked for in the ledgers.
"""

import argparse
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from bench.filler import analyse
from bench.load import free_port, serving
from bench.stores import Store, cpu_of, environment_of, postgres_store, sqlite_store
from bench.told import keep, show
from projections import READ_MODELS
from projections.tables import PROGRESS
from service.cli.serve import engine_command
from service.database import reading
from service.fleet.checking import check
from service.fleet.driving import drive
from service.fleet.many import make_ready
from service.fleet.run import percentiles
from service.ledger.tables import ledgers
from service.seed.city import FROM_DAY
from service.wiring import Gridtrail

TABLETS, ENTRIES, LEDGERS, GRIDS = 39_300, 40, 224, 18_100
SUBDISTRICTS_OF_DISTRICT = 28
TARGET_S = 180
STORES = {"postgresql": postgres_store, "sqlite": sqlite_store}
WAIT_S = 1800


def main() -> None:
    """Plays the day and prints what it took."""
    options = _options()
    with STORES[options.store]() as store, tempfile.TemporaryDirectory(prefix="gridtrail-city-") as folder:
        found = play(store, options, Path(folder))
    show(f"city day, {options.tablets} tablets x {options.entries} entries over {options.ledgers} ledgers", found)
    keep("city_day", {"options": vars(options), **found})
    if found["contradictions"]:
        raise SystemExit("\n".join(found["contradictions"][:20]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=list(STORES), default="postgresql")
    parser.add_argument("--scale", type=float, default=1.0, help="this part of the tablets")
    parser.add_argument("--entries", type=int, default=ENTRIES, help="of each tablet, in one batch")
    parser.add_argument("--ledgers", type=int, default=LEDGERS)
    parser.add_argument("--grids", type=int, default=GRIDS)
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    parser.add_argument("--clients", type=int, default=2, help="processes of the fleet")
    parser.add_argument("--client-threads", type=int, default=6, help="uploads at once, of each process of the fleet")
    options = parser.parse_args()
    options.tablets = max(options.ledgers, round(TABLETS * options.scale))
    return options


def areas_of(city: str, count: int, grids: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Areas of a city with so many subdistricts, each with a few communities and its part of the grids; and the grids' codes."""
    areas: list[dict[str, Any]] = [{"code": city, "name": "City"}]
    codes: list[str] = []
    for number in range(count):
        district = f"{city}{2 + number // SUBDISTRICTS_OF_DISTRICT:02d}"
        subdistrict = f"{district}{1 + number % SUBDISTRICTS_OF_DISTRICT:03d}"
        if number % SUBDISTRICTS_OF_DISTRICT == 0:
            areas.append({"code": district, "name": f"District {district}"})
        areas.append({"code": subdistrict, "name": f"Subdistrict {number + 1}"})
        mine = range(number * grids // count, (number + 1) * grids // count)
        places = [f"{subdistrict}{1 + at // 10:03d}{1 + at % 10:03d}" for at, _ in enumerate(mine)]
        areas.extend({"code": code, "name": f"Community {code}"} for code in dict.fromkeys(place[:12] for place in places))
        codes.extend(places)
    areas.extend({"code": code, "name": code, "kind": "general"} for code in codes)
    return [{"effective_from": FROM_DAY, **area} for area in areas], codes


def play(store: Store, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Makes ready, runs the day, looks at what is there."""
    config = store.config(workers=options.workers, port=free_port())
    pieces = Gridtrail(config)
    pieces.upgrade()
    began = time.perf_counter()
    areas, grids = areas_of(config.city, options.ledgers, options.grids)
    files = make_ready(
        pieces, folder, areas, grids, tablets=options.tablets, entries=options.entries, batch=options.entries,
        processes=options.clients, seed=1,
    )  # fmt: skip
    found: dict[str, Any] = {"ready_s": time.perf_counter() - began}
    analyse(pieces.database)
    environment = environment_of(config)
    with serving(config, environment) as web, engine(environment) as following:
        found |= timed(pieces, store, options, files, (web, following))
    began = time.perf_counter()
    found["contradictions"] = (checked := check(pieces, files)).wrong
    found |= {"check_s": time.perf_counter() - began, "checked": str(checked), "outcomes": dict(checked.outcomes)}
    pieces.database.dispose()
    return found


@contextmanager
def engine(environment: dict[str, str]) -> Iterator[int]:
    """Runs the engine's process until the block ends; gives its id."""
    process = subprocess.Popen(
        engine_command(), env={**os.environ, **environment}, cwd=Path(__file__).parent.parent, start_new_session=True
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def timed(pieces: Gridtrail, store: Store, options: argparse.Namespace, files: list[Path], pids: tuple[int, int]) -> dict[str, Any]:
    """The measured part: the uploads, and the time until all of it is visible."""
    web, following = pids
    entries = options.tablets * options.entries
    used = {"web": lambda: cpu_of(web), "engine": lambda: cpu_of(following), "database": store.cpu}
    before = {name: cpu() for name, cpu in used.items()}
    with Memory({"web": web, "engine": following}) as memory:
        began = time.perf_counter()
        driven = drive(f"http://{pieces.config.host}:{pieces.config.port}", files, options.client_threads, entries)
        _until_visible(pieces)
        # Starting the fleet's processes is none of the service's work.
        took = time.perf_counter() - began - driven.starting
    cpu = {name: (each() - before[name]) / entries * 1e6 for name, each in used.items()}
    if driven.wrong:
        raise SystemExit(f"uploads failed: {driven.wrong[:5]}")
    return {
        "events": entries + len(driven.latencies),
        "uploaded_s": driven.seconds,
        "visible_s": took,
        "target_s": TARGET_S * options.scale,
        "upload_per_s": entries / driven.seconds,
        "visible_per_s": entries / took,
        **{f"upload_{name}_ms": value for name, value in percentiles(driven.latencies).items()},
        "retries": sum(driven.retries.values()),
        **{f"cpu_us_{name}": value for name, value in cpu.items()},
        **memory.told(),
        "memory": memory.samples,
    }


def _until_visible(pieces: Gridtrail) -> None:
    """Waits until every read model stands at the end of every ledger."""
    query = sa.select(PROGRESS.c.read_model, sa.func.sum(PROGRESS.c.position), sa.func.count(PROGRESS.c.parked_position))
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        with reading(pieces.database) as conn:
            whole = conn.scalar(sa.select(sa.func.sum(ledgers.c.size)))
            stands = conn.execute(query.group_by(PROGRESS.c.read_model)).all()
        if any(parked for _, _, parked in stands):
            raise SystemExit(f"a read model is parked: {stands}")
        if len(stands) == len(READ_MODELS) and all(position == whole for _, position, _ in stands):
            return
        time.sleep(0.05)
    raise SystemExit("the read models did not catch up")


class Memory:
    """Samples the resident memory of processes: the largest of each family's members, in MiB, with the seconds since the beginning."""

    EVERY_S = 1.0

    def __init__(self, pids: dict[str, int]) -> None:
        self.families = {name: psutil.Process(pid) for name, pid in pids.items()}
        self.samples: list[dict[str, float]] = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self.done.is_set():
            self.samples.append({"s": round(time.monotonic() - began, 1), **{name: _largest(each) for name, each in self.families.items()}})
            self.done.wait(self.EVERY_S)

    def told(self) -> dict[str, float]:
        """First, largest and last of each family. The first sample after the processes have warmed up counts as the first."""
        warm = self.samples[min(len(self.samples) - 1, len(self.samples) // 10) :]
        told = {}
        for name in self.families:
            values = [each[name] for each in warm]
            told |= {f"mib_{name}_first": values[0], f"mib_{name}_most": max(values), f"mib_{name}_last": values[-1]}
        return told


def _largest(parent: psutil.Process) -> float:
    family = [parent, *parent.children()]
    return round(max(each.memory_info().rss for each in family) / 2**20, 1)


if __name__ == "__main__":
    main()
