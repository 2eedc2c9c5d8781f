"""What each person did on each day, in each area: counts for planning relief, never a score and never a rank. Read by officers.

One row per (person, area, day), so that an officer's sight cuts it by area; the query adds the areas up. The counts of a day are what the
person did on that day (the city's local day of the act), whenever it was uploaded. ``overtime`` counts the person's late acts of that day.
``held`` and ``overdue`` are no counts of a day: they say what stands on the desk at the moment of asking. A case is held by a
unit, so it counts for everyone assigned to that unit on that day; it is overdue when its running clock has ended.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections import open_cases, people
from projections.paging import After, Row, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, DAY, ID, TIME, given, key, read_model_table

NAME = "workload"

COUNTS = ("patrols", "checkpoints", "visits", "cases_reported", "cases_handled", "overtime")

TABLE = read_model_table(
    "workload",
    key("person", ID),
    key("day", DAY),
    key("area", AREA),
    *(given(count, sa.Integer) for count in COUNTS),
    given("last_at", TIME),
)
C = TABLE.c
sa.Index("workload_area_day", C.area, C.day)
sa.Index("workload_person_day", C.person, C.day)

COUNTED = {
    "patrol.started": "patrols",
    "patrol.checkpoint_passed": "checkpoints",
    "visit.made": "visits",
    "case.reported": "cases_reported",
    "case.handled": "cases_handled",
    "case.self_handled": "cases_handled",
}
CAN_BE_LATE = frozenset({"case.accepted", "case.dispatched", "case.mustered", "case.handled", "case.self_handled", "case.closed"})
TOPICS = frozenset(COUNTED) | CAN_BE_LATE
NOTHING_YET = dict.fromkeys(COUNTS, 0)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    fields = event.fields
    if event.topic not in COUNTED and not fields.get("overtime"):
        return ()
    return ((fields["by"], fields["day"], fields["area"]),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    fields = event.fields
    happened_at = fields["happened_at"]
    if row is None:
        row = {"person": key[0], "day": key[1], "area": key[2], **NOTHING_YET, "last_at": happened_at}
    else:
        row = row.copy()
        if happened_at > row["last_at"]:
            row["last_at"] = happened_at
    count = COUNTED.get(event.topic)
    if count is not None:
        row[count] += 1
    if fields.get("overtime"):
        row["overtime"] += 1
    return row


def list_workload(
    conn: sa.Connection,
    sight: Sight,
    *,
    from_day: str,
    to_day: str,
    person: str | None = None,
    area: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Per person and day of the period (both days inclusive), added up over the areas seen. Cursor: (day, person)."""
    totals = (sa.func.sum(C[count]).cast(sa.Integer).label(count) for count in COUNTS)
    query = sa.select(C.person, C.day, *totals, sa.func.max(C.last_at).label("last_at"))
    query = query.where(sight.where(C.area), C.day.between(from_day, to_day))
    if person is not None:
        query = query.where(C.person == person)
    if area is not None:
        query = query.where(within(C.area, area))
    return page(conn, query.group_by(C.day, C.person), (C.day, C.person), after, limit)


def on_the_desk(conn: sa.Connection, sight: Sight, persons: Iterable[str], *, day: str, now: str) -> dict[str, dict[str, int]]:
    """For each person ``{"held", "overdue"}`` at the moment of asking, over the units that the person is assigned to on that day."""
    units = {person: {each["unit"] for each in people.assignments_of(conn, person, day)} for person in persons}
    of_unit = open_cases.held_by_unit(conn, sight, set().union(*units.values()), now=now)
    nothing = (0, 0)
    return {
        person: {
            "held": sum(of_unit.get(unit, nothing)[0] for unit in theirs),
            "overdue": sum(of_unit.get(unit, nothing)[1] for unit in theirs),
        }
        for person, theirs in units.items()
    }
