"""What the database keeps of each tablet says what the ledgers say. Read by the run, for a database."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.sources import Source
from service.audit.verifying.walking import Walked
from service.database import reading
from service.ledger.note import unbase64
from service.ledger.tables import ledgers
from service.sync.tables import REVOKED, tablet_states


def compare_states(source: Source, knowledge: Knowledge, walked: Mapping[str, Walked], findings: Findings) -> None:
    """Compares every row of tablet_states; those of ledgers that grew meanwhile are left out."""
    with reading(source.engine) as conn:  # type: ignore[attr-defined]
        sizes: dict[str, int] = {ledger: size for ledger, size in conn.execute(sa.select(ledgers.c.ledger, ledgers.c.size))}
        still = {ledger for ledger, each in walked.items() if sizes.get(ledger) == each.size}
        query = sa.select(tablet_states).order_by(tablet_states.c.ledger, tablet_states.c.tablet)
        rows: list[dict[str, Any]] = [dict(row._mapping) for row in conn.execute(query)]
    there = set()
    for row in rows:
        there.add(str(row["tablet"]))
        if row["ledger"] in still:
            findings.checked["tablets' states"] += 1
            _compare(row, knowledge, walked[row["ledger"]], findings)
    for tablet, enrolled in knowledge.tablets.items():
        if tablet not in there and enrolled.ledger in still:
            findings.add("state_wrong", enrolled.ledger, None, f"tablet {tablet} is enrolled and has no state")


def _compare(row: Mapping[str, Any], knowledge: Knowledge, walked: Walked, findings: Findings) -> None:
    tablet, ledger = str(row["tablet"]), row["ledger"]
    enrolled = knowledge.tablets.get(tablet)
    if enrolled is None or enrolled.ledger != ledger:
        findings.add("state_wrong", ledger, None, f"tablet {tablet} has a state and was never enrolled here")
        return
    timeline = knowledge.last_valid.get(tablet)
    last_valid = timeline.last(None) if timeline is not None else None
    right: dict[str, Any] = {
        "person": enrolled.person,
        "area": enrolled.area,
        "origin": enrolled.origin,
        "public_key": unbase64(enrolled.public_key),
        "algorithm": enrolled.algorithm,
    }
    if tablet in walked.tablets:
        right["size"], right["frontier"] = walked.tablets[tablet]
    if last_valid is not None or row["status"] == REVOKED:
        right["last_valid"] = last_valid
    for name, value in right.items():
        found = str(row[name]) if name == "person" else row[name]
        if found != value:
            findings.add("state_wrong", ledger, None, f"{name} of tablet {tablet} is not what the ledger says")
