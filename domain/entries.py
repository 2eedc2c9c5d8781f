"""What a tablet or a console may say: each kind of entry, the method that decides it, the roles that may send it.

Read by the upload path, by the console and by their schemas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.aggregate import Act
from domain.areas import area_of
from domain.books import Books
from domain.case import Case
from domain.case_rules import RULES
from domain.patrol import Patrol
from domain.refusals import AlreadyBegun, AnotherArea, NotBegun, RoleMayNotDoThis, UnknownUnit
from domain.visit import Visit

FIELD = frozenset({"worker", "officer"})
REPORTERS = FIELD | {"system"}
"""A sensor's alarm is reported by the service itself."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry. starts: its method makes the aggregate, with the stream's id and the area among its arguments."""

    aggregate: type[Any]
    method: str
    starts: bool
    roles: frozenset[str]


ACTIONS = {
    "verify": "case.verified",
    "accept": "case.accepted",
    "register": "case.registered",
    "reject": "case.rejected",
    "dispatch": "case.dispatched",
    "acknowledge": "case.acknowledged",
    "transfer": "case.transferred",
    "return": "case.returned",
    "escalate": "case.escalated",
    "refer": "case.referred",
    "whistle": "case.whistled",
    "muster": "case.mustered",
    "handle": "case.handled",
    "self_handle": "case.self_handled",
    "extend": "case.extended",
    "suspend": "case.suspended",
    "resume": "case.resumed",
    "check": "case.checked",
    "rework": "case.reworked",
    "evaluate": "case.evaluated",
    "close": "case.closed",
    "reopen": "case.reopened",
    "merge": "case.merged",
    "split": "case.split",
    "exempt_overtime": "case.overtime_exempted",
}
METHOD_OF = {"return": "send_back"}
"""Where the action's name is a word of Python's own."""

NAMED_UNITS = {
    "case.dispatched": ("to",),
    "case.transferred": ("to",),
    "case.referred": ("to",),
    "case.whistled": ("lead", "assists"),
}
"""Said fields that name the units which a case is sent to."""

KINDS: dict[str, Kind] = {
    "patrol.started": Kind(Patrol, "start", True, FIELD),
    "patrol.checkpoint_passed": Kind(Patrol, "pass_checkpoint", False, FIELD),
    "patrol.finished": Kind(Patrol, "finish", False, FIELD),
    "visit.made": Kind(Visit, "make", True, FIELD),
    "case.reported": Kind(Case, "report", True, REPORTERS),
    **{topic: Kind(Case, METHOD_OF.get(verb, verb), False, RULES[verb].roles) for verb, topic in ACTIONS.items()},
}


def must_name_units_in_force(topic: str, said: dict[str, Any], in_force: Callable[[str], bool]) -> None:
    """UnknownUnit where a case would be sent to a unit of no area that is in force: nobody could take it up there."""
    for unit in units_named(topic, said):
        if not in_force(area_of(unit)):
            raise UnknownUnit(unit=unit)


def units_named(topic: str, said: dict[str, Any]) -> list[str]:
    """The units that a case is sent to by an act."""
    found: list[str] = []
    for name in NAMED_UNITS.get(topic, ()):
        value = said.get(name, ())
        found.extend([value] if isinstance(value, str) else value)
    return found


def decide(kind: Kind, act: Act, books: Books, *, stream: UUID, area: str, said: dict[str, Any], aggregate: Any = None) -> Any:
    """Lets an entry's method decide and gives the aggregate with the new event pending. Refusal where a rule says no.

    aggregate: what the stream holds so far, None where it is new. The area that an entry names is its record's area: it stands in
    the recorded line, so an entry that names another one is refused rather than corrected.
    """
    if act.role not in kind.roles:
        raise RoleMayNotDoThis(role=act.role)
    if kind.starts:
        if aggregate is not None:
            raise AlreadyBegun(id=str(stream))
        return getattr(kind.aggregate, kind.method)(act, books, stream, area=area, **said)
    if not isinstance(aggregate, kind.aggregate):
        raise NotBegun(id=str(stream))
    if aggregate.area != area:
        raise AnotherArea(area=area, recorded=aggregate.area)
    getattr(aggregate, kind.method)(act, books, **said)
    return aggregate
