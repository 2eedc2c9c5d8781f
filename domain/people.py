"""People 人员 and their assignments: who may act where on which day. No names here: personal values live beside the ledger."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Fact, FirstFact, Said
from domain.areas import unit_is_well_formed
from domain.days import must_be_a_day, must_be_in_order
from domain.refusals import AssignmentKnown, NotAUnit, PersonLeft, UnknownAssignment, UnknownRole

ROLES = ("worker", "officer", "auditor", "administrator")


class Person(Aggregate):
    """One person who works with the system, known by an id only."""

    TOPIC = "person"

    class Registered(FirstFact):
        """人员登记: a person belongs to an area's organisation."""

        TOPIC = "person.registered"
        home: Said[str]

        def apply(self, person: "Person") -> None:
            person.home, person.left_on, person.assignments = self.home, None, {}

    class Assigned(Fact):
        """任职: a role in a unit from a day on, to a day where it is known. unit: area code or <area code>/<department>.

        as_role is the role that is given; role, as in every fact, the one that the giver acted in.
        """

        TOPIC = "person.assigned"
        assignment: Said[str]
        as_role: Said[str]
        unit: Said[str]
        from_day: Said[str]
        to_day: Said[str | None] = None

        def apply(self, person: "Person") -> None:
            said = {"role": self.as_role, "unit": self.unit, "from_day": self.from_day, "to_day": self.to_day}
            person.assignments = {**person.assignments, self.assignment: said}

    class AssignmentEnded(Fact):
        """卸任: an assignment's last day is to_day."""

        TOPIC = "person.assignment_ended"
        assignment: Said[str]
        to_day: Said[str]

        def apply(self, person: "Person") -> None:
            known = person.assignments.get(self.assignment)
            if known is not None:
                person.assignments = {**person.assignments, self.assignment: {**known, "to_day": self.to_day}}

    class Left(Fact):
        """离职: the person no longer works here after to_day; all assignments end."""

        TOPIC = "person.left"
        to_day: Said[str]

        def apply(self, person: "Person") -> None:
            person.left_on = self.to_day
            person.assignments = {key: _ended_by(self.to_day, each) for key, each in person.assignments.items()}

    home: str
    left_on: str | None
    assignments: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def register(cls, act: Act, books: Any, stream: UUID, *, home: str) -> "Person":
        """人员登记: registers a person of an area's organisation, by id only."""
        _must_be_a_unit(home)
        return cls.begin(cls.Registered, act, stream, home=home)

    def assign(self, act: Act, books: Any, *, assignment: str, role: str, unit: str, from_day: str, to_day: str | None = None) -> None:
        """任职: gives the person a role in a unit, from a day to a day where it is known."""
        self._must_work_here()
        if assignment in self.assignments:
            raise AssignmentKnown(assignment=assignment)
        if role not in ROLES:
            raise UnknownRole(role=role)
        _must_be_a_unit(unit)
        must_be_a_day(from_day)
        if to_day is not None:
            must_be_a_day(to_day)
            must_be_in_order(from_day, to_day)
        self.record(self.Assigned, act, assignment=assignment, as_role=role, unit=unit, from_day=from_day, to_day=to_day)

    def end_assignment(self, act: Act, books: Any, *, assignment: str, to_day: str) -> None:
        """卸任: sets the last day of an assignment."""
        if assignment not in self.assignments:
            raise UnknownAssignment(assignment=assignment)
        must_be_a_day(to_day)
        must_be_in_order(self.assignments[assignment]["from_day"], to_day)
        self.record(self.AssignmentEnded, act, assignment=assignment, to_day=to_day)

    def leave(self, act: Act, books: Any, *, to_day: str) -> None:
        """离职: the person no longer works here after a day."""
        self._must_work_here()
        must_be_a_day(to_day)
        self.record(self.Left, act, to_day=to_day)

    def acts_for(self, day: str) -> list[tuple[str, str]]:
        """(role, unit) of the assignments in force on a day."""
        return [(each["role"], each["unit"]) for each in self.assignments.values() if in_force(each, day)]

    def _must_work_here(self) -> None:
        if self.left_on is not None:
            raise PersonLeft(left_on=self.left_on)


def _ended_by(day: str, assignment: dict[str, Any]) -> dict[str, Any]:
    """The assignment, ending on that day where it would have lasted longer."""
    ends = assignment["to_day"]
    return assignment if ends is not None and ends <= day else {**assignment, "to_day": day}


def in_force(assignment: dict[str, Any], day: str) -> bool:
    """Whether an assignment covers a day; its last day belongs to it."""
    return bool(assignment["from_day"] <= day and (assignment["to_day"] is None or day <= assignment["to_day"]))


def _must_be_a_unit(unit: str) -> None:
    if not unit_is_well_formed(unit):
        raise NotAUnit(unit=unit)
