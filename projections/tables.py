"""The one MetaData of all tables, how far each read model has come, and the column types that every read model shares."""

from typing import Any

import orjson
import sqlalchemy as sa

METADATA = sa.MetaData()

NEVER = "9999-12-31T23:59:59.999Z"
"""Stands in a sortable time column where there is no such time, so that pages need no rule for nulls."""


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes on every database: pages, prefix ranges and digests are then the same on SQLite and PostgreSQL."""
    kind: Any = sa.String if length else sa.Text
    return kind(length).with_variant(kind(length, collation="C"), "postgresql")


LEDGER = text(9)
ID = text(36)
TIME = text(24)
DAY = text(10)
AREA = text(17)
WORD = text()
"""Text of no fixed length: units, names of categories, free words."""
JSON_TEXT = sa.Text
"""Canonical JSON (sorted members), so that equal values are equal bytes."""


def canonical(value: Any) -> str | None:
    """What stands in a JSON_TEXT column for a value; null for None."""
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


PROGRESS = sa.Table(
    "progress",
    METADATA,
    sa.Column("ledger", LEDGER, primary_key=True),
    sa.Column("read_model", text(64), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("parked_position", sa.BigInteger),
    sa.Column("parked_error", sa.Text),
    sa.Column("parked_at", TIME),
)
"""``position`` is the next position to fold, so it is also the number of events folded. A parked read model stands still."""


def read_model_table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A read model's table, keyed by ledger first."""
    return sa.Table(name, METADATA, sa.Column("ledger", LEDGER, primary_key=True), *columns)


def key(name: str, kind: Any) -> sa.Column[Any]:
    """A column of the primary key."""
    return sa.Column(name, kind, primary_key=True)


def given(name: str, kind: Any) -> sa.Column[Any]:
    """A column that always has a value."""
    return sa.Column(name, kind, nullable=False)


def maybe(name: str, kind: Any) -> sa.Column[Any]:
    """A column that may be empty."""
    return sa.Column(name, kind)
