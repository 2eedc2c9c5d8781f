"""How far each read model is behind in each ledger, in one statement. Read by /metrics at each scrape and by readiness.

Cheap whatever the history's length: the ledgers' heads and the positions are small tables, and for a read model that is behind one more
row is looked up by its key. Follower.status tells the same to operators, with what went wrong.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from domain.clock import parse_utc
from projections.tables import PROGRESS
from service.ledger.tables import events, ledgers


@dataclass(frozen=True, slots=True)
class Lag:
    """A read model in a ledger: events not folded yet, the age of the oldest of them, and whether an event has stopped it."""

    ledger: str
    read_model: str
    positions: int
    seconds: float
    parked_position: int | None
    parked_at: str | None


P = PROGRESS.c
ALL = (
    sa.select(ledgers.c.ledger, ledgers.c.size, P.read_model, P.position, P.parked_position, P.parked_at, events.c.recorded_at)
    .select_from(
        ledgers.outerjoin(
            PROGRESS, sa.and_(P.ledger == ledgers.c.ledger, P.read_model.in_(sa.bindparam("names", expanding=True)))
        ).outerjoin(
            events,
            sa.and_(
                events.c.ledger == ledgers.c.ledger,
                events.c.position == sa.func.coalesce(P.position, 0),
                ledgers.c.size > sa.func.coalesce(P.position, 0),
            ),
        )
    )
    .order_by(ledgers.c.ledger)
)


def lags(conn: sa.Connection, read_models: Collection[str], now: datetime) -> list[Lag]:
    """The lag of every read model in every ledger. One that has not begun in a ledger is behind by all of it."""
    found: list[Lag] = []
    seen: dict[str, set[str]] = {}
    sizes: dict[str, tuple[int, str | None]] = {}
    for ledger, size, name, position, parked_position, parked_at, since in conn.execute(ALL, {"names": list(read_models)}):
        begun = seen.setdefault(ledger, set())
        if name is None:
            sizes[ledger] = (size, since)
            continue
        begun.add(name)
        sizes.setdefault(ledger, (size, None))
        found.append(Lag(ledger, name, max(0, size - position), _age(since, now), parked_position, parked_at))
    for ledger, begun in seen.items():
        size, since = sizes[ledger]
        found += [Lag(ledger, name, size, _age(since, now), None, None) for name in read_models if name not in begun]
    return found


def _age(since: str | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - parse_utc(since)).total_seconds())
