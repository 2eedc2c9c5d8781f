"""Cases 案件 as the lists and the case page show them: one row per case, open or not. Read by the console, the tablets and the workload."""

import sqlalchemy as sa

from projections.tables import AREA, ID, JSON_TEXT, TIME, WORD, given, key, maybe, read_model_table, text

NAME = "open_cases"

TABLE = read_model_table(
    "cases",
    key("case_id", ID),
    given("area", AREA),
    given("open", sa.Boolean),
    given("status", text(24)),
    maybe("paused", text(24)),  # the status to go back to, while the case is suspended or merged
    given("holder", WORD),
    maybe("called", JSON_TEXT),  # units whistled for, as a JSON list; null where none is
    given("category", WORD),
    given("urgency", WORD),
    maybe("complexity", WORD),
    maybe("severity", WORD),
    given("level", WORD),
    given("source", WORD),
    given("summary", sa.Text),
    maybe("reference", WORD),
    maybe("household", WORD),
    maybe("patrol", ID),
    maybe("visit", ID),
    maybe("place", JSON_TEXT),
    maybe("lat", sa.Double),
    maybe("lon", sa.Double),
    maybe("photos", JSON_TEXT),
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
IS_OPEN = C.open.is_(True)


def _open_index(name: str, *columns: sa.Column[str], where: sa.ColumnElement[bool] = IS_OPEN) -> sa.Index:
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


_open_index("cases_open_due", C.ledger, C.late_from, C.case_id)
_open_index("cases_open_due_wide", C.late_from, C.case_id)
_open_index("cases_open_reported", C.ledger, C.reported_at, C.case_id)
_open_index("cases_open_area", C.area, C.late_from, C.case_id)
_open_index("cases_open_holder", C.holder, C.late_from, C.case_id)
_open_index("cases_called", C.ledger, where=C.called.is_not(None))
sa.Index("cases_id", C.case_id)
sa.Index("cases_area", C.area, C.reported_at, C.case_id)
