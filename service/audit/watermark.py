"""What the service must never go back behind: the highest size that it signed of each log, kept outside of the database.

Every signature of a log goes through ``sign``, which writes the journal first. Every append asks ``must_go_on`` under the ledger's held
head. So a database that was restored, swapped or cut short behind the service's back is noticed before anything is recorded in it.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.audit.held import held_origins
from service.audit.journal import Journal, TwoRoots
from service.audit.tables import checkpoints, heads_of
from service.audit.tiles import NotRecorded
from service.database import is_memory, reading
from service.ledger.keys import log_origin
from service.ledger.note import Checkpoint, Signer
from service.ledger.store import Appended, Head, HistoryBehind
from service.ledger.tree import Frontier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Behind:
    """A log whose history is not the one that was signed: shorter (held < signed), or another one."""

    ledger: str
    signed: int
    held: int


class Watermark:
    """The floors of this deployment's logs. One per process; all of them share the file of GRIDTRAIL_WATERMARK_FILE."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.journal = Journal(gridtrail.config.watermark_file)
        self._origins: dict[tuple[str, str], bytes] = {}
        self._sound: dict[bytes, tuple[bytes, bytes]] = {}
        """By origin: the stored frontier that this process knows the root of, and that root."""
        self._held: frozenset[bytes] | None = None
        """Origins that a restore holds. Looked up once: nobody restores under a running service."""

    # ---- before something is recorded

    def must_go_on(self, ledger: str, incarnation: str, size: int, stored: bytes) -> None:
        """HistoryBehind unless a ledger's head, held by the caller, is at or beyond all that was signed of it. About a microsecond."""
        origin = self._origins.get((ledger, incarnation)) or self._origin(ledger, incarnation)
        floor = self.journal.floor(origin)
        if origin in self._held_origins():
            raise HistoryBehind(ledger, floor[0] if floor else size, size)
        if floor is None:
            return
        signed, root = floor
        if size < signed or origin in self.journal.halted:
            raise HistoryBehind(ledger, signed, size)
        if size == signed:
            known = self._sound.get(origin)
            if known is None or known[0] != stored:
                known = (stored, Frontier.from_bytes(stored).root())
            if known[1] != root:
                raise HistoryBehind(ledger, signed, size)

    def wrote(self, appended: Appended, stored: bytes) -> None:
        """Remembers the root of a frontier that was just made, so that it need not be made again for the next batch."""
        self._sound[self._origin(appended.ledger, appended.incarnation)] = (stored, appended.root)

    # ---- before a signature leaves

    def sign(self, heads: Sequence[Head | Appended], *, durably: bool = False) -> list[str]:
        """The signed checkpoints of committed heads, each journalled before. HistoryBehind where another root was signed for that size.

        JournalRefused, KeyRefused: nothing was signed.
        """
        # Before the journal says that something was signed: the first key is made only where nothing was.
        key = self.gridtrail.signer.private_key
        lines = [(self._origin(head.ledger, head.incarnation), head.size, head.root) for head in heads]
        try:
            self.journal.record(lines, durably=durably)
        except TwoRoots as two:
            head = next(head for head, line in zip(heads, lines, strict=True) if line[0] == two.origin.encode())
            log.error("log %s: %s", head.ledger, two)
            raise HistoryBehind(head.ledger, two.size, head.size) from two
        for head, (origin, _, _) in zip(heads, lines, strict=True):
            if origin in self.journal.halted:
                raise HistoryBehind(head.ledger, self.journal.halted[origin], head.size)
        return [Checkpoint(origin.decode(), size, root).sign(key) for origin, size, root in lines]

    def signer(self, log_name: str, incarnation: str) -> Signer:
        """The present key under the name of one incarnation of a log."""
        return Signer(self._origin(log_name, incarnation).decode(), self.gridtrail.signer.private_key)

    def has_signed(self) -> bool:
        """Whether this deployment has signed anything. The journal knows it of this machine; the database knows it of any."""
        self.journal.keep_up()
        if self.journal.floors:
            return True
        with reading(self.gridtrail.database) as conn:
            # A database that was not upgraded yet has published nothing.
            return sa.inspect(conn).has_table(checkpoints.name) and conn.scalar(sa.select(sa.exists().select_from(checkpoints))) is True

    # ---- looking

    def floor(self, log_name: str, incarnation: str) -> tuple[int, bytes] | None:
        """The highest size that was signed of a log's incarnation, and its root; None where nothing was."""
        return self.journal.floor(self._origin(log_name, incarnation))

    def behind(self, heads: Iterable[Head]) -> list[Behind]:
        """Which of the logs are known to be behind what was signed of them. Cheap: nothing but the heads is looked at."""
        self.journal.keep_up()
        found = self._behind(heads)
        if not any(each.held < each.signed for each in found):
            return found
        # What was signed since the heads were read is no alarm: heads are committed before they are signed, so a second look has them.
        names = {each.ledger for each in found}
        with reading(self.gridtrail.database) as conn:
            return self._behind(head for head in heads_of(conn) if head.ledger in names)

    def _behind(self, heads: Iterable[Head]) -> list[Behind]:
        found = []
        for head in heads:
            origin = self._origin(head.ledger, head.incarnation)
            signed, root = self.journal.floors.get(origin, (0, b""))
            another = signed and head.size == signed and head.root != root
            if head.size < signed or another or origin in self.journal.halted or origin in self._held_origins():
                found.append(Behind(head.ledger, signed, head.size))
        return found

    def check_all(self) -> list[Behind]:
        """Checks every log. Done at the start of each process that writes."""
        with reading(self.gridtrail.database) as conn:
            return self.check(conn, heads_of(conn))

    def check(self, conn: sa.Connection, heads: Iterable[Head]) -> list[Behind]:
        """The same, looking closely: the tree's root at the size that was signed must be the one that was signed.

        Made from the stored entries (and full tiles). What is found is told to every process; what was found before and is well again, too.
        """
        for head in heads:
            floor = self.floor(head.ledger, head.incarnation)
            if floor is None or head.size < floor[0]:
                continue
            origin = self._origin(head.ledger, head.incarnation)
            found = head.root if head.size == floor[0] else self._root(conn, head, floor[0])
            if found == floor[1]:
                self.journal.resume(origin)
            elif origin not in self.journal.halted:
                log.error("the history of %s is not the one that was signed at size %d", origin.decode(), floor[0])
                self.journal.halt(origin, floor[0])
        return self.behind(heads)

    def _held_origins(self) -> frozenset[bytes]:
        """The names under which nothing may be recorded, because the database says itself that it was restored."""
        if self._held is None:
            database = self.gridtrail.database
            if is_memory(database):
                self._held = frozenset()
            else:
                with reading(database) as conn:
                    self._held = frozenset(origin.encode() for origin in held_origins(conn).values())
        return self._held

    def _root(self, conn: sa.Connection, head: Head, size: int) -> bytes | None:
        try:
            root: bytes = self.gridtrail.tiles.root(conn, head.ledger, size)
        except NotRecorded:
            return None
        return root

    def _origin(self, ledger: str, incarnation: str) -> bytes:
        origin = self._origins.get((ledger, incarnation))
        if origin is None:
            origin = self._origins[ledger, incarnation] = log_origin(self.gridtrail.config.origin, ledger, incarnation).encode()
        return origin
