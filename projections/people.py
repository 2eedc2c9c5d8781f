"""People 人员 and their assignments 任职: who may act where on which day. Reference data: read by scope, by decisions and by tablets.

The row with the empty assignment is the person: home area, last day, and the list of assignments from which the other rows follow.
So leaving, which is one event that ends all assignments, reaches every row.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import area_of
from projections.paging import After, Row, first, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, ID, JSON_TEXT, WORD, canonical, given, key, maybe, read_model_table

NAME = "people"
TOPICS = frozenset({"person.registered", "person.assigned", "person.assignment_ended", "person.left"})

TABLE = read_model_table(
    "assignments",
    key("person", ID),
    key("assignment", WORD),
    given("role", WORD),
    given("unit", WORD),
    given("area", AREA),
    maybe("from_day", DAY),
    maybe("to_day", DAY),
    maybe("assigned", JSON_TEXT),  # on the person's row only
    given("version", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("assignments_person", C.person)
sa.Index("assignments_unit", C.unit)
sa.Index("assignments_area", C.area)

THE_PERSON = ""
IS_ASSIGNMENT = C.assignment != THE_PERSON


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream, THE_PERSON),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    if row is None:
        row = {"person": event.stream, "assignment": THE_PERSON, "role": "", "from_day": None, "to_day": None, "assigned": "{}"}
    assigned = orjson.loads(row["assigned"])
    changed = CHANGES[event.topic](assigned, event)
    return {**row, **changed, "assigned": canonical(assigned), "version": event.version, "position": event.position}


def _registered(assigned: dict[str, Any], event: Recorded) -> Row:
    home = event["home"]
    return {"unit": home, "area": area_of(home), "from_day": event["day"]}


def _assigned(assigned: dict[str, Any], event: Recorded) -> Row:
    assigned[event["assignment"]] = {name: event.get(name) for name in ("unit", "from_day", "to_day")} | {"role": event["as_role"]}
    return {}


def _assignment_ended(assigned: dict[str, Any], event: Recorded) -> Row:
    assigned[event["assignment"]]["to_day"] = event["to_day"]
    return {}


def _left(assigned: dict[str, Any], event: Recorded) -> Row:
    last = event["to_day"]
    for each in assigned.values():
        each["to_day"] = min(each["to_day"] or last, last)
    return {"to_day": last}


CHANGES = {
    "person.registered": _registered,
    "person.assigned": _assigned,
    "person.assignment_ended": _assignment_ended,
    "person.left": _left,
}


def spread(before: Row | None, after: Row | None, event: Recorded) -> Iterator[tuple[tuple[Any, ...], Row | None]]:
    """The assignments' own rows, which follow from the person's row."""
    if after is None:
        return
    for assignment, each in orjson.loads(after["assigned"]).items():
        row = {**after, **each, "assignment": assignment, "area": area_of(each["unit"]), "assigned": None}
        yield (after["person"], assignment), row


def holds(day: Any) -> sa.ColumnElement[bool]:
    """An assignment holds on a day; on any where none is given."""
    if day is None:
        return sa.true()
    return sa.and_(C.from_day <= day, sa.or_(C.to_day.is_(None), C.to_day >= day))


def held_by(person: sa.ColumnElement[str], day: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Joins the assignments of a person that hold on a day to a query that knows the person."""
    return sa.and_(C.person == person, IS_ASSIGNMENT, holds(day))


def assignments_of(conn: sa.Connection, person: str, day: str | None = None) -> list[Row]:
    """A person's assignments, those that hold on a day where one is given (to_day is the last day that counts)."""
    query = sa.select(TABLE).where(C.person == person, IS_ASSIGNMENT, holds(day)).order_by(C.from_day, C.assignment)
    return [dict(row) for row in conn.execute(query).mappings()]


def get_person(conn: sa.Connection, person: str) -> Row | None:
    """The person's own row: unit is home, to_day the last day where the person left. None where nobody has that id."""
    return first(conn, sa.select(TABLE).where(C.person == person, C.assignment == THE_PERSON))


def person_on(conn: sa.Connection, person: str, day: str) -> tuple[Row | None, list[Row]]:
    """The person's own row and the assignments that hold on a day, in one look."""
    query = sa.select(TABLE).where(C.person == person, sa.or_(C.assignment == THE_PERSON, holds(day)))
    rows = [dict(row) for row in conn.execute(query.order_by(C.from_day, C.assignment)).mappings()]
    own = next((row for row in rows if row["assignment"] == THE_PERSON), None)
    return own, [row for row in rows if row["assignment"] != THE_PERSON]


def seen_among(conn: sa.Connection, sight: Sight, persons: Iterable[str]) -> list[str]:
    """Those of the persons whose home or unit, of today or of any day, is within sight; in the order of their ids."""
    seen = sa.select(C.person).where(C.person.in_(list(persons)), sight.where(C.area, (C.unit,))).distinct()
    return list(conn.scalars(seen.order_by(C.person)))


def people_of(
    conn: sa.Connection,
    sight: Sight,
    *,
    unit: str | None = None,
    area: str | None = None,
    role: str | None = None,
    day: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Assignments to a unit, or to units in a subtree. Cursor: (person, assignment)."""
    query = sa.select(TABLE).where(IS_ASSIGNMENT, sight.where(C.area, (C.unit,)), holds(day))
    if unit is not None:
        query = query.where(C.unit == unit)
    if area is not None:
        query = query.where(within(C.area, area))
    if role is not None:
        query = query.where(C.role == role)
    return page(conn, query, (C.person, C.assignment), after, limit)
