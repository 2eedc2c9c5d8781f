"""Ledgers go on under new names after a restore: what was signed under the old ones is beyond what is here. Read by the command line.

The old name is given up for good, since two roots of one size must never be signed under it. The tree keeps every entry that was restored,
position stays the leaf's index, and the first entry that follows says what happened (``ledger.continued``). Each ledger does it in one
transaction, so a crash in between leaves some done and the others held; doing it again goes on with those.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from domain.incarnation import Incarnation
from projections import people
from service.audit import rootlog
from service.audit.held import held_ledgers, held_origins
from service.audit.tables import ROOT, checkpoints, heads_of, root_logs
from service.database import reading, writing
from service.identity import ACCOUNTS
from service.imports.recording import terminal_actor
from service.inspection import drafts_of
from service.ledger import bulk
from service.ledger.keys import log_origin
from service.ledger.store import Head
from service.sync.facts import b64

STREAMS = UUID("3d0f5c2b-8f3e-5d0a-9a55-6f1c6f0b7a44")
C, R = checkpoints.c, root_logs.c


class NobodyApproved(RuntimeError):
    """Whoever is said to have approved is nobody who is registered here."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A log that may not go on under its name. signed: how far it was signed under it, None where nobody here knows any more."""

    head: Head
    origin: str
    signed: tuple[int, bytes] | None

    @property
    def missing(self) -> int | None:
        """How many entries were signed that are not here."""
        return max(0, self.signed[0] - self.head.size) if self.signed else None


@dataclass(frozen=True, slots=True)
class Continued:
    """A log that goes on: where it says so, and its new name."""

    was: Waiting
    origin: str
    ledger: str
    position: int


class Continuing:
    """The use case of ``gridtrail ledger continue``."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database

    def waiting(self, names: Collection[str] = (), *, every: bool = False) -> list[Waiting]:
        """The logs that were restored or are behind what was signed of them; with names or every, those in any case. The root is last."""
        with reading(self.database) as conn:
            heads = heads_of(conn)
            held, behind = held_origins(conn), {each.ledger for each in self.gridtrail.watermark.check(conn, heads)}
            found = [self._of(head) for head in heads if head.size]
            wanted = behind | {each.head.ledger for each in found if held.get(each.head.ledger) == each.origin} | set(names)
            return [each for each in found if each.head.ledger in wanted or (every and not self._has_just_begun(conn, each.head))]

    def go_on(self, was: Waiting, reason: str, approved_by: str) -> Continued | None:
        """Gives a log its new name and says so, in one transaction. None where somebody did it meanwhile."""
        log = was.head.ledger
        told = self.gridtrail.config.city if log == ROOT else log
        with writing(self.database) as conn:
            if not self._is_still(conn, was.head):
                return None
            new = rootlog.begin_incarnation(conn) if log == ROOT else self.gridtrail.ledgers.begin_incarnation(conn, log)
            drafts = drafts_of(self._fact(conn, was, new, reason, approved_by))
            conn.execute(sa.delete(held_ledgers).where(held_ledgers.c.ledger == log))
            appended = self.gridtrail.ledgers.append(conn, told, drafts)
        return Continued(was, self._origin(log, new), told, appended.first)

    def approver(self, said: str) -> str:
        """The id of the person that a login or an id names. NobodyApproved where that is nobody here."""
        with reading(self.database) as conn:
            known = conn.execute(sa.select(ACCOUNTS.c.person).where(ACCOUNTS.c.login == said)).scalar()
            person = str(known) if known is not None else said
            if people.get_person(conn, person) is None:
                raise NobodyApproved(f"{said} is neither a login nor the id of a person who is registered here.")
        return person

    # ---- the parts

    def _of(self, head: Head) -> Waiting:
        return Waiting(head, self._origin(head.ledger, head.incarnation), self.gridtrail.watermark.floor(head.ledger, head.incarnation))

    def _origin(self, log: str, incarnation: str) -> str:
        return log_origin(self.gridtrail.config.origin, log, incarnation)

    def _has_just_begun(self, conn: sa.Connection, head: Head) -> bool:
        """Whether the last entry is the one that gave the ledger its present name."""
        line = self.gridtrail.ledgers.line(conn, head.ledger, head.size - 1) if head.ledger != ROOT else None
        return line is not None and b'"topic":"ledger.continued"' in line and self._origin(head.ledger, head.incarnation).encode() in line

    def _is_still(self, conn: sa.Connection, head: Head) -> bool:
        """Whether the log is as it was looked at. Holds its head."""
        if head.ledger == ROOT:
            row = conn.execute(sa.select(R.size, R.incarnation).where(R.ledger == ROOT).with_for_update()).one()
            return (row.size, row.incarnation) == (head.size, head.incarnation)
        (found,) = bulk.take_heads(conn.connection.driver_connection, [head.ledger])
        return found is not None and (found[0], found[2]) == (head.size, head.incarnation)

    def _fact(self, conn: sa.Connection, was: Waiting, new: str, reason: str, approved_by: str) -> Incarnation:
        head, origin = was.head, self._origin(was.head.ledger, new)
        note = conn.scalar(sa.select(C.note).where(C.ledger == head.ledger, C.incarnation == head.incarnation))
        act = self.gridtrail.inspection.act_for(terminal_actor(self.gridtrail.config), "administrator")
        signed = {"signed_size": was.signed[0], "signed_root": b64(was.signed[1])} if was.signed else {}
        found = {"old_origin": was.origin, "origin": origin, "size": head.size, "root": b64(head.root), "checkpoint": note, **signed}
        return Incarnation.go_on(act, None, uuid5(STREAMS, origin), reason=reason, approved_by=approved_by, **found)
