"""What verification costs: µs of processor time an event, layer upon layer. ``python -m bench.audit [URL]``.

Without a URL, a small city is recorded first, by the service itself. Processor time, not wall time, so that other work on the machine
disturbs less; the layers take turns, and best and median of the repetitions are kept. How fast the machine itself was meanwhile is told by
a million small hashes, which take 0.43 s on a core of this project's machine that nobody disturbs.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from bench.fleet import make_fleet
from bench.stores import sqlite_in
from bench.told import keep
from projections.turn import without_collector
from service.audit.verifying.reading import Reading
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Source, Wanted, open_source
from service.audit.verifying.trees import TileTree
from service.ledger.tree import leaf_hashes
from service.wiring import Gridtrail, make_app

UNDISTURBED_S = 0.43
"""A million small hashes on an undisturbed core of the machine that the figures in docs/ are of."""
Layer = Callable[[Source], None]


def main() -> None:
    """Prints the table and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--key", help="the verifier key of the history at the URL")
    parser.add_argument("--tablets", type=int, default=60)
    parser.add_argument("--batches", type=int, default=20, help="batches of 40 entries that each tablet sends")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, for the throughput of all cores")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, key = (options.url, options.key) if options.url else recorded(folder, options.tablets, options.batches)
        source, whole = open_source(url), Wanted(keys=(key,) if key else ())
        found: dict[str, Any] = {"events": events_of(source), "source": url.partition(":")[0]}
        found["layers"] = _layers(source, whole, options.repeats)
        found["all_cores"] = _together(source, whole, options.jobs, options.repeats)
    keep("audit", found)


def _layers(source: Source, whole: Wanted, repeats: int) -> dict[str, Any]:
    """Each layer holds what the one above it does."""
    events = events_of(source)
    layers: dict[str, Layer] = {
        "fetched": lambda source: _read(source, 0),
        "and hashed, with the tree": lambda source: _read(source, 1),
        "and parsed, with its form": lambda source: _read(source, 2),
        "and all checks but rules and read models": lambda source: _verify(source, replace(whole, rules=False, read_models=False)),
        "and every event decided again": lambda source: _verify(source, replace(whole, read_models=False)),
        "and every read model folded": lambda source: _verify(source, whole),
    }
    spent: dict[str, list[float]] = {name: [] for name in layers}
    hashes: list[float] = []
    for _ in range(repeats):
        for name, layer in layers.items():
            hashes.append(_yardstick())
            began = time.process_time()
            layer(source)
            spent[name].append((time.process_time() - began) / events * 1e6)
    slow = median(hashes) / UNDISTURBED_S
    print(f"{events:,} events; a million small hashes took {median(hashes):.2f} s; µs of processor time an event, of {repeats} runs")
    print(f"{'':<44}{'best':>8}{'median':>8}{'events/s':>12}{'undisturbed':>14}")
    told: dict[str, Any] = {"million_hashes_s": median(hashes)}
    for name, each in spent.items():
        best = min(each)
        told[name] = {"best_us": best, "median_us": median(each), "events_s": 1e6 / best, "undisturbed_events_s": 1e6 / median(each) * slow}
        print(f"{name:<44}{best:>8.1f}{median(each):>8.1f}{1e6 / best:>12,.0f}{1e6 / median(each) * slow:>14,.0f}")
    return told


def _together(source: Source, whole: Wanted, jobs: int, repeats: int) -> dict[str, Any]:
    """All checks but the read models, in several processes: events a second of the clock."""
    events, took = events_of(source), []
    for _ in range(repeats):
        began = time.perf_counter()
        _verify(source, replace(whole, read_models=False), jobs)
        took.append(time.perf_counter() - began)
    print(
        f"all but the read models, {jobs} processes: {events / min(took):,.0f} events/s of the clock (median {events / median(took):,.0f})"
    )
    return {"jobs": jobs, "best_events_s": events / min(took), "median_events_s": events / median(took)}


def _verify(source: Source, wanted: Wanted, jobs: int = 1) -> None:
    found = verify(source, wanted, jobs=jobs, least=0)
    if not found.holds:
        raise SystemExit(f"it does not hold: {found.findings.faults[:3]}")


def _read(source: Source, depth: int) -> None:
    """The lowest layers alone: fetching; hashing; parsing."""
    with without_collector():
        for ledger in source.logs():
            tree, reading = TileTree(), Reading(_nothing_wrong, _nothing_wrong)
            with source.open(ledger) as log:
                for page in log.pages():
                    if depth:
                        tree.extend(leaf_hashes(page.lines))
                    if depth > 1:
                        for _ in map(reading.read, page.places, page.lines):
                            pass


def _nothing_wrong(*wrong: Any) -> None:
    raise SystemExit(f"it does not hold: {wrong}")


def _yardstick() -> float:
    """Seconds that a million small hashes would take now."""
    began = time.process_time()
    for _ in range(50_000):
        sha256(b"abc").digest()
    return (time.process_time() - began) * 20


def events_of(source: Source) -> int:
    """How many events a history has."""
    return sum(source.logs().values())


def recorded(folder: Path, tablets: int, batches: int) -> tuple[str, str]:
    """The URL and the verifier key of a small city's history in a folder, uploaded to the service, folded and published."""
    config = sqlite_in(folder).config(log_level="error")
    pieces = Gridtrail(config)
    pieces.upgrade()
    fleet = make_fleet(pieces, tablets, batches, 4)
    client = make_app(pieces).test_client()
    for number in range(batches):
        for tablet in fleet:
            headers = {"Authorization": f"Bearer {tablet.token}"}
            client.post("/v1/sync/batches", data=tablet.bodies[number], headers=headers, content_type="application/x-ndjson")
    pieces.follower.catch_up()
    pieces.publisher.turn()
    pieces.database.dispose()
    return config.database_url, str(pieces.signer.verifier)


if __name__ == "__main__":
    main()
