"""A fleet of many thousand tablets, made ready in files: enlisted in bulk, its work generated and sealed by several processes."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from service.fleet.enlisting import Enlisted, enlist
from service.fleet.generated import cast_of
from service.fleet.processes import side_by_side
from service.fleet.sealed import write_sealed
from service.fleet.sealing import seal
from service.wiring import Gridtrail

WORTH = 5000
"""Entries from which other processes are worth their start."""
MOST_DAYS = 7
"""Generated work lies this far back, so that none of it is in the future."""


def make_ready(
    pieces: Gridtrail,
    folder: Path,
    areas: Sequence[dict[str, Any]],
    grids: Sequence[str],
    *,
    tablets: int,
    entries: int,
    batch: int,
    processes: int,
    seed: int,
) -> list[Path]:
    """Enlists workers on the grids and seals the work of each; gives one file for each process, with tablets of all ledgers mixed."""
    enlisted = enlist(pieces, areas, cast_of(grids, tablets))
    random.Random(seed).shuffle(enlisted)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:02d}.sealed" for number in range(processes)]
    write = partial(_write, entries, batch, seed)
    shares = [enlisted[number::processes] for number in range(processes)]
    with side_by_side(processes, tablets * entries >= WORTH) as work:
        list(tqdm(work(write, files, shares), desc="seal", total=processes, unit="file", disable=None, leave=False))
    return files


def _write(entries: int, batch: int, seed: int, path: Path, share: Sequence[Enlisted]) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = today - timedelta(days=MOST_DAYS)
    write_sealed(path, (seal(each, entries, batch, begins, seed) for each in share))
