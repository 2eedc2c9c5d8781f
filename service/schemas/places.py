"""Areas, people, visits, coverage and workload on the wire: what lists of the field's work show."""

import marshmallow as ma

from domain.people import ROLES
from domain.visit import OUTCOMES
from service.schemas.fields import AREA, Day, Parsed, area_code, flag, levels, matching, one_of, shown, text, unit, word
from service.schemas.pages import Listing, Waiting

String, Integer = ma.fields.String, ma.fields.Integer
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class AreaQuery(Listing, Waiting):
    """Areas of a subtree, or those of some codes; with a day, those that existed on it. outlines=false leaves centre and polygon null.

    without_worker: grids in which nobody works on that day.
    """

    area = area_code()
    codes = matching(rf"{AREA}(,{AREA}){{0,99}}", "411502001001001,411502001001002")
    outlines = flag()
    level = one_of(*levels())
    day = Day()
    without_worker = Day()


class Area(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "code", "level", "name", "effective_from", optional=("parent", "kind", "reference", "effective_to"))
    )
):
    """An area as it is recorded. kind is one of general, exclusive, patrol, party, micro where it is a grid."""

    centre = Parsed(required=True, allow_none=True, metadata={"description": "WGS-84, [lon, lat]."})
    polygon = Parsed(required=True, allow_none=True, metadata={"description": "GeoJSON geometry, WGS-84."})
    successors = Parsed(required=True, metadata={"type": "array", "items": {"type": "string"}})


class PersonQuery(Listing, Waiting):
    """Assignments to a unit or in a subtree."""

    unit = unit()
    area = area_code()
    role = one_of(*ROLES)
    day = Day()


class NamesQuery(ma.Schema):
    """Whose names: at most 100 ids, separated by commas."""

    persons = matching(rf"{UUID}(,{UUID}){{0,99}}", "4c12c234-0d2f-514f-bb6a-3c00fa52254f", required=True)


class Name(ma.Schema.from_dict(shown(String, "person", "label"))):  # type: ignore[misc]
    """What the offices call a person. It stands with the account, never in an event, and goes with the account."""


class Names(ma.Schema):
    """The names of those who have one, and whose home or unit is within sight."""

    items = ma.fields.List(ma.fields.Nested(Name), required=True)


class Assignment(ma.Schema.from_dict(shown(String, "person", "assignment", "role", "unit", "from_day", optional=("to_day",)))):  # type: ignore[misc]
    """A person's role in a unit from a day to a day. People are known by their ids; no names stand here."""


class VisitQuery(Listing, Waiting):
    """Visits, latest first; due_by keeps each household's latest visit whose next one is due by that day."""

    area = area_code()
    household = text(64)
    person = ma.fields.UUID()
    care_group = word()
    outcome = one_of(*OUTCOMES)
    from_day = Day()
    to_day = Day()
    due_by = Day()


class Visit(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "visit_id",
            "area",
            "household",
            "channel",
            "outcome",
            "person",
            "happened_at",
            "day",
            "recorded_at",
            optional=("care_group", "next_due", "tablet"),
        )
    )
):
    """One visit to a household or unit. personal: subject, field and digest of what GET /v1/households/{reference}/personal gives."""

    personal = Parsed(required=True, metadata={"type": "array", "items": {"type": "object"}})


class DueQuery(Listing, Waiting):
    """Households due by a day, by default today; of a subtree, of a worker's areas, of a care group, of a tier of the care plan."""

    area = area_code()
    worker = ma.fields.UUID()
    care_group = word()
    tier = word()
    due_by = Day()


class VisitDue(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "household",
            "ledger",
            "area",
            "next_due",
            "visit_id",
            "person",
            "channel",
            "outcome",
            "visited_at",
            "visited_on",
            optional=("care_group", "met_on"),
        )
        | shown(Integer, "visits")
    )
):
    """A household that is to be visited by the day next_due, and its latest visit. met_on: when somebody was last met there."""


class DueCounts(ma.Schema.from_dict(shown(Integer, "overdue", "today", "later"))):  # type: ignore[misc]
    """How many are overdue, due today, and due later up to the day that was asked."""


