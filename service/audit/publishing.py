"""The publisher: signs the head of every log that grew and stores it for outsiders. Read by the engine's process and the tests.

Several may work at once, in threads and in processes. What makes that safe: only committed heads are signed, Ed25519 is deterministic,
and the stored checkpoint moves by compare-and-swap, never back and never to another root of one size.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from domain.clock import utc_text
from service.audit import rootlog
from service.audit.tables import NEVER_ROOTED, ROOT, Published, all_published, checkpoints, root_head
from service.database import reading, writing
from service.ledger.bulk import insert_unless_present
from service.ledger.keys import log_origin
from service.ledger.note import Checkpoint, Signer, split_note
from service.ledger.store import Head

log = logging.getLogger(__name__)

C = checkpoints.c
COUNTED = {"preserve_rowcount": True}


class Publisher:
    """Publishes the checkpoints of one database's logs. Holds no state beside its pieces."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.config = gridtrail.config
        self.clock = gridtrail.clock

    def turn(self) -> int:
        """Publishes every log that grew, and the root log when it is due. Gives how many checkpoints were published."""
        published = self._publish(self._ledgers())
        if self._grow_root():
            published += self._publish(self._root())
        return published

    def run(self, stop: threading.Event) -> None:
        """Takes turns until told to stop. Whatever the database does, it tries again, later each time."""
        pause = self.config.publish_s
        while not stop.is_set():
            try:
                self.turn()
                pause = self.config.publish_s
            except Exception:
                log.exception("the publisher could not take a turn; it tries again")
                pause = min(pause * 2, 60.0)
            stop.wait(pause)

    # ---- what is due

    def _ledgers(self) -> list[tuple[Head, Published | None]]:
        with reading(self.database) as conn:
            return self._due(self.gridtrail.ledgers.heads(conn), all_published(conn))

    def _root(self) -> list[tuple[Head, Published | None]]:
        with reading(self.database) as conn:
            head = root_head(conn)
            return self._due([head] if head else [], all_published(conn))

    def _due(self, heads: Iterable[Head], stand: dict[str, Published]) -> list[tuple[Head, Published | None]]:
        return [(head, stand.get(head.ledger)) for head in heads if head.size and self._must_be_signed(head, stand.get(head.ledger))]

    def _must_be_signed(self, head: Head, last: Published | None) -> bool:
        """A log that grew, or whose checkpoint bears another name or key than the present one."""
        if last is None or head.size > last.size:
            return True
        if head.size < last.size or head.root != last.root:
            log.error("log %s is not what was published of it: size %d against %d", head.ledger, head.size, last.size)
            return False
        signer = self._signer(head)
        return not any((name, key) == (signer.name, signer.verifier.id) for name, key, _ in split_note(last.note)[1])

    def _signer(self, head: Head) -> Signer:
        return Signer(log_origin(self.config.origin, head.ledger, head.incarnation), self.gridtrail.signer.private_key)

    # ---- publishing

    def _publish(self, due: list[tuple[Head, Published | None]]) -> int:
        """Signs committed heads and moves what is published. Gives how many moved; those that another was faster with are left."""
        if not due:
            return 0
        for head, _ in due:
            self.gridtrail.tiles.keep_up(head.ledger, head.size)
        notes = [self._note(head) for head, _ in due]
        now = utc_text(self.clock())
        with writing(self.database) as conn:
            return sum(_swap(conn, *each, note, now) for each, note in zip(due, notes, strict=True))

    def _note(self, head: Head) -> tuple[str, str]:
        signer = self._signer(head)
        return signer.name, Checkpoint(signer.name, head.size, head.root).sign(signer.private_key)

    def _grow_root(self) -> bool:
        """Whether the root log has entries that are not published. Appends to it when it is due."""
        now, every_s = self.clock(), self.config.root_log_s
        with reading(self.database) as conn:
            due = rootlog.due(conn, now, every_s)
        if due:
            with writing(self.database) as conn:
                rootlog.grow(conn, now, every_s, lambda incarnation, size, frontier: None)
        return bool(self._root())


def _swap(conn: sa.Connection, head: Head, last: Published | None, named_note: tuple[str, str], now: str) -> int:
    """Compare-and-swap: 1 where the checkpoint is published now, 0 where another moved it meanwhile."""
    origin, note = named_note
    new = {"origin": origin, "size": head.size, "root": head.root, "note": note, "signed_at": now}
    if last is None:
        first = {"ledger": head.ledger, "incarnation": head.incarnation, "rooted": NEVER_ROOTED, **new}
        return int(conn.execute(insert_unless_present(conn, checkpoints).values(first), execution_options=COUNTED).rowcount)
    mine = sa.and_(C.ledger == head.ledger, C.incarnation == head.incarnation)
    as_read = sa.and_(C.size == last.size, C.root == last.root, C.note == last.note)
    # A checkpoint that is signed anew under another key or name is to enter the root log as well.
    again = {"rooted": NEVER_ROOTED} if head.size == last.size and head.ledger != ROOT else {}
    return int(conn.execute(sa.update(checkpoints).where(mine, as_read).values(**new, **again)).rowcount)
