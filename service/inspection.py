"""Use cases: each loads, decides and saves in about three lines. Read by the routes, the command line and the seed.

The rules themselves live in the domain; who may do it at all is asked of service.scope; what is saved goes to the ledger in one
transaction. What decisions read (areas, assignments, rulebooks) is caught up before the use case returns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

import sqlalchemy as sa

from domain.aggregate import Act, Aggregate, Fact
from domain.areas import Area, area_of, ledger_of
from domain.case import Case
from domain.clock import Clock, local_day, utc_text
from domain.entries import ACTIONS, KINDS, must_name_units_in_force
from domain.errors import Refusal
from domain.patrol import Patrol
from domain.people import Person
from domain.rulebook import Books, Rulebook
from domain.tablet import Refused, Tablet
from domain.visit import Visit
from projections import areas, open_cases, rulebooks
from projections.engine import Follower
from projections.sight import Sight
from service.config import Config
from service.database import reading, writing
from service.ledger.mapper import aggregate_of, draft_of
from service.ledger.store import Appended, Draft, EntryTooLarge, Ledgers, VersionTaken, must_fit
from service.personal.disclosing import Saying, SubjectGone
from service.personal.vault import Vault
from service.scope import Actor, NotYourRole, OutOfScope, authorise
from service.sync.photos import record_uses
from service.sync.refusals import NoSuchReference, UnknownArea
from service.sync.tables import tablet_states

AREA_STREAMS = UUID("6c1f6d3e-8f0b-5a52-9c0c-8f3a2e3b7a10")
BOOK_STREAMS = UUID("0b0f2f6e-3a42-5e0c-a6b9-6a3c4f1b9d21")
REFERENCE_MODELS = ("areas", "people", "rulebooks")


class StaleVersion(Exception):
    """The case changed since the caller read it. ``current`` is the version that it has now."""

    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__(f"The case is at version {current} now. Read it again, then decide.")


class Contended(Exception):
    """Others kept writing the same streams; nothing was recorded. Try again."""


@dataclass(frozen=True)
class Saved:
    """Where a decision was recorded: the last position in its ledger, and the stream's new version."""

    ledger: str
    position: int
    version: int


@dataclass(frozen=True)
class Tried:
    """What a decision recorded, or would record. new: something; position: the last one, None where nothing was recorded."""

    new: bool
    position: int | None


@dataclass(frozen=True)
class Registered:
    """What became of an area that a file told of: new, changed, same or refused. before: what was recorded of the members that changed."""

    what: str
    drafts: tuple[Draft, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)
    refused: Exception | None = None


def _registered(area: Area | None, act: Act, books: Books, said: dict[str, Any]) -> tuple[Area, dict[str, Any]]:
    """The area with what is said of it decided, and what was known before of the members that changed."""
    if area is None:
        return Area.register(act, books, area_stream(said["code"]), **said), {}
    changed = {name: value for name, value in said.items() if value is not None and area.differs(name, value)}
    before = {name: area.known[name] for name in changed}
    if changed:
        area.change(act, books, **{"effective_from": said["effective_from"], **changed})
    return area, before


def area_stream(code: str) -> UUID:
    """The stream of an area: the same for the same code on every machine."""
    return uuid5(AREA_STREAMS, code)


def book_stream(city: str, kind: str, name: str) -> UUID:
    """The stream of a rulebook."""
    return uuid5(BOOK_STREAMS, f"{city}/{kind}/{name}")


def drafts_of(aggregate: Aggregate) -> list[Draft]:
    """The drafts of what an aggregate has decided and not recorded yet."""
    return [draft_of(cast(Fact, event)) for event in aggregate.collect_events()]


def photo_uses_of(ledger: str, aggregate: Aggregate) -> list[tuple[str, str, UUID, str, str]]:
    """Where acts that are not recorded yet show photos: whoever sees the matter may then see them."""
    events = cast(list[Any], aggregate.pending_events)
    return [
        (ledger, photo, event.originator_id, event.by, event.area) for event in events for photo in getattr(event, "photos", None) or ()
    ]


