"""Who read what, on record: every read by an auditor, and every read of personal data. Read by the routes, the command line and auditors.

A row is committed before the answer leaves; what cannot be put on record is not answered (503 ``read_not_recorded``). No setting turns
it off. Rows are never changed; ``gridtrail access prune`` alone removes them, and not before RETAINED_DAYS, which the database itself
sees to. Each finished day is sealed into the city's ledger (``service.audit.access_days``), so that a row that vanished is missed.
"""

import getpass
import os
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson
import sqlalchemy as sa
from flask import g, has_request_context, request

from domain.areas import ledger_of
from domain.clock import Clock, local_day, utc_text
from projections.paging import After, Row, page
from projections.sight import Sight, within
from projections.tables import DAY, ID, LEDGER, METADATA, TIME, WORD, text
from service.config import Config
from service.database import Busy, CommitUnknown, RolledBack, writing
from service.problems import CATALOGUE, Problem
from service.scope import AUDITOR, Actor

CATALOGUE.update(
    {
        "purpose_needed": (400, "Say why you read this"),
        "read_not_recorded": (503, "The read could not be put on record"),
    }
)

RETAINED_DAYS = 183
"""Rows are kept at least so long: six months, as the law asks of access logs."""
SHORTEST_PURPOSE, LONGEST_PURPOSE = 3, 200
LONGEST_FILTERS = 4_000
LONGEST_OBJECT = 120
VERIFIED_ACT = "ledger.verified"
"""What stands for an auditor's word that a ledger was verified outside: service.audit.verified."""
VERIFIED = sa.text("act = 'ledger.verified'")
"""The same as a condition, word for word that of its index, so that both databases use it."""
OS_USER = "os"
"""The kind of token of somebody at the machine's own command line."""

ACCESS_LOG = sa.Table(
    "access_log",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("id", ID, nullable=False),
    sa.Column("day", DAY, nullable=False),
    sa.Column("person", ID),
    sa.Column("role", text(64), nullable=False),
    sa.Column("account", text(64), nullable=False),
    sa.Column("token_kind", text(8), nullable=False),
    sa.Column("act", text(80), nullable=False),
    sa.Column("object", text(LONGEST_OBJECT)),
    sa.Column("subject", ID),
    sa.Column("filters", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger),
    sa.Column("purpose", WORD),
    sa.Column("request_id", text(64)),
    sa.Column("address", text(64)),
    sa.PrimaryKeyConstraint("ledger", "at", "id", name="access_log_pkey"),
    sa.Index("access_log_at", "at", "id"),
    sa.Index("access_log_day", "day"),
    sa.Index("access_log_person", "person", "at"),
    sa.Index("access_log_subject", "subject", "at"),
    sa.Index("access_log_verified", "ledger", "at", sqlite_where=VERIFIED, postgresql_where=VERIFIED),
)
"""``ledger`` is what was read: a ledger, or the area's own for a list; the city's where nothing narrower was named."""
C = ACCESS_LOG.c

REFUSAL = "the record of who read what is never changed, and kept for six months at least"
_SQLITE_DUE = f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{RETAINED_DAYS} days')"
_POSTGRES_DUE = f"to_char((now() AT TIME ZONE 'utc') - interval '{RETAINED_DAYS} days', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER access_log_refuse_update BEFORE UPDATE ON access_log BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
        f"CREATE TRIGGER access_log_refuse_delete BEFORE DELETE ON access_log WHEN OLD.at > {_SQLITE_DUE} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION access_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE FUNCTION access_log_refuse_early() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF OLD.at > {_POSTGRES_DUE} THEN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        "RETURN OLD; END $$",
        "CREATE TRIGGER access_log_refuse_change BEFORE UPDATE OR TRUNCATE ON access_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION access_log_refuse()",
        "CREATE TRIGGER access_log_refuse_delete BEFORE DELETE ON access_log FOR EACH ROW EXECUTE FUNCTION access_log_refuse_early()",
    ),
}
"""Statements that make the database itself refuse to change the record, or to forget it early."""


