"""From a ledger's line to what witnesses saw: the signed checkpoint, and its place in the root log. Read by dossiers and exports."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.audit.proofs import write_proof
from service.audit.tables import ROOT, published, root_entries
from service.database import reading
from service.ledger.note import Checkpoint, split_note
from service.problems import CATALOGUE, Problem

CATALOGUE.update({"not_signed_yet": (503, "No signed checkpoint covers it yet")})

E = root_entries.c


@dataclass(frozen=True, slots=True)
class Chain:
    """A ledger's checkpoint. rooted: its position in the root log, None where it is not there yet; proof: the tlog-proof that shows it."""

    ledger: str
    origin: str
    size: int
    root: bytes
    note: str
    rooted: int | None = None
    proof: str | None = None
    signatures: int = 0


def chain_of(gridtrail: Any, ledger: str, least: int) -> Chain:
    """The newest checkpoint of a ledger that covers its first ``least`` entries and stands in the published root log.

    Where none does, it is published first; where the root log is not due yet, the published checkpoint alone. Problem not_signed_yet
    where nothing can be published.
    """
    for attempt in range(2):
        with reading(gridtrail.database) as conn:
            found = _rooted(gridtrail, conn, ledger, least)
        if found is not None:
            return found
        if attempt == 0:
            gridtrail.publisher.turn()
    with reading(gridtrail.database) as conn:
        last = published(conn, ledger)
    if last is None or last.size < least:
        raise Problem("not_signed_yet", f"No signed checkpoint covers {least} entries of ledger {ledger}. See the log of the publisher.")
    return Chain(ledger, last.origin, last.size, last.root, last.note)


def _rooted(gridtrail: Any, conn: sa.Connection, ledger: str, least: int) -> Chain | None:
    """The ledger's newest checkpoint in the root log as it is published, where that covers enough."""
    head, last = published(conn, ROOT), published(conn, ledger)
    if head is None or last is None:
        return None
    # An entry begins with its origin: the walk over the primary key ends at the first that does, usually among the last few hundred.
    begins = (f"{last.origin}\n".encode(), f"{last.origin}\x0b".encode())
    newest = sa.select(E.position, E.entry).where(E.ledger == ROOT, E.position < head.size, E.entry >= begins[0], E.entry < begins[1])
    row = conn.execute(newest.order_by(E.position.desc()).limit(1)).first()
    if row is None:
        return None
    note = bytes(row.entry).decode()
    checkpoint = Checkpoint.parse(split_note(note)[0])
    if checkpoint.size < least:
        return None
    proof = write_proof(row.position, gridtrail.tiles.inclusion(conn, ROOT, row.position, head.size), head.note)
    signatures = len(split_note(head.note)[1])
    return Chain(ledger, checkpoint.origin, checkpoint.size, checkpoint.root, note, row.position, proof, signatures)
