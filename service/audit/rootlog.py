"""The root log: a tree whose entries are the ledgers' signed checkpoints, verbatim. Read by the publisher; witnesses cosign it.

One cosigned checkpoint of it covers every ledger of the city, and leaving one out shows.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from domain.clock import parse_utc, utc_text
from service.audit.tables import OF_LEDGERS, ROOT, Published, checkpoints, root_entries, root_logs
from service.ledger.bulk import insert_unless_present
from service.ledger.tree import EMPTY_ROOT, Frontier, leaf_hashes

C = checkpoints.c
HEAD = sa.select(root_logs).where(root_logs.c.ledger == ROOT).with_for_update()


def begin(conn: sa.Connection) -> None:
    """Makes the empty root log, unless there is one."""
    first = {"size": 0, "frontier": Frontier().to_bytes(), "root": EMPTY_ROOT, "incarnation": new_incarnation(), "recorded_at": ""}
    conn.execute(insert_unless_present(conn, root_logs).values(ledger=ROOT, **first))


def new_incarnation() -> str:
    """A name that no incarnation had before."""
    return secrets.token_hex(8)


def begin_incarnation(conn: sa.Connection) -> str:
    """Gives the root log another origin, after a backup was restored that lacks what was signed. Its entries stay, as the ledgers' do."""
    incarnation = new_incarnation()
    conn.execute(sa.update(root_logs).values(incarnation=incarnation))
    conn.execute(sa.update(checkpoints).values(rooted=-1))
    return incarnation


def due(conn: sa.Connection, now: datetime, every_s: float) -> bool:
    """Whether some ledger's published checkpoint is not in the root log yet, and the last append is long enough ago."""
    last = conn.scalar(sa.select(root_logs.c.recorded_at).where(root_logs.c.ledger == ROOT))
    if last and parse_utc(last) + timedelta(seconds=every_s) > now:
        return False
    return conn.execute(OF_LEDGERS.where(C.size != C.rooted).limit(1)).first() is not None


def grow(conn: sa.Connection, now: datetime, every_s: float, may_go_on: Any) -> int:
    """Appends what is new; gives how many entries. Of several processes one appends; the others find nothing due under the held head.

    may_go_on(log, incarnation, size, frontier) raises where the log is behind what was signed of it.
    """
    begin(conn)
    head = conn.execute(HEAD).one()
    if not due(conn, now, every_s):
        return 0
    new = [Published(*row) for row in conn.execute(OF_LEDGERS.where(C.size != C.rooted).order_by(C.ledger))]
    may_go_on(ROOT, head.incarnation, head.size, head.frontier)
    _append(conn, head, [each.note.encode() for each in new], max(utc_text(now), head.recorded_at))
    for each in new:
        mine = (C.ledger == each.log) & (C.incarnation == each.incarnation)
        conn.execute(sa.update(checkpoints).where(mine).values(rooted=each.size))
    return len(new)


def _append(conn: sa.Connection, head: Any, entries: Sequence[bytes], at: str) -> None:
    frontier = Frontier.from_bytes(head.frontier)
    frontier.extend(leaf_hashes(entries))
    rows = [{"ledger": ROOT, "position": position, "entry": entry} for position, entry in enumerate(entries, head.size)]
    conn.execute(sa.insert(root_entries), rows)
    moved = {"size": frontier.size, "frontier": frontier.to_bytes(), "root": frontier.root(), "recorded_at": at}
    conn.execute(sa.update(root_logs).where(root_logs.c.ledger == ROOT).values(**moved))
