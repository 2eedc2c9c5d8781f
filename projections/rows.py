"""Rows to and from the database in bulk: a turn of the engine loads and writes each read model in a few statements. Read by the engine.

PostgreSQL takes whole columns as arrays (unnest); SQLite takes keys as one JSON text and rows by executemany.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from projections.model import Key, ReadModel, Rows, key_columns, read_model
from projections.tables import METADATA

MOST_KEYS = 10_000
"""Keys asked for in one statement, so that its parameters stay small."""


class TableRows:
    """The statements of one table on one kind of database."""

    def __init__(self, table: sa.Table, dialect: str) -> None:
        self.table = table
        self.keys = key_columns(table)
        self.others = tuple(str(column.name) for column in table.columns if column.name not in self.keys and column.name != "ledger")
        self.columns = (*self.keys, *self.others)
        self.postgres = dialect == "postgresql"
        kinds = {column.name: column.type.compile(postgresql.dialect()).split(" COLLATE")[0] for column in table.columns}
        self.select = sa.text(self._select(kinds)).columns(*(table.c[name] for name in self.columns))
        self.upsert = self._upsert(kinds)
        self.delete = self._delete(kinds)

    def load(self, conn: sa.Connection, ledger: str, keys: Iterable[Key]) -> Rows:
        """The rows of those keys that exist."""
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), MOST_KEYS):
            for row in conn.execute(self.select, self._asked(ledger, wanted[start : start + MOST_KEYS])):
                found[row[: len(self.keys)]] = dict(zip(self.columns, row, strict=True))
        return {tuple(key): row for key, row in found.items()}

    def write(self, conn: sa.Connection, ledger: str, changed: Rows) -> None:
        """Writes the rows that changed, and removes those that are None."""
        columns = self.columns
        rows = [[row[name] for name in columns] for row in changed.values() if row is not None]
        removed = [key for key, row in changed.items() if row is None]
        if rows:
            self._run(conn, self.upsert, ledger, rows)
        if removed:
            self._run(conn, self.delete, ledger, removed)

    def _run(self, conn: sa.Connection, statement: str, ledger: str, rows: Sequence[Sequence[Any]]) -> None:
        if self.postgres:
            conn.exec_driver_sql(statement, (ledger, *map(list, zip(*rows, strict=True))))
        else:
            conn.exec_driver_sql(statement, [(ledger, *row) for row in rows])

    def _asked(self, ledger: str, keys: Sequence[Key]) -> dict[str, Any]:
        if self.postgres:
            return {"ledger": ledger, **{name: list(values) for name, values in zip(self.keys, zip(*keys, strict=True), strict=True)}}
        return {"ledger": ledger, "keys": orjson.dumps(keys).decode()}

    def _select(self, kinds: dict[str, str]) -> str:
        columns = ", ".join(f"t.{_quoted(name)}" for name in self.columns)
        if self.postgres:
            given = ", ".join(f"CAST(:{name} AS {kinds[name]}[])" for name in self.keys)
            same = " AND ".join(f"t.{_quoted(name)} = k.{_quoted(name)}" for name in self.keys)
            names = ", ".join(map(_quoted, self.keys))
            return f"SELECT {columns} FROM unnest({given}) AS k({names}) JOIN {self.table.name} AS t ON t.ledger = :ledger AND {same}"
        same = " AND ".join(f"t.{_quoted(name)} = json_extract(k.value, '$[{number}]')" for number, name in enumerate(self.keys))
        return f"SELECT {columns} FROM json_each(:keys) AS k CROSS JOIN {self.table.name} AS t ON t.ledger = :ledger AND {same}"

    def _upsert(self, kinds: dict[str, str]) -> str:
        names = ", ".join(map(_quoted, ("ledger", *self.columns)))
        conflict = ", ".join(map(_quoted, ("ledger", *self.keys)))
        changes = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in self.others)
        if self.postgres:
            given = ", ".join(f"%s::{kinds[name]}[]" for name in self.columns)
            values = f"SELECT %s::varchar, * FROM unnest({given})"
        else:
            values = f"VALUES ({', '.join('?' * (len(self.columns) + 1))})"
        return f"INSERT INTO {self.table.name} ({names}) {values} ON CONFLICT ({conflict}) DO UPDATE SET {changes}"

    def _delete(self, kinds: dict[str, str]) -> str:
        if self.postgres:
            given = ", ".join(f"%s::{kinds[name]}[]" for name in self.keys)
            same = " AND ".join(f"t.{_quoted(name)} = k.{_quoted(name)}" for name in self.keys)
            # The ledger comes first among the parameters, so it stands first in the statement.
            ledger = "WITH asked AS (SELECT %s::varchar AS ledger)"
            names = ", ".join(map(_quoted, self.keys))
            rows = f"asked, unnest({given}) AS k({names})"
            return f"{ledger} DELETE FROM {self.table.name} AS t USING {rows} WHERE t.ledger = asked.ledger AND {same}"
        same = " AND ".join(f"{_quoted(name)} = ?" for name in ("ledger", *self.keys))
        return f"DELETE FROM {self.table.name} WHERE {same}"


def _quoted(name: str) -> str:
    return f'"{name}"'


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
