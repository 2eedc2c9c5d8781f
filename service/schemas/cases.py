"""Cases on the wire: the list, the case, its trail, and the body of each action."""

from typing import Any

import marshmallow as ma

from domain.books import URGENCIES
from domain.case import Case as CaseAggregate
from domain.case_status import STATUSES
from projections.case_history import STEPS
from projections.case_lists import SORTS
from projections.tables import NEVER
from service.audit.as_of import SENSES
from service.schemas.entries import is_area, spoken_schema_of
from service.schemas.fields import POSITION, Day, Moment, Parsed, area_code, flag, one_of, shown, text, unit
from service.schemas.pages import Listing, Waiting

String, Integer, Boolean = ma.fields.String, ma.fields.Integer, ma.fields.Boolean


class AsOf(ma.fields.String):
    """A position of a ledger, ``411502001:407``, or a time with its offset from UTC, given on as the fixed UTC text that columns hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        said = str(super()._deserialize(value, attr, data, **kwargs))
        return said if POSITION.fullmatch(said) else Moment().deserialize(said)


class Past(ma.Schema):
    """The past, for auditors. known: what was recorded by then; happened: what had happened by then, whenever it was recorded."""

    as_of = AsOf(metadata={"description": "A position such as 411502001:407, or a time such as 2026-11-21T09:03:12+08:00."})
    sense = one_of(*SENSES, metadata={"description": "known (what was recorded by then) if not given."})

    @ma.validates_schema
    def _is_of_a_moment(self, data: dict[str, str], **_: object) -> None:
        if "sense" in data and "as_of" not in data:
            raise ma.ValidationError("A sense is that of a past: send as_of as well.", "sense")


class CaseQuery(Listing, Waiting, Past):
    """Cases of an area's subtree, of a holder, of a status. due_at sorts the most urgent first. as_of: in a subdistrict or below."""

    area = area_code()
    holder = unit()
    status = one_of(*sorted(STATUSES))
    category = text(64)
    level = one_of("grid", "community", "subdistrict", "county")
    urgency = one_of(*URGENCIES)
    from_day = Day(metadata={"description": "Reported on this day of the city or later."})
    to_day = Day(metadata={"description": "Reported on this day of the city or before."})
    overdue = one_of("true", metadata={"description": "Only open cases whose running clock has ended."})
    text = text(100, metadata={"description": "Part of the summary where it is no disclosure, or the whole reference or id."})
    open = flag()
    sort = one_of(*SORTS, load_default="due_at")


class CaseRule(ma.Schema):
    """One step: the statuses in which it may be taken, by whom (how they stand to the case), in which roles."""

    statuses = ma.fields.List(String())
    who = ma.fields.List(String())
    roles = ma.fields.List(String())


class CaseRules(ma.Schema):
    """Each step of a case by its name."""

    actions = ma.fields.Dict(keys=String(), values=ma.fields.Nested(CaseRule))


class Clock(ma.fields.String):
    """A time, or null where no clock runs."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value == NEVER else value


class CaseInList(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "case_id",
            "ledger",
            "area",
            "status",
            "holder",
            "category",
            "urgency",
            "level",
            "source",
            "reported_at",
            "held_since",
            "changed_at",
            optional=("summary", "reference", "due_at"),
        )
        | shown(Boolean, "open", "private", "overdue", "overtime")
        | shown(Integer, "version")
        | shown(ma.fields.Float, optional=("lat", "lon"))
    )
):
    """A case as lists show it. overdue: its running clock has ended; overtime: some step was late once.

    lat, lon: WGS-84, where the report names a place that is none of a private matter.
    private: what is said of it is disclosed; GET /v1/cases/{id}/personal gives it to who works on the case.
    """

    late_from = Clock(required=True, allow_none=True, metadata={"description": "When the running clock ends; null where none runs."})


class Case(
    CaseInList.from_dict(  # type: ignore[misc]
        shown(
            String,
            "reporter",
            "recorded_at",
            optional=(
                "subject",
                "complexity",
                "severity",
                "household",
                "patrol",
                "visit",
                "tablet",
                "accept_due_at",
                "accepted_at",
                "registered_at",
                "registered_by",
                "registrar",
                "calendar",
                "dispatch_due_at",
                "muster_due_at",
                "suspended_until",
                "handled_at",
                "handler",
                "result",
                "checked_at",
                "checker",
                "rating",
                "rated_by",
                "evaluator",
                "closed_at",
                "reason",
                "merged_into",
            ),
        )
        | shown(Boolean, "overtime_exempted", optional=("check_passed",))
        | shown(Integer, "extensions", "returns", "reworks", "position")
        | shown(Parsed, optional=("called", "place", "photos", "time_limit", "quantities"))
    )
):
    """A case with all that is known of it."""


class OneCaseQuery(Waiting, Past):
    """The case as it is, or as it was."""


class TrailQuery(Listing, Waiting, Past):
    """The trail as it is, or as it was."""


class HindsightQuery(Waiting):
    """The moment to look back at."""

    as_of = AsOf(required=True, metadata=Past().fields["as_of"].metadata)


class Step(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "topic",
            "by_person",
            "role",
            "happened_at",
            "day",
            "recorded_at",
            "holder",
            optional=("tablet", "from_holder", "occurred_at"),
        )
        | shown(Integer, "version", "position")
    )
):
    """One event of the trail. fields holds what was said and derived beside the columns.

    occurred_at: what the tablet's clock said, which may be wrong; happened_at is the best estimate. null where no tablet was used.
    """

    step = String(required=True, validate=ma.validate.OneOf(list(STEPS)))
    fields_ = Parsed(required=True, data_key="fields", attribute="fields", metadata={"type": "object"})


class LateFact(Step):
    """A step that had happened and was not known: recorded late_s seconds after it happened, unknown_s seconds after the moment."""

    late_s = ma.fields.Float(required=True)
    unknown_s = ma.fields.Float(required=True)


class Hindsight(ma.Schema):
    """A case at one moment: as it was known, and as it was. null: it was not known, or had not happened."""

    ledger = String(required=True)
    position = Integer(required=True, metadata={"description": "The last position that was recorded by then; -1 where none was."})
    time = String(required=True)
    known = ma.fields.Nested(Case, required=True, allow_none=True)
    happened = ma.fields.Nested(Case, required=True, allow_none=True)
    differs = ma.fields.List(String, required=True, metadata={"description": "Members in which the two differ."})
    late = ma.fields.List(ma.fields.Nested(LateFact), required=True)


class Made(ma.Schema):
    """A case that was reported, and where."""

    case_id = String(required=True)
    ledger = String(required=True)
    position = Integer(required=True)
    version = Integer(required=True)


def _area_has_form(value: str) -> None:
    if not is_area(value):
        raise ma.ValidationError("Not an area code.")


class CaseReport(spoken_schema_of(CaseAggregate.Reported.TOPIC)):  # type: ignore[misc]
    """A case reported at the counter or by telephone: what a tablet's entry says, and the area."""

    area = ma.fields.String(required=True, validate=_area_has_form)
