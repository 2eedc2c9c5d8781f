"""How far each read model has come in each ledger, in positions and in seconds. Read by operators, the health page and the metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from domain.clock import parse_utc
from projections.tables import PROGRESS
from projections.turn import Reader, decode


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a read model has come in a ledger. waiting_since: when the oldest event that it has not folded was recorded."""

    ledger: str
    read_model: str
    position: int
    size: int
    waiting_since: str | None = None
    seconds_behind: float = 0.0
    parked_position: int | None = None
    parked_error: str | None = None
    parked_at: str | None = None

    @property
    def behind(self) -> int:
        """Events recorded and not yet folded."""
        return max(0, self.size - self.position)


def standings(conn: sa.Connection, reader: Reader, names: Sequence[str], now: datetime) -> list[Standing]:
    """One for each ledger and read model. Three statements, however many ledgers there are."""
    sizes = reader.ledgers(conn)
    known = {(row.ledger, row.read_model): row for row in conn.execute(sa.select(PROGRESS))}
    stands = [(ledger, name, known.get((ledger, name))) for ledger in sorted(sizes) for name in names]
    since = _recorded_at(conn, reader, {(ledger, _position(row)) for ledger, _, row in stands if _position(row) < sizes[ledger]})
    return [_standing(ledger, name, sizes[ledger], row, since.get((ledger, _position(row))), now) for ledger, name, row in stands]


def _position(row: Any) -> int:
    return row.position if row is not None else 0


def _recorded_at(conn: sa.Connection, reader: Reader, waiting: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """When the events at which read models stand were recorded."""
    asked = sorted(waiting)
    found = {}
    for (ledger, position), lines in zip(asked, reader.stretches(conn, [(*each, each[1] + 1) for each in asked]), strict=True):
        events, _ = decode(ledger, position, lines)
        if events:
            found[ledger, position] = events[0].recorded_at
    return found


def _standing(ledger: str, name: str, size: int, row: Any, waiting: str | None, now: datetime) -> Standing:
    """row: of progress, or None where the read model has not begun there."""
    seconds = 0.0 if waiting is None else max(0.0, (now - parse_utc(waiting)).total_seconds())
    parked = (row.parked_position, row.parked_error, row.parked_at) if row is not None else ()
    return Standing(ledger, name, _position(row), size, waiting, seconds, *parked)
