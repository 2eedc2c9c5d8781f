"""The trail of a case, report 上报, transfer 流转, handle 处置, evaluate 评价: one row per event. Read by the case page and auditors."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections import open_cases
from projections.paging import After, Row, page
from projections.recorded import Recorded
from projections.sight import Sight
from projections.tables import AREA, DAY, ID, JSON_TEXT, TIME, WORD, canonical, given, key, maybe, read_model_table, text

NAME = "case_history"
APPENDS = True

TABLE = read_model_table(
    "case_history",
    key("case_id", ID),
    key("version", sa.Integer),
    given("area", AREA),
    given("topic", text(64)),
    given("step", text(16)),
    given("by_person", ID),
    given("role", WORD),
    maybe("tablet", ID),
    given("happened_at", TIME),
    given("day", DAY),
    given("recorded_at", TIME),
    maybe("from_holder", WORD),
    given("holder", WORD),
    given("fields", JSON_TEXT),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("case_history_case", C.case_id, C.version)

STEPS = {
    "report": ("reported", "verified", "accepted", "registered", "rejected", "reopened", "merged", "split"),
    "transfer": ("dispatched", "acknowledged", "transferred", "returned", "escalated", "referred", "whistled", "mustered"),
    "handle": ("handled", "self_handled", "extended", "suspended", "resumed", "checked", "reworked"),
    "evaluate": ("evaluated", "closed", "overtime_exempted"),
}
STEP_OF = {f"case.{participle}": step for step, participles in STEPS.items() for participle in participles}
TOPICS = frozenset(STEP_OF)

IN_COLUMNS = frozenset({"by", "role", "tablet", "happened_at", "day", "area", "holder", "from_holder", "entry", "data"})
"""Fields of an event that the row's own columns tell."""


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream, event.version),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    fields = event.fields
    shown = {name: value for name, value in fields.items() if name not in IN_COLUMNS and value is not None}
    return {
        "case_id": event.stream,
        "version": event.version,
        "area": fields["area"],
        "topic": event.topic,
        "step": STEP_OF[event.topic],
        "by_person": fields["by"],
        "role": fields["role"],
        "tablet": fields.get("tablet"),
        "happened_at": fields["happened_at"],
        "day": fields["day"],
        "recorded_at": event.recorded_at,
        "from_holder": fields.get("from_holder"),
        "holder": fields["holder"],
        "fields": canonical(shown),
        "position": event.position,
    }


def history(
    conn: sa.Connection,
    sight: Sight,
    case_id: str,
    *,
    ledger: str | None = None,
    as_of_position: int | None = None,
    as_of_time: str | None = None,
    happened_by: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """A visible case's events in order, whole or as they were recorded up to a position or a time (both inclusive). Cursor: (version,).

    happened_by: those that had happened by a time, whenever they were recorded; none where the report had not.

    All of one ledger, the one of the case that ``open_cases.get_case`` gives.
    """
    query = sa.select(TABLE).where(C.case_id == case_id, C.ledger == open_cases.ledger_seen(sight, case_id, ledger))
    if as_of_position is not None:
        query = query.where(C.position <= as_of_position)
    if as_of_time is not None:
        query = query.where(C.recorded_at <= as_of_time)
    if happened_by is not None:
        first = sa.alias(TABLE).c
        begun = sa.select(first.version).where(first.ledger == C.ledger, first.case_id == C.case_id, first.version == 1)
        query = query.where(C.happened_at <= happened_by, begun.where(first.happened_at <= happened_by).exists())
    return page(conn, query, (C.version,), after, limit)
