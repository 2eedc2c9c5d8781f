"""The rows of one read model in one ledger as a rebuild folds them, in memory and beyond a bound in a scratch file. Read by rebuilding."""

import pickle
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from projections.model import Key, Row, Rows, fold_into, touched
from projections.recorded import Recorded
from projections.rows import table_rows
from projections.turn import Target, is_the_worlds, told

MOST_ROWS = 60_000
"""Rows that the read models of one ledger hold in memory together; what is more is moved to the scratch file."""
MOST_WRONG = 20_000
"""Rows that may differ before a read model is written whole: their keys are held in memory."""

Pair = tuple[Key, tuple[Any, ...]]


class Scratch:
    """A private file for rows that do not fit, gone when the rebuild is. Nobody else opens it and nothing in it has to outlive a crash."""

    def __init__(self) -> None:
        self.parts: list[Rebuilt] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._conn: sqlite3.Connection | None = None

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None) -> None:
        # The parts know the scratch file and it knows them: letting go here frees the rows without a search for cycles.
        self.parts.clear()
        if self._conn is not None:
            self._conn.close()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def conn(self) -> sqlite3.Connection:
        """Opened when it is needed, which for a small ledger is never."""
        if self._conn is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gridtrail-rebuild-")
            self._conn = sqlite3.connect(Path(self._folder.name) / "rows", isolation_level=None)
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-8192"):
                self._conn.execute(f"PRAGMA {pragma}").close()
        return self._conn

    def make_room(self) -> None:
        """Moves the rows of all read models to the file, once they are too many."""
        if sum(len(part.rows) for part in self.parts) > MOST_ROWS:
            for part in self.parts:
                part.spill()


