"""Ledgers that a restore holds: nothing is written there until ``gridtrail ledger continue`` names them anew. Read by the watermark.

More may have been signed under the old name than the backup had. Where the watermark's journal is there, it knows; where it was lost with
the machine, only this does.
"""

import sqlalchemy as sa

from projections.tables import LEDGER, METADATA, TIME, text

held_ledgers = sa.Table(
    "held_ledgers",
    METADATA,
    sa.Column("ledger", LEDGER, nullable=False),
    sa.Column("origin", text(255), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("made_at", TIME, nullable=False),
    sa.Column("restored_at", TIME, nullable=False),
    sa.PrimaryKeyConstraint("ledger", name="held_ledgers_pkey"),
)
"""origin: under which nothing more may be signed. size and root: what the backup had of it. made_at: of the backup."""


def held_origins(conn: sa.Connection) -> dict[str, str]:
    """Ledger → the origin under which it may not go on."""
    return {ledger: origin for ledger, origin in conn.execute(sa.select(held_ledgers.c.ledger, held_ledgers.c.origin))}
