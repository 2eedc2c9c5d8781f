"""What a tablet asks to be a witness: its own lines with proofs under the published checkpoint, and that the ledger only grew.

Read by the sync routes. Not on the path of a receipt: a proof reads tiles and hashes up to 255 entries, which would cost an upload more
than all the rest of it; and a receipt signs the head of this moment, while proofs are made under checkpoints that everybody gets.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from service.audit.tables import Published, published
from service.audit.tiles import View
from service.database import reading
from service.ledger.tables import events
from service.problems import CATALOGUE, Problem
from service.scope import OutOfScope
from service.sync.facts import b64

log = structlog.get_logger(__name__)

MOST_POSITIONS = 500
MOST_LINE_BYTES = 2_097_152
"""Bytes of lines in one answer; what does not fit is asked for again."""

CATALOGUE["not_published"] = (404, "No published checkpoint reaches so far yet")

E = events.c
MINE = (E.ledger == sa.bindparam("ledger"), E.tablet == sa.bindparam("tablet"), E.seq.is_not(None))
LINES = sa.select(E.position, E.line).where(*MINE, E.position.in_(sa.bindparam("positions", expanding=True))).order_by(E.position)
ANY = sa.select(E.position).where(*MINE).limit(1)


class TabletProofs:
    """Answers tablets. Holds no state."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def of(self, state: Any, ledger: str, positions: Iterable[int], seen: dict[str, Any] | None) -> dict[str, Any]:
        """Checkpoint, consistency with what the tablet saw, and the lines at positions with their proofs.

        Lines beyond the checkpoint, or beyond what one answer holds, are left out. consistency is None where the tablet saw more than is
        published. OutOfScope where a position is not this tablet's, or nothing of the ledger is; Problem not_published.
        """
        wanted = sorted(set(positions))
        with reading(self.gridtrail.database) as conn:
            lines = self._lines(conn, state, ledger, wanted)
            point = published(conn, ledger)
            if point is None:
                raise Problem("not_published", f"No checkpoint of {ledger} is published yet. Ask later.")
            view = self.gridtrail.tiles.view(conn, ledger, point.size)
            told = _that_fit([each for each in lines if each[0] < point.size])
            view.expect(position for position, _ in told)
            return {
                "checkpoint": point.note,
                "consistency": self._consistency(conn, view, point, seen, state) if seen else [],
                "entries": [
                    {"position": position, "line": line.decode(), "proof": [b64(each) for each in view.inclusion(position)]}
                    for position, line in told
                ],
            }

    def _lines(self, conn: sa.Connection, state: Any, ledger: str, wanted: Sequence[int]) -> list[tuple[int, bytes]]:
        mine = {"ledger": ledger, "tablet": state.tablet}
        lines = [(position, bytes(line)) for position, line in conn.execute(LINES, {**mine, "positions": wanted})] if wanted else []
        if len(lines) != len(wanted):
            raise OutOfScope
        # Receipts always name the tablet's own ledger, so it may ask about that one before it has an entry there.
        if not wanted and ledger != state.ledger and conn.scalar(ANY, mine) is None:
            raise OutOfScope
        return lines

    def _consistency(self, conn: sa.Connection, view: View, point: Published, seen: dict[str, Any], state: Any) -> list[str] | None:
        size = seen["size"]
        if size > point.size:
            return None
        if b64(self.gridtrail.tiles.root(conn, point.log, size)) != seen["root"]:
            # The tablet finds out by itself; here somebody should hear of it too, whether our history or the tablet's claim is wrong.
            log.error("tablet_saw_another_root", tablet=str(state.tablet), ledger=point.log, size=size, root=seen["root"])
        return [b64(each) for each in view.consistency(size)]


def _that_fit(lines: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The first lines that one answer holds; always one where there is one."""
    room = MOST_LINE_BYTES
    found: list[tuple[int, bytes]] = []
    for position, line in lines:
        room -= len(line)
        if found and room < 0:
            break
        found.append((position, line))
    return found


def is_root(text: str) -> bool:
    """Whether a text is base64 of 32 bytes, as a root is written."""
    try:
        plain = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(plain) == 32 and b64(plain) == text
