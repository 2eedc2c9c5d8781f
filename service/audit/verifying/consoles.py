"""Judges what people did at the console, and what commands recorded as ``system``. Read by the walk over a ledger.

One table says for each event which right it needs, where, and which method of its aggregate decides it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from domain.aggregate import Act, Aggregate
from domain.areas import Area, area_of
from domain.books import Books
from domain.case import Case
from domain.clock import parse_utc
from domain.entries import KINDS, decide, must_name_units_in_force
from domain.incarnation import Incarnation
from domain.people import Person
from domain.refusals import NotBegun
from domain.rulebook import Rulebook
from domain.summary import Summary, summary_stream
from domain.tablet import Refused, Tablet
from projections.recorded import Recorded
from service.audit.continuing import STREAMS as INCARNATIONS
from service.audit.verifying.judging import Judge, OtherFields
from service.audit.verifying.reading import Line
from service.audit.verifying.streams import Held
from service.inspection import area_stream, book_stream
from service.scope import Actor, Grant, OutOfScope, authorise
from service.sync.refusals import UnknownArea

SYSTEM = "system"
ENROLMENT_DAYS = 8
"""A code for a tablet lives a week at most, so the right to give it was held on one of these days."""

Said = dict[str, Any]
Places = Callable[[Any, Said], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Deed:
    """A deed at the console. right: the action that is authorised, in each of ``places``; begins: whether it makes the aggregate."""

    aggregate: type[Any]
    right: str
    places: Places
    method: str
    begins: bool = False
    stream: Callable[[Said, str], UUID] | None = None
    without: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()


def _own(aggregate: Any, said: Said) -> tuple[str, ...]:
    return (aggregate.area,)


DEEDS: dict[str, Deed] = {
    "area.registered": Deed(
        Area, "area.manage", lambda area, said: (said["code"],), "register", True, lambda said, ledger: area_stream(said["code"])
    ),
    "area.changed": Deed(Area, "area.manage", lambda area, said: (area.code,), "change", without=("code",)),
    "area.ended": Deed(Area, "area.manage", lambda area, said: (area.code,), "end", without=("code",)),
    "person.registered": Deed(Person, "person.manage", lambda person, said: (area_of(said["home"]),), "register", True),
    "person.assigned": Deed(
        Person,
        "person.manage",
        lambda person, said: (area_of(person.home), area_of(said["unit"])),
        "assign",
        renamed=(("as_role", "role"),),
    ),
    "person.assignment_ended": Deed(Person, "person.manage", lambda person, said: (area_of(person.home),), "end_assignment"),
    "person.left": Deed(Person, "person.manage", lambda person, said: (area_of(person.home),), "leave"),
    "rulebook.opened": Deed(
        Rulebook,
        "rulebook.manage",
        lambda book, said: (said["city"],),
        "open",
        True,
        lambda said, ledger: book_stream(ledger, said["kind"], said["name"]),
    ),
    "rulebook.published": Deed(Rulebook, "rulebook.manage", lambda book, said: (book.city,), "publish", without=("kind", "name")),
    "summary.sealed": Deed(
        Summary,
        "summary.seal",
        lambda summary, said: (said["area"],),
        "seal",
        True,
        lambda said, ledger: summary_stream(ledger, said["period"]),
    ),
    "tablet.revoked": Deed(Tablet, "tablet.manage", _own, "revoke"),
    "tablet.reinstated": Deed(Tablet, "tablet.manage", _own, "reinstate"),
    # By a command alone: whoever runs it administers the city.
    "ledger.continued": Deed(
        Incarnation,
        "area.manage",
        lambda aggregate, said: (),
        "go_on",
        True,
        lambda said, ledger: uuid5(INCARNATIONS, said["origin"]),
    ),
    "refused.dismissed": Deed(Refused, "refusal.decide", _own, "dismiss"),
    "refused.reapplied": Deed(Refused, "refusal.decide", _own, "reapply"),
}
"""What is not a kind of entry. The kinds of entry are judged by ``domain.entries`` here as there."""

OF_THE_SERVICE = {
    "refused.reapplied": ("ledger", "stream", "version"),
    "ledger.continued": ("old_origin", "origin", "size", "root", "checkpoint", "signed_size", "signed_root"),
    "summary.sealed": ("zone", "until", "origin", "size", "root", "book", "counting", "counts", "digest"),
}
"""Derived fields that are arguments of the method all the same."""


def deed(judge: Judge, event: Line, held: Held | None, last: str) -> None:
    """Judges an event that did not come as an entry. last: when the event before it was recorded."""
    told = event.state
    by, said = told["by"], told.get("data") or {}
    happened_at, day = told["happened_at"], judge.day_of(told["happened_at"])
    if _is_late(judge, event, last):
        judge.report("time_wrong", event.position, f"{event.topic}: it happened at {happened_at} and was recorded at {event.recorded_at}")
    city = event.ledger[:4]

    def act_in(actor: Actor, right: str, places: Iterable[str], units: tuple[str, ...] = ()) -> Act:
        grants = [authorise(actor, right, area=place, units=units) for place in places] or [authorise(actor, right)]
        role = grants[0].role
        if role != told["role"]:
            raise OtherFields("role")
        return Act(by, role, happened_at, day, tuple(grant.unit for grant in actor.grants if grant.role == role))

    def actor_at(who: str) -> Actor:
        if by == SYSTEM:
            return Actor(SYSTEM, (Grant("administrator", city), Grant("officer", city)))
        return Actor(by, judge.knowledge.known_at(by, who, who).grants_on(day))

    def attempt(aggregate: Any, who: str, where: str) -> Any:
        books = judge.knowledge.books_at(city, where)
        if event.topic in KINDS:
            made = _case(judge, event, said, aggregate, lambda *place: act_in(actor_at(who), event.topic, *place), books, where)
        else:
            made = _managed(event, said, aggregate, lambda *place: act_in(actor_at(who), *place), books)
        return made

    area = said["area"] if isinstance(said.get("area"), str) else event.ledger
    judge.judge(event, held, attempt, by, area, said)


def _is_late(judge: Judge, event: Recorded, last: str) -> bool:
    """Whether far more time lies between deed and recording than deciding takes. A clock that stands behind the ledger's is no fault."""
    try:
        waited = parse_utc(event.recorded_at) - parse_utc(event.state["happened_at"])
    except ValueError:
        return True
    return waited < timedelta(0) or (waited > judge.tolerance and event.recorded_at != last)


