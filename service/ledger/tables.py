"""The ledger's tables: the recorded events and each ledger's head. Read by the store, the migrations and nobody else."""

import sqlalchemy as sa

from projections.tables import LEDGER, METADATA, TIME, text

FROM_TABLETS = sa.text("tablet IS NOT NULL")

events = sa.Table(
    "events",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
    sa.Column("stream", sa.Uuid, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("topic", text(255), nullable=False),
    sa.Column("recorded_at", TIME, nullable=False),
    sa.Column("by_person", sa.Uuid),
    sa.Column("tablet", sa.Uuid),
    sa.Column("seq", sa.BigInteger),
    sa.Column("line", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "position", name="events_pkey"),
    sa.UniqueConstraint("ledger", "stream", "version", name="events_stream_version"),
    sa.Index("events_tablet_seq", "tablet", "seq", sqlite_where=FROM_TABLETS, postgresql_where=FROM_TABLETS),
)
"""``line`` is the event; the columns beside it are indexes of what it says. No foreign key to the head: whoever inserts holds it."""


def table_of_heads(name: str) -> sa.Table:
    """A table with one row for each log: its size, right edge, root and name, and the time of its last entry."""
    return sa.Table(
        name,
        METADATA,
        sa.Column("ledger", LEDGER, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("incarnation", sa.String(16), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("ledger", name=f"{name}_pkey"),
    )


ledgers = table_of_heads("ledgers")
"""The head of each ledger: the row that its writers take in turn."""

REFUSAL = "events are permanent: a recorded event is never changed or removed"

TRIGGERS = {
    "sqlite": tuple(
        f"CREATE TRIGGER events_refuse_{act.lower()} BEFORE {act} ON events BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for act in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_refuse()",
    ),
}
"""Statements that make the database itself refuse to change history."""
