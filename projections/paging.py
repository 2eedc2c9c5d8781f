"""Keyset pages: the next rows after a sort key. Read by every query that answers in pages; the web layer makes the tuple a cursor."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

Row = dict[str, Any]
After = tuple[Any, ...] | None


class Rows(list[Row]):
    """Rows of a page. reached: the key up to which was looked, where that is not the end of the list; None otherwise."""

    def __init__(self, rows: Iterable[Row] = (), *, reached: After = None) -> None:
        super().__init__(rows)
        self.reached = reached


def page(
    conn: sa.Connection,
    query: sa.Select[Any],
    order: Sequence[sa.ColumnElement[Any]],
    after: After,
    limit: int,
    *,
    descending: bool = False,
) -> list[Row]:
    """The rows after a sort key, at most limit of them. The order must be total: its last columns are a key of the rows."""
    if after is not None:
        here, last = sa.tuple_(*order), sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(after, order, strict=True)))
        query = query.where(here < last if descending else here > last)
    query = query.order_by(*(column.desc() if descending else column.asc() for column in order)).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def first(conn: sa.Connection, query: sa.Select[Any]) -> Row | None:
    """The one row, or None."""
    row = conn.execute(query.limit(1)).mappings().first()
    return dict(row) if row is not None else None
