"""``make bench``: every part one after the other. ``make bench-short``: each in small, to see that all of it works; its times mean nothing.

Each part is a command of its own (python -m bench.NAME --help) and keeps its figures as JSON in bench/results. The table of all floors ends
it (python -m bench.table).
"""

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec

from bench.table import print_table

PARTS: dict[str, tuple[list[str], list[str] | None]] = {
    # name: (whole, short); None: not in the short form
    "ingest": ([], ["--tablets", "16", "--batches", "1", "--repeats", "1", "--ledgers", "4", "--stores", "sqlite"]),
    "in_process": ([], ["--store", "sqlite", "--tablets", "8", "--rounds", "1"]),
    "engine": ([], ["--stores", "sqlite", "--ledgers", "2", "--events", "400", "--thin-ledgers", "4", "--repeats", "1"]),
    "city_day": ([], ["--scale", "0.005", "--ledgers", "8", "--grids", "200"]),
    "queries": (["--events", "10000000"], ["--events", "20000", "--requests", "6", "--ledgers", "8", "--grids", "200"]),
    "growth": (
        ["--sizes", "1e4", "1e5", "1e6", "1e7"],
        ["--sizes", "2000", "4000", "--tablets", "8", "--batches", "1", "--repeats", "1", "--requests", "5", "--no-docs"],
    ),
    "export": ([], ["--events", "5000", "--stores", "sqlite"]),
    "audit": ([], ["--tablets", "8", "--batches", "2", "--repeats", "1"]),
    "overload": ([], None),
    "memory": ([], ["--store", "sqlite", "--events", "2000", "--ledgers", "2"]),
}


def main() -> None:
    """Runs the parts; ends with code 1 where one failed, after all have run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="in small")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    failed, start = [], time.time()
    for name in options.only:
        arguments = PARTS[name][options.short]
        if arguments is None or find_spec(f"bench.{name}") is None:
            continue
        began = time.perf_counter()
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments]).returncode:
            failed.append(name)
        print(f"== {name}: {time.perf_counter() - began:.0f} s", flush=True)
    print("\n== table", flush=True)
    print_table(since=start)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
