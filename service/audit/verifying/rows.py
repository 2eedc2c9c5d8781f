"""Each read model equals a fresh fold of the ledger. Read by the run, for a database.

The fold is the one by which read models are rebuilt: beyond a bound its rows stand in a scratch file, so memory does not grow.
"""

from typing import Any

import sqlalchemy as sa

from projections import READ_MODELS
from projections.rebuilt import Rebuilt, Scratch
from projections.tables import PROGRESS
from projections.turn import Stand, Target, decode, dispatch, without_collector
from service.audit.verifying.faults import Findings
from service.ledger.stretches import read_stretches

STRETCH = 2000
MOST_TOLD = 20


def compare_rows(conn: sa.Connection, ledger: str, findings: Findings) -> None:
    """Folds every read model of a ledger up to where it stands, and compares its rows."""
    stands = _stands(conn, ledger, findings)
    with without_collector(), Scratch() as scratch:
        parts = {name: Rebuilt(Target(name, READ_MODELS[name]), ledger, conn.dialect.name, scratch) for name in stands}
        _fold(conn, ledger, parts, stands, findings)
        for name, part in parts.items():
            if part.failed is None:
                part.compare(conn, exact=True)
                _tell(conn, ledger, name, part, findings)


def _stands(conn: sa.Connection, ledger: str, findings: Findings) -> dict[str, int]:
    """How far each read model says that it is. One that is behind is compared as far as it came, and that is said."""
    from service.ledger.tables import events

    size = conn.scalar(sa.select(sa.func.coalesce(sa.func.max(events.c.position) + 1, 0)).where(events.c.ledger == ledger)) or 0
    P = PROGRESS.c
    rows = conn.execute(sa.select(P.read_model, P.position, P.parked_position).where(P.ledger == ledger))
    found = {row.read_model: row for row in rows if row.read_model in READ_MODELS}
    stands = {}
    for name in READ_MODELS:
        row = found.get(name)
        position = row.position if row is not None else 0
        if position > size:
            findings.add("progress_wrong", ledger, None, f"{name} says that it folded {position} events of {size}")
            position = size
        elif position < size:
            parked = f", parked at {row.parked_position}" if row is not None and row.parked_position is not None else ""
            findings.notes.append(f"{ledger}: {name} has folded {position} of {size} events{parked}; it was compared so far")
        stands[name] = position
    return stands


def _fold(conn: sa.Connection, ledger: str, parts: dict[str, Rebuilt], stands: dict[str, int], findings: Findings) -> None:
    position, end = 0, max(stands.values(), default=0)
    while position < end:
        (lines,) = read_stretches(conn, [(ledger, position, min(end, position + STRETCH))])
        events, broken = _decoded(ledger, position, lines)
        for name, mine in _shares(parts, events):
            part = parts[name]
            part.fold([event for event in mine if event.position < stands[name]] if stands[name] < end else mine)
            if part.failed is not None:
                findings.add("fold_failed", ledger, None, f"{name}: {part.failed}")
        if broken is not None or not lines:
            findings.notes.append(f"{ledger}: the read models were compared no further than {position + len(events)}: {broken}")
            for part in parts.values():
                part.failed = part.failed or "not folded to its end"
            return
        position += len(lines)


def _decoded(ledger: str, position: int, lines: list[bytes]) -> tuple[list[Any], str | None]:
    try:
        return decode(ledger, position, lines)
    except RuntimeError as wrong:
        return [], str(wrong)


def _shares(parts: dict[str, Rebuilt], events: list[Any]) -> list[tuple[str, list[Any]]]:
    going = [Stand("", part.target, 0) for part in parts.values() if part.failed is None]
    return [(stand.target.name, mine) for stand, mine in dispatch(going, events)]


def _tell(conn: sa.Connection, ledger: str, name: str, part: Rebuilt, findings: Findings) -> None:
    findings.checked["read models"] += 1
    if part.wrong is None:
        findings.add("row_wrong", ledger, None, f"{name}: more rows differ from a fresh fold than are worth telling apart")
        return
    for number, key in enumerate(sorted(part.wrong, key=str)):
        position = _position(conn, ledger, part, key) if number < MOST_TOLD else None
        findings.add("row_wrong", ledger, position, f"{name} {' '.join(map(str, key))}")


def _position(conn: sa.Connection, ledger: str, part: Rebuilt, key: tuple[Any, ...]) -> int | None:
    """The event that the row should stand at, by the fresh fold; else what the live row says."""
    names = part.table.columns
    if "position" not in names:
        return None
    row = part.rows.get(key)
    if row is not None:
        found = row["position"] if isinstance(row, dict) else row[names.index("position")]
        return int(found)
    live = part.table.load(conn, {ledger: [key]})[ledger].get(key)
    return int(live["position"]) if live is not None else None
