"""The trees of all logs as C2SP tlog-tiles: tiles, entry bundles, roots and proofs of any size. Read by the logs' routes and the publisher.

A tile is 256 hashes of one level: those of level 0 are leaf hashes, each of level n + 1 is the root of a full tile of level n. Only full
tiles are stored; all else is computed from them and from the entries. So a proof takes a few small reads and at most 255 entries to
hash, however long the log is. Where stored tiles are missing, the answer is the same, made from the entries, and only slower.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from projections.tables import LEDGER, METADATA
from service.audit.leaves import read_entries
from service.database import reading, writing
from service.ledger.tree import EMPTY_ROOT, HASH_BYTES, consistency_ranges, inclusion_ranges, leaf_hashes, node_hash, root_of

WIDTH = 256
"""Hashes of a full tile, and entries of a full bundle."""
HEIGHT = 8
"""Levels of the tree that one tile spans."""
LEVELS = 8
"""Levels of tiles that a log of less than 2^63 entries can have."""
STEP = 64
"""Most tiles made and stored at once: 16,384 entries at level 0."""

tiles = sa.Table(
    "tiles",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "level", "number", name="tiles_pkey"),
)
"""Full tiles: 8,192 bytes of hashes, and before them their root, which is one hash of the level above and is read without the rest."""

HASHES = sa.select(tiles.c.number, tiles.c.hashes).where(
    tiles.c.ledger == sa.bindparam("log"),
    tiles.c.level == sa.bindparam("level"),
    tiles.c.number.in_(sa.bindparam("numbers", expanding=True)),
)
ROOTS = sa.select(tiles.c.number, tiles.c.root).where(
    tiles.c.ledger == sa.bindparam("log"),
    tiles.c.level == sa.bindparam("level"),
    tiles.c.number >= sa.bindparam("start"),
    tiles.c.number < sa.bindparam("stop"),
)
LAST = sa.select(sa.func.max(tiles.c.number)).where(tiles.c.ledger == sa.bindparam("log"), tiles.c.level == sa.bindparam("level"))
STORE = {
    "sqlite": sqlite.insert(tiles).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(tiles).on_conflict_do_nothing(),
}
"""Two publishers that make the same tile make the same bytes."""


class NotRecorded(LookupError):
    """The log has fewer entries than were asked about."""


class View:
    """One log's tree at one size, through one connection; it remembers the tiles that it read, so make one for many proofs."""

    def __init__(self, conn: sa.Connection, log: str, size: int) -> None:
        self.conn, self.log, self.size = conn, log, size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def root(self) -> bytes:
        """The root of the whole tree."""
        return self._range(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Proof that the entry at index is in the tree. ValueError where the tree is smaller."""
        return [self._range(start, stop) for start, stop in inclusion_ranges(index, self.size)]

    def consistency(self, first: int) -> list[bytes]:
        """Proof that the tree extends that of its first entries. ValueError unless 0 < first <= size."""
        return [self._range(start, stop) for start, stop in consistency_ranges(first, self.size)]

    def frontier(self) -> list[bytes]:
        """Roots of the perfect subtrees that the size is made of, the largest first: enough to go on hashing from there."""
        heights = [height for height in reversed(range(self.size.bit_length())) if self.size >> height & 1]
        return [self._node(height, (self.size >> height) - 1) for height in heights]

    def expect(self, indexes: Iterable[int]) -> None:
        """Reads the lowest tiles of many entries in one statement, before their proofs are asked for."""
        numbers = {index // WIDTH for index in indexes if (index // WIDTH + 1) * WIDTH <= self.size}
        self._tiles.update({(0, number): hashes for number, hashes in self._stored(0, numbers).items()})

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile as it is at this size: full, or as wide as the tree reaches."""
        found = self._tiles.get((level, number))
        if found is None:
            width = min(WIDTH, (self.size >> HEIGHT * level) - number * WIDTH)
            found = self._stored(level, [number]).get(number) if width == WIDTH else None
            if found is None:
                found = self.made(level, number * WIDTH, number * WIDTH + width)
            self._tiles[level, number] = found
        return found

    def _range(self, start: int, stop: int) -> bytes:
        """Root of the leaves start..stop-1, where RFC 6962 divides a tree: perfect subtrees, the largest first."""
        parts = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            parts.append(self._node(height, start >> height))
            start += 1 << height
        root = parts.pop()
        while parts:
            root = node_hash(parts.pop(), root)
        return root

    def _node(self, height: int, index: int) -> bytes:
        """Root of the perfect subtree of 2^height leaves, the index-th of its height."""
        found = self._nodes.get((height, index))
        if found is None:
            level, within = divmod(height, HEIGHT)
            number, offset = divmod(index << within, WIDTH)
            found = self._nodes[height, index] = root_of(self.tile(level, number)[offset : offset + (1 << within)])
        return found

    def _stored(self, level: int, numbers: Iterable[int]) -> dict[int, list[bytes]]:
        rows = self.conn.execute(HASHES, {"log": self.log, "level": level, "numbers": list(numbers)})
        return {number: split_hashes(hashes) for number, hashes in rows}

    def made(self, level: int, start: int, stop: int) -> list[bytes]:
        """Hashes start..stop-1 of a level, from what lies below it. NotRecorded where that is not there."""
        if level == 0:
            entries = read_entries(self.conn, self.log, start, stop)
            if len(entries) != stop - start:
                raise NotRecorded(f"{self.log} has no entries {start} to {stop - 1}")
            return leaf_hashes(entries)
        below = level - 1
        roots: dict[int, bytes] = {
            number: bytes(root)
            for number, root in self.conn.execute(ROOTS, {"log": self.log, "level": below, "start": start, "stop": stop})
        }
        return [roots.get(number) or root_of(self.made(below, number * WIDTH, (number + 1) * WIDTH)) for number in range(start, stop)]


class Tiles:
    """Tiles and proofs of every log of one database: ``log`` is a ledger's code, or ``root``. Holds no state."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def view(self, conn: sa.Connection, log: str, size: int) -> View:
        """A log's tree at a size, for several questions at once."""
        return View(conn, log, size)

    def root(self, conn: sa.Connection, log: str, size: int) -> bytes:
        """Root of the tree of the first entries. NotRecorded where there are fewer."""
        return View(conn, log, size).root()

    def inclusion(self, conn: sa.Connection, log: str, index: int, size: int) -> list[bytes]:
        """Proof that the entry at index is in the tree of that size. ValueError unless 0 <= index < size; NotRecorded."""
        return View(conn, log, size).inclusion(index)

    def consistency(self, conn: sa.Connection, log: str, first: int, second: int) -> list[bytes]:
        """Proof that the tree of the second size begins with that of the first. ValueError unless 0 < first <= second; NotRecorded."""
        return View(conn, log, second).consistency(first)

    def tile(self, conn: sa.Connection, log: str, level: int, number: int, width: int = WIDTH) -> bytes:
        """The first hashes of a tile, 32 bytes each. NotRecorded where the log does not reach so far."""
        least = (number * WIDTH + width) << HEIGHT * level
        return b"".join(View(conn, log, least).tile(level, number))

    def bundle(self, conn: sa.Connection, log: str, number: int, width: int = WIDTH) -> bytes:
        """The first entries of a bundle, each after its length in two bytes, big-endian. NotRecorded where there are fewer."""
        entries = read_entries(conn, log, number * WIDTH, number * WIDTH + width)
        if len(entries) != width:
            raise NotRecorded(f"{log} has no entry {number * WIDTH + len(entries)}")
        return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])

    # ---- storing

    def store_full(self, conn: sa.Connection, log: str, size: int) -> int:
        """Stores the full tiles that a log of this size has and that are missing, inside the caller's transaction. Gives how many."""
        count = 0
        while rows := self.next_full(conn, log, size):
            conn.execute(STORE[conn.dialect.name], rows)
            count += len(rows)
        return count

    def keep_up(self, log: str, size: int) -> int:
        """The same in short transactions of its own, so that a long backlog keeps no writer waiting. Gives how many it stored."""
        count = 0
        while True:
            with reading(self.gridtrail.database) as conn:
                rows = self.next_full(conn, log, size)
            if not rows:
                return count
            with writing(self.gridtrail.database) as conn:
                conn.execute(STORE[conn.dialect.name], rows)
            count += len(rows)

    def next_full(self, conn: sa.Connection, log: str, size: int, most: int = STEP) -> list[dict[str, Any]]:
        """Rows of the next full tiles behind those stored, of the lowest level that lacks any; none where nothing is missing."""
        view = View(conn, log, size)
        for level in range(LEVELS):
            wanted = size >> HEIGHT * (level + 1)
            if not wanted:
                break
            last = conn.scalar(LAST, {"log": log, "level": level})
            have = 0 if last is None else last + 1
            if have < wanted:
                return [self._row(view, level, number) for number in range(have, min(wanted, have + most))]
        return []

    def _row(self, view: View, level: int, number: int) -> dict[str, Any]:
        hashes = view.made(level, number * WIDTH, (number + 1) * WIDTH)
        return {"ledger": view.log, "level": level, "number": number, "root": root_of(hashes), "hashes": b"".join(hashes)}


def split_hashes(hashes: bytes) -> list[bytes]:
    """The hashes of a tile's bytes."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
