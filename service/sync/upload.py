"""Takes batches in: each entry becomes one event or one kept refusal, all in one transaction, and only then the tablet is answered.

Deciding happens in memory, before the transaction. Whoever loses a race decides again; nothing is recorded twice, because the tablet's
state is compared and moved on in the same transaction, and a commit whose answer was lost is found again by sequence.
"""

import random
import time
from datetime import datetime
from functools import partial
from typing import Any, Never
from uuid import UUID, uuid4

import sqlalchemy as sa

from domain.aggregate import Act
from domain.clock import utc_text
from domain.errors import Refusal
from domain.refusals import TabletRevoked
from service.database import Busy, CommitUnknown, looking, reading, recording, writing
from service.ledger.bulk import naming_conflicts
from service.ledger.mapper import draft_of
from service.ledger.store import Appended, Draft, VersionTaken
from service.ledger.tree import Frontier
from service.personal.vault import Kept
from service.problems import CATALOGUE, Problem
from service.sync.batch import Batch, Line
from service.sync.clocks import Clocks, clocks_of
from service.sync.deciding import Deciding, Shelf
from service.sync.facts import act_of_the_service, forked_draft, standing_facts, uploaded_draft
from service.sync.history import Continued, Damaged, Fork, Gap, agreed, compare, leaf_of
from service.sync.keeping import keep
from service.sync.photos import write_uses
from service.sync.reapplication import Reapplication
from service.sync.receipts import Decided, Receipts, recorded_entries
from service.sync.refusals import Forked
from service.sync.states import LostRace, State, move, state_now
from service.sync.tables import ACTIVE, REVOKED, SET_ASIDE

__all__ = ["Reapplication", "Uploads"]

CATALOGUE.update(
    {
        "sequence_gap": (409, "Entries before these are missing"),
        "forked": (409, "The tablet told another history before"),
        "set_aside": (409, "The tablet is set aside"),
        "root_mismatch": (422, "The entries are not those that were sealed"),
        "contended": (503, "Others kept writing; nothing was recorded"),
    }
)

PAUSE_S = 0.02
PAGE = 2_000
"""Entries of a tablet's history whose lines are held at once."""
AFTER_REVOCATION = "The tablet was revoked; this entry came after the last that counts."