class Access:
    """Writes the record of reads, and reads it."""

    def __init__(self, engine: sa.Engine, clock: Clock, config: Config) -> None:
        self.engine = engine
        self.clock = clock
        self.config = config

    def record(
        self,
        conn: sa.Connection | None,
        actor: Actor | None,
        act: str,
        *,
        ledger: str | None = None,
        object: str | None = None,
        subject: str | uuid.UUID | None = None,
        purpose: str | None = None,
        rows: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """Puts one read on record: in the transaction that is given, or in one of its own, committed on return.

        actor    None for somebody at the command line: the user of the operating system is recorded
        act      the operation's name, such as ``show_case`` or ``subject.report``
        ledger   a ledger or an area code; the city where nothing narrower is meant
        object   the id of what was read; subject: the person whose data it was
        purpose  why; the request's header ``Gridtrail-Purpose`` where none is given

        Problem read_not_recorded where it cannot be written: then nothing may be answered.
        """
        now = utc_text(self.clock())
        row = {
            "ledger": ledger_of(ledger) if ledger and ledger.isdigit() else ledger or self.config.city,
            "at": now,
            "id": str(uuid.uuid4()),
            "day": local_day(now, self.config.zone),
            **_who(actor),
            "act": act,
            "object": object[:LONGEST_OBJECT] if object is not None else None,
            "subject": str(subject) if subject is not None else None,
            "filters": _filters(filters or {}),
            "rows": rows,
            "purpose": bounded_purpose(purpose) if purpose is not None else purpose_said(),
            **_from_where(),
        }
        try:
            if conn is not None:
                conn.execute(ACCESS_LOG.insert(), row)
            else:
                with writing(self.engine) as own:
                    own.execute(ACCESS_LOG.insert(), row)
        except (sa.exc.SQLAlchemyError, Busy, CommitUnknown, RolledBack) as failed:
            raise Problem("read_not_recorded", "What is read here goes on record first, and that failed. Try again later.") from failed
        if has_request_context():
            g.access_recorded = True

    def list_reads(
        self,
        conn: sa.Connection,
        sight: Sight,
        *,
        area: str | None = None,
        person: str | None = None,
        subject: str | None = None,
        object: str | None = None,
        act: str | None = None,
        read_from: str | None = None,
        read_to: str | None = None,
        after: After = None,
        limit: int = 100,
    ) -> list[Row]:
        """Reads on record, latest first, of the ledgers within sight. read_to is not included. Cursor: (at, id)."""
        query = sa.select(ACCESS_LOG).where(sight.where(C.ledger))
        if area is not None:
            query = query.where(within(C.ledger, area))
        for column, value in ((C.person, person), (C.subject, subject), (C.object, object), (C.act, act)):
            if value is not None:
                query = query.where(column == value)
        if read_from is not None:
            query = query.where(C.at >= read_from)
        if read_to is not None:
            query = query.where(C.at < read_to)
        return page(conn, query, (C.at, C.id), after, limit, descending=True)


def bounded_purpose(said: str) -> str:
    """A purpose as it is recorded. Problem bad_parameter where it is too short, too long or no text."""
    said = said.strip()
    if not SHORTEST_PURPOSE <= len(said) <= LONGEST_PURPOSE or not said.isprintable():
        raise Problem(
            "bad_parameter",
            f"A purpose has {SHORTEST_PURPOSE} to {LONGEST_PURPOSE} printable characters.",
            errors={"headers": {"Gridtrail-Purpose": ["Not a purpose."]}},
        )
    return said


def purpose_said() -> str | None:
    """The purpose in the request's header, which is UTF-8, or percent-encoded UTF-8 where a client sends ASCII only. None where none is."""
    said = request.headers.get("Gridtrail-Purpose", "") if has_request_context() else ""
    if not said.strip():
        return None
    try:
        return bounded_purpose(unquote(said.encode("latin-1").decode("utf-8"), errors="strict"))
    except UnicodeError as wrong:
        raise Problem("bad_parameter", "Write Gridtrail-Purpose as UTF-8, percent-encoded.") from wrong


def _who(actor: Actor | None) -> dict[str, Any]:
    if actor is None:
        return {"person": None, "role": "system", "account": os_user()[:64], "token_kind": OS_USER}
    roles = sorted({grant.role for grant in actor.grants})
    visitor = g.get("visitor") if has_request_context() else None
    tablet = actor.tablet or (g.get("tablet_id") if has_request_context() else None)
    return {
        "person": actor.person,
        "role": AUDITOR if AUDITOR in roles else ",".join(roles) or "none",
        "account": visitor.login if visitor else tablet or "",
        "token_kind": visitor.kind if visitor else "tablet" if tablet else OS_USER,
    }


def os_user() -> str:
    """The operating system's name of whoever runs this process, and the number where it has none."""
    try:
        return f"{getpass.getuser()}({os.getuid()})"
    except (OSError, KeyError):
        return f"({os.getuid()})"


def _from_where() -> dict[str, Any]:
    if not has_request_context():
        return {"request_id": None, "address": None}
    return {"request_id": g.get("request_id"), "address": (request.remote_addr or "")[:64] or None}


def _filters(said: Mapping[str, Any]) -> str:
    """Canonical JSON of what narrowed the read; its first characters where somebody sent very much."""
    whole = orjson.dumps(dict(said), option=orjson.OPT_SORT_KEYS, default=str).decode()
    return whole if len(whole) <= LONGEST_FILTERS else orjson.dumps({"shortened": whole[: LONGEST_FILTERS // 2]}).decode()
