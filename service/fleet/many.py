"""A fleet of many thousand tablets, made ready in files: enlisted in bulk, its work generated and sealed by several processes."""

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from service.fleet.enlisting import Enlisted, enlist
from service.fleet.generated import cast_of
from service.fleet.sealing import seal, write_sealed
from service.wiring import Gridtrail

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
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shares = [enlisted[number::processes] for number in range(processes)]
        list(tqdm(pool.map(write, files, shares), desc="seal", total=processes, unit="file", disable=None, leave=False))
    return files


def _write(entries: int, batch: int, seed: int, path: Path, share: Sequence[Enlisted]) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = today - timedelta(days=MOST_DAYS)
    write_sealed(path, (seal(each, entries, batch, begins, seed) for each in share))
