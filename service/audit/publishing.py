"""The publisher: signs the head of every log that grew and stores it for outsiders. Read by the engine's process and the tests.

Several may work at once, in threads and in processes. What makes that safe: only committed heads are signed, Ed25519 is deterministic,
each is written to the journal before (``watermark``), and the stored checkpoint moves by compare-and-swap: never back, and never to
another root of one size.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from domain.clock import utc_text
from service.audit import rootlog
from service.audit.tables import NEVER_ROOTED, ROOT, Published, all_published, checkpoints, heads_of
from service.audit.tiles import NotRecorded
from service.audit.timestamps import Timestamps
from service.audit.witnessing import Witnesses
from service.database import reading, writing
from service.ledger.bulk import insert_unless_present
from service.ledger.note import split_note
from service.ledger.store import Head, HistoryBehind

log = logging.getLogger(__name__)

C = checkpoints.c
Due = tuple[Head, Published | None]
COUNTED = {"preserve_rowcount": True}


class Publisher:
    """Publishes the checkpoints of one database's logs. Holds no state beside its pieces and who of the witnesses is away."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database: sa.Engine = gridtrail.database
        self.config = gridtrail.config
        self.clock = gridtrail.clock
        self.witnesses = Witnesses(gridtrail)
        self.timestamps = Timestamps(gridtrail)

    def turn(self) -> int:
        """Publishes every log that grew, and the root log when it is due; then asks the witnesses. Gives how many were published."""
        published = self.publish()
        self.follow_up()
        return published

    def follow_up(self) -> None:
        """What others put to the root log's checkpoint. They may be slow or away; nothing else waits for them."""
        self.witnesses.turn()
        self.timestamps.turn()

    def publish(self) -> int:
        """Publishes every log that grew, and the root log when it is due. Gives how many checkpoints were published."""
        self.gridtrail.watermark.journal.tend()
        published = self._publish(self._due(self._heads()))
        if self._grow_root():
            published += self._publish(self._due([head for head in self._heads() if head.ledger == ROOT]))
        return published

    def run(self, stop: threading.Event) -> None:
        """Publishes until told to stop, and beside it asks the witnesses."""
        beside = threading.Thread(target=self._again, args=(stop, self.follow_up), name="witnesses")
        beside.start()
        self._again(stop, self.publish)
        beside.join()

    def _again(self, stop: threading.Event, work: Callable[[], Any]) -> None:
        """Takes turns until told to stop. Whatever the database does, it tries again, later each time."""
        pause = self.config.publish_s
        while not stop.is_set():
            try:
                work()
                pause = self.config.publish_s
            except Exception:
                log.exception("the publisher could not take a turn; it tries again")
                pause = min(pause * 2, 60.0)
            stop.wait(pause)

    # ---- what is due

    def _heads(self) -> list[Head]:
        with reading(self.database) as conn:
            return heads_of(conn)

    def _due(self, heads: Iterable[Head]) -> list[Due]:
        """The heads that are to be signed, with what stands published. What is not the history that was signed is left alone, loudly."""
        with reading(self.database) as conn:
            stand = all_published(conn)
            due = [(head, stand.get(head.ledger)) for head in heads if head.size and self._must_be_signed(head, stand.get(head.ledger))]
            behind = {each.ledger for each in self.gridtrail.watermark.check(conn, [head for head, _ in due])}
            for ledger in behind:
                log.error("log %s is behind what was signed of it; its checkpoint is not published", ledger)
        return [each for each in due if each[0].ledger not in behind and self._is_what_it_says(each[0])]

    def _must_be_signed(self, head: Head, last: Published | None) -> bool:
        """A log that grew, or whose checkpoint bears another name or key than the present one."""
        if last is None or head.size > last.size:
            return True
        if head.size < last.size or head.root != last.root:
            log.error("log %s is not what was published of it: size %d against %d", head.ledger, head.size, last.size)
            return False
        signer = self.gridtrail.watermark.signer(head.ledger, head.incarnation)
        return not any((name, key) == (signer.name, signer.verifier.id) for name, key, _ in split_note(last.note)[1])

    def _is_what_it_says(self, head: Head) -> bool:
        """Whether the stored entries make the root that is about to be signed: what is signed can never be taken back."""
        self.gridtrail.tiles.keep_up(head.ledger, head.size)
        with reading(self.database) as conn, suppress(NotRecorded):
            if self.gridtrail.tiles.root(conn, head.ledger, head.size) == head.root:
                return True
        log.error("the stored entries of log %s do not make the root of its head; its checkpoint is not published", head.ledger)
        return False

    # ---- publishing

    def _publish(self, due: list[Due]) -> int:
        """Signs committed heads and moves what is published. Gives how many moved; those that another was faster with are left."""
        signed = [(head, last, note) for head, last in due if (note := self._signed(head))]
        if not signed:
            return 0
        self.gridtrail.watermark.journal.sync()
        now = utc_text(self.clock())
        with writing(self.database) as conn:
            # In the order in which the root log takes them: another one could deadlock with it.
            return sum(_swap(conn, head, last, note, now) for head, last, note in sorted(signed, key=lambda each: each[0].ledger))

    def _signed(self, head: Head) -> str | None:
        try:
            (note,) = self.gridtrail.watermark.sign([head])
        except HistoryBehind:
            return None
        return str(note)

    def _grow_root(self) -> bool:
        """Appends to the root log when it is due; False where it stays as it is."""
        now, every_s = self.clock(), self.config.root_log_s
        with reading(self.database) as conn:
            if not rootlog.due(conn, now, every_s):
                return False
        try:
            with writing(self.database) as conn:
                return rootlog.grow(conn, now, every_s, self.gridtrail.watermark.must_go_on) > 0
        except HistoryBehind as behind:
            log.error("the root log does not grow: %s", behind)
            return False


def _swap(conn: sa.Connection, head: Head, last: Published | None, note: str, now: str) -> int:
    """Compare-and-swap: 1 where the checkpoint is published now, 0 where another moved it meanwhile."""
    new = {"origin": note.split("\n", 1)[0], "size": head.size, "root": head.root, "note": note, "signed_at": now}
    if last is None:
        first = {"ledger": head.ledger, "incarnation": head.incarnation, "rooted": NEVER_ROOTED, **new}
        return int(conn.execute(insert_unless_present(conn, checkpoints).values(first), execution_options=COUNTED).rowcount)
    mine = sa.and_(C.ledger == head.ledger, C.incarnation == head.incarnation)
    as_read = sa.and_(C.size == last.size, C.root == last.root, C.note == last.note)
    # A checkpoint that is signed anew under another key or name is to enter the root log as well.
    again = {"rooted": NEVER_ROOTED} if head.size == last.size and head.ledger != ROOT else {}
    return int(conn.execute(sa.update(checkpoints).where(mine, as_read).values(**new, **again)).rowcount)
