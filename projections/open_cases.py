"""Cases 案件 as the lists and the case page show them: one row per case, open or not. Read by the console, the tablets and the workload."""

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from domain.case_status import CLOCK_RUNS, OPEN_STATUSES, paused_after, status_after
from projections.paging import Row, first
from projections.personal_items import subject_of
from projections.recorded import Recorded
from projections.sight import Sight
from projections.tables import AREA, ID, JSON_TEXT, NEVER, TIME, WORD, canonical, given, key, maybe, read_model_table, text

NAME = "open_cases"

TABLE = read_model_table(
    "cases",
    key("case_id", ID),
    given("area", AREA),
    given("open", sa.Boolean),
    given("status", text(24)),
    maybe("paused", text(24)),  # the status to go back to, while the case is suspended or merged
    given("holder", WORD),
    maybe("registrar", WORD),  # the unit that registered and stays answerable to the end
    maybe("called", JSON_TEXT),  # units that the whistle called, as a JSON list; null where none is
    maybe("mustered", JSON_TEXT),  # those of them that came
    given("category", WORD),
    given("urgency", WORD),
    maybe("complexity", WORD),
    maybe("severity", WORD),
    given("level", WORD),
    given("source", WORD),
    given("private", sa.Boolean),  # its texts are disclosures: a summary, reason or result of its own stands nowhere here
    maybe("subject", ID),  # whom its latest disclosures are about
    maybe("summary", sa.Text),
    maybe("reference", WORD),
    maybe("household", WORD),
    maybe("patrol", ID),
    maybe("visit", ID),
    maybe("place", JSON_TEXT),
    maybe("lat", sa.Double),
    maybe("lon", sa.Double),
    given("photos", JSON_TEXT),  # of the report and of every later step
    given("reporter", ID),
    maybe("tablet", ID),
    given("reported_at", TIME),
    given("held_since", TIME),
    maybe("accept_due_at", TIME),
    maybe("accepted_at", TIME),
    maybe("registered_at", TIME),
    maybe("registered_by", ID),
    maybe("time_limit", JSON_TEXT),
    maybe("calendar", WORD),
    maybe("dispatch_due_at", TIME),
    maybe("due_at", TIME),
    given("late_from", TIME),  # when the running clock ends: NEVER where no clock runs
    maybe("muster_due_at", TIME),
    maybe("suspended_until", WORD),
    maybe("handled_at", TIME),
    maybe("handler", ID),
    maybe("result", sa.Text),
    maybe("quantities", JSON_TEXT),
    maybe("checked_at", TIME),
    maybe("checker", ID),
    maybe("check_passed", sa.Boolean),
    maybe("rating", WORD),
    maybe("rated_by", WORD),
    maybe("evaluator", ID),
    maybe("closed_at", TIME),
    maybe("reason", sa.Text),  # of the last act that needed one
    given("overtime", sa.Boolean),  # some step was late; kept for ever
    given("overtime_exempted", sa.Boolean),
    given("extensions", sa.Integer),
    given("returns", sa.Integer),
    given("reworks", sa.Integer),
    maybe("merged_into", ID),
    given("version", sa.Integer),
    given("position", sa.BigInteger),
    given("changed_at", TIME),
    given("recorded_at", TIME),
)
C = TABLE.c
IS_OPEN, IS_OVER, IS_CALLED = C.open.is_(True), C.open.is_(False), C.called.is_not(None)


def _index(name: str, *columns: sa.ColumnElement[Any], where: sa.ColumnElement[bool] = IS_OPEN) -> sa.Index:
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


COUNTY = sa.func.substr(C.ledger, sa.literal_column("1"), sa.literal_column("6"))
"""A whistle calls units of the case's own county only."""

# One for each reason to see a case and each order of the lists (case_lists.py): a case moves to the second half when it is over. Behind the
# order stands what a reason or filter asks besides, so that the rows of other places need not be fetched to be passed over.
_index("cases_open_due", C.ledger, C.late_from, C.case_id, C.area, C.status, C.category)
_index("cases_open_due_wide", C.late_from, C.case_id, C.ledger, C.status, C.category)
_index("cases_open_reported", C.ledger, C.reported_at, C.case_id, C.area, C.status, C.category)
_index("cases_open_reported_wide", C.reported_at, C.case_id, C.ledger, C.status, C.category)
_index("cases_open_holder", C.holder, C.late_from, C.case_id, C.ledger, C.reported_at)
_index("cases_open_registrar", C.registrar, C.late_from, C.case_id, C.ledger, C.reported_at)
_index(
    "cases_open_called", COUNTY, C.late_from, C.case_id, C.ledger, C.called, C.reported_at, where=sa.and_(IS_OPEN, C.called.is_not(None))
)
_index("cases_over_reported", C.ledger, C.reported_at, C.case_id, C.area, where=IS_OVER)
_index("cases_over_reported_wide", C.reported_at, C.case_id, C.ledger, where=IS_OVER)
_index("cases_over_holder", C.holder, C.reported_at, C.case_id, C.ledger, where=IS_OVER)
_index("cases_over_registrar", C.registrar, C.reported_at, C.case_id, C.ledger, where=IS_OVER)
_index("cases_over_called", COUNTY, C.reported_at, C.case_id, C.ledger, C.called, where=sa.and_(IS_OVER, IS_CALLED))
sa.Index("cases_id", C.case_id)

