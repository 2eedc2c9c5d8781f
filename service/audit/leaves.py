"""The entries of a log, which are the leaves of its tree: a ledger's lines, or the root log's entries. Read by tiles and proofs."""

import sqlalchemy as sa

from service.ledger.stretches import read_stretches

ROOT_LOG = "root"
"""Name of the log whose entries are the ledgers' checkpoints. No ledger can be called so: those are digits."""


def read_entries(conn: sa.Connection, log: str, start: int, stop: int) -> list[bytes]:
    """The entries start..stop-1 that there are, in order, exactly as they are hashed."""
    return read_stretches(conn, [(log, start, stop)])[0]
