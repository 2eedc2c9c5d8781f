"""People 人员 and their assignments: who may act where on which day. No names here: personal values live beside the ledger."""

from domain.aggregate import Aggregate, Fact, FirstFact, Said

ROLES = ("worker", "officer", "auditor", "administrator")


class Person(Aggregate):
    """One person who works with the system, known by an id only."""

    TOPIC = "person"

    class Registered(FirstFact):
        """人员登记: a person belongs to an area's organisation."""

        TOPIC = "person.registered"
        home: Said[str]

    class Assigned(Fact):
        """任职: a role in a unit from a day on, to a day where it is known. unit: area code or <area code>/<department>."""

        TOPIC = "person.assigned"
        assignment: Said[str]
        role: Said[str]
        unit: Said[str]
        from_day: Said[str]
        to_day: Said[str | None] = None

    class AssignmentEnded(Fact):
        """卸任: an assignment's last day is to_day."""

        TOPIC = "person.assignment_ended"
        assignment: Said[str]
        to_day: Said[str]

    class Left(Fact):
        """离职: the person no longer works here after to_day; all assignments end."""

        TOPIC = "person.left"
        to_day: Said[str]
