"""Which grids were patrolled on which day, told by starts and stops, never by a track. Read by officers planning patrols."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL
from projections import areas
from projections.paging import After, Row, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, TIME, given, key, read_model_table

NAME = "patrol_coverage"

COUNT_OF = {"patrol.started": "started", "patrol.finished": "finished", "patrol.checkpoint_passed": "checkpoints"}
COUNTS = tuple(COUNT_OF.values())
TOPICS = frozenset(COUNT_OF)

TABLE = read_model_table(
    "patrol_coverage",
    key("area", AREA),
    key("day", DAY),
    *(given(count, sa.Integer) for count in COUNTS),
    given("last_at", TIME),
)
C = TABLE.c
sa.Index("patrol_coverage_area_day", C.area, C.day)

GRID = LENGTH_OF_LEVEL["grid"]
NOTHING_YET = dict.fromkeys(COUNTS, 0)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    fields = event.fields
    return ((fields["area"], fields["day"]),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    happened_at = event.fields["happened_at"]
    if row is None:
        row = {"area": key[0], "day": key[1], **NOTHING_YET, "last_at": happened_at}
    else:
        row = row.copy()
        if happened_at > row["last_at"]:
            row["last_at"] = happened_at
    row[COUNT_OF[event.topic]] += 1
    return row


def _patrolled(sight: Sight, area: str | None, from_day: str, to_day: str) -> sa.ColumnElement[bool]:
    inside = within(C.area, area) if area else sa.true()
    return sa.and_(sight.where(C.area), inside, C.day.between(from_day, to_day))


def list_coverage(
    conn: sa.Connection, sight: Sight, *, from_day: str, to_day: str, area: str | None = None, after: After = None, limit: int = 100
) -> list[Row]:
    """Per area patrolled in the period (both days inclusive): days, patrols started and finished, stops, the last. Cursor: (area,)."""
    totals = (sa.func.sum(C[count]).cast(sa.Integer).label(count) for count in COUNTS)
    query = sa.select(C.area, sa.func.count().label("days"), *totals, sa.func.max(C.last_at).label("last_at"))
    return page(conn, query.where(_patrolled(sight, area, from_day, to_day)).group_by(C.area), (C.area,), after, limit)


def coverage_rate(conn: sa.Connection, sight: Sight, *, from_day: str, to_day: str, area: str | None = None) -> dict[str, int]:
    """Of the grids that existed in the period: how many were patrolled, how many were due. Due 0 means there is no rate, not 0 %."""
    grid = sa.func.substr(C.area, 1, GRID)
    patrolled = sa.select(grid).where(_patrolled(sight, area, from_day, to_day), sa.func.length(C.area) >= GRID)
    due = areas.grids_due(sight, area=area, from_day=from_day, to_day=to_day).subquery()
    covered = sa.func.count(sa.case((due.c.code.in_(patrolled), 1)))
    row = conn.execute(sa.select(covered.label("patrolled"), sa.func.count().label("due")).select_from(due)).mappings().one()
    return {"patrolled": row["patrolled"], "due": row["due"]}
