"""Turns uploaded entries, one after another, into the events that they are. Read by uploads and by the re-application of refused ones.

Everything is loaded before the first entry is decided; an entry may act on what an earlier one of the same batch made. An entry is decided
as an act of the tablet's person, in the role and the units that this person had on the day it happened.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.aggregate import Act, Aggregate
from domain.areas import area_of
from domain.books import Books
from domain.case import Case
from domain.clock import utc_text
from domain.entries import KINDS, NAMED_UNITS, Kind, decide, must_name_units_in_force, units_named
from domain.errors import Refusal
from domain.patrol import Patrol
from domain.visit import Visit
from service.database import Busy, reading
from service.inspection import Inspection
from service.ledger.mapper import aggregate_of
from service.scope import Actor, Grant, NotYourRole, OutOfScope, authorise
from service.sync.lookups import Known, look
from service.sync.refusals import EntryNotYourRole, EntryOutOfScope, NoSuchReference, Undecided, UnknownArea

log = structlog.get_logger(__name__)

REFERENCES: dict[str, type[Aggregate]] = {"patrol": Patrol, "visit": Visit, "into": Case}
"""Members of data that name another stream, and what it must be."""

UNKNOWN, _new, _set = SafeUUID.unknown, object.__new__, object.__setattr__

BROKEN = object()
"""Stands for an aggregate that an unforeseen fault may have left half changed."""


class Shelf:
    """The books of each city as they were last read; they are read again when a look tells another stand."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self._books: dict[str, tuple[int, Books]] = {}

    def books(self, ledger: str, stand: int) -> Books:
        """The rules in force in a ledger's city."""
        city = ledger[:4]
        found = self._books.get(city)
        if found is None or found[0] != stand:
            with reading(self.inspection.database) as conn:
                found = self._books[city] = (stand, self.inspection.books(conn, ledger))
        return found[1]


