"""Published versions of the rulebooks 规则 of a city. Reference data: read when a case is registered and a visit's next day is set."""

from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import DAY, JSON_TEXT, TIME, WORD, canonical, given, key, read_model_table

NAME = "rulebooks"
TOPICS = frozenset({"rulebook.published"})

TABLE = read_model_table(
    "rulebooks",
    key("kind", WORD),
    key("name", WORD),
    key("version", WORD),
    given("effective_from", DAY),
    given("content", JSON_TEXT),
    given("published_at", TIME),
    given("position", sa.BigInteger),
)
C = TABLE.c


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event["kind"], event["name"], event["version"]),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    return {
        "kind": key[0],
        "name": key[1],
        "version": key[2],
        "effective_from": event["effective_from"],
        "content": canonical(event["content"]),
        "published_at": event["happened_at"],
        "position": event.position,
    }


def published(conn: sa.Connection, city: str) -> list[Row]:
    """Every published version of a city's books, in the order of publication, with content as a dict. The city's code is its ledger."""
    query = sa.select(TABLE).where(C.ledger == city).order_by(C.position)
    return [{**row, "content": orjson.loads(row["content"])} for row in conn.execute(query).mappings()]


def stand(conn: sa.Connection, city: str) -> int:
    """A number that changes whenever a version is published: what was read before holds as long as it is the same."""
    return conn.scalar(sa.select(sa.func.max(C.position)).where(C.ledger == city)) or 0
