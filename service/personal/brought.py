"""Who brought which personal value, and whether an event names it yet. Read by the upload of values, the console and the queries.

A value is shown only through an event of a person who brought it: to name the digest of somebody else's value in a case of one's own gives
no sight of it. What no event has named after UNNAMED_DAYS is dropped.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from domain.clock import utc_text
from projections import personal_items
from projections.tables import ID, LEDGER, METADATA, TIME, text
from service.ledger.bulk import insert_unless_present
from service.personal.tables import DIGEST, disclosures
from service.personal.vault import Kept

UNNAMED_DAYS = 30
"""A tablet keeps its entries as long after they were confirmed: what they name comes within that time, or never."""
NOT_NAMED = sa.text("named_at IS NULL")

brought_values = sa.Table(
    "brought_values",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("digest", DIGEST, nullable=False),
    sa.Column("person", ID, nullable=False),
    sa.Column("tablet", ID),
    sa.Column("subject", ID, nullable=False),
    sa.Column("field", text(64), nullable=False),
    sa.Column("brought_at", TIME, nullable=False),
    sa.Column("named_at", TIME),
    sa.PrimaryKeyConstraint("ledger", "digest", "person", name="brought_values_pkey"),
    sa.Index("brought_values_digest", "digest", "person"),
    sa.Index("brought_values_unnamed", "person", sqlite_where=NOT_NAMED, postgresql_where=NOT_NAMED),
)
B = brought_values.c
I = personal_items.C  # noqa: E741


def note_brought(
    conn: sa.Connection, kept: Sequence[Kept], person: str, now: datetime, *, tablet: str | None = None, named: bool = False
) -> None:
    """Notes that a person brought values; once for each. named: the events that name them are in the same transaction."""
    rows = [
        {
            "ledger": each.ledger, "digest": each.digest, "person": person, "tablet": tablet, "subject": str(each.subject),
            "field": each.field, "brought_at": utc_text(now), "named_at": utc_text(now) if named else None,
        }
        for each in kept
    ]  # fmt: skip
    if rows:
        conn.execute(insert_unless_present(conn, brought_values), rows)


def unnamed_of(conn: sa.Connection, person: str) -> int:
    """How many values of a person no event names, as far as was looked."""
    return int(conn.scalar(sa.select(sa.func.count()).where(B.person == person, B.named_at.is_(None))) or 0)


def named_by(conn: sa.Connection, person: str, digests: Iterable[str]) -> set[str]:
    """Those of the digests that events of the person name."""
    return set(conn.scalars(sa.select(I.digest).where(I.digest.in_(list(digests)), I.by_person == person)))


def shown_by(conn: sa.Connection, rows: Iterable[dict[str, Any]]) -> set[str]:
    """The digests among personal items whose value was brought by the person whose event names it, for that subject and as that field."""
    wanted = {(row["digest"], row["by_person"], row["subject"], row["field"]) for row in rows}
    if not wanted:
        return set()
    query = sa.select(B.digest, B.person, B.subject, B.field).where(B.digest.in_([digest for digest, *_ in wanted]))
    return {row.digest for row in conn.execute(query) if tuple(row) in wanted}


def drop_unnamed(conn: sa.Connection, now: datetime) -> int:
    """Notes which values events name by now, and drops what none names after UNNAMED_DAYS. Gives how many were dropped.

    A value whose event is not in the read model yet is younger than that, or the read model stands still and readiness says so.
    """
    named = sa.exists(sa.select(sa.literal(1)).where(I.digest == B.digest, I.by_person == B.person))
    conn.execute(sa.update(brought_values).where(B.named_at.is_(None), named).values(named_at=utc_text(now)))
    due = sa.and_(B.named_at.is_(None), B.brought_at < utc_text(now - timedelta(days=UNNAMED_DAYS)))
    others = brought_values.alias("others")
    another = sa.exists(
        sa.select(sa.literal(1)).where(others.c.ledger == B.ledger, others.c.digest == B.digest, others.c.person != B.person)
    )
    places = [(row.ledger, row.digest) for row in conn.execute(sa.select(B.ledger, B.digest).where(due, ~another))]
    dropped = conn.execute(sa.delete(brought_values).where(due)).rowcount
    for ledger, digest in places:
        conn.execute(sa.delete(disclosures).where(disclosures.c.ledger == ledger, disclosures.c.digest == digest))
    return int(dropped)
