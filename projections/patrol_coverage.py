"""Which grids were patrolled on which day, told by starts and stops, never by a track. Read by officers planning patrols."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
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


def list_days(
    conn: sa.Connection, sight: Sight, *, from_day: str, to_day: str, area: str | None = None, after: After = None, limit: int = 100
) -> list[Row]:
    """Each grid that existed in the period, patrolled or not, with the days on which it was: a calendar's lines. Cursor: (area,).

    A row: area, name, kind, effective_from, effective_to, days (of day, started, finished, checkpoints). Micro-grids count for their grid.
    """
    grids = areas.list_grids(conn, sight, area=area, from_day=from_day, to_day=to_day, after=after, limit=limit)
    days = _days_of(conn, sight, [row["code"] for row in grids], from_day, to_day)
    shown = ("name", "kind", "effective_from", "effective_to")
    return [{"area": row["code"], **{name: row[name] for name in shown}, "days": days.get(row["code"], [])} for row in grids]


def _days_of(conn: sa.Connection, sight: Sight, grids: Sequence[str], from_day: str, to_day: str) -> dict[str, list[Row]]:
    if not grids:
        return {}
    grid = sa.func.substr(C.area, 1, GRID).label("grid")
    totals = (sa.func.sum(C[count]).cast(sa.Integer).label(count) for count in COUNTS)
    # Between the first and the last of the page: a range that an index on the area serves.
    near = sa.and_(C.area >= grids[0], C.area < grids[-1] + ":", grid.in_(grids))
    query = sa.select(grid, C.day, *totals).where(_patrolled(sight, None, from_day, to_day), near).group_by(sa.text("1"), C.day)
    found: dict[str, list[Row]] = {}
    for row in conn.execute(query.order_by(sa.text("1"), C.day)).mappings():
        found.setdefault(row["grid"], []).append({name: row[name] for name in ("day", *COUNTS)})
    return found


def days_of_period(conn: sa.Connection, sight: Sight, *, from_day: str, to_day: str, area: str | None = None) -> list[Row]:
    """Each day of the period: how many grids were patrolled on it, of how many that existed on it (due). Due 0 means there is no rate."""
    due = areas.grids_due(sight, area=area, from_day=from_day, to_day=to_day).subquery()
    spans = conn.execute(
        sa.select(areas.C.effective_from, areas.C.effective_to, sa.func.count())
        .where(areas.C.code.in_(sa.select(due.c.code)), areas.C.level == "grid")
        .group_by(areas.C.effective_from, areas.C.effective_to)
    ).all()
    on_it = sa.and_(areas.C.effective_from <= C.day, sa.or_(areas.C.effective_to.is_(None), areas.C.effective_to >= C.day))
    grid = sa.func.substr(C.area, 1, GRID)
    query = sa.select(C.day, sa.func.count(grid.distinct())).join(areas.TABLE, sa.and_(areas.C.code == grid, areas.C.level == "grid"))
    patrolled = {day: count for day, count in conn.execute(query.where(_patrolled(sight, area, from_day, to_day), on_it).group_by(C.day))}
    first, days = date.fromisoformat(from_day), (date.fromisoformat(to_day) - date.fromisoformat(from_day)).days + 1
    told = []
    for day in ((first + timedelta(days=number)).isoformat() for number in range(days)):
        there = sum(count for since, until, count in spans if since <= day and (until is None or day <= until))
        told.append({"day": day, "patrolled": patrolled.get(day, 0), "due": there})
    return told