class Plan:
    """What one batch will record: drafts by ledger, in order, and each entry's outcome. careful: a name was taken at the try before."""

    def __init__(self, careful: bool) -> None:
        self.careful = careful
        self.drafts: dict[str, list[Draft]] = {}
        self.decided: list[Decided] = []
        self.photos: list[tuple[str, str, UUID, str, str]] = []
        self.kept: list[Kept] = []

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
        self.receipts = Receipts(gridtrail)
        self.shelf = Shelf(gridtrail.inspection)

    def take(self, state: State, batch: Batch) -> dict[str, Any]:
        """Records what is new in a verified batch and gives the receipt. Problem where the batch as a whole cannot be taken.

        state is the tablet's row as its token was looked up; should it be stale, recording finds out, and it is read again.
        """
        seal, until = batch.seal, time.monotonic() + self.config.batch_max_seconds
        clocks = clocks_of(self.gridtrail.clock(), seal.sent_at, seal.mono_ms, seal.boot)
        for attempt in range(self.config.upload_attempts):
            if attempt:
                time.sleep(random.uniform(0, PAUSE_S * 2**attempt))
                if time.monotonic() > until:
                    break
            try:
                return self._take_once(None if attempt else state, state, batch, clocks)
            except (VersionTaken, LostRace, CommitUnknown):
                # A commit that is unknown may have happened: the next look finds its entries by their numbers.
                continue
            except sa.exc.OperationalError as failed:
                # A connection that broke before COMMIT was sent recorded nothing; a fresh one is tried once.
                if attempt or not failed.connection_invalidated:
                    raise
            except Busy as busy:
                raise Problem("contended", str(busy), headers={"Retry-After": "2"}) from busy
        raise Problem("contended", "Send the batch again.", headers={"Retry-After": "2"})

    def _take_once(self, fresh: State | None, known: State, batch: Batch, clocks: Clocks) -> dict[str, Any]:
        state = fresh or state_now(self.database, known)
        try:
            standing = self._standing(state, batch)
        except Fork as fork:
            self._set_aside(state, batch, fork, clocks)
        if standing.known == len(batch.lines):
            return self._receipt(state, standing, batch, clocks, [], {})
        plan = self._decide(state, standing, clocks, careful=fresh is None)
        appended = self._record(state, batch, standing, plan, clocks)
        return self._receipt(state, standing, batch, clocks, plan.decided, appended)

    def _receipt(
        self, state: State, standing: Continued, batch: Batch, clocks: Clocks, decided: list[Decided], appended: dict[str, Appended]
    ) -> dict[str, Any]:
        if not standing.known and appended:
            return self.receipts.of(None, state, standing.frontier, batch, clocks, decided, appended)
        with reading(self.database) as conn:
            return self.receipts.of(conn, state, standing.frontier, batch, clocks, decided, appended)

    def standing(self, state: State) -> dict[str, Any]:
        """What we hold of a tablet, and whether it may go on."""
        with reading(self.database) as conn:
            return {"status": state.status, **standing_facts(self.ledgers.head(conn, state.ledger), state)}

    # ---- where the batch stands

    def _standing(self, state: State, batch: Batch) -> Continued:
        """The usual batch goes on from where we are, and needs nothing of the database. Entries that we hold never change."""
        if state.status == SET_ASIDE:
            raise self._another_history("set_aside", state, batch, "An officer looks into it. What is on the tablet stays there.")
        try:
            return compare(Frontier.from_bytes(state.frontier), batch, partial(self._leaves, state.tablet))
        except Gap as gap:
            raise self._contradiction("sequence_gap", state, f"Send from entry {state.size} on.") from gap
        except Damaged as damaged:
            raise Problem("root_mismatch", "The body was damaged on the way. Nothing was recorded; send the batch again.") from damaged

    def _leaves(self, tablet: UUID, first: int, last: int) -> list[bytes]:
        # Page by page: a long history's leaves are held, its lines are not.
        leaves: list[bytes] = []
        for start in range(first, last + 1, PAGE):
            with reading(self.database) as conn:
                page = recorded_entries(self.ledgers, conn, tablet, start, min(start + PAGE - 1, last))
            leaves += [leaf_of(row[4]) for row in page]
        return leaves

    def _contradiction(self, code: str, state: State, detail: str, **facts: Any) -> Problem:
        """A 409 with all that a tablet needs to find its place again."""
        with reading(self.database) as conn:
            return Problem(code, detail, **standing_facts(self.ledgers.head(conn, state.ledger), state), **facts)

    def _another_history(self, code: str, state: State, batch: Batch, detail: str) -> Problem:
        """The same, with how far both histories are one: what is recorded already is not to be sent again under new numbers."""
        both = agreed(Frontier.from_bytes(state.frontier), batch, partial(self._leaves, state.tablet))
        return self._contradiction(code, state, detail, agreed=both)

    # ---- deciding

    def _decide(self, state: State, standing: Continued, clocks: Clocks, *, careful: bool) -> Plan:
        deciding = Deciding(self.config.zone, self.shelf.books, str(state.person), str(state.tablet))
        entries = [line.entry for line in standing.fresh if line.entry is not None and line.fault is None]
        with looking(self.database) as driver:
            deciding.load(driver, entries, also_new=careful)
        plan = Plan(careful)
        last_valid = state.last_valid if state.status == REVOKED else None
        for line in standing.fresh:
            if last_valid is not None and line.seq > last_valid:
                self._keep(plan, deciding, state, line, TabletRevoked(AFTER_REVOCATION, last_valid=last_valid), clocks.received_at)
            else:
                self._decide_one(plan, deciding, state, line, clocks)
        return plan

    def _decide_one(self, plan: Plan, deciding: Deciding, state: State, line: Line, clocks: Clocks) -> None:
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
        self, plan: Plan, deciding: Deciding, state: State, line: Line, refusal: Refusal, moment: datetime, act: Act | None = None
    ) -> None:
        area, ledger = state.area, state.ledger
        if act is not None and line.entry is not None:
            area, ledger = line.entry["area"], line.entry["area"][:9]
        day = deciding.day_of(moment)
        act = act or Act(str(state.person), deciding.role_on(day), utc_text(moment), day, (), str(state.tablet))
        draft, kept = keep(state.tablet, line, refusal, area, act)
        plan.kept.append(kept)
        if plan.careful:
            # An entry may have been given the very id that follows for a refused one; a new id is nobody's.
            draft.stream = uuid4()
        plan.add(line, ledger, draft, refusal)

    # ---- recording

    def _record(self, state: State, batch: Batch, standing: Continued, plan: Plan, clocks: Clocks) -> dict[str, Appended]:
        fact = uploaded_draft(state, batch.seal, clocks, self.config.zone, standing.frontier.size, plan.refused)
        if plan.kept:
            # Before the events that vouch for them: a crash between leaves values that nobody names, which are dropped in time.
            with writing(self.database) as conn:
                self.gridtrail.vault.keep(conn, plan.kept)
        prepared = self.ledgers.prepare({**plan.drafts, state.ledger: [*plan.drafts.get(state.ledger, []), fact]})
        frontier = standing.frontier.to_bytes()

        def work(driver: Any) -> dict[str, Appended]:
            # The tablet's row before the ledgers' heads, as everybody takes them: the other order could deadlock.
            moved = move(driver, state, standing.frontier.size, frontier, state.status)
            write_uses(driver, plan.photos)
            return self.ledgers.write(driver, prepared, lambda: _must_have_moved(moved))

        with naming_conflicts(state.ledger):
            return recording(self.database, work)

    def _set_aside(self, state: State, batch: Batch, fork: Fork, clocks: Clocks) -> Never:
        """Keeps both histories and sets the tablet aside; then says so."""
        act = act_of_the_service(state, clocks.received_at, self.config.zone)
        entries = [keep(state.tablet, line, Forked(), state.area, act, forked=True) for line in fork.lines]
        ours = Frontier.from_bytes(state.frontier)
        with writing(self.database) as conn:
            # The same fork may be told again after a reinstatement; each entry is kept once.
            told = self.ledgers.streams(conn, state.ledger, [draft.stream for draft, _ in entries])
            entries = [each for each in entries if each[0].stream not in told]
            drafts = [draft for draft, _ in entries]
            if not drafts and state.status == REVOKED:
                raise self._another_history("forked", state, batch, "Both histories are kept; an officer looks into it.")
            status = SET_ASIDE if state.status == ACTIVE else state.status
            _must_have_moved(move(conn.connection.driver_connection, state, ours.size, ours.to_bytes(), status))
            self.gridtrail.vault.keep(conn, [kept for _, kept in entries])
            self.ledgers.append(conn, state.ledger, [*drafts, forked_draft(state, batch.seal, act, ours, len(drafts))])
        raise self._another_history("forked", state, batch, "Both histories are kept; an officer looks into it.")


def _must_have_moved(moved: Any) -> None:
    if moved.rowcount != 1:
        raise LostRace
