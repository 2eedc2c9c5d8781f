"""What was signed for outsiders: the latest checkpoint of each log, and the root log with what others put to it. Read by service.audit.

The ``ledger`` of the root log is ``root``. Nothing here is believed by verifiers: each note carries its own proof.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from projections.tables import LEDGER, METADATA, TIME, text
from service.ledger.store import HEADS, Head
from service.ledger.tables import ledgers, table_of_heads

ROOT = "root"
"""The name of the root log."""
NEVER_ROOTED = -1

checkpoints = sa.Table(
    "checkpoints",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("incarnation", sa.String(16), nullable=False),
    sa.Column("origin", text(), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("signed_at", TIME, nullable=False),
    sa.Column("rooted", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "incarnation", name="checkpoints_pkey"),
)
"""The latest published checkpoint of each incarnation of each log. Moved only by compare-and-swap.

``rooted`` is the size at which it last entered the root log, -1 where it never did.
"""

root_entries = sa.Table(
    "root_entries",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "position", name="root_entries_pkey"),
)
"""The leaves of the root log: the ledgers' signed checkpoints, verbatim (UTF-8)."""

root_logs = table_of_heads("root_logs")
"""The head of the root log: one row, as ``ledgers`` has one for each ledger."""

cosignatures = sa.Table(
    "cosignatures",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("incarnation", sa.String(16), nullable=False),
    sa.Column("witness", text(), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("cosigned_at", TIME, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "incarnation", "witness", name="cosignatures_pkey"),
)
"""The largest checkpoint of the root log that each witness (by its verifier key) cosigned, with our signature and theirs."""

timestamps = sa.Table(
    "timestamps",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("incarnation", sa.String(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("token", sa.LargeBinary, nullable=False),
    sa.Column("stamped_at", TIME, nullable=False),
    sa.PrimaryKeyConstraint("ledger", "incarnation", "size", name="timestamps_pkey"),
)
"""RFC 3161 answers (DER) over the very bytes of ``note``, a checkpoint of the root log with our signature alone."""


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint of a log that was published last: a signed note, and what it says."""

    log: str
    incarnation: str
    origin: str
    size: int
    root: bytes
    note: str
    signed_at: str
    rooted: int


def _of(heads: sa.Table) -> sa.Select[tuple[Any, ...]]:
    c = checkpoints.c
    return (
        sa.select(c.ledger, c.incarnation, c.origin, c.size, c.root, c.note, c.signed_at, c.rooted)
        .join(heads, sa.and_(heads.c.ledger == c.ledger, heads.c.incarnation == c.incarnation))
        .order_by(c.ledger)
    )


OF_LEDGERS, OF_ROOT = _of(ledgers), _of(root_logs)
R = root_logs.c
ROOT_HEAD: sa.Select[tuple[Any, ...]] = sa.select(R.ledger, R.size, R.root, R.incarnation, R.recorded_at)


def published(conn: sa.Connection, log: str) -> Published | None:
    """The latest published checkpoint of a ledger (its code) or of the root log (``root``), None where there is none yet.

    Only that of the log's present incarnation: what an earlier one signed stands in ``checkpoints`` and is of another origin.
    """
    query = OF_ROOT if log == ROOT else OF_LEDGERS
    row = conn.execute(query.where(checkpoints.c.ledger == log)).one_or_none()
    return Published(*row) if row is not None else None


def all_published(conn: sa.Connection) -> dict[str, Published]:
    """The latest published checkpoint of every log, by the log's name."""
    return {row[0]: Published(*row) for query in (OF_LEDGERS, OF_ROOT) for row in conn.execute(query)}


def root_head(conn: sa.Connection) -> Head | None:
    """How far the root log is, None before its first entry."""
    row = conn.execute(ROOT_HEAD).one_or_none()
    return Head(*row) if row is not None else None


def heads_of(conn: sa.Connection) -> list[Head]:
    """How far every log is: the ledgers, and the root log where there is one."""
    root = root_head(conn)
    return [Head(*row) for row in conn.execute(HEADS)] + ([root] if root else [])
