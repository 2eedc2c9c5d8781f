"""Takes batches in: each entry becomes one event or one kept refusal, all in one transaction, and only then the tablet is answered.

Deciding happens in memory, before the transaction. Whoever loses a race decides again; nothing is recorded twice, because the tablet's
state is compared and moved on in the same transaction, and a commit whose answer was lost is found again by sequence.
"""

import base64
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from domain.aggregate import Act
from domain.clock import parse_utc, utc_text
from domain.errors import Refusal
from domain.refusals import TabletRevoked
from domain.tablet import Refused, Tablet
from projections.recorded import read_line
from service.database import Busy, CommitUnknown, reading, writing
from service.inspection import Inspection
from service.ledger.keys import checkpoint_of
from service.ledger.mapper import draft_of
from service.ledger.store import Appended, Draft, Head, VersionTaken
from service.ledger.tree import Frontier, leaf_hash
from service.problems import CATALOGUE, Problem
from service.sync.batch import Batch, Line, fault_of_entry
from service.sync.clocks import Clocks, clocks_of
from service.sync.deciding import Deciding
from service.sync.history import Continued, Damaged, Fork, Gap, compare, facts_of, leaf_of
from service.sync.photos import record_uses
from service.sync.refusals import Forked
from service.sync.tables import ACTIVE, REVOKED, SET_ASIDE, tablet_states

CATALOGUE.update(
    {
        "sequence_gap": (409, "Entries before these are missing"),
        "forked": (409, "The tablet told another history before"),
        "set_aside": (409, "The tablet is set aside"),
        "root_mismatch": (422, "The entries are not those that were sealed"),
        "contended": (503, "Others kept writing; nothing was recorded"),
    }
)

MOST_DETAIL = 500
PAUSE_S = 0.02
AFTER_REVOCATION = "The tablet was revoked; this entry came after the last that counts."

STATE_MOVED = (
    sa.update(tablet_states)
    .where(
        tablet_states.c.ledger == sa.bindparam("of_ledger"),
        tablet_states.c.tablet == sa.bindparam("of_tablet"),
        tablet_states.c.size == sa.bindparam("old_size"),
        tablet_states.c.stream_version == sa.bindparam("old_version"),
        tablet_states.c.status == sa.bindparam("old_status"),
    )
    .values(
        size=sa.bindparam("new_size"),
        frontier=sa.bindparam("new_frontier"),
        stream_version=sa.bindparam("new_version"),
        status=sa.bindparam("new_status"),
    )
)


class LostRace(Exception):
    """Somebody moved the tablet's state on since it was read."""


@dataclass(slots=True)
class Decided:
    """One entry's outcome, before it has a position."""

    line: Line
    ledger: str
    index: int
    refusal: Refusal | None


class Plan:
    """What one batch will record: drafts by ledger, in order, and each entry's outcome."""

    def __init__(self) -> None:
        self.drafts: dict[str, list[Draft]] = {}
        self.decided: list[Decided] = []
        self.photos: list[tuple[str, str, UUID, str, str]] = []

    def add(self, line: Line, ledger: str, draft: Draft, refusal: Refusal | None) -> None:
        drafts = self.drafts.setdefault(ledger, [])
        self.decided.append(Decided(line, ledger, len(drafts), refusal))
        drafts.append(draft)

    @property
    def refused(self) -> int:
        return sum(each.refusal is not None for each in self.decided)


