"""Every stream of a ledger as far as it was read, in bounded memory. Read by the walk over a ledger.

Streams that were begun long ago are moved to a private scratch file and fetched back when an event asks for them. Whether an id was seen
at all is asked of a filter of fixed size first, so that the many new ids of visits cost no look into the file.
"""

import pickle
import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

MOST_HELD = 100_000
"""Streams held in memory; about 150 MB of cases, much less of anything else."""
FILTER_BITS = 1 << 27
"""16 MB: with ten million streams, one in two hundred new ids is looked for in vain."""


class Held:
    """One stream: its aggregate and the positions of its events (none of them where they never need to be read again)."""

    __slots__ = ("aggregate", "positions", "version")

    def __init__(self, aggregate: Any, version: int, positions: list[int] | None) -> None:
        self.aggregate = aggregate
        self.version = version
        self.positions = positions


class Streams:
    """Streams by id. Use as a context; the scratch file goes with it."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.most = most
        self.held: dict[str, Held] = {}
        self._filter: bytearray | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._conn: sqlite3.Connection | None = None

    def __enter__(self) -> "Streams":
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None) -> None:
        if self._conn is not None:
            self._conn.close()
        if self._folder is not None:
            self._folder.cleanup()

    def get(self, stream: str) -> Held | None:
        """The stream, or None where no event of it was read."""
        found = self.held.get(stream)
        if found is None and self._filter is not None and self._was_moved(stream):
            found = self._fetch(stream)
        return found

    def put(self, stream: str, held: Held) -> None:
        """Keeps a stream that is new."""
        self.held[stream] = held
        if len(self.held) > self.most:
            self._move_oldest()

    def _was_moved(self, stream: str) -> bool:
        assert self._filter is not None
        return all(self._filter[bit >> 3] & (1 << (bit & 7)) for bit in _bits(stream))

    def _fetch(self, stream: str) -> Held | None:
        assert self._conn is not None
        row = self._conn.execute("SELECT held FROM streams WHERE stream = ?", (stream,)).fetchone()
        if row is None:
            return None
        aggregate, version, positions = pickle.loads(row[0])
        held = self.held[stream] = Held(aggregate, version, positions)
        return held

    def _move_oldest(self) -> None:
        if self._conn is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gridtrail-audit-")
            self._conn = sqlite3.connect(Path(self._folder.name) / "streams", isolation_level=None)
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-65536"):
                self._conn.execute(f"PRAGMA {pragma}").close()
            self._conn.execute("CREATE TABLE streams (stream TEXT PRIMARY KEY, held BLOB) WITHOUT ROWID")
            self._filter = bytearray(FILTER_BITS >> 3)
        assert self._filter is not None
        oldest = list(self.held)[: len(self.held) // 2]
        rows = []
        for stream in oldest:
            held = self.held.pop(stream)
            rows.append((stream, pickle.dumps((held.aggregate, held.version, held.positions), 5)))
            for bit in _bits(stream):
                self._filter[bit >> 3] |= 1 << (bit & 7)
        self._conn.execute("BEGIN")
        self._conn.executemany("INSERT OR REPLACE INTO streams VALUES (?, ?)", sorted(rows))
        self._conn.execute("COMMIT")


def _bits(stream: str) -> tuple[int, ...]:
    mixed = hash(stream)
    return mixed % FILTER_BITS, (mixed >> 20) % FILTER_BITS, (mixed >> 33) % FILTER_BITS
