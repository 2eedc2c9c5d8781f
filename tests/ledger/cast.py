"""What the tests of the ledger share: drafts, and a database that writes are tried on."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from service.database import reading, writing
from service.ledger.store import Appended, Draft, Ledgers
from service.ledger.tree import leaf_hashes, root_of

SUBDISTRICT = "411502001"
NEIGHBOUR = "411502002"


def drafts(number: int, stream: UUID | None = None, first: int = 1, **more: Any) -> list[Draft]:
    """Drafts of one stream's versions from first on."""
    stream = stream or uuid4()
    return [Draft(stream, version, "visit.made", b'{"n":%d}' % version, **more) for version in range(first, first + number)]


def append(store: Ledgers, ledger: str, some: Sequence[Draft]) -> Appended:
    """One append in a transaction of its own."""
    with writing(store.engine) as conn:
        return store.append(conn, ledger, some)


def check_ledger(engine: sa.Engine, ledger: str) -> int:
    """What must hold of a ledger at any time: gapless, ordered in time, and its head is the root of its lines. Gives the size."""
    store = Ledgers(engine)
    with reading(engine) as conn:
        head = store.head(conn, ledger)
        lines = store.lines(conn, ledger, 0, 10**6)
        rows = conn.execute(
            sa.text("SELECT position, recorded_at FROM events WHERE ledger = :ledger ORDER BY position"), {"ledger": ledger}
        ).all()
    if head is None:
        assert lines == []
        return 0
    assert [position for position, _ in rows] == list(range(head.size))
    assert len(lines) == head.size
    assert [moment for _, moment in rows] == sorted(moment for _, moment in rows)
    assert head.root == root_of(leaf_hashes(lines))
    return head.size