class Uploads:
    """The use case of uploading."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database = gridtrail.database
        self.ledgers = gridtrail.ledgers
        self.config = gridtrail.config

    def take(self, ledger: str, tablet: UUID, batch: Batch) -> dict[str, Any]:
        """Records what is new in a verified batch and gives the receipt. Problem where the batch as a whole cannot be taken."""
        seal = batch.seal
        clocks = clocks_of(self.gridtrail.clock(), seal.sent_at, seal.mono_ms, seal.boot)
        for attempt in range(self.config.upload_attempts):
            if attempt:
                time.sleep(random.uniform(0, PAUSE_S * 2**attempt))
            try:
                return self._take_once(ledger, tablet, batch, clocks, careful=attempt > 0)
            except (VersionTaken, LostRace, CommitUnknown):
                continue
            except Busy as busy:
                raise Problem("contended", str(busy), headers={"Retry-After": "2"}) from busy
        raise Problem("contended", "Send the batch again.", headers={"Retry-After": "2"})

    def _take_once(self, ledger: str, tablet: UUID, batch: Batch, clocks: Clocks, *, careful: bool) -> dict[str, Any]:
        with reading(self.database) as conn:
            state = conn.execute(
                sa.select(tablet_states).where(tablet_states.c.ledger == ledger, tablet_states.c.tablet == tablet)
            ).one()
            try:
                standing = self._standing(conn, state, batch)
            except Fork as fork:
                forked = fork
            else:
                forked = None
                if standing.known == len(batch.lines):
                    return self._receipt(conn, state, standing.frontier, batch, clocks, None, {})
                plan = self._decide(conn, state, standing, clocks, careful)
        if forked is not None:
            self._set_aside(state, batch, forked, clocks)
        appended = self._record(state, batch, standing, plan, clocks)
        with reading(self.database) as conn:
            return self._receipt(conn, state, standing.frontier, batch, clocks, plan, appended)

    def standing(self, state: sa.Row[Any]) -> dict[str, Any]:
        """What we hold of a tablet, and whether it may go on."""
        with reading(self.database) as conn:
            return {"status": state.status, **standing_facts(self.ledgers.head(conn, state.ledger), state)}

    # ---- where the batch stands

    def _standing(self, conn: sa.Connection, state: sa.Row[Any], batch: Batch) -> Continued:
        ours = Frontier.from_bytes(state.frontier)
        if state.status == SET_ASIDE:
            raise self._contradiction(conn, "set_aside", state, "An officer looks into it. What is on the tablet stays there.")
        try:
            return compare(ours, batch, lambda first, last: [leaf_of(row[4]) for row in self._uploaded(conn, state.tablet, first, last)])
        except Gap as gap:
            raise self._contradiction(conn, "sequence_gap", state, f"Send from entry {state.size} on.") from gap
        except Damaged as damaged:
            raise Problem("root_mismatch", "The body was damaged on the way. Nothing was recorded; send the batch again.") from damaged

    def _contradiction(self, conn: sa.Connection, code: str, state: sa.Row[Any], detail: str) -> Problem:
        """A 409 with all that a tablet needs to find its place again."""
        return Problem(code, detail, **standing_facts(self.ledgers.head(conn, state.ledger), state))

    def _uploaded(self, conn: sa.Connection, tablet: UUID, first: int, last: int) -> list[tuple[int, str, int, str, bytes]]:
        """One recorded line for each entry, the earliest: a re-applied refusal bears the same number later."""
        found: dict[int, tuple[int, str, int, str, bytes]] = {}
        for row in self.ledgers.uploaded(conn, tablet, first, last):
            if row[0] not in found or row[3] == Refused.Kept.TOPIC:
                found[row[0]] = row
        return [found[seq] for seq in sorted(found)]

    # ---- deciding

    def _decide(self, conn: sa.Connection, state: sa.Row[Any], standing: Continued, clocks: Clocks, careful: bool) -> Plan:
        deciding = Deciding(self.gridtrail.inspection, conn, str(state.person), str(state.tablet))
        deciding.load([line.entry for line in standing.fresh if line.entry is not None and line.fault is None], also_new=careful)
        plan = Plan()
        last_valid = state.last_valid if state.status == REVOKED else None
        for line in standing.fresh:
            if last_valid is not None and line.seq > last_valid:
                self._keep(plan, deciding, state, line, TabletRevoked(AFTER_REVOCATION, last_valid=last_valid), clocks.received_at)
            else:
                self._decide_one(plan, deciding, state, line, clocks)
        return plan

    def _decide_one(self, plan: Plan, deciding: Deciding, state: sa.Row[Any], line: Line, clocks: Clocks) -> None:
        """Adds the entry's event to the plan, or its kept refusal: in the entry's own ledger once the person's right there is known."""
        moment, act, entry = clocks.received_at, None, line.entry
        try:
            if line.fault is not None or entry is None:
                raise line.fault or RuntimeError("an entry without a fault")
            moment = clocks.happened_at(entry)
            act = deciding.admit(entry, line.raw, moment)
            made = deciding.decide(entry, act)
            (event,) = made.collect_events()
            draft = draft_of(event, line.seq)
        except Refusal as refusal:
            self._keep(plan, deciding, state, line, refusal, moment, act)
            return
        ledger = entry["area"][:9]
        plan.add(line, ledger, draft, None)
        for photo in entry["data"].get("photos", ()):
            plan.photos.append((ledger, photo, draft.stream, act.by, entry["area"]))

    def _keep(
        self, plan: Plan, deciding: Deciding, state: sa.Row[Any], line: Line, refusal: Refusal, moment: datetime, act: Act | None = None
    ) -> None:
        area, ledger = state.area, state.ledger
        if act is not None and line.entry is not None:
            area, ledger = line.entry["area"], line.entry["area"][:9]
        day = deciding.day_of(moment)
        act = act or Act(str(state.person), deciding.role_on(day), utc_text(moment), day, (), str(state.tablet))
        plan.add(line, ledger, kept_draft(state.tablet, line, refusal, area, act), refusal)

    # ---- recording

    def _record(self, state: sa.Row[Any], batch: Batch, standing: Continued, plan: Plan, clocks: Clocks) -> dict[str, Appended]:
        fact = self._uploaded_fact(state, batch, standing, plan, clocks)
        drafts = {**plan.drafts, state.ledger: [*plan.drafts.get(state.ledger, []), draft_of(fact)]}
        with writing(self.database) as conn:
            self._move(conn, state, standing.frontier, state.status)
            record_uses(conn, plan.photos)
            return self.ledgers.append_all(conn, drafts)

    def _move(self, conn: sa.Connection, state: sa.Row[Any], frontier: Frontier, status: str) -> None:
        values = {
            "of_ledger": state.ledger,
            "of_tablet": state.tablet,
            "old_size": state.size,
            "old_version": state.stream_version,
            "old_status": state.status,
            "new_size": frontier.size,
            "new_frontier": frontier.to_bytes(),
            "new_version": state.stream_version + 1,
            "new_status": status,
        }
        if conn.execute(STATE_MOVED, values).rowcount != 1:
            raise LostRace

    def _act(self, state: sa.Row[Any], clocks: Clocks) -> dict[str, Any]:
        """What a fact about the tablet itself records of its act: the service says it, on behalf of the person who holds the tablet."""
        day = clocks.received_at.astimezone(self.config.zone).date().isoformat()
        return Act(str(state.person), "system", utc_text(clocks.received_at), day, (), str(state.tablet)).recorded()

    def _uploaded_fact(self, state: sa.Row[Any], batch: Batch, standing: Continued, plan: Plan, clocks: Clocks) -> Tablet.Uploaded:
        seal = batch.seal
        return Tablet.Uploaded(
            originator_id=state.tablet,
            originator_version=state.stream_version + 1,
            timestamp=clocks.received_at,
            seal=seal.note,
            first=state.size,
            size=standing.frontier.size,
            recorded=len(plan.decided) - plan.refused,
            refused=plan.refused,
            waiting=seal.waiting,
            skew_ms=clocks.skew_ms,
            sent_at=seal.sent_at,
            **self._act(state, clocks),
        )

    def _set_aside(self, state: sa.Row[Any], batch: Batch, fork: Fork, clocks: Clocks) -> None:
        """Keeps both histories and sets the tablet aside; then says so."""
        day = clocks.received_at.astimezone(self.config.zone).date().isoformat()
        act = Act(str(state.person), "system", utc_text(clocks.received_at), day, (), str(state.tablet))
        drafts = [kept_draft(state.tablet, line, Forked(), state.area, act, forked=True) for line in fork.lines]
        ours = Frontier.from_bytes(state.frontier)
        with writing(self.database) as conn:
            # The same fork may be told again after a reinstatement; each entry is kept once.
            told = self.ledgers.streams(conn, state.ledger, [draft.stream for draft in drafts])
            drafts = [draft for draft in drafts if draft.stream not in told]
            fact = Tablet.Forked(
                originator_id=state.tablet,
                originator_version=state.stream_version + 1,
                timestamp=clocks.received_at,
                seal=batch.seal.note,
                size=ours.size,
                root=b64(ours.root()),
                kept=len(drafts),
                **self._act(state, clocks),
            )
            if not drafts and state.status == REVOKED:
                raise self._contradiction(conn, "forked", state, "Both histories are kept; an officer looks into it.")
            self._move(conn, state, ours, SET_ASIDE if state.status == ACTIVE else state.status)
            self.ledgers.append(conn, state.ledger, [*drafts, draft_of(fact)])
        with reading(self.database) as conn:
            raise self._contradiction(conn, "forked", state, "Both histories are kept; an officer looks into it.")

    # ---- answering

    def _receipt(
        self,
        conn: sa.Connection,
        state: sa.Row[Any],
        frontier: Frontier,
        batch: Batch,
        clocks: Clocks,
        plan: Plan | None,
        appended: dict[str, Appended],
    ) -> dict[str, Any]:
        decided = plan.decided if plan else []
        known = len(batch.lines) - len(decided)
        base = batch.seal.base_size
        outcomes = [_duplicate(row) for row in self._uploaded(conn, state.tablet, base, base + known - 1)] if known else []
        outcomes += [_outcome(each, appended) for each in decided]
        heads: dict[str, Head | Appended] = dict(appended)
        for name in {each["ledger"] for each in outcomes} | {state.ledger}:
            head = heads.get(name) or self.ledgers.head(conn, name)
            if head is not None:
                heads[name] = head
        return {
            "tablet": str(state.tablet),
            "size": frontier.size,
            "root": b64(frontier.root()),
            "outcomes": outcomes,
            "ledgers": [self._signed(heads[name]) for name in sorted(heads)],
            "received_at": utc_text(clocks.received_at),
            "skew_ms": clocks.skew_ms,
        }

    def _signed(self, head: Head | Appended) -> dict[str, Any]:
        return {
            "ledger": head.ledger,
            "incarnation": head.incarnation,
            "size": head.size,
            "root": b64(head.root),
            "checkpoint": checkpoint_of(head, self.config.origin, self.gridtrail.signer.private_key),
        }


