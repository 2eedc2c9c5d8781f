"""Which household is to be visited again by which day 走访计划: one row each, from its latest visit. Read by officers and by workers.

The latest visit decides, by its tablet's time and then by its id, in whatever order visits were uploaded: the same as the tablets'
own plan (``tablet_changes``, kind visit). Where it sets no day the household is in no plan, and the row only waits for the next visit.
No personal value stands here: a household is a reference, and who was met is not told.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL
from projections import visit_log
from projections.paging import After, Row, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, ID, TIME, WORD, given, key, maybe, read_model_table

NAME = "visits_due"
TOPICS = visit_log.TOPICS

TABLE = read_model_table(
    "visits_due",
    key("household", WORD),
    given("area", AREA),
    maybe("care_group", WORD),
    maybe("next_due", DAY),
    given("visit_id", ID),
    given("person", ID),
    given("channel", WORD),
    given("outcome", WORD),
    given("visited_at", TIME),
    given("visited_on", DAY),
    maybe("met_on", DAY),  # the last day on which somebody was met
    given("visits", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
PLANNED = C.next_due.is_not(None)
IN_PLAN = sa.text("next_due IS NOT NULL")
# Both hold what a list is narrowed and counted by: the first serves a county or a city, the second what lies in one ledger.
sa.Index("visits_due_day", C.next_due, C.ledger, C.household, C.area, sqlite_where=IN_PLAN, postgresql_where=IN_PLAN)
sa.Index("visits_due_ledger", C.ledger, C.next_due, C.household, C.area, sqlite_where=IN_PLAN, postgresql_where=IN_PLAN)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event["household"],),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    fields = event.fields
    visits, met_on = (row["visits"], row["met_on"]) if row is not None else (0, None)
    if fields["outcome"] == "met":
        met_on = max(met_on or "", fields["day"])
    if row is None or (fields["happened_at"], event.stream) > (row["visited_at"], row["visit_id"]):
        row = _latest(event)
    return {**row, "met_on": met_on, "visits": visits + 1, "position": event.position}


def _latest(event: Recorded) -> Row:
    fields = event.fields
    return {
        "household": fields["household"],
        "area": fields["area"],
        "care_group": fields.get("care_group"),
        "next_due": visit_log.next_due(event),
        "visit_id": event.stream,
        "person": fields["by"],
        "channel": fields.get("channel") or "at_door",
        "outcome": fields["outcome"],
        "visited_at": fields["happened_at"],
        "visited_on": fields["day"],
    }


def _inside(column: sa.ColumnElement[Any], area: str) -> sa.ColumnElement[bool]:
    """The subtree, and the one ledger that it lies in: so a list of a grid is not looked for in the whole city."""
    ledger = LENGTH_OF_LEVEL["subdistrict"]
    return sa.and_(C.ledger == area[:ledger], within(column, area)) if len(area) >= ledger else within(column, area)


def _due(
    sight: Sight, due_by: str, area: str | None = None, places: Sequence[str] | None = None, groups: Sequence[str] | None = None
) -> sa.ColumnElement[bool]:
    wanted = [PLANNED, C.next_due <= due_by, sight.where(C.area, inside=_inside)]
    if area is not None:
        wanted.append(_inside(C.area, area))
    if places is not None:
        wanted.append(Sight(areas=tuple(places)).where(C.area, inside=_inside))
    if groups is not None:
        wanted.append(C.care_group.in_(groups))
    return sa.and_(*wanted)


def list_due(conn: sa.Connection, sight: Sight, *, due_by: str, after: After = None, limit: int = 100, **narrowed: Any) -> list[Row]:
    """Households due by a day, the longest overdue first. Cursor: (next_due, ledger, household).

    narrowed: area, a subtree; places, the areas of a worker (none of them, none is due there); groups, codes of care groups.
    """
    query = sa.select(TABLE).where(_due(sight, due_by, **narrowed))
    return page(conn, query, (C.next_due, C.ledger, C.household), after, limit)


def count_due(conn: sa.Connection, sight: Sight, *, today: str, due_by: str, **narrowed: Any) -> dict[str, int]:
    """How many of the same list are overdue (due before today), due today, and due later."""
    late, now, soon = C.next_due < today, C.next_due == today, C.next_due > today
    counts = (sa.func.count(sa.case((when, 1))).label(name) for name, when in (("overdue", late), ("today", now), ("later", soon)))
    return dict(conn.execute(sa.select(*counts).where(_due(sight, due_by, **narrowed))).mappings().one())