Fields = dict[str, Any]

# ---- the fold

WAITS_FOR_ACCEPTANCE = frozenset({"reported", "verified"})
NOT_YET = {str(column.name): None for column in C if column.nullable}


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream,),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    topic, fields = event.topic, event.fields
    after = _reported(event) if row is None else dict(row)
    change = CHANGES.get(topic)
    if change is not None:
        change(after, fields)
    before, paused = (row["status"], row["paused"]) if row is not None else (None, None)
    status = after["status"] = status_after(topic, fields, before, paused)
    after["paused"] = paused_after(topic, before, paused)
    after["open"] = status in OPEN_STATUSES
    after["area"] = fields["area"]
    if after.get("holder") != fields["holder"]:
        after["holder"] = fields["holder"]
        after["held_since"] = fields["happened_at"]
    if fields.get("overtime"):
        after["overtime"] = True
    if fields.get("reason") is not None:
        after["reason"] = fields["reason"]
    if fields.get("personal"):
        after["subject"] = subject_of(fields["personal"])
    after["late_from"] = _late_from(after)
    after["version"] = event.version
    after["position"] = event.position
    after["changed_at"] = fields["happened_at"]
    after["recorded_at"] = event.recorded_at
    return after


def _late_from(row: Row) -> str:
    """When the clock that runs in this status ends."""
    if row["status"] in CLOCK_RUNS:
        return row["due_at"] or NEVER
    return row["accept_due_at"] or NEVER if row["status"] in WAITS_FOR_ACCEPTANCE else NEVER


def _reported(event: Recorded) -> Row:
    if event.topic != "case.reported":
        raise ValueError(f"a case begins with case.reported, not with {event.topic}")
    fields = event.fields
    place = fields.get("place") or {}
    return {
        **NOT_YET,
        "case_id": event.stream,
        "category": fields["category"],
        "urgency": fields.get("urgency") or "normal",
        "severity": fields.get("severity"),
        "level": fields.get("level") or "grid",
        "source": fields.get("source") or "patrol",
        "private": bool(fields.get("private")),
        "subject": None,
        "summary": fields.get("summary"),
        "reference": fields.get("reference"),
        "household": fields.get("household"),
        "patrol": fields.get("patrol"),
        "visit": fields.get("visit"),
        "place": canonical(fields.get("place")),
        "lat": _degrees(place.get("lat")),
        "lon": _degrees(place.get("lon")),
        "photos": canonical(fields["photos"]) if fields.get("photos") else "[]",
        "reporter": fields["by"],
        "tablet": fields.get("tablet"),
        "reported_at": fields["happened_at"],
        "accept_due_at": fields.get("accept_due_at"),
        "overtime": False,
        "overtime_exempted": False,
        "extensions": 0,
        "returns": 0,
        "reworks": 0,
    }


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)


def _photographed(row: Row, fields: Fields) -> None:
    if fields.get("photos"):
        row["photos"] = canonical([*orjson.loads(row["photos"]), *fields["photos"]])


def _accepted(row: Row, fields: Fields) -> None:
    row["accepted_at"] = fields["happened_at"]


def _registered(row: Row, fields: Fields) -> None:
    row["registered_at"], row["registered_by"], row["registrar"] = fields["happened_at"], fields["by"], fields["registrar"]
    row["time_limit"], row["calendar"] = canonical(fields["limit"]), fields["calendar"]
    row["due_at"], row["dispatch_due_at"] = fields["due_at"], fields["dispatch_due_at"]
    row["complexity"] = fields.get("complexity")


def _sent(row: Row, fields: Fields) -> None:
    """Whoever was called for the holder before is not called any more."""
    row["called"] = row["mustered"] = row["muster_due_at"] = None


def _returned(row: Row, fields: Fields) -> None:
    _sent(row, fields)
    row["returns"] += 1


def _escalated(row: Row, fields: Fields) -> None:
    _sent(row, fields)
    row["level"] = fields["level"]


def _whistled(row: Row, fields: Fields) -> None:
    row["called"], row["mustered"] = canonical([fields["lead"], *fields["assists"]]), "[]"
    row["muster_due_at"] = fields["muster_due_at"]


def _mustered(row: Row, fields: Fields) -> None:
    row["mustered"] = canonical([*orjson.loads(row["mustered"] or "[]"), fields["unit"]])


def _handled(row: Row, fields: Fields) -> None:
    row["handled_at"], row["handler"] = fields["happened_at"], fields["by"]
    row["result"], row["quantities"] = fields.get("result"), canonical(fields.get("quantities"))
    _photographed(row, fields)


