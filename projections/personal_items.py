"""Which events vouch for which personal values: one row per item of ``personal``, without the values. Read by whoever reads or erases.

A value is found by its event, never the other way round: this says where a digest stands, whom it is about, and who said it.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from domain.personal import CARRIERS
from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import AREA, ID, TIME, WORD, given, key, maybe, read_model_table, text

NAME = "personal_items"
APPENDS = True
TOPICS = CARRIERS

TABLE = read_model_table(
    "personal_items",
    key("digest", text(43)),
    key("stream", ID),
    key("version", sa.Integer),
    given("subject", ID),
    given("field", text(64)),
    given("topic", text(64)),
    given("area", AREA),
    maybe("household", WORD),
    given("by_person", ID),
    given("happened_at", TIME),
    given("recorded_at", TIME),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("personal_items_stream", C.stream, C.ledger, C.version)
sa.Index("personal_items_household", C.ledger, C.household, C.happened_at)
sa.Index("personal_items_subject", C.subject, C.ledger, C.position)
sa.Index("personal_items_digest", C.digest)
sa.Index("personal_items_person", C.by_person, C.recorded_at)


def items_of(event: Recorded) -> list[dict[str, str]]:
    """The subjects, fields and digests that an event vouches for; mostly none."""
    return event.fields.get("personal") or []


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    items = items_of(event)
    if not items:
        return ()
    return [(digest, event.stream, event.version) for digest in dict.fromkeys(item["digest"] for item in items)]


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    item = next(item for item in items_of(event) if item["digest"] == key[0])
    fields = event.fields
    return {
        "digest": item["digest"],
        "stream": event.stream,
        "version": event.version,
        "subject": item["subject"],
        "field": item["field"],
        "topic": event.topic,
        "area": fields["area"],
        "household": fields.get("household") if event.topic == "visit.made" else None,
        "by_person": fields["by"],
        "happened_at": fields["happened_at"],
        "recorded_at": event.recorded_at,
        "position": event.position,
    }


def of_stream(conn: sa.Connection, ledger: str, stream: str) -> list[Row]:
    """All items of one case or visit, in the order in which they were recorded."""
    query = sa.select(TABLE).where(C.ledger == ledger, C.stream == stream).order_by(C.version, C.field, C.digest)
    return [dict(row) for row in conn.execute(query).mappings()]


def of_any_stream(conn: sa.Connection, stream: str) -> list[Row]:
    """The same of a stream in whatever ledger: an id may stand in several."""
    return [dict(row) for row in conn.execute(sa.select(TABLE).where(C.stream == stream)).mappings()]


def of_household(conn: sa.Connection, ledger: str, household: str, limit: int = 200) -> list[Row]:
    """The items of a household's visits, latest first."""
    theirs = sa.select(TABLE).where(C.ledger == ledger, C.household == household)
    return [dict(row) for row in conn.execute(theirs.order_by(C.happened_at.desc(), C.field, C.digest).limit(limit)).mappings()]


def subject_of(personal: Any) -> str | None:
    """Whom the first of an event's items is about."""
    return str(personal[0]["subject"]) if personal else None
