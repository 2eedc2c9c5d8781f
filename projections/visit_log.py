"""Every visit 走访 that was made, one row each, and which households are due. Read by officers and by the tablets' visit plan."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections.paging import After, Row, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, ID, JSON_TEXT, TIME, WORD, canonical, given, key, maybe, read_model_table

NAME = "visit_log"
APPENDS = True
TOPICS = frozenset({"visit.made"})

TABLE = read_model_table(
    "visit_log",
    key("visit_id", ID),
    given("area", AREA),
    given("household", WORD),
    maybe("care_group", WORD),
    given("channel", WORD),
    given("outcome", WORD),
    maybe("next_due", WORD),
    given("personal", JSON_TEXT),  # what the visit vouches for: subjects, fields, digests
    given("person", ID),
    maybe("tablet", ID),
    given("happened_at", TIME),
    given("day", DAY),
    given("recorded_at", TIME),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("visit_log_area", C.area, C.happened_at, C.visit_id)
sa.Index("visit_log_ledger", C.ledger, C.happened_at, C.visit_id)
sa.Index("visit_log_household", C.ledger, C.household, C.happened_at)
sa.Index("visit_log_due", C.ledger, C.next_due)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream,),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    fields = event.fields
    return {
        "visit_id": event.stream,
        "area": fields["area"],
        "household": fields["household"],
        "care_group": fields.get("care_group"),
        "channel": fields.get("channel") or "at_door",
        "outcome": fields["outcome"],
        "next_due": next_due(event),
        "personal": canonical(fields["personal"]) if fields.get("personal") else "[]",
        "person": fields["by"],
        "tablet": fields.get("tablet"),
        "happened_at": fields["happened_at"],
        "day": fields["day"],
        "recorded_at": event.recorded_at,
        "position": event.position,
    }


def next_due(event: Recorded) -> str | None:
    """The day of the next visit: what the server derived, or what the worker said where it derived none."""
    return event.get("next_due") or event.get("next_visit")


def list_visits(
    conn: sa.Connection,
    sight: Sight,
    *,
    area: str | None = None,
    household: str | None = None,
    person: str | None = None,
    care_group: str | None = None,
    outcome: str | None = None,
    from_day: str | None = None,
    to_day: str | None = None,
    due_by: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Visits, latest first. due_by: each household's latest visit, where the next is due by that day. Cursor: (happened_at, visit_id)."""
    query = sa.select(TABLE).where(sight.where(C.area))
    wanted = {C.household: household, C.person: person, C.care_group: care_group, C.outcome: outcome}
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if area is not None:
        query = query.where(within(C.area, area))
    if from_day is not None:
        query = query.where(C.day >= from_day)
    if to_day is not None:
        query = query.where(C.day <= to_day)
    if due_by is not None:
        query = query.where(C.next_due <= due_by, ~_visited_later())
    return page(conn, query, (C.happened_at, C.visit_id), after, limit, descending=True)


def _visited_later() -> sa.ColumnElement[bool]:
    later = TABLE.alias("later")
    same = sa.and_(later.c.ledger == C.ledger, later.c.household == C.household)
    newer = sa.tuple_(later.c.happened_at, later.c.visit_id) > sa.tuple_(C.happened_at, C.visit_id)
    return sa.exists(sa.select(sa.literal(1)).select_from(later).where(same, newer))