class Deciding:
    """The decisions on one person's entries."""

    def __init__(self, zone: ZoneInfo, books: Callable[[str, int], Books], person: str, tablet: str) -> None:
        self.zone = zone
        self.person = person
        self.tablet = tablet
        self.found = Known()
        self._books_at = books
        self._known: dict[tuple[str, str], Any] = {}
        self._actors: dict[str, Actor] = {}
        self._admitted: dict[tuple[str, str, str], tuple[str, tuple[str, ...]]] = {}
        self._books: dict[str, Books] = {}

    def load(self, driver: Any, entries: Iterable[dict[str, Any]], *, also_new: bool = False) -> None:
        """Loads what the entries act on and refer to, in one round trip.

        A new id is not looked for unless also_new is set: the store's unique key finds one that is taken, and the batch is decided again.
        """
        entries = list(entries)
        wanted: dict[str, dict[str, None]] = {}
        begun: set[str] = set()
        for entry in entries:
            names = []
            if KINDS[entry["kind"]].starts:
                begun.add(entry["id"])
                names = [entry["id"]] if also_new else []
            elif entry["id"] not in begun:
                names = [entry["id"]]
            data = entry["data"]
            names += [data[name] for name in REFERENCES if name in data and data[name] not in begun]
            if names:
                wanted.setdefault(entry["area"][:9], {}).update(dict.fromkeys(names))
        areas = {entry["area"] for entry in entries}
        areas.update(area_of(unit) for entry in entries for unit in units_named(entry["kind"], entry["data"]))
        self.found = look(driver, self.person, areas, wanted)
        self._known.update((name, self._folded(name, lines)) for name, lines in self.found.streams.items())

    def _folded(self, name: tuple[str, str], lines: list[bytes]) -> Any:
        try:
            return aggregate_of(lines)
        except Exception:
            # Of a release that this one does not know, say. What acts on this one stream is kept; the rest of the batch goes through.
            log.exception("stream_unreadable", tablet=self.tablet, ledger=name[0], stream=name[1])
            return BROKEN

    def day_of(self, moment: datetime) -> str:
        """The city's date at a moment."""
        return moment.astimezone(self.zone).date().isoformat()

    def admit(self, entry: dict[str, Any], raw: bytes, moment: datetime) -> Act:
        """The act that the entry is, if its person may act there on that day. Refusal otherwise."""
        day = self.day_of(moment)
        key = (entry["kind"], entry["area"], day)
        role, units = self._admitted.get(key) or self._admit(*key, entry["id"])
        return Act(self.person, role, utc_text(moment), day, units, self.tablet, raw)

    def _admit(self, topic: str, area: str, day: str, stream: str) -> tuple[str, tuple[str, ...]]:
        """The role and the units that the act is done in: by area, which holds for many entries, or as a unit that a case concerns."""
        found = self._authorised(topic, area, day, ())
        grant = found if isinstance(found, Grant) else self._by_unit(topic, area, day, stream, found)
        if not self._in_force(area, day):
            raise UnknownArea
        admitted = (grant.role, tuple(each.unit for each in self._actor(day).grants if each.role == grant.role))
        if grant is found:
            self._admitted[topic, area, day] = admitted
        return admitted

    def decide(self, entry: dict[str, Any], act: Act) -> Any:
        """The aggregate with the one event pending that the admitted entry becomes. Refusal where a rule says no."""
        key = (entry["area"][:9], entry["id"])
        try:
            made = self._act(KINDS[entry["kind"]], act, entry, self._known.get(key))
        except (Refusal, SQLAlchemyError, Busy):
            # Where the database failed, nothing is wrong with the entry: the batch comes again.
            raise
        except Exception as fault:
            # One entry that nobody foresaw must not block its tablet: it is kept, the log has the fault, and a fixed release re-applies it.
            log.exception("entry_undecided", tablet=self.tablet, seq=entry["seq"], kind=entry["kind"])
            self._known[key] = BROKEN
            raise Undecided from fault
        self._known[key] = made
        return made

    def role_on(self, day: str) -> str:
        """Some role of the person on a day, for facts that need no right."""
        grants = self._actor(day).grants
        return grants[0].role if grants else "worker"

    # ---- one entry

    def _act(self, kind: Kind, act: Act, entry: dict[str, Any], aggregate: Any) -> Any:
        if aggregate is BROKEN:
            raise Undecided
        data, area, ledger = entry["data"], entry["area"], entry["area"][:9]
        if not REFERENCES.keys().isdisjoint(data):
            self._references_must_be_within_reach(data, ledger, act.day)
        if entry["kind"] in NAMED_UNITS:
            must_name_units_in_force(entry["kind"], data, lambda code: self._in_force(code, act.day))
        if aggregate is not None and not kind.starts and getattr(aggregate, "area", area) != area:
            # A case is acted on where it lies, or a right in one area would reach into another. Elsewhere it is not told from none.
            aggregate = None
        stream = aggregate.id if aggregate is not None else uuid_of(entry["id"])
        return decide(kind, act, self._books_of(ledger), stream=stream, area=area, said=data, aggregate=aggregate)

    def _references_must_be_within_reach(self, data: dict[str, Any], ledger: str, day: str) -> None:
        for name, kind in REFERENCES.items():
            if name not in data:
                continue
            aggregate = self._known.get((ledger, data[name]))
            if not isinstance(aggregate, kind) or not self._reaches(aggregate, day):
                raise NoSuchReference(pointer=f"/data/{name}")
            if isinstance(aggregate, Case):
                aggregate.must_go_on()

    def _in_force(self, area: str, day: str) -> bool:
        return any(first <= day and (last is None or day <= last) for first, last in self.found.areas.get(area, ()))

    def _reaches(self, aggregate: Any, day: str) -> bool:
        units = units_of(aggregate)
        return any(grant.reaches(aggregate.area, units) for grant in self._actor(day).grants)

    # ---- who, where, by which rules

    def _actor(self, day: str) -> Actor:
        actor = self._actors.get(day)
        if actor is None:
            actor = self._actors[day] = Actor(self.person, self.found.grants_on(day), self.tablet)
        return actor

    def _by_unit(self, topic: str, area: str, day: str, stream: str, refusal: Refusal) -> Grant:
        aggregate = self._known.get((area[:9], stream))
        units = units_of(aggregate) if isinstance(aggregate, KINDS[topic].aggregate) and aggregate.area == area else ()
        found = self._authorised(topic, area, day, units) if units else refusal
        if isinstance(found, Refusal):
            raise found
        return found

    def _authorised(self, topic: str, area: str, day: str, units: tuple[str, ...]) -> Grant | Refusal:
        try:
            return authorise(self._actor(day), topic, area=area, units=units)
        except OutOfScope:
            return EntryOutOfScope()
        except NotYourRole:
            return EntryNotYourRole()

    def _books_of(self, ledger: str) -> Books:
        books = self._books.get(ledger)
        if books is None:
            books = self._books[ledger] = self._books_at(ledger, self.found.stands.get(ledger[:4], 0))
        return books


def uuid_of(text: str) -> UUID:
    """The UUID of a text whose form was checked: a third of the time that the constructor takes, which looks for other forms."""
    made = _new(UUID)
    _set(made, "int", int(text.replace("-", ""), 16))
    _set(made, "is_safe", UNKNOWN)
    return made


def units_of(aggregate: Any) -> tuple[str, ...]:
    """The units that hold a case or were called to it; none for what has no holder."""
    return aggregate.concerned_units() if isinstance(aggregate, Case) else ()
