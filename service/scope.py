"""Who may do and see what: one decision for the command side and for every query. Read by routes, inspection and sync.

A person has grants: a role in a unit, in force today. A unit is an area's own office or grid (an area code; the grant reaches
its subtree) or a department (``<area>/<department>``; it reaches the matters that the department holds or was called to, and
nothing else). Outside one's grants a thing is answered exactly as if it did not exist; inside them a wrong role is told so.

An administrator looks after areas, people and tablets and does not read what workers wrote: the one who can give rights has
no need of cases, and a person who needs both is given both roles. An auditor reads and changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.areas import area_of, department_of, lies_within
from domain.entries import ACTIONS, KINDS
from projections.sight import Sight

WORKER, OFFICER, AUDITOR, ADMINISTRATOR = "worker", "officer", "auditor", "administrator"
OFFICERS = frozenset({OFFICER})
READERS = frozenset({WORKER, OFFICER, AUDITOR})
OVERSEERS = frozenset({OFFICER, AUDITOR})
MANAGERS = frozenset({OFFICER, ADMINISTRATOR})
EVERYONE = frozenset({WORKER, OFFICER, AUDITOR, ADMINISTRATOR})

ACTIONS_BY_ROLE: dict[str, frozenset[str]] = {
    # What the field does: the rules name the roles for each kind of entry, and ``case.<verb>`` at the console is the same act.
    **{topic: frozenset(kind.roles) for topic, kind in KINDS.items()},
    **{f"case.{verb}": frozenset(KINDS[topic].roles) for verb, topic in ACTIONS.items()},
    "case.report": frozenset(KINDS["case.reported"].roles),
    # What is read.
    "case.read": READERS,
    "visit.read": READERS,
    "coverage.read": READERS,
    "workload.read": READERS,
    "workload.oversee": OVERSEERS,
    "refusal.read": READERS,
    "refusal.oversee": OVERSEERS,
    "summary.read": OVERSEERS,
    "photo.read": READERS,
    # What is said of persons: only who works with them. An auditor checks digests, and reads no value.
    "personal.read": frozenset({WORKER, OFFICER}),
    "ledger.read": frozenset({AUDITOR}),
    # An auditor's word goes into the record of reads; in the ledgers auditors change nothing.
    "ledger.verify": frozenset({AUDITOR}),
    "access.read": frozenset({AUDITOR}),
    "case.replay": frozenset({AUDITOR}),
    "area.read": EVERYONE,
    "person.read": frozenset({OFFICER, AUDITOR, ADMINISTRATOR}),
    "rulebook.read": EVERYONE,
    "signing.read": frozenset({AUDITOR, ADMINISTRATOR}),
    "health.read": frozenset({AUDITOR, ADMINISTRATOR}),
    "tablet.read": frozenset({OFFICER, AUDITOR, ADMINISTRATOR}),
    # What is managed.
    "photo.write": frozenset({WORKER, OFFICER}),
    "refusal.decide": OFFICERS,
    "tablet.enrol": MANAGERS,
    "tablet.manage": MANAGERS,
    "area.manage": frozenset({ADMINISTRATOR}),
    "subject.report": OFFICERS,
    "subject.erase": MANAGERS,
    "person.manage": frozenset({ADMINISTRATOR}),
    "account.manage": frozenset({ADMINISTRATOR}),
    "rulebook.manage": frozenset({ADMINISTRATOR}),
    "summary.seal": OFFICERS,
}


class OutOfScope(Exception):
    """The thing lies outside the actor's grants, or does not exist: the two are told apart nowhere."""


class NotYourRole(Exception):
    """The thing lies inside the actor's grants, and none of the roles there may do this."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a unit, in force today."""

    role: str
    unit: str

    def reaches(self, area: str, units: Iterable[str] = ()) -> bool:
        """Whether a thing that lies in an area, and that units hold or were called to, is within this grant."""
        if self.role in (WORKER, OFFICER) and self.unit in units:
            return True
        return department_of(self.unit) is None and lies_within(area, self.unit)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as known from a token, with the grants in force; tablet is its id where the token is a tablet's."""

    person: str
    grants: tuple[Grant, ...] = ()
    tablet: str | None = None

    @property
    def units(self) -> tuple[str, ...]:
        """The units that this person acts for today, as ``domain.aggregate.Act`` wants them."""
        return tuple(dict.fromkeys(grant.unit for grant in self.grants if grant.role in (WORKER, OFFICER)))


def authorise(actor: Actor, action: str, area: str | None = None, units: Iterable[str] = ()) -> Grant:
    """The grant under which the actor may do this. OutOfScope or NotYourRole otherwise.

    area=None asks whether the action is open to the actor anywhere, as lists do before they narrow by sight_of.
    """
    held = tuple(units)
    reaching = actor.grants if area is None else tuple(grant for grant in actor.grants if grant.reaches(area, held))
    if area is not None and not reaching:
        raise OutOfScope
    roles = ACTIONS_BY_ROLE[action]
    for grant in reaching:
        if grant.role in roles:
            return grant
    raise NotYourRole


def sight_of(actor: Actor, action: str = "case.read") -> Sight:
    """What a query may return to the actor for a reading action. No grant with a fitting role: nothing."""
    roles = ACTIONS_BY_ROLE[action]
    grants = [grant for grant in actor.grants if grant.role in roles]
    return Sight(
        areas=tuple(dict.fromkeys(grant.unit for grant in grants if department_of(grant.unit) is None)),
        units=tuple(dict.fromkeys(grant.unit for grant in grants if grant.role in (WORKER, OFFICER))),
    )


def places_of(actor: Actor) -> Sight:
    """The areas whose names and outlines the actor may read: the subtree of every grant, a department's being its area's."""
    return Sight(areas=tuple(dict.fromkeys(area_of(grant.unit) for grant in actor.grants)))
