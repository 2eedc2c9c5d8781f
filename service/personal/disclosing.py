"""Makes disclosures of what is said at the console: plain text comes over TLS, digests go into the event, values into the vault.

Read by the use cases. A console has no outbox of its own, so the service does here what a tablet does before it seals: in the transaction
that records the event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from domain.personal import FIELDS, disclosed, pairs_of, value_fault, values_apart
from service.personal.brought import note_brought
from service.personal.vault import Kept, Outcome, Vault
from service.sync.refusals import InvalidField


class SubjectGone(Exception):
    """Whom a value is about was erased, and takes nothing new. Nothing was recorded."""


@dataclass
class Saying:
    """What one person says at the console in one act: the values that wait for the transaction. fresh: the known subject was erased."""

    by: str
    kept: list[Kept] = field(default_factory=list)
    fresh: bool = False

    def hide(self, ledger: str, topic: str, said: Mapping[str, Any], *, private: bool, subject: str | None) -> dict[str, Any]:
        """What the event says: of a private matter no text, and of nothing a personal value. InvalidField where a value has not its form.

        said may hold ``personal``, a list of ``{"field", "value", "subject"?}``. Whom nothing is said of is whom the case is about, or
        somebody new under a random id.
        """
        rest = {name: value for name, value in said.items() if name != "personal"}
        apart: dict[str, list[Any]] = {}
        if private:
            rest, apart = values_apart(topic, rest)
        about = str(uuid4()) if self.fresh or subject is None else subject
        told = [(about, *pair) for pair in pairs_of(apart)]
        told += [(each.get("subject") or about, each["field"], each["value"]) for each in said.get("personal") or ()]
        self.kept = []
        items = []
        for at, (whom, name, value) in enumerate(told):
            wrong = value_fault(name, value) if name in FIELDS else None
            if wrong:
                raise InvalidField(wrong, field=name, pointer=f"/personal/{max(0, at - len(told) + len(said.get('personal') or ()))}/value")
            (item,), (text,) = disclosed(whom, [(name, value)])
            items.append(item)
            self.kept.append(Kept(ledger, UUID(whom), name, item["digest"], text))
        return {**rest, "personal": items} if items else rest

    def keep(self, conn: sa.Connection, vault: Vault, now: datetime) -> None:
        """Keeps the values in the transaction that records the event. SubjectGone where one may not be kept: then record nothing."""
        if not self.kept:
            return
        if any(outcome != Outcome.KEPT for outcome in vault.keep(conn, self.kept).values()):
            raise SubjectGone
        note_brought(conn, self.kept, self.by, now, named=True)
