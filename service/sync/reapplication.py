"""Decides a refused entry once more, for the use case that re-applies it. Read by service.inspection."""

from typing import Any

import orjson
import sqlalchemy as sa

from domain.clock import parse_utc
from domain.tablet import Refused
from projections.recorded import read_line
from service.inspection import CannotBeReapplied, EntryErased, Inspection
from service.sync.batch import ENTRY_MEMBERS, fault_of_entry
from service.sync.deciding import Deciding
from service.sync.keeping import bytes_of, digest_of_kept


class Reapplication:
    """Decides a refused entry once more, for the use case that re-applies it."""

    def __init__(self, inspection: Inspection, conn: sa.Connection) -> None:
        self.inspection = inspection
        self.conn = conn

    def decide(self, kept: Refused, line: bytes, books: Any) -> tuple[str, Any]:
        """The ledger, and the aggregate with the event pending that the kept entry becomes. Refusal where it still cannot be one."""
        recorded = read_line(line)
        raw = self._bytes_of(digest_of_kept(recorded))
        entry = _entry_in(raw)
        fault = fault_of_entry(entry)
        if fault is not None:
            raise fault
        state = recorded.state
        deciding = Deciding(
            self.inspection.config.zone, lambda ledger, _: self.inspection.books(self.conn, ledger), kept.person, state["tablet"]
        )
        deciding.load(self.conn.connection.driver_connection, [entry], also_new=True)
        act = deciding.admit(entry, raw, parse_utc(state["happened_at"]))
        return entry["area"][:9], deciding.decide(entry, act)

    def _bytes_of(self, digest: str) -> bytes:
        """The entry's bytes, from the vault. EntryErased where they are gone."""
        found = self.inspection.vault.open(self.conn, [digest]).get(digest)
        if not isinstance(found, str):
            raise EntryErased
        return bytes_of(found)


def _entry_in(raw: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(raw)
    except orjson.JSONDecodeError:
        entry = None
    if not isinstance(entry, dict) or entry.keys() != ENTRY_MEMBERS:
        raise CannotBeReapplied("The entry's bytes are not an entry at all; it can only be dismissed.")
    return entry
