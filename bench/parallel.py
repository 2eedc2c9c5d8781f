"""Replaying exports on many cores or many machines with Dask: each ledger is checked and folded by whichever worker is free.

A ledger is the unit, because its events have one order; ledgers have none between them. The same folds run as in the service, so that the
digests are the same as those of the live tables, on one machine or on many. The exports must lie where every worker can read them.

    gridtrail export 411502001 --format parquet -o out --purpose "yearly audit"      once for each ledger
    python -m bench.parallel out [--scheduler tcp://host:8786] [--workers 2] [--key VKEY]
"""

import argparse
import time
from pathlib import Path
from typing import Any

from projections import READ_MODELS
from projections.engine import digest_of_rows, fold_lines
from service.audit.export_reading import check_export
from service.ledger.note import Verifier

Folded = tuple[str, int, dict[str, str]]
"""Ledger, events, and the digest of each read model."""


def fold_export(folder: str, ledger: str, key: str | None = None) -> Folded:
    """Checks one ledger's export and folds every read model from it. BadExport where it does not hold."""
    checked = check_export(Path(folder), ledger, Verifier.parse(key) if key else None)
    digests = {name: digest_of_rows(fold_lines(model, checked.lines())) for name, model in READ_MODELS.items()}
    return ledger, checked.manifest.end.size, digests


def fold_all(client: Any, folder: Path, key: str | None = None) -> list[Folded]:
    """Folds every export in a folder on the workers of a Dask client, the largest first; gives them in the order of the ledgers."""
    sizes = {each.parent.name: sum(file.stat().st_size for file in each.parent.iterdir()) for each in folder.glob("*/manifest.json")}
    largest = sorted(sizes, key=lambda ledger: sizes[ledger], reverse=True)
    futures = [client.submit(fold_export, str(folder), ledger, key, pure=False) for ledger in largest]
    return sorted(client.gather(futures))


def main() -> None:
    """Starts workers here, or uses those of a scheduler, and prints the digests."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scheduler", help="address of a Dask scheduler; workers are started on this machine, if not given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--key", help="the deployment's public key")
    options = parser.parse_args()
    local = {} if options.scheduler else {"n_workers": options.workers, "threads_per_worker": 1, "dashboard_address": None}
    with Client(options.scheduler) if options.scheduler else Client(LocalCluster(**local)) as client:
        began = time.perf_counter()
        found = fold_all(client, options.folder.resolve(), options.key)
        took = time.perf_counter() - began
    for ledger, _, digests in found:
        for name, digest in digests.items():
            print(f"{ledger}  {name:<16}  {digest}")
    events = sum(size for _, size, _ in found)
    print(f"{events} events of {len(found)} ledgers checked and folded in {took:.1f} s: {events / took:,.0f} events/s")


if __name__ == "__main__":
    main()
