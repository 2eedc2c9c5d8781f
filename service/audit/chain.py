"""From a ledger's line to what witnesses saw: the signed checkpoint, and its place in the root log. Read by dossiers."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.audit.proofs import write_proof
from service.audit.tables import ROOT, Published, cosignatures, published, root_entries
from service.database import reading
from service.ledger.note import Checkpoint, split_note
from service.problems import CATALOGUE, Problem

CATALOGUE.update({"not_signed_yet": (503, "No signed checkpoint covers it yet")})

E, S = root_entries.c, cosignatures.c


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
    """The newest checkpoint of a ledger that covers its first ``least`` entries, under the root checkpoint that most witnesses cosigned.

    Where none stands in the root log, what is due is published first; where the root log is not due yet, the published checkpoint
    alone. Problem not_signed_yet where nothing can be published.
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
    """The ledger's newest checkpoint that covers enough in the root log, as it was published or cosigned."""
    head, last = published(conn, ROOT), published(conn, ledger)
    if head is None or last is None:
        return None
    for size, note in _root_notes(conn, head):
        row = _newest(conn, last.origin, size)
        if row is None:
            continue
        checkpoint = Checkpoint.parse(split_note(row[1])[0])
        if checkpoint.size >= least:
            proof = write_proof(row[0], gridtrail.tiles.inclusion(conn, ROOT, row[0], size), note)
            return Chain(ledger, checkpoint.origin, checkpoint.size, checkpoint.root, row[1], row[0], proof, len(split_note(note)[1]))
    return None


def _newest(conn: sa.Connection, origin: str, size: int) -> tuple[int, str] | None:
    """Position and note of the last checkpoint of an origin among the root log's first entries."""
    # An entry begins with its origin: the walk back over the primary key ends at the first that does, usually among the last few hundred.
    begins = (f"{origin}\n".encode(), f"{origin}\x0b".encode())
    mine = sa.select(E.position, E.entry).where(E.ledger == ROOT, E.position < size, E.entry >= begins[0], E.entry < begins[1])
    row = conn.execute(mine.order_by(E.position.desc()).limit(1)).first()
    return (row.position, bytes(row.entry).decode()) if row is not None else None


def _root_notes(conn: sa.Connection, head: Published) -> list[tuple[int, str]]:
    """The root log's checkpoints that can be shown, with every signature that is held: most signatures first, then the newest."""
    notes = {head.size: head.note}
    rows = conn.execute(sa.select(S.size, S.note).where(S.ledger == ROOT, S.incarnation == head.incarnation).order_by(S.witness))
    for size, note in rows:
        if size <= head.size:
            notes[size] = _joined(notes.get(size, note), note)
    return sorted(notes.items(), key=lambda each: (len(split_note(each[1])[1]), each[0]), reverse=True)


def _joined(note: str, other: str) -> str:
    """A note with the signature lines of another note of the same text."""
    text, _, lines = other.rpartition("\n\n")
    if not note.startswith(f"{text}\n\n"):
        return note
    return note + "".join(f"{line}\n" for line in lines.splitlines() if f"\n{line}\n" not in note)
