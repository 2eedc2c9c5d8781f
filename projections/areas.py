"""The tree of areas 区域 as it was recorded, effective-dated. Reference data: read by decisions, coverage and pages with a map."""

from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL, LEVEL_OF_LENGTH, level_of, parent_of
from projections import people
from projections.paging import After, Row, first, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, ID, JSON_TEXT, WORD, canonical, given, key, maybe, read_model_table, text

NAME = "areas"
TOPICS = frozenset({"area.registered", "area.changed", "area.ended"})

TABLE = read_model_table(
    "areas",
    key("code", AREA),
    given("area_id", ID),
    given("level", text(16)),
    maybe("parent", AREA),
    given("name", WORD),
    maybe("kind", WORD),
    maybe("reference", WORD),
    maybe("centre", JSON_TEXT),
    maybe("polygon", JSON_TEXT),
    given("effective_from", DAY),
    maybe("effective_to", DAY),
    given("successors", JSON_TEXT),
    given("changes", JSON_TEXT),  # what was said when, so that the names of a past day can be told
    given("version", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("areas_code", C.code)

DATED = ("name", "kind", "reference")
OUTLINE = ("centre", "polygon")
WITHOUT_OUTLINES = [sa.null().label(column.name) if column.name in OUTLINE else column for column in C]


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event["code"],),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    changed = CHANGES[event.topic](row or {}, event)
    return {**(row or {}), **changed, "version": event.version, "position": event.position}


def _dated(event: Recorded) -> Row:
    said = {name: event.get(name) for name in DATED if event.get(name) is not None}
    return {"effective_from": event["effective_from"], **said}


def _registered(row: Row, event: Recorded) -> Row:
    code = event["code"]
    return {
        "code": code,
        "area_id": event.stream,
        "level": level_of(code),
        "parent": parent_of(code),
        "name": event["name"],
        "kind": event.get("kind"),
        "reference": event.get("reference"),
        "centre": canonical(event.get("centre")),
        "polygon": canonical(event.get("polygon")),
        "effective_from": event["effective_from"],
        "effective_to": None,
        "successors": "[]",
        "changes": canonical([_dated(event)]),
    }


def _changed(row: Row, event: Recorded) -> Row:
    said = {name: event.get(name) for name in DATED if event.get(name) is not None}
    outline = {name: canonical(event.get(name)) for name in ("centre", "polygon") if event.get(name) is not None}
    return {**said, **outline, "changes": canonical([*orjson.loads(row["changes"]), _dated(event)])}


def _ended(row: Row, event: Recorded) -> Row:
    return {"effective_to": event["effective_to"], "successors": canonical(event.get("successors", []))}


CHANGES = {"area.registered": _registered, "area.changed": _changed, "area.ended": _ended}


def on_day(row: Row, day: str) -> Row:
    """The row with the name, kind and reference that held on a day."""
    changes = sorted(orjson.loads(row["changes"]), key=lambda change: change["effective_from"])
    then = dict.fromkeys(DATED)
    for change in changes:
        if change["effective_from"] <= day or then["name"] is None:
            then.update({name: change[name] for name in DATED if name in change})
    return {**row, **then}


def _exists(from_day: str, to_day: str) -> sa.ColumnElement[bool]:
    return sa.and_(C.effective_from <= to_day, sa.or_(C.effective_to.is_(None), C.effective_to >= from_day))


def _has_worker(day: str) -> sa.ColumnElement[bool]:
    """A worker is assigned on a day to the area or to one above it."""
    above = [sa.func.substr(C.code, 1, length) for length in sorted(LEVEL_OF_LENGTH) if length <= LENGTH_OF_LEVEL["grid"]]
    held = people.C
    return sa.exists().where(held.role == "worker", held.unit.in_(above), people.holds(day))


def list_areas(
    conn: sa.Connection,
    sight: Sight,
    *,
    area: str | None = None,
    level: str | None = None,
    day: str | None = None,
    codes: Iterable[str] | None = None,
    outlines: bool = True,
    without_worker: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Areas of a subtree by code, or those of some codes; with a day, those that existed on it under the names of that day.

    outlines: whether centre and polygon are given, which are most of a row. without_worker: only grids in which nobody worked on that
    day: no worker is assigned to the grid, nor to an area that it lies in. Cursor: (code,).
    """
    query = (sa.select(TABLE) if outlines else sa.select(*WITHOUT_OUTLINES)).where(sight.where(C.code))
    if codes is not None:
        query = query.where(C.code.in_(codes))
    if area is not None:
        query = query.where(within(C.code, area))
    if level is not None:
        query = query.where(C.level == level)
    if day is not None:
        query = query.where(_exists(day, day))
    if without_worker is not None:
        query = query.where(C.level == "grid", _exists(without_worker, without_worker), ~_has_worker(without_worker))
    rows = page(conn, query, (C.code,), after, limit)
    return [on_day(row, day) for row in rows] if day is not None else rows


def get_area(conn: sa.Connection, code: str, day: str | None = None) -> Row | None:
    """One area, or None where the code is not known (on that day)."""
    query = sa.select(TABLE).where(C.code == code)
    row = first(conn, query.where(_exists(day, day)) if day is not None else query)
    return on_day(row, day) if row is not None and day is not None else row


def grids_due(sight: Sight, *, area: str | None, from_day: str, to_day: str) -> sa.Select[Any]:
    """The codes of the grids that existed on some day of a period."""
    inside = within(C.code, area) if area else sa.true()
    return sa.select(C.code).where(C.level == "grid", sight.where(C.code), inside, _exists(from_day, to_day))


def list_grids(
    conn: sa.Connection, sight: Sight, *, area: str | None, from_day: str, to_day: str, after: After = None, limit: int = 100
) -> list[Row]:
    """The same grids as rows, under the names of the period's last day. Cursor: (code,)."""
    codes = grids_due(sight, area=area, from_day=from_day, to_day=to_day)
    return [on_day(row, to_day) for row in page(conn, sa.select(TABLE).where(C.code.in_(codes)), (C.code,), after, limit)]


def in_force(conn: sa.Connection, code: str, day: str) -> bool:
    """Whether the code names an area on that day."""
    return conn.execute(sa.select(C.code).where(C.code == code, _exists(day, day)).limit(1)).first() is not None
