"""The state of a tablet as the upload path reads it and moves it on. Read by uploads and by whoever looks a token up.

Plain statements on the driver's connection: these run once or twice for every batch of every tablet.
"""

from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from service.database import looking
from service.ledger.bulk import on_sqlite
from service.ledger.note import Verifier, verifier_of_tablet


class State(NamedTuple):
    """One row of tablet_states."""

    ledger: str
    tablet: UUID
    person: UUID
    area: str
    origin: str
    public_key: bytes
    algorithm: str
    status: str
    last_valid: int | None
    size: int
    frontier: bytes
    stream_version: int

    @property
    def verifier(self) -> Verifier:
        """What opens this tablet's seals."""
        return verifier_of_tablet(self.origin, self.public_key, self.algorithm)


class LostRace(Exception):
    """Somebody moved the tablet's state on since it was read."""


SELECT = f"SELECT {', '.join(State._fields)} FROM tablet_states WHERE "
BY_TOKEN = SELECT + "token_hash = ?"
BY_NAME = SELECT + "ledger = ? AND tablet = ?"
MOVE = (
    "UPDATE tablet_states SET size = ?, frontier = ?, stream_version = ?, status = ? "
    "WHERE ledger = ? AND tablet = ? AND size = ? AND stream_version = ? AND status = ?"
)
ON_POSTGRES = {each: each.replace("?", "%s") for each in (BY_TOKEN, BY_NAME, MOVE)}


def state_of_token(database: sa.Engine, token_hash: str) -> State | None:
    """The state of the tablet that bears the token."""
    return _find(database, BY_TOKEN, token_hash)


def state_now(database: sa.Engine, known: State) -> State:
    """The state of a tablet as it is now."""
    found = _find(database, BY_NAME, known.ledger, known.tablet)
    if found is None:
        raise LookupError(f"the tablet {known.tablet} has no state any more")
    return found


def _find(database: sa.Engine, statement: str, *values: Any) -> State | None:
    with looking(database) as driver:
        if on_sqlite(driver):
            row = driver.execute(statement, [_hex(value) for value in values]).fetchone()
            return State(row[0], UUID(row[1]), UUID(row[2]), *row[3:]) if row else None
        row = driver.execute(ON_POSTGRES[statement], values, binary=True).fetchone()
        return State(*row) if row else None


def move(driver: Any, state: State, size: int, frontier: bytes, status: str) -> Any:
    """Moves the state on, if it is still the one that was read: the cursor's rowcount, once it is known, is then 1."""
    values = (size, frontier, state.stream_version + 1, status, state.ledger, state.tablet, state.size, state.stream_version, state.status)
    if on_sqlite(driver):
        return driver.execute(MOVE, [_hex(value) for value in values])
    return driver.execute(ON_POSTGRES[MOVE], values)


def _hex(value: Any) -> Any:
    return value.hex if isinstance(value, UUID) else value
