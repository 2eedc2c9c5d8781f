"""The entries of a log, which are the leaves of its tree: a ledger's lines, or the root log's entries. Read by tiles and proofs."""

import sqlalchemy as sa

from service.audit.tables import ROOT, root_entries
from service.ledger.stretches import read_stretches

E = root_entries.c
ROOT_ENTRIES = (
    sa.select(E.entry).where(E.ledger == ROOT, E.position >= sa.bindparam("start"), E.position < sa.bindparam("stop")).order_by(E.position)
)


def read_entries(conn: sa.Connection, log: str, start: int, stop: int) -> list[bytes]:
    """The entries start..stop-1 that there are, in order, exactly as they are hashed."""
    if log == ROOT:
        return [bytes(entry) for entry in conn.scalars(ROOT_ENTRIES, {"start": start, "stop": stop})]
    return read_stretches(conn, [(log, start, stop)])[0]
