"""The answer to a batch: what became of each entry, and the signed state of each ledger that took one. Read by uploads.

Only what is committed is signed, and only once the journal outside of the database says so: a checkpoint can never be taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.clock import utc_text
from domain.errors import Refusal
from domain.tablet import Refused
from service.ledger.store import Appended, Head, Ledgers
from service.ledger.tree import Frontier
from service.sync.batch import Batch, Line
from service.sync.clocks import Clocks
from service.sync.facts import b64
from service.sync.history import facts_of
from service.sync.keeping import MOST_DETAIL


@dataclass(slots=True)
class Decided:
    """One entry's outcome, before it has a position."""

    line: Line
    ledger: str
    index: int
    refusal: Refusal | None


class Receipts:
    """Makes receipts."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.ledgers: Ledgers = gridtrail.ledgers

    def of(
        self,
        conn: sa.Connection | None,
        state: Any,
        frontier: Frontier,
        batch: Batch,
        clocks: Clocks,
        decided: Sequence[Decided],
        appended: dict[str, Appended],
    ) -> dict[str, Any]:
        """The receipt for a batch whose last entries were decided now, and whose first ones, if any, were known.

        conn is needed only for what was known: everything else was appended a moment ago.
        """
        base, known = batch.seal.base_size, len(batch.lines) - len(decided)
        rows = recorded_entries(self.ledgers, conn, state.tablet, base, base + known - 1) if known and conn else []
        outcomes = [_duplicate(row) for row in rows] + [_outcome(each, appended) for each in decided]
        heads: dict[str, Head | Appended] = dict(appended)
        for name in {each["ledger"] for each in outcomes} | {state.ledger}:
            head = self.ledgers.head(conn, name) if conn and name not in heads else None
            if head is not None:
                heads[name] = head
        signed = [heads[name] for name in sorted(heads)]
        notes = self.gridtrail.watermark.sign(signed)
        return {
            "tablet": str(state.tablet),
            "size": frontier.size,
            "root": b64(frontier.root()),
            "outcomes": outcomes,
            "ledgers": [_signed(head, note) for head, note in zip(signed, notes, strict=True)],
            "received_at": utc_text(clocks.received_at),
            "skew_ms": clocks.skew_ms,
        }


def _signed(head: Head | Appended, note: str) -> dict[str, Any]:
    return {"ledger": head.ledger, "incarnation": head.incarnation, "size": head.size, "root": b64(head.root), "checkpoint": note}


def recorded_entries(ledgers: Ledgers, conn: sa.Connection, tablet: UUID, first: int, last: int) -> list[tuple[int, str, int, str, bytes]]:
    """One recorded line for each entry, its first outcome: a re-applied refusal bears the same number later."""
    found: dict[int, tuple[int, str, int, str, bytes]] = {}
    for row in ledgers.uploaded(conn, tablet, first, last):
        if row[0] not in found or row[3] == Refused.Kept.TOPIC:
            found[row[0]] = row
    return [found[seq] for seq in sorted(found)]


def _outcome(decided: Decided, appended: dict[str, Appended]) -> dict[str, Any]:
    position = appended[decided.ledger].first + decided.index
    found: dict[str, Any] = {"seq": decided.line.seq, "outcome": "recorded", "ledger": decided.ledger, "position": position}
    if decided.refusal is not None:
        found |= _refusal(decided.refusal.code, decided.refusal.detail, decided.refusal.facts)
    return found


def _refusal(code: str, detail: str, facts: dict[str, Any] | None) -> dict[str, Any]:
    told = {"outcome": "refused", "code": code, "detail": detail[:MOST_DETAIL]}
    return {**told, "pointer": facts["pointer"]} if facts and "pointer" in facts else told


def _duplicate(row: Sequence[Any]) -> dict[str, Any]:
    seq, ledger, position, topic, line = row
    found = {"seq": seq, "outcome": "duplicate", "first_outcome": "recorded", "ledger": ledger, "position": position}
    if topic == Refused.Kept.TOPIC:
        state = facts_of(line)
        found |= _refusal(state["code"], state["detail"], state.get("facts"))
        found |= {"outcome": "duplicate", "first_outcome": "refused"}
    return found
