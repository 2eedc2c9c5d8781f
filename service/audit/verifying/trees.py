"""A log's tree rebuilt from its entries, tile by tile, in memory that does not grow with the log. Read by the walk over a ledger.

Tiles are those of c2sp.org/tlog-tiles: hash i of tile (level, number) is the root of 256^level leaves. Only the last, unfinished tile of
each level is held.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from service.ledger.tree import EMPTY_ROOT, node_hash

WIDTH = 256
OnTile = Callable[[int, int, bytes, bytes], None]
"""Told of each finished tile: level, number, its 256 hashes, and their root."""


class TileTree:
    """The tree of a growing log."""

    def __init__(self, on_tile: OnTile | None = None) -> None:
        self.size = 0
        self.levels: list[list[bytes]] = [[]]
        self.on_tile = on_tile

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Adds leaf hashes at the end."""
        lowest = self.levels[0]
        lowest += leaves
        self.size += len(leaves)
        while len(lowest) >= WIDTH:
            tile = lowest[:WIDTH]
            del lowest[:WIDTH]
            self._finished(0, (self.size - len(lowest)) // WIDTH - 1, tile)

    def _finished(self, level: int, number: int, tile: list[bytes]) -> None:
        root = _perfect_root(tile)
        if self.on_tile is not None:
            self.on_tile(level, number, b"".join(tile), root)
        if level + 1 == len(self.levels):
            self.levels.append([])
        above = self.levels[level + 1]
        above.append(root)
        if len(above) == WIDTH:
            self.levels[level + 1] = []
            self._finished(level + 1, number // WIDTH, above)

    def root(self) -> bytes:
        """The root of what was added up to now."""
        root: bytes | None = None
        for hashes in self.levels:
            for peak in reversed(_peaks(hashes)):
                root = peak if root is None else node_hash(peak, root)
        return EMPTY_ROOT if root is None else root

    def frontier(self) -> list[bytes]:
        """The roots of the perfect subtrees that the size is made of, the largest first."""
        return [peak for hashes in reversed(self.levels) for peak in _peaks(hashes)]

    def partial_tiles(self) -> dict[tuple[int, int], bytes]:
        """The hashes of the unfinished tiles, by level and number."""
        return {(level, self.size // WIDTH ** (level + 1)): b"".join(hashes) for level, hashes in enumerate(self.levels) if hashes}


def _perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root of a power of two of subtrees."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def _peaks(hashes: Sequence[bytes]) -> list[bytes]:
    found, start = [], 0
    for power in (128, 64, 32, 16, 8, 4, 2, 1):
        if len(hashes) & power:
            found.append(_perfect_root(hashes[start : start + power]))
            start += power
    return found