class Inspection:
    """All that people do to the record, apart from uploading batches."""

    def __init__(self, database: sa.Engine, ledgers: Ledgers, follower: Follower, clock: Clock, config: Config, vault: Vault) -> None:
        self.database = database
        self.ledgers = ledgers
        self.follower = follower
        self.clock = clock
        self.config = config
        self.vault = vault
        self._books: dict[str, tuple[int, Books]] = {}

    # ---- what decisions read

    def act_for(self, actor: Actor, role: str) -> Act:
        """An act at the console, now, in one of the actor's roles."""
        now = utc_text(self.clock())
        units = tuple(grant.unit for grant in actor.grants if grant.role == role)
        return Act(by=actor.person, role=role, happened_at=now, day=local_day(now, self.config.zone), units=units)

    def books(self, conn: sa.Connection, ledger: str) -> Books:
        """The rules in force in a ledger's city: what was published, or the shipped books where nothing was."""
        city = ledger[:4]
        stand = rulebooks.stand(conn, city)
        known = self._books.get(city)
        if known is None or known[0] != stand:
            published = rulebooks.published(conn, city)
            known = (stand, Books.of(published) if published else Books.default())
            self._books[city] = known
        return known[1]

    def _load(self, conn: sa.Connection, ledger: str, stream: UUID) -> Any:
        return aggregate_of(self.ledgers.streams(conn, ledger, [stream]).get(stream, []))

    # ---- one shape for all: load, decide, save

    def _save(self, ledger: str, aggregate: Any, saying: Saying | None) -> Appended:
        """Appends what the aggregate collected and keeps its values, in one transaction. VersionTaken where somebody was faster."""
        uses, drafts = photo_uses_of(ledger, aggregate), drafts_of(aggregate)
        with writing(self.database) as conn:
            record_uses(conn, uses)
            if saying is not None:
                saying.keep(conn, self.vault, self.clock())
            return self.ledgers.append(conn, ledger, drafts)

    def _change(
        self,
        ledger: str,
        stream: UUID,
        decide: Callable[[Any, Books], Any],
        expected_version: int | None = None,
        saying: Saying | None = None,
    ) -> tuple[Saved, Any]:
        """Loads the stream (None where there is none yet), lets ``decide`` act on it, saves; again where somebody was faster."""
        for _ in range(self.config.upload_attempts):
            with reading(self.database) as conn:
                aggregate = self._load(conn, ledger, stream)
                books = self.books(conn, ledger)
            if expected_version is not None and aggregate is not None and aggregate.version != expected_version:
                raise StaleVersion(aggregate.version)
            aggregate = decide(aggregate, books) or aggregate
            if not aggregate.pending_events:
                return Saved(ledger, -1, aggregate.version), aggregate
            try:
                appended = self._save(ledger, aggregate, saying)
            except VersionTaken:
                continue
            except SubjectGone:
                assert saying is not None
                saying.fresh = True
                continue
            return Saved(ledger, appended.size - 1, aggregate.version), aggregate
        raise Contended

    def change(self, ledger: str, stream: UUID, decide: Callable[[Any, Books], Any]) -> tuple[Saved, Any]:
        """Loads a stream, lets ``decide`` act on it, saves: for use cases that live elsewhere and bring their own authority."""
        return self._change(ledger, stream, decide)

    def _changed_reference(self, saved: Saved) -> Saved:
        self.follower.catch_up(saved.ledger, REFERENCE_MODELS)
        return saved

    # ---- cases

    def act_on_case(
        self, actor: Actor, case_id: UUID, ledger: str, verb: str, said: dict[str, Any], expected_version: int | None = None
    ) -> Saved:
        """One step of a case at the console. Refusals come from the domain, OutOfScope and NotYourRole from the scope."""
        kind, saying = KINDS[ACTIONS[verb]], Saying(actor.person)

        def decide(case: Any, books: Books) -> None:
            if not isinstance(case, Case):
                raise OutOfScope
            grant = authorise(actor, ACTIONS[verb], area=case.area, units=case.concerned_units())
            if verb == "merge":
                self._must_take_a_merge(actor, ledger, said["into"])
            act = self.act_for(actor, grant.role)
            with reading(self.database) as conn:
                must_name_units_in_force(ACTIONS[verb], said, lambda code: areas.in_force(conn, code, act.day))
            told = saying.hide(ledger, ACTIONS[verb], said, private=case.is_private, subject=case.subject)
            getattr(case, kind.method)(act, books, **told)

        return self._change(ledger, case_id, decide, expected_version, saying)[0]

    def _must_take_a_merge(self, actor: Actor, ledger: str, case_id: str) -> None:
        """A case that another is merged into must be an open one of the same ledger that the actor may act on."""
        with reading(self.database) as conn:
            other = self._load(conn, ledger, UUID(case_id))
        if not isinstance(other, Case):
            raise OutOfScope
        authorise(actor, ACTIONS["merge"], area=other.area, units=other.concerned_units())
        other.must_go_on()

    def report_case(self, actor: Actor, area: str, said: dict[str, Any]) -> tuple[str, Saved]:
        """A case reported at the console (a resident at the counter, a hotline). Gives the new case's id."""
        stream = uuid4()
        grant = authorise(actor, "case.reported", area=area)
        ledger, saying = ledger_of(area), Saying(actor.person)

        def decide(_: Any, books: Books) -> Case:
            act = self.act_for(actor, grant.role)
            self._must_lie_where_it_says(actor, area, said, act.day)
            private = books.knows_category(said["category"]) and books.is_private(said["category"])
            told = saying.hide(ledger, Case.Reported.TOPIC, said, private=private, subject=None)
            return Case.report(act, books, stream, area=area, **told)

        return str(stream), self._change(ledger, stream, decide, saying=saying)[0]

    def _must_lie_where_it_says(self, actor: Actor, area: str, said: dict[str, Any], day: str) -> None:
        """The area is in force, and the patrol or visit that is named is recorded there within the actor's reach."""
        with reading(self.database) as conn:
            if not areas.in_force(conn, area, day):
                raise UnknownArea
            for name, kind in (("patrol", Patrol), ("visit", Visit)):
                if said.get(name) is None:
                    continue
                named = self._load(conn, ledger_of(area), UUID(said[name]))
                if not isinstance(named, kind) or not any(grant.reaches(named.area) for grant in actor.grants):
                    raise NoSuchReference(pointer=f"/{name}")

    def ledger_of_case(self, conn: sa.Connection, sight: Sight, case_id: str) -> str:
        """The ledger of a case that the reader may see. OutOfScope otherwise."""
        row = open_cases.get_case(conn, sight, case_id)
        if row is None:
            raise OutOfScope
        return str(row["ledger"])

    # ---- areas, people, rulebooks

    def register_area(self, actor: Actor, said: dict[str, Any]) -> Saved:
        """Registers an area, or records what changed in one that is known. Nothing is recorded where nothing changed."""
        code = said["code"]
        grant = authorise(actor, "area.manage", area=code)

        def decide(area: Area | None, books: Books) -> Area:
            return _registered(area, self.act_for(actor, grant.role), books, said)[0]

        return self._changed_reference(self._change(ledger_of(code), area_stream(code), decide)[0])

    def register_areas(self, actor: Actor, ledger: str, told: Sequence[dict[str, Any]], *, dry_run: bool = False) -> list[Registered]:
        """The same for many areas of one ledger, in one transaction: what became of each, in the order given. A refused one stops no other.

        dry_run: everything is decided and nothing recorded.
        """
        streams = [area_stream(said["code"]) for said in told]
        for _ in range(self.config.upload_attempts):
            with reading(self.database) as conn:
                lines, books = self.ledgers.streams(conn, ledger, streams), self.books(conn, ledger)
            found = [self._register(actor, books, ledger, lines.get(stream, []), said) for stream, said in zip(streams, told, strict=True)]
            drafts = [draft for each in found for draft in each.drafts]
            if not drafts or dry_run:
                return found
            try:
                with writing(self.database) as conn:
                    appended = self.ledgers.append(conn, ledger, drafts)
            except VersionTaken:
                continue
            self._changed_reference(Saved(ledger, appended.size - 1, 1))
            return found
        raise Contended

    def _register(self, actor: Actor, books: Books, ledger: str, lines: Sequence[bytes], said: dict[str, Any]) -> Registered:
        try:
            grant = authorise(actor, "area.manage", area=said["code"])
            area, before = _registered(aggregate_of(lines), self.act_for(actor, grant.role), books, said)
            drafts = drafts_of(area)
            must_fit(ledger, drafts)
        except (Refusal, OutOfScope, NotYourRole, EntryTooLarge) as refused:
            return Registered("refused", refused=refused)
        what = "same" if not drafts else "new" if drafts[0].version == 1 else "changed"
        return Registered(what, tuple(drafts), before)

    def end_area(self, actor: Actor, code: str, effective_to: str, successors: Sequence[str] = ()) -> Saved:
        """Ends an area after a day."""
        grant = authorise(actor, "area.manage", area=code)

        def decide(area: Area | None, books: Books) -> None:
            if area is None:
                raise OutOfScope
            area.end(self.act_for(actor, grant.role), books, effective_to=effective_to, successors=list(successors))

        return self._changed_reference(self._change(ledger_of(code), area_stream(code), decide)[0])

    def register_person(
        self, actor: Actor, home: str, person: UUID | None = None, assignment: dict[str, Any] | None = None
    ) -> tuple[str, Saved]:
        """Registers a person of an area's organisation by id only, with a first assignment or not at all where it is refused. Gives the id.

        Whoever is registered already stays as they are.
        """
        stream = person or uuid4()
        grant = authorise(actor, "person.manage", area=area_of(home))
        if assignment:
            authorise(actor, "person.manage", area=area_of(assignment["unit"]))

        def decide(known: Person | None, books: Books) -> Person:
            if known is not None:
                return known
            act = self.act_for(actor, grant.role)
            registered = Person.register(act, books, stream, home=home)
            if assignment:
                registered.assign(act, books, **assignment)
            return registered

        return str(stream), self._changed_reference(self._change(ledger_of(home), stream, decide)[0])

    def change_person(self, actor: Actor, home: str, person: str, method: str, said: dict[str, Any]) -> Saved:
        """Assigns, ends an assignment, or records that somebody left: method is one of Person's.

        A unit that is given must lie in the actor's own subtree too: nobody hands out what is not theirs.
        """
        grant = authorise(actor, "person.manage", area=area_of(home))
        if "unit" in said:
            authorise(actor, "person.manage", area=area_of(said["unit"]))

        def decide(known: Person | None, books: Books) -> None:
            if known is None:
                raise OutOfScope
            getattr(known, method)(self.act_for(actor, grant.role), books, **said)

        return self._changed_reference(self._change(ledger_of(home), UUID(person), decide)[0])

    def publish_book(self, actor: Actor, city: str, said: dict[str, Any], *, dry_run: bool = False) -> Tried:
        """Publishes a version of a rulebook, or only sees whether it could be. The same version again records nothing."""
        grant = authorise(actor, "rulebook.manage", area=city)
        stream = book_stream(city, said["kind"], said["name"])

        def decide(book: Rulebook | None, books: Books) -> Rulebook:
            act = self.act_for(actor, grant.role)
            book = book or Rulebook.open(act, books, stream, city=city, kind=said["kind"], name=said["name"])
            if not book.has_version(said["version"], said["content"]):
                book.publish(act, books, **{name: said[name] for name in ("version", "effective_from", "content")})
            return book

        if dry_run:
            with reading(self.database) as conn:
                drafts = drafts_of(decide(self._load(conn, city, stream), self.books(conn, city)))
            must_fit(city, drafts)
            return Tried(bool(drafts), None)
        saved = self._changed_reference(self._change(city, stream, decide)[0])
        return Tried(saved.position >= 0, saved.position if saved.position >= 0 else None)

    # ---- tablets and what they could not record

    def change_tablet(self, actor: Actor, ledger: str, tablet: str, method: str, said: dict[str, Any]) -> Saved:
        """Revokes or reinstates a tablet: the fact, and the state that the upload path reads, in one transaction."""
        try:
            return self._change_tablet(actor, ledger, tablet, method, said)
        except VersionTaken as taken:
            raise Contended from taken

    def _change_tablet(self, actor: Actor, ledger: str, tablet: str, method: str, said: dict[str, Any]) -> Saved:
        with writing(self.database) as conn:
            aggregate = self._load(conn, ledger, UUID(tablet))
            if not isinstance(aggregate, Tablet):
                raise OutOfScope
            grant = authorise(actor, "tablet.manage", area=aggregate.area)
            books = self.books(conn, ledger)
            getattr(aggregate, method)(self.act_for(actor, grant.role), books, **said)
            state = {"status": aggregate.status, "stream_version": aggregate.version, "last_valid": aggregate.last_valid}
            mine = (tablet_states.c.ledger == ledger) & (tablet_states.c.tablet == UUID(tablet))
            # The tablet's row before the ledger's head, as uploads take them: the other order could deadlock with one.
            conn.execute(sa.update(tablet_states).where(mine).values(**state))
            appended = self.ledgers.append(conn, ledger, drafts_of(aggregate))
        return Saved(ledger, appended.size - 1, aggregate.version)

    def dismiss_refused(self, actor: Actor, ledger: str, refused: str, reason: str) -> Saved:
        """An officer decides that a refused entry stays refused."""

        def decide(kept: Refused | None, books: Books) -> None:
            if not isinstance(kept, Refused):
                raise OutOfScope
            grant = authorise(actor, "refusal.decide", area=kept.area)
            kept.dismiss(self.act_for(actor, grant.role), books, reason=reason)

        return self._change(ledger, UUID(refused), decide)[0]

    def reapply_refused(self, actor: Actor, ledger: str, refused: str, reason: str | None = None) -> Saved:
        """Decides a refused entry again, as its worker's act at its time; both facts are recorded in one transaction.

        The rules that hold now decide: what refused it may have passed (an assignment was recorded late, the case came back).
        """
        for _ in range(self.config.upload_attempts):
            try:
                return self._reapply_once(actor, ledger, refused, reason)
            except VersionTaken:
                continue
        raise Contended

    def _reapply_once(self, actor: Actor, ledger: str, refused: str, reason: str | None) -> Saved:
        with reading(self.database) as conn:
            lines = self.ledgers.streams(conn, ledger, [UUID(refused)]).get(UUID(refused), [])
            kept = aggregate_of(lines)
            if not isinstance(kept, Refused):
                raise OutOfScope
            grant = authorise(actor, "refusal.decide", area=kept.area)
            kept.must_be_open()
            books = self.books(conn, ledger)
            target, aggregate = self._decide_again(conn, kept, lines[0], books)
        made = aggregate.pending_events[-1]
        kept.reapply(
            self.act_for(actor, grant.role),
            books,
            ledger=target,
            stream=str(aggregate.id),
            version=made.originator_version,
            reason=reason,
        )
        uses = photo_uses_of(target, aggregate)
        again = drafts_of(aggregate)
        for draft in again:
            # The leaf of the tablet's tree is the kept refusal; the event that it became must not be found in its place.
            draft.seq = None
        drafts = {target: again}
        drafts.setdefault(ledger, []).extend(drafts_of(kept))
        with writing(self.database) as conn:
            record_uses(conn, uses)
            appended = self.ledgers.append_all(conn, drafts)
        return Saved(target, appended[target].size - 1, made.originator_version)

    def _decide_again(self, conn: sa.Connection, kept: Refused, line: bytes, books: Books) -> tuple[str, Any]:
        """The aggregate with the refused entry's event pending. Refusal where it still cannot be."""
        from service.sync.upload import Reapplication

        return Reapplication(self, conn).decide(kept, line, books)


class EntryErased(Refusal):
    """The refused entry's bytes were erased with the person whom it told of."""

    sentence = "The entry was erased with the person it told of; dismiss it with a reason."


class CannotBeReapplied(Refusal):
    """The refused entry can't become an event; it can only be dismissed."""

    sentence = "The entry can't become an event; dismiss it with a reason."