def _case(judge: Judge, event: Recorded, said: Said, aggregate: Any, act_at: Callable[..., Act], books: Books, where: str) -> Any:
    """One step of a case, or its report."""
    area = said["area"]
    more = {name: value for name, value in said.items() if name != "area"}
    kind = KINDS[event.topic]
    if kind.starts:
        act = act_at((area,))
    elif not isinstance(aggregate, Case):
        raise NotBegun(id=event.stream)
    else:
        act = act_at((aggregate.area,), aggregate.concerned_units())
        if event.topic == "case.merged":
            _must_go_on(judge, more["into"])

    def in_force(code: str) -> bool:
        spans = judge.knowledge.areas.get(code)
        return spans is not None and any(first <= act.day and (last is None or act.day <= last) for first, last in spans.at(where, []))

    if kind.starts and not in_force(area):
        raise UnknownArea
    must_name_units_in_force(event.topic, more, in_force)
    return decide(kind, act, books, stream=UUID(event.stream), area=area, said=more, aggregate=aggregate)


def _must_go_on(judge: Judge, case: str) -> None:
    other = judge.known.get((judge.ledger, case.lower()))
    if not isinstance(other, Case):
        raise OutOfScope
    other.must_go_on()


def _managed(event: Recorded, said: Said, aggregate: Aggregate | None, act_in: Callable[..., Act], books: Books) -> Any:
    """A deed of DEEDS."""
    deed = DEEDS[event.topic]
    more = {name: value for name, value in said.items() if name not in deed.without}
    more |= {name: event.state[name] for name in OF_THE_SERVICE.get(event.topic, ()) if name in event.state}
    for old, new in deed.renamed:
        more[new] = more.pop(old)
    if deed.begins:
        if aggregate is not None:
            raise OtherFields("stream")
        stream = UUID(event.stream)
        if deed.stream is not None and deed.stream(more, event.ledger) != stream:
            raise OtherFields("stream")
        return getattr(deed.aggregate, deed.method)(act_in(deed.right, deed.places(None, more)), books, stream, **more)
    if not isinstance(aggregate, deed.aggregate):
        raise NotBegun(id=event.stream)
    getattr(aggregate, deed.method)(act_in(deed.right, deed.places(aggregate, said)), books, **more)
    return aggregate


def enrolment(judge: Judge, event: Line, held: Held | None) -> None:
    """Judges that a tablet was enrolled: by somebody who might give it out on one of the days that its code can have lived."""
    told, said = event.state, event.state.get("data") or {}
    by, day = told["by"], judge.day_of(told["happened_at"])

    def attempt(aggregate: Any, who: str, where: str) -> Any:
        city = event.ledger[:4]
        if by == SYSTEM:
            grants: set[Grant] = {Grant("administrator", city), Grant("officer", city)}
        else:
            known = judge.knowledge.known_at(by, who, where)
            grants = {grant for each in _days_before(day) for grant in known.grants_on(each)}
        mine = tuple(grant for grant in grants if grant.role == told["role"])
        authorise(Actor(by, mine), "tablet.enrol", area=told["area"])
        act = Act(by, told["role"], told["happened_at"], day)
        derived = {name: told[name] for name in ("origin", "person", "area")}
        if aggregate is not None or not told["origin"].endswith(f"/tablet/{event.stream}"):
            raise OtherFields("origin")
        return Tablet.enrol(act, None, UUID(event.stream), **derived, **said)

    judge.judge(event, held, attempt, by, told["area"], said)


def _days_before(day: str) -> list[str]:
    last = parse_utc(f"{day}T12:00:00+00:00")
    return [(last - timedelta(days=back)).date().isoformat() for back in range(ENROLMENT_DAYS)]