class Rebuilt:
    """One read model's rows, folded from the first event on."""

    def __init__(self, target: Target, ledger: str, dialect: str, scratch: Scratch) -> None:
        self.target = target
        self.ledger = ledger
        self.table = table_rows(target.model.TABLE.name, dialect)
        self.scratch = scratch
        self.appends = getattr(target.model, "APPENDS", False)
        self.values: Callable[[Any], tuple[Any, ...]] = tuple if self.appends else self.table.values
        self.rows: dict[Key, Any] = {}
        """Rows that no later event will ask for are kept by their values, which take a third of the room and are soon compared."""
        self.spilled = False
        self.failed: str | None = None
        self.wrong: set[Key] | None = None
        """Keys of rows that differ from the live ones, or have changed since the comparison; None where all are to be written."""
        scratch.parts.append(self)

    # ---- folding

    def fold(self, events: list[Recorded]) -> None:
        """Folds events. What cannot be folded ends this read model's rebuild, and no other's."""
        try:
            changed = self._folded(events)
        except Exception as wrong:
            if is_the_worlds(wrong):
                raise
            self.failed = " ".join((told(wrong), *getattr(wrong, "__notes__", ())))
            self.rows.clear()
            return
        if self.wrong is not None:
            self.wrong.update(changed)
            if len(self.wrong) > MOST_WRONG:
                self.wrong = None
        self.scratch.make_room()

    def _folded(self, events: list[Recorded]) -> Rows:
        model = self.target.model
        if self.appends:
            changed = fold_into(model, {}, events)
            self.rows.update((key, self.table.values(row)) for key, row in changed.items() if row is not None)
            return changed
        if self.spilled:
            self._fetch(touched(model, events))
        return fold_into(model, self.rows, events, self.rows if self.wrong is None else None)

    # ---- the scratch file

    def spill(self) -> None:
        """Moves all rows out of memory."""
        if not self.rows:
            return
        names = ", ".join(f"k{number}" for number in range(self.table.key_length))
        name = self.target.name
        conn = self.scratch.conn
        if not self.spilled:
            conn.execute(f"CREATE TABLE {name} ({names}, row BLOB, PRIMARY KEY ({names})) WITHOUT ROWID")
            self.spilled = True
        marks = ", ".join("?" * (self.table.key_length + 1))
        values = self.values
        packed = ((*key, None if row is None else pickle.dumps(values(row), 5)) for key, row in sorted(self.rows.items(), key=_by_key))
        conn.execute("BEGIN")
        conn.executemany(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", packed)
        conn.execute("COMMIT")
        self.rows.clear()

    def _fetch(self, keys: Iterable[Key]) -> None:
        """Brings the rows of these keys back into memory, where they are not."""
        where = " AND ".join(f"k{number} = ?" for number in range(self.table.key_length))
        query, find = f"SELECT row FROM {self.target.name} WHERE {where}", self.scratch.conn.execute
        for key in keys:
            if key not in self.rows:
                found = find(query, key).fetchone()
                if found is not None and found[0] is not None:
                    row = pickle.loads(found[0])
                    self.rows[key] = row if self.appends else dict(zip(self.table.columns, row, strict=True))

    def _in_order(self) -> Iterator[Pair]:
        """All rows that exist, in the order of their keys. Those in memory are moved out first where some are out already."""
        values = self.values
        if not self.spilled:
            yield from ((key, values(row)) for key, row in sorted(self.rows.items(), key=_by_key) if row is not None)
            return
        self.spill()
        length = self.table.key_length
        names = ", ".join(f"k{number}" for number in range(length))
        for found in self.scratch.conn.execute(f"SELECT * FROM {self.target.name} WHERE row IS NOT NULL ORDER BY {names}"):
            yield found[:length], pickle.loads(found[length])

    # ---- comparing and writing

    def compare(self, conn: sa.Connection, *, exact: bool) -> None:
        """Finds the keys of the rows that differ from the live ones. Not exact: the live rows are of another position; all are written."""
        if self.failed is None and exact:
            wrong = self._differences(conn) if self.spilled else self._differences_in_memory(conn)
            self.wrong = wrong if len(wrong) <= MOST_WRONG else None

    def _differences_in_memory(self, conn: sa.Connection) -> set[Key]:
        rows, values, length = self.rows, self.values, self.table.key_length
        wrong, right = set(), 0
        for live in self.table.rows_of(conn, self.ledger):
            key = live[:length]
            row = rows.get(key)
            if row is not None and values(row) == live:
                right += 1
            else:
                wrong.add(key)
        present = sum(row is not None for row in rows.values())
        if right + sum(rows.get(key) is not None for key in wrong) < present:
            there = {live[:length] for live in self.table.rows_of(conn, self.ledger)}
            wrong.update(key for key, row in rows.items() if row is not None and key not in there)
        return wrong

    def _differences(self, conn: sa.Connection) -> set[Key]:
        """Walks both in the order of their keys. Stops when there are so many that all is to be written."""
        length = self.table.key_length
        wrong: set[Key] = set()
        live = self.table.rows_of(conn, self.ledger, in_order=True)
        mine = self._in_order()
        one, other = next(mine, None), next(live, None)
        while (one or other) and len(wrong) <= MOST_WRONG:
            if other is None or (one is not None and one[0] < other[:length]):
                wrong.add(one[0])  # type: ignore[index]
                one = next(mine, None)
            elif one is None or other[:length] < one[0]:
                wrong.add(other[:length])
                other = next(live, None)
            else:
                if one[1] != other:
                    wrong.add(one[0])
                one, other = next(mine, None), next(live, None)
        return wrong

    def write(self, conn: sa.Connection) -> None:
        """Makes the live rows those that were folded."""
        if self.wrong is None:
            rows = self._in_order()
            self.table.replace(conn, self.ledger, (values for _, values in rows))
        elif self.wrong:
            if self.spilled:
                self._fetch(self.wrong)
            self.table.write(conn, {self.ledger: {key: self._row(key) for key in self.wrong}})

    def _row(self, key: Key) -> Row | None:
        row = self.rows.get(key)
        return row if row is None or not self.appends else dict(zip(self.table.columns, row, strict=True))


def _by_key(item: tuple[Key, Any]) -> Key:
    return item[0]
