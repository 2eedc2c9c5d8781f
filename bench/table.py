"""``python -m bench.table``: the floors that Gridtrail set itself, the newest figure of each, and what was measured in the same run.

Reads what the parts keep in bench/results; ``make bench`` ends with it. A line says whether its floor is reached, which section of
docs/performance.md tells why not, or that the run was smaller than the floor means.
"""

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.told import RESULTS, keep

Found = dict[str, Any]
LONG_HISTORY = 10_000_000
TABLETS, ENGINE_EVENTS, OVERLOAD_S, AUDIT_EVENTS = 224, 60_000, 20, 40_000
"""The least sizes of a run that says something."""
MOST_MIB = 200.0
FOLDING = (
    ("follow", "following", 15_000),
    ("rebuild", "rebuild over right rows", 100_000),
    ("rebuild_empty", "rebuild of missing rows", 100_000),
)
HEADS = ("what", "here", "floor", "", "in the same run")


@dataclass(frozen=True)
class Line:
    """One figure and its floor. ``told``: a heading of docs/performance.md. ``whole``: whether the run was as large as the floor means."""

    what: str
    here: float
    floor: float
    at_most: bool
    beside: str
    told: str
    whole: bool = True

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of its floor."""
        return self.here <= self.floor if self.at_most else self.here >= self.floor

    def cells(self) -> tuple[str, ...]:
        """What is printed, in the order of the heads."""
        verdict = ("reached" if self.reached else f"missed: {self.told}") if self.whole else "a small run"
        return self.what, _plain(self.here), f"{'at most' if self.at_most else 'at least'} {_plain(self.floor)}", verdict, self.beside


def main() -> None:
    """Prints the newest figures, and keeps them."""
    print_table()


def print_table(since: float = 0.0) -> None:
    """Of what was kept since then, in seconds of the epoch."""
    lines: list[Line] = []
    silent = []
    for part, lines_of in PARTS.items():
        kept = [path for path in RESULTS.glob(f"{part}-*.json") if path.stat().st_mtime >= since]
        if kept:
            lines.extend(lines_of(json.loads(max(kept).read_text())))
        else:
            silent.append(part)
    for cells in (HEADS, ("---",) * len(HEADS), *(line.cells() for line in lines)):
        print(f"| {' | '.join(cells)} |")
    if silent:
        print(f"Not measured: {', '.join(f'python -m bench.{part}' for part in silent)}")
    keep("table", {"lines": [{**vars(line), "reached": line.reached} for line in lines]})


# ---- the lines of each part


def _ingest(found: Found) -> Iterator[Line]:
    whole, told = found["options"]["tablets"] >= TABLETS, "What the limit is"
    for store, here in found["medians"].items():
        raw = max(rate for name, rate in here.items() if name.startswith("raw_"))
        beside = f"{_plain(here['sync_per_s'])} events/s, p99 {_plain(here['p99_ms'])} ms; raw {_plain(raw)} rows/s"
        what, floor = f"sync over HTTP, {store}, of the best raw rate", {"postgresql": 0.4, "sqlite": 0.15}[store]
        if store != "postgresql":
            yield Line(what, here["sync_to_raw"], floor, False, beside, told, whole)
            continue
        library = here["library_per_s"]
        beside += f"; the library's recorder in process {_plain(library)} events/s"
        yield Line(what, here["sync_to_raw"], floor, False, beside, told, whole)
        beside = f"web {_plain(here['web_us'])}, database {_plain(here['database_us'])}; the library {_plain(1e6 / library)} µs of clock"
        yield Line("server CPU an event, web and database, µs", here["cpu_us"], 110, True, beside, told, whole)


def _engine(found: Found) -> Iterator[Line]:
    whole, told = found["options"]["events"] * found["options"]["ledgers"] >= ENGINE_EVENTS, "Where a rebuild's time goes"
    for store, figures in found["all"].items():
        bare = statistics.median(each["own"] for each in figures["bare"])
        for name, what, floor in FOLDING:
            own, both, clock = (statistics.median(each[time] for each in figures[name]) for time in ("own", "all", "clock"))
            beside = f"with the database's time {_plain(both)}, by the clock {_plain(clock)}; bare loop {_plain(bare)}"
            yield Line(f"{what}, {store}, events/s of a core", own, floor, False, beside, told if name != "follow" else "Engine", whole)


def _city_day(found: Found) -> Iterator[Line]:
    lost = f"{len(found['contradictions'])} lost or doubled"
    day = f"uploaded in {_plain(found['uploaded_s'])} s; {found['events']:,} events, {_plain(found['visible_per_s'])}/s; {lost}"
    uploads = f"p50 {_plain(found['upload_p50_ms'])}; {found['retries']} retries"
    web, engine = (
        f"{_plain(found[f'mib_{each}_first'])} at first, {_plain(found[f'mib_{each}_last'])} at last" for each in ("web", "engine")
    )
    for what, figure, floor, beside in (
        ("city day, visible in every read model, s", "visible_s", 180, day),
        ("upload of 40 entries in it, p99, ms", "upload_p99_ms", 1500, uploads),
        ("memory of a web process in it, MiB", "mib_web_most", MOST_MIB, web),
        ("memory of the engine in it, MiB", "mib_engine_most", MOST_MIB, engine),
    ):
        yield Line(what, found[figure], floor, True, beside, "City day", found["options"]["scale"] >= 1)


def _queries(found: Found) -> Iterator[Line]:
    whole, told = found["options"]["events"] >= LONG_HISTORY, "Queries"
    for store, here in found["found"].items():
        size = max(here["sizes"], key=int)
        long, ratio = here["sizes"][size], here["ratio"]
        for what, pages, figure, floor in (
            (f"page of cases at {int(size):,} events, {store}, slowest reader, p50, ms", long, "p50", 3),
            ("the same, p99", long, "p99", 10),
            ("the same, p50 against 1/100 of the size", ratio, "p50", 1.5),
        ):
            readers = _readers(pages, figure)
            beside = ", ".join(f"{reader} {_plain(value)}" for reader, value in readers.items())
            yield Line(what, max(readers.values()), floor, True, beside, told, whole)
        for name, floor in (("download, nothing new", 2), ("download, 20 changes", 5)):
            times = long[name]
            beside = f"least {_plain(times['least'])}, p99 {_plain(times['p99'])}; {_plain(ratio[name]['p50'])} x that at 1/100 of the size"
            yield Line(f"{name}, {store}, p50, ms", times["p50"], floor, True, beside, told, whole)


def _readers(pages: dict[str, dict[str, float]], figure: str) -> dict[str, float]:
    """The median of each reader over the pages."""
    values: dict[str, list[float]] = {}
    for name, figures in pages.items():
        if not name.startswith("download"):
            values.setdefault(name.partition(":")[0], []).append(figures[figure])
    return {reader: statistics.median(each) for reader, each in values.items()}


def _overload(found: Found) -> Iterator[Line]:
    whole, told = found["options"]["seconds"] >= OVERLOAD_S, "Overload"
    for here in found["found"]:
        who = f"{here['store']}, {here['behaviour']} tablets"
        beside = f"{_plain(here['goodput_per_s'])} of {_plain(here['maximum_per_s'])} events/s, p99 {_plain(here['p99_ms'])} ms"
        yield Line(f"goodput under 5 x overload, of the most, {who}", here["goodput_share"], 0.9, False, beside, told, whole)
        beside = "{} to {} batches of a tablet".format(*here["batches_of_a_tablet"])
        yield Line(f"fairness between tablets under it (Jain's index), {who}", here["jain"], 0.95, False, beside, told, whole)


def _memory(found: Found) -> Iterator[Line]:
    whole = found["events"] >= 0.99 * LONG_HISTORY
    for work, what in (("rebuild_missing", "rows missing"), ("rebuild_right", "rows right")):
        here = found[work]
        before, second, last = (_plain(here[f"mib_{each}"]) for each in ("before", "most_second_tenth", "most_last_tenth"))
        beside = f"{before} before, {second} in the second tenth of the time, {last} in the last; {found['events']:,} events"
        yield Line(f"memory of a rebuild, {what}, MiB", here["mib_most"], MOST_MIB, True, beside, "Memory", whole)


def _audit(found: Found) -> Iterator[Line]:
    here = found["layers"]["and every event decided again"]
    beside = f"{_plain(here['median_us'])} µs an event in the median; {found['events']:,} events"
    whole = found["events"] >= AUDIT_EVENTS
    yield Line("audit verify without read models, events/s of a core", here["events_s"], 50_000, False, beside, "Verification", whole)


PARTS: dict[str, Callable[[Found], Iterator[Line]]] = {
    "ingest": _ingest,
    "engine": _engine,
    "city_day": _city_day,
    "queries": _queries,
    "overload": _overload,
    "memory": _memory,
    "audit": _audit,
}


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


if __name__ == "__main__":
    main()
