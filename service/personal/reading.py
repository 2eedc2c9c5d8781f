"""Who reads personal values, and what they get: by case or by household, for a task there, and on record. Read by the routes.

An officer reads within the own scope. A worker reads where a task is: a case that is open and held by the worker's unit, reported by the
worker or whistled to the unit; a household of an area where the worker is on duty. Auditors and administrators read none: digests prove
the history without them. Who reads what is not the own work to do names the purpose. Each read is put on record, subject by subject,
before anything is answered.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from domain.personal import read_disclosure
from projections import open_cases, personal_items, refusals, visit_log
from projections.paging import Row
from service.access import purpose_said
from service.database import reading
from service.personal.brought import shown_by
from service.personal.vault import ERASED
from service.problems import CATALOGUE, Problem
from service.scope import OFFICER, WORKER, Actor, OutOfScope, authorise, sight_of
from service.sync.keeping import bytes_of

CATALOGUE.update({"no_task_there": (403, "You have no task there now")})

READ, READ_ENTRY = "personal.read", "refusal.entry"


class Reading:
    """The use case of reading values."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def of_case(self, actor: Actor, case: str) -> dict[str, Any]:
        """The values of a case."""
        with reading(self.gridtrail.database) as conn:
            row = open_cases.get_case(conn, sight_of(actor, READ), case)
            if row is None:
                raise OutOfScope
            purpose = _purpose(_must_have_a_task(actor, row))
            found = self._values(conn, personal_items.of_stream(conn, row["ledger"], case))
        return self._answer(actor, found, row["ledger"], case, purpose)

    def of_household(self, actor: Actor, household: str) -> dict[str, Any]:
        """The values told on visits to a household, latest first, as far as they lie within the reader's scope."""
        with reading(self.gridtrail.database) as conn:
            visits = visit_log.list_visits(conn, sight_of(actor, READ), household=household, limit=1)
            if not visits:
                raise OutOfScope
            (last,) = visits
            purpose = _purpose(authorise(actor, READ, area=last["area"]).role == WORKER)
            rows = personal_items.of_household(conn, last["ledger"], household)
            found = self._values(conn, [row for row in rows if sight_of(actor, READ).covers(row["area"])])
        return self._answer(actor, found, last["ledger"], household, purpose)

    def of_refusal(self, actor: Actor, refusal: str) -> dict[str, Any]:
        """What a refused entry said: the worker's own, or any within the officer's scope. entry is null where it is no JSON object."""
        with reading(self.gridtrail.database) as conn:
            row = self._refusal(conn, actor, refusal)
            purpose = _purpose(row["person"] == actor.person)
            found = self.gridtrail.vault.open(conn, [row["digest"]])[row["digest"]]
        self.gridtrail.access.record(
            None, actor, READ_ENTRY, ledger=row["ledger"], object=refusal, subject=row["subject"], purpose=purpose, rows=1
        )
        told = {"refusal_id": refusal, "subject": row["subject"], "digest": row["digest"], "entry": None, "raw": None}
        if not isinstance(found, str):
            return {**told, "state": "erased" if found is ERASED else "awaited"}
        raw = bytes_of(found)
        try:
            entry = orjson.loads(raw)
        except orjson.JSONDecodeError:
            entry = None
        if isinstance(entry, dict):
            return {**told, "state": "held", "entry": entry}
        return {**told, "state": "held", "raw": read_disclosure(found).value}

    def _refusal(self, conn: sa.Connection, actor: Actor, refusal: str) -> Row:
        row = refusals.get_refusal(conn, sight_of(actor, "refusal.decide"), refusal) or refusals.own_refusal(conn, actor.person, refusal)
        if row is None:
            raise OutOfScope
        return row

    def _values(self, conn: sa.Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Each item with its value, or with what stands in its place: erased for good, or awaited since nobody brought it yet."""
        shown = shown_by(conn, rows)
        opened = self.gridtrail.vault.open(conn, [row["digest"] for row in rows])
        return [_told(row, opened[row["digest"]], row["digest"] in shown) for row in rows]

    def _answer(self, actor: Actor, found: list[dict[str, Any]], ledger: str, thing: str, purpose: str | None) -> dict[str, Any]:
        subjects = list(dict.fromkeys(each["subject"] for each in found))
        for subject in subjects:
            rows = sum(each["subject"] == subject for each in found)
            self.gridtrail.access.record(None, actor, READ, ledger=ledger, object=thing, subject=subject, purpose=purpose, rows=rows)
        if not subjects:
            self.gridtrail.access.record(None, actor, READ, ledger=ledger, object=thing, purpose=purpose, rows=0)
        return {"items": found}


def _purpose(own: bool) -> str | None:
    """Why the values are read. Who has the work to do need not say so each time; anybody else does."""
    said = purpose_said()
    if said is None and not own:
        raise Problem("purpose_needed", "These are personal values of others. Say why you read them: send Gridtrail-Purpose.")
    return said


def _must_have_a_task(actor: Actor, row: Row) -> bool:
    """Whether the case is the reader's own to work on. no_task_there where only a worker's sight reaches it, and nothing is to be done."""
    units = [unit for unit in (row["holder"], row["registrar"], *orjson.loads(row["called"] or "[]")) if unit]
    authorise(actor, READ, area=row["area"], units=units)
    if row["open"] and (not set(units).isdisjoint(actor.units) or row["reporter"] == actor.person):
        return True
    if not any(each.role == OFFICER and each.reaches(row["area"], units) for each in actor.grants):
        raise Problem("no_task_there", "Only who holds an open case, reported it or was called to it reads what it says of persons.")
    return False


def _told(row: Row, found: Any, brought: bool) -> dict[str, Any]:
    told = {name: row[name] for name in ("subject", "field", "digest", "topic", "happened_at")} | {"person": row["by_person"]}
    if found is ERASED:
        return {**told, "state": "erased", "value": None}
    if not isinstance(found, str) or not brought:
        return {**told, "state": "awaited", "value": None}
    return {**told, "state": "held", "value": read_disclosure(found).value}


def photo_shown(gridtrail: Any, actor: Actor, sha256: str, stream: str) -> bool:
    """Whether a case or visit within the actor's task vouches for a photo of this name; puts the read on record where it does."""
    with reading(gridtrail.database) as conn:
        case = open_cases.get_case(conn, sight_of(actor, READ), stream)
        purpose = _purpose(_must_have_a_task(actor, case) if case is not None else False)
        sight = sight_of(actor, READ)
        rows = [row for row in personal_items.of_any_stream(conn, stream) if row["field"] == "photo"]
        rows = [row for row in rows if (row["ledger"] == case["ledger"] if case is not None else sight.covers(row["area"]))]
        shown = shown_by(conn, rows)
        opened = gridtrail.vault.open(conn, [row["digest"] for row in rows if row["digest"] in shown])
    for row in rows:
        found = opened.get(row["digest"])
        if isinstance(found, str) and read_disclosure(found).value == sha256:
            place = {"ledger": row["ledger"], "object": stream, "subject": row["subject"]}
            gridtrail.access.record(None, actor, READ, **place, purpose=purpose, rows=1)
            return True
    return False
