"""Work that is spread over processes where there is enough of it. Read by ``many`` and ``checking``."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

Mapped = Callable[..., Iterable[Any]]
"""As ``map``, with a chunksize."""


@contextmanager
def side_by_side(processes: int, worth: bool) -> Iterator[Mapped]:
    """A map over other processes, or in this one where they are not worth their start: each imports the service anew."""
    if not worth or processes == 1:
        yield lambda work, *items, chunksize=1: map(work, *items)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map
