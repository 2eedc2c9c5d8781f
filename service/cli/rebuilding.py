"""Rebuilding in several processes, a ledger at a time each. Read by ``gridtrail engine rebuild``."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

from projections.rebuilding import RebuildParked
from service.cli.common import gridtrail
from service.database import reading
from service.wiring import Gridtrail


def rebuild(pieces: Gridtrail, models: Sequence[str], ledger: str | None, processes: int) -> int:
    """Rebuilds the read models; gives the number of events read. RebuildParked tells of all that could not be rebuilt."""
    if ledger is not None or processes == 1:
        return pieces.follower.rebuild_all(ledger, models)
    with reading(pieces.database) as conn:
        sizes = pieces.ledgers.ledgers(conn)
    # The longest first, so that no process is left with a long one at the end.
    ledgers = sorted(sizes, key=lambda name: -sizes[name])
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        done = list(pool.map(_rebuild_ledger, ledgers, [tuple(models)] * len(ledgers)))
    wrong = [told for _, told in done if told]
    if wrong:
        raise RebuildParked("; ".join(wrong))
    return sum(read for read, _ in done)


def _rebuild_ledger(ledger: str, models: tuple[str, ...]) -> tuple[int, str]:
    try:
        return _pieces().follower.rebuild_all(ledger, models), ""
    except RebuildParked as parked:
        return 0, str(parked)


@cache
def _pieces() -> Gridtrail:
    return gridtrail()
