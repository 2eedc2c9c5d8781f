"""Rows to and from the database in bulk: a turn of the engine loads and writes each read model in one statement. Read by the engine.

One statement takes the rows of many ledgers. PostgreSQL takes them as one JSON text, which costs the client a fifth of what arrays cost
and the server no more; SQLite takes keys as one JSON text and rows by executemany. All go through the driver's own cursor.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa

from projections.model import Key, ReadModel, Row, Rows, key_columns, read_model
from projections.tables import METADATA

MOST_KEYS = 10_000
"""Keys asked for in one statement, so that its parameters stay small."""
MOST_ROWS = 5_000
"""Rows written in one statement, for the same reason."""
FETCHED = 2_000
"""Rows that a walk over a table fetches at once."""

NOTHING = type(None)
TAKEN_BY = {str: (str, NOTHING), int: (int, NOTHING), bool: (bool, NOTHING), float: (float, int, NOTHING)}
"""Python types that a column takes. JSON would let a PostgreSQL text column take a list; on SQLite the same row would be refused."""

Wanted = Mapping[str, Iterable[Key]]
Changed = Mapping[str, Rows]


class TableRows:
    """The statements of one table on one kind of database."""

    def __init__(self, table: sa.Table, dialect: str) -> None:
        self.table = table
        self.keys = key_columns(table)
        others = tuple(str(column.name) for column in table.columns if column.name not in self.keys and column.name != "ledger")
        self.columns = (*self.keys, *others)
        self.key_length = len(self.keys)
        self.values = itemgetter(*self.columns)
        """A row's values in the order of the columns, as the database gives them too."""
        self.postgres = dialect == "postgresql"
        self.taken = tuple(frozenset(TAKEN_BY[table.c[name].type.python_type]) for name in self.columns)
        truths = (name for name in self.columns if isinstance(table.c[name].type, sa.Boolean))
        self.numbers_for_truths = () if self.postgres else tuple(truths)
        """SQLite's driver gives 0 and 1 where a column holds truths."""
        self.upsert, self.select, self.delete = self._upsert(others), self._select(), self._delete()
        names = ", ".join(map(_quoted, self.columns))
        self.walk = f"SELECT {names} FROM {table.name} WHERE ledger = {self._mark} ORDER BY {', '.join(map(_quoted, self.keys))}"
        self.stroll = f"SELECT {names} FROM {table.name} WHERE ledger = {self._mark}"
        self.clear = f"DELETE FROM {table.name} WHERE ledger = {self._mark}"

    # ---- many ledgers at once

    def load(self, conn: sa.Connection, wanted: Wanted) -> dict[str, Rows]:
        """The rows of those keys that exist, by ledger."""
        found: dict[str, Rows] = {ledger: {} for ledger in wanted}
        asked = [(ledger, *key) for ledger, keys in wanted.items() for key in keys]
        columns, until = self.columns, self.key_length + 1
        cursor = _cursor(conn)
        try:
            for start in range(0, len(asked), MOST_KEYS):
                cursor.execute(self.select, (self._asked(asked[start : start + MOST_KEYS]),))
                for row in cursor.fetchall():
                    found[row[0]][row[1:until]] = self._with_truths(dict(zip(columns, row[1:], strict=True)))
        finally:
            cursor.close()
        return found

    def _with_truths(self, row: Row) -> Row:
        for name in self.numbers_for_truths:
            if row[name] is not None:
                row[name] = bool(row[name])
        return row

    def write(self, conn: sa.Connection, changed: Changed) -> None:
        """Writes the rows that changed, and removes those that are None."""
        values = self.values
        rows = [(ledger, *values(row)) for ledger, some in changed.items() for row in some.values() if row is not None]
        removed = [(ledger, *key) for ledger, some in changed.items() for key, row in some.items() if row is None]
        for start in range(0, len(rows), MOST_ROWS):
            self._put(conn, rows[start : start + MOST_ROWS])
        for start in range(0, len(removed), MOST_KEYS):
            self._remove(conn, removed[start : start + MOST_KEYS])

    def _put(self, conn: sa.Connection, rows: list[tuple[Any, ...]]) -> None:
        self._must_fit(rows)
        cursor = _cursor(conn)
        if self.postgres:
            names = ("ledger", *self.columns)
            told = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows])
            cursor.execute(self.upsert, (told.decode(),))
        else:
            cursor.executemany(self.upsert, rows)
        cursor.close()

    def _remove(self, conn: sa.Connection, keys: list[tuple[Any, ...]]) -> None:
        cursor = _cursor(conn)
        if self.postgres:
            cursor.execute(self.delete, (self._asked(keys),))
        else:
            cursor.executemany(self.delete, keys)
        cursor.close()

    def _must_fit(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for name, taken, column in zip(self.columns, self.taken, list(zip(*rows, strict=True))[1:], strict=True):
            wrong = set(map(type, column)) - taken
            if wrong:
                raise TypeError(f"{self.table.name}.{name} takes no {wrong.pop().__name__}")

    # ---- one ledger whole

    def rows_of(self, conn: sa.Connection, ledger: str, *, in_order: bool = False) -> Iterator[tuple[Any, ...]]:
        """The values of each row of a ledger, a few at a time."""
        cursor = conn.connection.driver_connection.cursor("walk", binary=True) if self.postgres else _cursor(conn)  # type: ignore[union-attr]
        try:
            cursor.execute(self.walk if in_order else self.stroll, (ledger,))
            while rows := cursor.fetchmany(FETCHED):
                yield from rows
        finally:
            cursor.close()

    def replace(self, conn: sa.Connection, ledger: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Puts rows, told by their values, in the place of all rows of the ledger."""
        cursor = _cursor(conn)
        cursor.execute(self.clear, (ledger,))
        cursor.close()
        some = []
        for row in rows:
            some.append((ledger, *row))
            if len(some) == MOST_ROWS:
                self._put(conn, some)
                some = []
        if some:
            self._put(conn, some)

    # ---- the statements

    @property
    def _mark(self) -> str:
        return "%s" if self.postgres else "?"

    def _asked(self, keys: Sequence[tuple[Any, ...]]) -> str:
        if self.postgres:
            names = ("ledger", *self.keys)
            return orjson.dumps([dict(zip(names, key, strict=True)) for key in keys]).decode()
        return orjson.dumps(keys).decode()

    def _same(self) -> str:
        return " AND ".join(f"t.{_quoted(name)} = k.{_quoted(name)}" for name in ("ledger", *self.keys))

    def _select(self) -> str:
        columns = ", ".join(f"t.{_quoted(name)}" for name in ("ledger", *self.columns))
        # LATERAL with OFFSET, and CROSS JOIN, keep the order of the loops: a look by key for each key that is asked. Left to choose,
        # PostgreSQL reads the whole table of a read model that grows faster than its statistics.
        if self.postgres:
            given = f"json_populate_recordset(NULL::{self.table.name}, %s::json)"
            one = f"SELECT {columns} FROM {self.table.name} AS t WHERE {self._same()} OFFSET 0"
            return f"SELECT t.* FROM {given} AS k CROSS JOIN LATERAL ({one}) AS t"
        names = ("ledger", *self.keys)
        same = " AND ".join(f"t.{_quoted(name)} = k.value ->> {number}" for number, name in enumerate(names))
        return f"SELECT {columns} FROM json_each(?) AS k CROSS JOIN {self.table.name} AS t ON {same}"

    def _upsert(self, others: Sequence[str]) -> str:
        names = ", ".join(map(_quoted, ("ledger", *self.columns)))
        conflict = ", ".join(map(_quoted, ("ledger", *self.keys)))
        changes = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in others)
        if self.postgres:
            values = f"SELECT {names} FROM json_populate_recordset(NULL::{self.table.name}, %s::json)"
        else:
            values = f"VALUES ({', '.join('?' * (len(self.columns) + 1))})"
        return f"INSERT INTO {self.table.name} ({names}) {values} ON CONFLICT ({conflict}) DO UPDATE SET {changes}"

    def _delete(self) -> str:
        if self.postgres:
            given = f"json_populate_recordset(NULL::{self.table.name}, %s::json)"
            return f"DELETE FROM {self.table.name} AS t USING {given} AS k WHERE {self._same()}"
        same = " AND ".join(f"{_quoted(name)} = ?" for name in ("ledger", *self.keys))
        return f"DELETE FROM {self.table.name} WHERE {same}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _cursor(conn: sa.Connection) -> Any:
    return conn.connection.driver_connection.cursor()  # type: ignore[union-attr]


def sent_together(conn: sa.Connection) -> AbstractContextManager[Any]:
    """Inside, PostgreSQL takes statements without being waited for: it writes one read model while the next is folded."""
    return conn.connection.driver_connection.pipeline() if conn.dialect.name == "postgresql" else nullcontext()  # type: ignore[union-attr]


@lru_cache(maxsize=256)
def table_rows(name: str, dialect: str) -> TableRows:
    """The statements of a table, made once."""
    return TableRows(METADATA.tables[name], dialect)


def digest(conn: sa.Connection, model: str | ReadModel | Any, ledger: str, table: sa.Table | None = None) -> str:
    """SHA-256 over the rows of one ledger in the order of their keys: equal wherever the same history was folded."""
    rows = read_model(model).TABLE if table is None else table
    whole = hashlib.sha256()
    query = sa.select(rows).where(rows.c.ledger == ledger).order_by(*rows.primary_key.columns)
    for row in conn.execute(query.execution_options(yield_per=1000)):
        whole.update(orjson.dumps(tuple(row)) + b"\n")
    return whole.hexdigest()


def digest_of_rows(rows: Iterable[dict[str, Any]]) -> str:
    """The digest of rows that fold_lines gave: equal to that of the table that they would stand in."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(orjson.dumps(tuple(row.values())) + b"\n")
    return whole.hexdigest()
