"""What verification costs: µs of processor time an event, and what each check adds. ``python -m bench.audit [URL]``.

Without a URL, a small city is recorded first, by the service itself. Processor time, not wall time, so that other work on the machine
disturbs less; each figure is the best of the repetitions.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.fleet import make_fleet
from projections.turn import without_collector
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Source, Wanted, open_source
from service.config import Config
from service.ledger.keys import seed_of
from service.ledger.tree import leaf_hashes
from service.wiring import Gridtrail, make_app

TABLETS, BATCHES = 60, 20


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.url or _recorded(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        source = open_source(url)
        events = sum(source.logs().values())
        print(f"{events:,} events; µs of processor time an event, best of {options.repeats}")
        whole = Wanted()
        before = 0.0
        for name, wanted in (
            ("read", None),
            ("form, places, columns, trees, streams, seals", replace(whole, rules=False, read_models=False)),
            ("and deciding every event again", replace(whole, read_models=False)),
            ("and folding every read model", whole),
        ):
            best = min(_cost(source, wanted) for _ in range(options.repeats)) / events * 1e6
            print(f"{name:<48}{best:>8.1f} µs  (+{best - before:.1f})  {1e6 / best:>10,.0f} events/s")
            before = best


def _cost(source: Source, wanted: Wanted | None) -> float:
    began = time.process_time()
    if wanted is not None:
        found = verify(source, wanted)
        if not found.holds:
            raise SystemExit(f"it does not hold: {found.findings.faults[:3]}")
    else:
        with without_collector():
            for ledger in source.logs():
                with source.open(ledger) as log:
                    for page in log.pages():
                        leaf_hashes(page.lines)
    return time.process_time() - began


def _recorded(folder: Path) -> str:
    url = f"sqlite:///{folder / 'audit.db'}"
    files: dict[str, Any] = {"watermark_file": str(folder / "signed.journal"), "vault_url": f"sqlite:///{folder / 'vault.db'}"}
    key = seed_of(Ed25519PrivateKey.generate())
    pieces = Gridtrail(Config(database_url=url, signing_key=key, log_format="text", log_level="error", **files))
    pieces.upgrade()
    fleet = make_fleet(pieces, TABLETS, BATCHES, 4)
    client = make_app(pieces).test_client()
    for number in range(BATCHES):
        for tablet in fleet:
            headers = {"Authorization": f"Bearer {tablet.token}"}
            client.post("/v1/sync/batches", data=tablet.bodies[number], headers=headers, content_type="application/x-ndjson")
    pieces.follower.catch_up()
    pieces.publisher.turn()
    pieces.database.dispose()
    return url


if __name__ == "__main__":
    main()
