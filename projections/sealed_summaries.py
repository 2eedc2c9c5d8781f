"""The quarterly roll-ups 每季度汇总 that were sealed, one row each. Read by the roll-up's page and by whoever writes its document again."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import AREA, ID, JSON_TEXT, TIME, WORD, canonical, given, key, read_model_table, text

NAME = "sealed_summaries"
APPENDS = True
TOPICS = frozenset({"summary.sealed"})

AS_SAID = ("area", "period", "zone", "until", "origin", "size", "root", "book", "counting", "digest")

TABLE = read_model_table(
    "sealed_summaries",
    key("period", text(8)),
    given("area", AREA),
    given("zone", WORD),
    given("until", TIME),
    given("origin", WORD),
    given("size", sa.BigInteger),
    given("root", text(44)),
    given("book", WORD),
    given("counting", text(8)),
    given("counts", JSON_TEXT),
    given("digest", text(64)),
    given("sealed_by", ID),
    given("sealed_at", TIME),
    given("position", sa.BigInteger),
)
C = TABLE.c


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event["period"],),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    said = {name: event[name] for name in AS_SAID}
    counts = canonical(event["counts"])
    return {**said, "counts": counts, "sealed_by": event["by"], "sealed_at": event.recorded_at, "position": event.position}


def sealed(conn: sa.Connection, ledgers: Sequence[str], period: str) -> dict[str, Row]:
    """The sealed roll-ups of a period by ledger, of those of the ledgers that have one."""
    query = sa.select(TABLE).where(C.ledger.in_(list(ledgers)), C.period == period)
    return {row["ledger"]: dict(row) for row in conn.execute(query).mappings()}
