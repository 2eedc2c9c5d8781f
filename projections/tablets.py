"""Tablets 平板: last contact, clock skew, what each still owes. Read by officers and by whoever asks why a day's work is missing."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections.paging import After, Row, first, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, ID, TIME, WORD, given, key, maybe, read_model_table, text

NAME = "tablets"

TABLE = read_model_table(
    "tablets",
    key("tablet_id", ID),
    given("area", AREA),
    given("person", ID),
    given("status", text(16)),
    maybe("label", WORD),
    given("origin", WORD),
    given("algorithm", WORD),
    given("public_key", WORD),
    given("enrolled_at", TIME),
    maybe("last_contact", TIME),
    maybe("sent_at", WORD),
    given("size", sa.BigInteger),
    given("recorded", sa.BigInteger),
    given("refused", sa.BigInteger),
    maybe("waiting", sa.BigInteger),  # entries that the tablet still had to send when it last sent
    maybe("skew_ms", sa.BigInteger),  # the tablet's clock minus ours
    maybe("last_valid", sa.BigInteger),
    maybe("reason", sa.Text),
    given("version", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("tablets_area", C.area)
sa.Index("tablets_id", C.tablet_id)
sa.Index("tablets_person", C.person)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream,),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    changed = CHANGES[event.topic](row, event) if row is not None else _enrolled(event)
    return {**(row or {}), **changed, "version": event.version, "position": event.position}


def _enrolled(event: Recorded) -> Row:
    fields = event.fields
    return {
        "tablet_id": event.stream,
        "area": fields["area"],
        "person": fields["person"],
        "status": "active",
        "label": fields.get("label"),
        "origin": fields["origin"],
        "algorithm": fields["algorithm"],
        "public_key": fields["public_key"],
        "enrolled_at": fields["happened_at"],
        "last_contact": None,
        "sent_at": None,
        "size": 0,
        "recorded": 0,
        "refused": 0,
        "waiting": None,
        "skew_ms": None,
        "last_valid": None,
        "reason": None,
    }


def _uploaded(row: Row, event: Recorded) -> Row:
    state = event.state
    return {
        "last_contact": event.recorded_at,
        "sent_at": state.get("sent_at"),
        "size": state["size"],
        "recorded": row["recorded"] + state["recorded"],
        "refused": row["refused"] + state["refused"],
        "waiting": state.get("waiting"),
        "skew_ms": state.get("skew_ms"),
    }


def _revoked(row: Row, event: Recorded) -> Row:
    return {"status": "revoked", "last_valid": event["last_valid"], "reason": event.get("reason")}


def _forked(row: Row, event: Recorded) -> Row:
    return {"status": "set_aside", "last_contact": event.recorded_at, "reason": "forked"}


def _reinstated(row: Row, event: Recorded) -> Row:
    return {"status": "active", "last_valid": None, "reason": event.get("reason")}


CHANGES = {
    "tablet.enrolled": lambda row, event: _enrolled(event),
    "tablet.uploaded": _uploaded,
    "tablet.revoked": _revoked,
    "tablet.forked": _forked,
    "tablet.reinstated": _reinstated,
}
TOPICS = frozenset(CHANGES)


def list_tablets(
    conn: sa.Connection,
    sight: Sight,
    *,
    area: str | None = None,
    status: str | None = None,
    person: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Tablets by area. Cursor: (area, tablet_id)."""
    query = sa.select(TABLE).where(sight.where(C.area))
    wanted = {C.status: status, C.person: person}
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if area is not None:
        query = query.where(within(C.area, area))
    return page(conn, query, (C.area, C.tablet_id), after, limit)


def get_tablet(conn: sa.Connection, sight: Sight, tablet_id: str) -> Row | None:
    return first(conn, sa.select(TABLE).where(C.tablet_id == tablet_id, sight.where(C.area)))