def _extended(row: Row, fields: Fields) -> None:
    row["due_at"] = fields["due_at"]
    row["extensions"] += 1


def _suspended(row: Row, fields: Fields) -> None:
    row["suspended_until"] = fields["until"]


def _resumed(row: Row, fields: Fields) -> None:
    row["due_at"], row["suspended_until"] = fields["due_at"], None


def _checked(row: Row, fields: Fields) -> None:
    row["checked_at"], row["checker"], row["check_passed"] = fields["happened_at"], fields["by"], fields["passed"]
    _photographed(row, fields)


def _reworked(row: Row, fields: Fields) -> None:
    _sent(row, fields)
    row["handled_at"] = None
    row["reworks"] += 1


def _evaluated(row: Row, fields: Fields) -> None:
    row["rating"], row["rated_by"], row["evaluator"] = fields["rating"], fields["rated_by"], fields["by"]


def _closed(row: Row, fields: Fields) -> None:
    row["closed_at"], row["level"] = fields["happened_at"], fields["level"]


def _reopened(row: Row, fields: Fields) -> None:
    _sent(row, fields)
    row["due_at"], row["extensions"], row["overtime_exempted"] = fields["due_at"], 0, False
    row.update(closed_at=None, handled_at=None, handler=None, checked_at=None, checker=None, check_passed=None)


def _merged(row: Row, fields: Fields) -> None:
    row["merged_into"] = fields["into"]


def _split(row: Row, fields: Fields) -> None:
    row["merged_into"], row["due_at"] = None, fields.get("due_at") or row["due_at"]


def _exempted(row: Row, fields: Fields) -> None:
    row["overtime_exempted"] = True


def _nothing_more(row: Row, fields: Fields) -> None:
    """What every case event does is all that this one does."""


CHANGES: dict[str, Callable[[Row, Fields], None]] = {
    "case.reported": _nothing_more,
    "case.verified": _photographed,
    "case.accepted": _accepted,
    "case.registered": _registered,
    "case.rejected": _nothing_more,
    "case.dispatched": _sent,
    "case.acknowledged": _nothing_more,
    "case.transferred": _sent,
    "case.returned": _returned,
    "case.escalated": _escalated,
    "case.referred": _sent,
    "case.whistled": _whistled,
    "case.mustered": _mustered,
    "case.handled": _handled,
    "case.self_handled": _handled,
    "case.extended": _extended,
    "case.suspended": _suspended,
    "case.resumed": _resumed,
    "case.checked": _checked,
    "case.reworked": _reworked,
    "case.evaluated": _evaluated,
    "case.closed": _closed,
    "case.reopened": _reopened,
    "case.merged": _merged,
    "case.split": _split,
    "case.overtime_exempted": _exempted,
}
TOPICS = frozenset(CHANGES)

# ---- queries

TRAIL = sa.table("case_history", *map(sa.column, ("ledger", "case_id", "version", "recorded_at")))
"""The trails, whose module reads this one: a case's first event says when it was recorded, while its row here says when it changed."""


def seen(sight: Sight) -> sa.ColumnElement[bool]:
    """A case is seen where it lies, by the unit that holds it, the unit that registered it, and the units called to it."""
    return sight.where(C.area, (C.holder, C.registrar), (C.called,))


def get_case(conn: sa.Connection, sight: Sight, case_id: str, ledger: str | None = None) -> Row | None:
    """One case, or None where there is none or it is not seen.

    A tablet may give the id of another ledger's case to its own. Without a ledger, the one that was recorded first of those seen is meant.
    """
    return first(conn, _the_case(sa.select(TABLE), sight, case_id, ledger))


def ledger_seen(sight: Sight, case_id: str, ledger: str | None = None) -> sa.ScalarSelect[str]:
    """The ledger of the case that get_case gives, null where it gives none: for the queries of what belongs to that case."""
    return _the_case(sa.select(C.ledger), sight, case_id, ledger).limit(1).scalar_subquery()


def _the_case(query: sa.Select[Any], sight: Sight, case_id: str, ledger: str | None) -> sa.Select[Any]:
    query = query.where(C.case_id == case_id, seen(sight))
    if ledger is not None:
        return query.where(C.ledger == ledger)
    begun = sa.select(TRAIL.c.recorded_at).where(TRAIL.c.ledger == C.ledger, TRAIL.c.case_id == C.case_id, TRAIL.c.version == 1)
    return query.order_by(sa.func.coalesce(begun.scalar_subquery(), NEVER), C.ledger)


def held_by_unit(conn: sa.Connection, sight: Sight, units: Iterable[str], *, now: str) -> dict[str, tuple[int, int]]:
    """For each unit that holds open cases: how many, and how many of them are overdue now."""
    overdue = sa.func.count(sa.case((C.late_from < now, 1)))
    query = sa.select(C.holder, sa.func.count(), overdue).where(IS_OPEN, C.holder.in_(list(units)), seen(sight)).group_by(C.holder)
    return {unit: (held, late) for unit, held, late in conn.execute(query)}
