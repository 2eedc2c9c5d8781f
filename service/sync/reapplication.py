"""Decides a refused entry once more, for the use case that re-applies it. Read by service.inspection."""

from typing import Any

import sqlalchemy as sa

from domain.clock import parse_utc
from domain.tablet import Refused
from projections.recorded import read_line
from service.inspection import Inspection
from service.sync.batch import fault_of_entry
from service.sync.deciding import Deciding
from service.sync.history import leaf_of


class Reapplication:
    """Decides a refused entry once more, for the use case that re-applies it."""

    def __init__(self, inspection: Inspection, conn: sa.Connection) -> None:
        self.inspection = inspection
        self.conn = conn

    def decide(self, kept: Refused, entry: dict[str, Any], books: Any) -> tuple[str, Any]:
        """The ledger, and the aggregate with the event pending that the kept entry becomes. Refusal where it still cannot be one."""
        fault = fault_of_entry(entry)
        if fault is not None:
            raise fault
        line = self.inspection.ledgers.streams(self.conn, kept.area[:9], [kept.id])[kept.id][0]
        state = read_line(line).state
        deciding = Deciding(
            self.inspection.config.zone, lambda ledger, _: self.inspection.books(self.conn, ledger), kept.person, state["tablet"]
        )
        deciding.load(self.conn.connection.driver_connection, [entry], also_new=True)
        act = deciding.admit(entry, leaf_of(line), parse_utc(state["happened_at"]))
        return entry["area"][:9], deciding.decide(entry, act)
