"""Which subjects were erased 删除个人信息, why, and whether it is done: by subject and ledger. Read by the erasure and the report."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import DAY, ID, TIME, WORD, given, key, maybe, read_model_table

NAME = "erasures"
TOPICS = frozenset({"subject.erased", "subject.erasure_completed"})

TABLE = read_model_table(
    "erasures",
    key("subject", ID),
    given("stream", ID),
    given("ground", WORD),
    maybe("reference", WORD),
    given("requested_at", DAY),
    given("erased_at", TIME),
    given("count", sa.Integer),
    given("backups_gone_by", DAY),
    maybe("completed_at", TIME),
    maybe("values_gone", sa.Integer),
    maybe("photos_gone", sa.Integer),
    maybe("photos_kept", sa.Integer),
    given("position", sa.BigInteger),
)
C = TABLE.c
sa.Index("erasures_subject", C.subject)


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    return ((event.fields["subject"],),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    fields = event.fields
    if event.topic == "subject.erased" or row is None:
        return {
            "subject": key[0],
            "stream": event.stream,
            "ground": fields.get("ground") or "",
            "reference": fields.get("reference"),
            "requested_at": fields.get("requested_at") or fields["day"],
            "erased_at": event.recorded_at,
            "count": fields.get("count") or 0,
            "backups_gone_by": fields.get("backups_gone_by") or fields["day"],
            "completed_at": None,
            "values_gone": None,
            "photos_gone": None,
            "photos_kept": None,
            "position": event.position,
        }
    done = {"values_gone": fields["values"], "photos_gone": fields["photos"], "photos_kept": fields["photos_kept"]}
    return {**row, **done, "completed_at": event.recorded_at, "position": event.position}


def of_subject(conn: sa.Connection, subject: str) -> list[Row]:
    """The erasure of a subject in every ledger that has it."""
    return [dict(row) for row in conn.execute(sa.select(TABLE).where(C.subject == subject).order_by(C.ledger)).mappings()]
