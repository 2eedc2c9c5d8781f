"""How cost grows with history: rate of ingest and time of the open-case page against the number of events, as JSON and as a plot.

    python -m bench.growth                   10^4, 10^5 and 10^6 events, on PostgreSQL
    python -m bench.growth --sizes 1e4 1e5 1e6 1e7
    python -m bench.growth --plot            draws docs/growth.svg anew from docs/growth.json

Ingest goes through the web server into ledgers that are that long already; pages are those of a subdistrict's officer and of the city's.
The history is there for its size only (bench/filler.py), so what is measured is what depends on size: indexes, tables, caches.
"""

import argparse
import json
import random
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.city_day import areas_of
from bench.filler import analyse, fill, templates
from bench.load import free_port, serving
from bench.plot import Line, Panel, plot
from bench.queries import EVENTS_OF_CASE, Caller, read_to_the_end, token_of
from bench.stores import Store, environment_of, postgres_store, sqlite_store
from bench.told import keep, machine
from service.fleet.driving import drive
from service.fleet.enlisting import Enlisted, enlist
from service.fleet.generated import cast_of
from service.fleet.plan import Member
from service.fleet.run import percentiles
from service.fleet.sealed import write_sealed
from service.fleet.sealing import seal
from service.logs import write_from
from service.seed.city import FROM_DAY
from service.wiring import Gridtrail, make_app

STORES = {"postgresql": postgres_store, "sqlite": sqlite_store}
DOCS = Path(__file__).parent.parent / "docs"
ENTRIES, LEDGERS, GRIDS = 40, 56, 2000


def main() -> None:
    """Measures at each size, or only draws."""
    options = _options()
    if not options.plot:
        with STORES[options.store]() as store:
            points = measure(store, options)
        told = {"machine": machine(), "at": datetime.now(UTC).isoformat(), "store": options.store, "points": points}
        keep("growth", told)
        if options.docs:
            (DOCS / "growth.json").write_text(json.dumps(told, indent=1) + "\n")
    if options.docs:
        draw(json.loads((DOCS / "growth.json").read_text()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=list(STORES), default="postgresql")
    parser.add_argument("--sizes", nargs="+", type=float, default=[1e4, 1e5, 1e6])
    parser.add_argument("--tablets", type=int, default=112, help="that upload at each size, in each repetition")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--plot", action="store_true", help="only draw")
    parser.add_argument("--no-docs", dest="docs", action="store_false", help="leave docs/growth.* as they are")
    return parser.parse_args()


def measure(store: Store, options: argparse.Namespace) -> list[dict[str, float]]:
    """One point for each size, on one database that grows."""
    config = store.config(port=free_port(), statement_timeout_s=600)
    pieces = Gridtrail(config)
    pieces.upgrade()
    areas, grids = areas_of(config.city, LEDGERS, GRIDS)
    readers = [Member("sub", "officer", (grids[0][:9],), FROM_DAY), Member("city", "officer", (config.city,), FROM_DAY)]
    walker = Member("walker", "worker", (grids[0],), FROM_DAY)
    tablet = enlist(pieces, areas, [*readers, walker])[-1]
    rows, points, cases = templates(), [], 0
    for size in map(int, options.sizes):
        fill(pieces, grids, size, size // EVENTS_OF_CASE - cases, rows, seed=size)
        cases = size // EVENTS_OF_CASE
        analyse(pieces.database)
        point = {"events": size, **_reads(pieces, readers, tablet, options.requests), **_ingest(pieces, grids, options)}
        print({name: round(value, 2) for name, value in point.items()})
        points.append(point)
    pieces.database.dispose()
    return points


def _reads(pieces: Gridtrail, readers: list[Member], tablet: Enlisted, requests: int) -> dict[str, float]:
    caller = Caller(make_app(pieces))
    write_from("warning")
    found = {}
    for reader in readers:
        token = token_of(pieces, reader)
        times = [caller.get("/v1/cases", token, {"open": "true"})[0] for _ in range(requests + 20)][20:]
        found |= {f"{reader.key}_p50_ms": statistics.median(times), f"{reader.key}_p99_ms": percentiles(times)["p99"] / 1000}
    cursor = read_to_the_end(caller, tablet)
    times = [caller.get("/v1/sync/changes", tablet.token, {"since": cursor})[0] for _ in range(requests + 20)][20:]
    return {**found, "download_p50_ms": statistics.median(times)}


def _ingest(pieces: Gridtrail, grids: list[str], options: argparse.Namespace) -> dict[str, float]:
    """The median rate of several repetitions, each with new tablets."""
    config, rates, waits = pieces.config, [], []
    entries = options.batches * ENTRIES
    begins = datetime.now(UTC) - timedelta(days=7)
    with serving(config, environment_of(config)), tempfile.TemporaryDirectory(prefix="gridtrail-growth-") as folder:
        for repeat in range(options.repeats):
            tablets = enlist(pieces, (), cast_of(random.Random(repeat).sample(grids, options.tablets), options.tablets))
            files = [Path(folder) / f"{repeat}-{number}.sealed" for number in range(2)]
            sealed = [seal(each, entries, ENTRIES, begins, repeat) for each in tablets]
            for number, file in enumerate(files):
                write_sealed(file, sealed[number::2])
            driven = drive(f"http://{config.host}:{config.port}", files, 6, options.tablets * entries)
            if driven.wrong:
                raise SystemExit(f"uploads failed: {driven.wrong[:3]}")
            rates.append(options.tablets * entries / driven.seconds)
            waits += driven.latencies
    return {"ingest_per_s": statistics.median(rates), "ingest_p99_ms": percentiles(waits)["p99"]}


def draw(told: dict[str, Any]) -> None:
    """docs/growth.svg from the figures."""
    points = told["points"]

    def line(name: str, label: str) -> Line:
        return Line(label, [(point["events"], point[name]) for point in points])

    rate = Panel("Ingest over HTTP, events/s", [line("ingest_per_s", "ingest")])
    times = Panel(
        "Server time, ms",
        [
            line("city_p50_ms", "open cases of the city, p50"),
            line("sub_p50_ms", "of a subdistrict, p50"),
            line("download_p50_ms", "download, nothing new, p50"),
        ],
    )
    (DOCS / "growth.svg").write_text(plot([rate, times], "events of history"))
    print("Drawn in docs/growth.svg")


if __name__ == "__main__":
    main()