class CareGroup(ma.Schema.from_dict(shown(String, "care_group", "tier", optional=("zh",)) | shown(Integer, "days"))):  # type: ignore[misc]
    """A care group of the plan in force: its tier, and the days between two visits."""


class DuePage(ma.Schema):
    """A page of households; today is the city's day, counts are told with the first page."""

    items = ma.fields.List(ma.fields.Nested(VisitDue), required=True)
    next = String(required=True, allow_none=True)
    today = String(required=True)
    counts = ma.fields.Nested(DueCounts, required=True, allow_none=True)
    care_groups = ma.fields.List(ma.fields.Nested(CareGroup), required=True)


class PeriodQuery(Listing, Waiting):
    """A period of at most 366 days, both ends counted, in an area's subtree."""

    from_day = Day(required=True)
    to_day = Day(required=True)
    area = area_code()

    @ma.validates_schema
    def _is_a_period(self, data: dict[str, str], **_: object) -> None:
        days = ma.fields.Date()
        length = (days.deserialize(data["to_day"]) - days.deserialize(data["from_day"])).days
        if not 0 <= length <= 366:
            raise ma.ValidationError("from_day to to_day is a period of at most 366 days.", "to_day")


class Coverage(ma.Schema.from_dict(shown(String, "area", "last_at") | shown(Integer, "days", "started", "finished", "checkpoints"))):  # type: ignore[misc]
    """What was patrolled of one area in the period, told by stops."""


class CoveragePage(ma.Schema):
    """A page of areas, and for the whole period how many grids were patrolled of those that were due."""

    items = ma.fields.List(ma.fields.Nested(Coverage), required=True)
    next = String(required=True, allow_none=True)
    patrolled = Integer(required=True)
    due = Integer(required=True)
    rate = ma.fields.Float(required=True, allow_none=True, metadata={"description": "patrolled / due; null where nothing was due."})


class CalendarQuery(PeriodQuery):
    """A period of at most 62 days in an area's subtree."""

    @ma.validates_schema
    def _is_short(self, data: dict[str, str], **_: object) -> None:
        days = ma.fields.Date()
        if (days.deserialize(data["to_day"]) - days.deserialize(data["from_day"])).days >= 62:
            raise ma.ValidationError("A calendar shows at most 62 days.", "to_day")


class PatrolsOfDay(ma.Schema.from_dict(shown(String, "day") | shown(Integer, "started", "finished", "checkpoints"))):  # type: ignore[misc]
    """What was patrolled of a grid on one day."""


class CoverageOfGrid(
    ma.Schema.from_dict(shown(String, "area", "name", "effective_from", optional=("kind", "effective_to")))  # type: ignore[misc]
):
    """A grid, and the days on which it was patrolled; a day that is not named had no patrol."""

    days = ma.fields.List(ma.fields.Nested(PatrolsOfDay), required=True)


class CoverageOfDay(ma.Schema.from_dict(shown(String, "day") | shown(Integer, "patrolled", "due"))):  # type: ignore[misc]
    """Of the grids that existed on a day, how many were patrolled on it. Where none was due there is no rate."""


class CalendarPage(ma.Schema):
    """A page of grids by code; the totals of the days are told with the first page."""

    items = ma.fields.List(ma.fields.Nested(CoverageOfGrid), required=True)
    next = String(required=True, allow_none=True)
    days = ma.fields.List(ma.fields.Nested(CoverageOfDay), required=True, allow_none=True)


class WorkloadQuery(PeriodQuery):
    """A period, an area's subtree, one person."""

    person = ma.fields.UUID()


class WorkOfDay(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "person", "day", "last_at")
        | shown(Integer, "patrols", "checkpoints", "visits", "cases_reported", "cases_handled", "overtime")
    )
):
    """What one person did on one day. Not a score, and in no order of merit: rows are in the order of day and person."""


class Desk(ma.Schema.from_dict(shown(String, "person") | shown(Integer, "held", "overdue"))):  # type: ignore[misc]
    """What stands with a person's units at the moment of asking."""


class WorkloadPage(ma.Schema):
    """A page of days, and what stands now with the persons on it."""

    items = ma.fields.List(ma.fields.Nested(WorkOfDay), required=True)
    next = String(required=True, allow_none=True)
    desk = ma.fields.List(ma.fields.Nested(Desk), required=True)