def b64(plain: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(plain).decode()


def standing_facts(head: Head | None, state: sa.Row[Any]) -> dict[str, Any]:
    """What we hold of a tablet: enough to see whether it is the same history, and to go on from there."""
    frontier = Frontier.from_bytes(state.frontier)
    return {
        "size": frontier.size,
        "root": b64(frontier.root()),
        "frontier": [b64(root) for root in frontier.roots],
        "incarnation": head.incarnation if head else None,
    }


def kept_draft(tablet: UUID, line: Line, refusal: Refusal, area: str, act: Act, *, forked: bool = False) -> Draft:
    """The draft that keeps an entry as refused. A forked entry is no leaf of the tree that we hold, so it gets no place in its index."""
    name = f"{'fork:' if forked else ''}{line.seq}:{leaf_hash(line.raw).hex()}"
    recorded = {**act.recorded(), "entry": line.raw if line.entry is not None else None}
    event = Refused.Kept(
        originator_id=uuid5(tablet, name),
        originator_version=1,
        timestamp=None,
        originator_topic="",
        seq=line.seq,
        code=refusal.code,
        detail=refusal.detail[:MOST_DETAIL],
        area=area,
        person=act.by,
        raw=None if line.entry is not None else b64(line.raw),
        facts=refusal.facts or None,
        **recorded,
    )
    draft = draft_of(event, line.seq)
    if forked:
        draft.seq = None
    return draft


def _outcome(decided: Decided, appended: dict[str, Appended]) -> dict[str, Any]:
    position = appended[decided.ledger].first + decided.index
    found: dict[str, Any] = {"seq": decided.line.seq, "outcome": "recorded", "ledger": decided.ledger, "position": position}
    if decided.refusal is not None:
        found |= _refusal(decided.refusal.code, decided.refusal.detail, decided.refusal.facts)
    return found


def _refusal(code: str, detail: str, facts: dict[str, Any] | None) -> dict[str, Any]:
    told = {"outcome": "refused", "code": code, "detail": detail[:MOST_DETAIL]}
    return {**told, "pointer": facts["pointer"]} if facts and "pointer" in facts else told


def _duplicate(row: Sequence[Any]) -> dict[str, Any]:
    seq, ledger, position, topic, line = row
    found = {"seq": seq, "outcome": "duplicate", "first_outcome": "recorded", "ledger": ledger, "position": position}
    if topic == Refused.Kept.TOPIC:
        state = facts_of(line)
        found |= _refusal(state["code"], state["detail"], state.get("facts"))
        found |= {"outcome": "duplicate", "first_outcome": "refused"}
    return found


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
        deciding = Deciding(self.inspection, self.conn, kept.person, state["tablet"])
        deciding.load([entry], also_new=True)
        act = deciding.admit(entry, leaf_of(line), parse_utc(state["happened_at"]))
        return entry["area"][:9], deciding.decide(entry, act)
