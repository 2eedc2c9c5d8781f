"""The facts that the upload path itself records of a tablet. Read by uploads; those of refused entries are made in keeping.

They are made without loading an aggregate: the tablet's state row, which is compared and moved on in the same transaction, has its version.
"""

import base64
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain.aggregate import Act
from domain.clock import utc_text
from domain.tablet import Tablet
from service.ledger.mapper import draft_of
from service.ledger.store import Draft, Head
from service.ledger.tree import Frontier
from service.sync.batch import Seal
from service.sync.clocks import Clocks

# The library's metaclass makes the events' constructors, which a type checker cannot see.
UPLOADED: Any = Tablet.Uploaded
FORKED: Any = Tablet.Forked


def b64(plain: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(plain).decode()


def standing_facts(head: Head | None, state: Any) -> dict[str, Any]:
    """What we hold of a tablet: enough to see whether it is the same history, and to go on from there."""
    frontier = Frontier.from_bytes(state.frontier)
    return {
        "size": frontier.size,
        "root": b64(frontier.root()),
        "frontier": [b64(root) for root in frontier.roots],
        "incarnation": head.incarnation if head else None,
    }


def act_of_the_service(state: Any, received_at: datetime, zone: ZoneInfo) -> Act:
    """What a fact about the tablet itself records of its act: the service says it, of the person who holds the tablet."""
    day = received_at.astimezone(zone).date().isoformat()
    return Act(str(state.person), "system", utc_text(received_at), day, (), str(state.tablet))


def uploaded_draft(state: Any, seal: Seal, clocks: Clocks, zone: ZoneInfo, size: int, refused: int) -> Draft:
    """One batch was taken in whole."""
    act = act_of_the_service(state, clocks.received_at, zone)
    event = UPLOADED(
        originator_id=state.tablet,
        originator_version=state.stream_version + 1,
        timestamp=clocks.received_at,
        seal=seal.note,
        first=state.size,
        size=size,
        recorded=size - state.size - refused,
        refused=refused,
        waiting=seal.waiting,
        skew_ms=clocks.skew_ms,
        sent_at=seal.sent_at,
        **act.recorded(),
    )
    return draft_of(event)


def forked_draft(state: Any, seal: Seal, act: Act, ours: Frontier, kept: int) -> Draft:
    """The tablet told two histories; ours is the one that stands."""
    event = FORKED(
        originator_id=state.tablet,
        originator_version=state.stream_version + 1,
        timestamp=None,
        seal=seal.note,
        size=ours.size,
        root=b64(ours.root()),
        kept=kept,
        **act.recorded(),
    )
    return draft_of(event)
