"""How fast a ledger is exported, and an export checked and folded again, for each form: ``python -m bench.export``.

The history is a recorded one, repeated over months (bench.history). Everything runs in one process on one core; the files go to a
temporary folder. The figures are printed, and kept as JSON in bench/results.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.history import record_template, write_history
from bench.stores import postgres_store, sqlite_store
from bench.told import keep
from projections.engine import fold_lines
from service.audit.export import export
from service.audit.export_forms import FORMS
from service.audit.export_reading import check_export
from service.database import reading, writing
from service.ledger.tables import ledgers
from service.ledger.tree import Frontier, leaf_hashes
from service.wiring import Gridtrail

LEDGER = "411502001"
STORES: dict[str, Any] = {"sqlite": sqlite_store, "postgresql": postgres_store}


def main() -> None:
    """Measures each store and each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--stores", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), default=list(FORMS))
    options = parser.parse_args()
    template = record_template()
    found: list[dict[str, Any]] = []
    for name in options.stores:
        with STORES[name]() as store, tempfile.TemporaryDirectory(prefix="gridtrail-bench-export-") as folder:
            pieces = Gridtrail(store.config())
            pieces.upgrade()
            write_history(pieces.database, template, [LEDGER], options.events)
            _make_tree(pieces)
            pieces.tiles.keep_up(LEDGER, options.events)
            for form in options.forms:
                found.append({"store": name, "form": form, **measure(pieces, form, Path(folder) / form, options.events)})
                _print(found[-1])
            pieces.forget()
    keep("export", {"events": options.events, "found": found})


def measure(pieces: Gridtrail, form: str, folder: Path, events: int) -> dict[str, float]:
    """Events/s, and µs of this process's own processor time an event, of exporting, of exporting again with nothing new, of checking,
    and of folding one read model; bytes an event, which are few in Parquet because the history repeats itself."""
    times: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        began, cpu = time.perf_counter(), time.process_time()
        result = work()
        times[f"{name}_per_s"] = events / (time.perf_counter() - began)
        times[f"{name}_cpu_us"] = (time.process_time() - cpu) / events * 1e6
        return result

    made = timed("export", lambda: export(pieces, LEDGER, form, folder))
    timed("again", lambda: export(pieces, LEDGER, form, folder))
    checked = timed("check", lambda: check_export(folder, LEDGER, pieces.signer.verifier))
    timed("fold", lambda: fold_lines("workload", checked.lines()))
    size = sum(month.bytes for month in made.manifest.months)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**times, "months": len(made.manifest.months), "bytes_per_event": size / events, "peak_mb": memory}


def _make_tree(pieces: Gridtrail) -> None:
    """The head of a copied history gets the tree of its lines, which bench.history leaves out."""
    tree = Frontier()
    while True:
        with reading(pieces.database) as conn:
            page = pieces.ledgers.lines(conn, LEDGER, tree.size, 5_000)
        if not page:
            break
        tree.extend(leaf_hashes(bytes(line) for line in page))
    head = {"size": tree.size, "frontier": tree.to_bytes(), "root": tree.root(), "incarnation": "bench"}
    with writing(pieces.database) as conn:
        conn.execute(sa.update(ledgers).where(ledgers.c.ledger == LEDGER).values(**head))


def _print(row: dict[str, Any]) -> None:
    names = ("export", "again", "check", "fold")
    rates = "  ".join(f"{name} {row[f'{name}_per_s']:>9,.0f}/s {row[f'{name}_cpu_us']:.0f} µs" for name in names)
    size = f"{row['bytes_per_event']:>6.0f} B an event  peak {row['peak_mb']:.0f} MB"
    print(f"{row['store']:<11} {row['form']:<8} {rates}  {size}", flush=True)


if __name__ == "__main__":
    main()
