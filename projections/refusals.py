"""Uploaded entries that a rule refused, and what became of them. Read by the worker whose entry it was and by the officer who decides."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections.paging import After, Row, first, page
from projections.recorded import Recorded
from projections.sight import Sight, within
from projections.tables import AREA, ID, JSON_TEXT, LEDGER, TIME, WORD, canonical, given, key, maybe, read_model_table, text

NAME = "refusals"
TOPICS = frozenset({"refused.kept", "refused.reapplied", "refused.dismissed"})

TABLE = read_model_table(
    "refusals",
    key("refusal_id", ID),
    given("area", AREA),
    given("state", text(16)),
    given("code", WORD),
    given("detail", sa.Text),
    maybe("facts", JSON_TEXT),
    given("person", ID),
    maybe("tablet", ID),
    given("seq", sa.BigInteger),
    maybe("kind", WORD),
    maybe("about", ID),  # the patrol, visit or case that the entry named
    given("subject", ID),
    given("digest", WORD),  # under which the vault has the entry's bytes
    given("happened_at", TIME),
    given("recorded_at", TIME),
    maybe("decided_by", ID),
    maybe("decided_at", TIME),
    maybe("reason", sa.Text),
    maybe("became_ledger", LEDGER),
    maybe("became_stream", ID),
    maybe("became_version", sa.Integer),
    given("version", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("refusals_area", C.area, C.state)
sa.Index("refusals_recorded", C.ledger, C.recorded_at, C.refusal_id)
sa.Index("refusals_id", C.refusal_id)
sa.Index("refusals_about", C.about)
sa.Index("refusals_tablet", C.tablet, C.seq)

STATE_AFTER = {"refused.kept": "waiting", "refused.reapplied": "reapplied", "refused.dismissed": "dismissed"}


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.stream,),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    if row is None:
        return _kept(event)
    fields = event.fields
    return {
        **row,
        "state": STATE_AFTER[event.topic],
        "area": fields["area"],
        "decided_by": fields["by"],
        "decided_at": fields["happened_at"],
        "reason": fields.get("reason"),
        "became_ledger": fields.get("ledger"),
        "became_stream": fields.get("stream"),
        "became_version": fields.get("version"),
        "version": event.version,
        "position": event.position,
    }


def _kept(event: Recorded) -> Row:
    state = event.state
    item = state["personal"][0]
    return {
        "refusal_id": event.stream,
        "area": state["area"],
        "state": STATE_AFTER[event.topic],
        "code": state["code"],
        "detail": state["detail"],
        "facts": canonical(state.get("facts")),
        "person": state["person"],
        "tablet": state.get("tablet"),
        "seq": state["seq"],
        "kind": state.get("kind"),
        "about": state.get("about"),
        "subject": item["subject"],
        "digest": item["digest"],
        "happened_at": state["happened_at"],
        "recorded_at": event.recorded_at,
        "decided_by": None,
        "decided_at": None,
        "reason": None,
        "became_ledger": None,
        "became_stream": None,
        "became_version": None,
        "version": event.version,
        "position": event.position,
    }


def list_refusals(
    conn: sa.Connection,
    sight: Sight,
    *,
    state: str | None = None,
    area: str | None = None,
    person: str | None = None,
    tablet: str | None = None,
    code: str | None = None,
    after: After = None,
    limit: int = 100,
) -> list[Row]:
    """Refused entries, latest first. Cursor: (recorded_at, refusal_id)."""
    query = sa.select(TABLE).where(sight.where(C.area))
    wanted = {C.state: state, C.person: person, C.tablet: tablet, C.code: code}
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if area is not None:
        query = query.where(within(C.area, area))
    return page(conn, query, (C.recorded_at, C.refusal_id), after, limit, descending=True)


def own_refusal(conn: sa.Connection, person: str, refusal_id: str) -> Row | None:
    """One refused entry of a person, wherever it stands."""
    return first(conn, sa.select(TABLE).where(C.refusal_id == refusal_id, C.person == person))


def get_refusal(conn: sa.Connection, sight: Sight, refusal_id: str) -> Row | None:
    return first(conn, sa.select(TABLE).where(C.refusal_id == refusal_id, sight.where(C.area)))
