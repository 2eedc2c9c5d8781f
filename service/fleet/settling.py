"""Gives a fleet's cast its place: people, assignments and, where wanted, tablets' codes. The same again records nothing."""

from collections.abc import Iterable
from uuid import UUID, uuid5

from service.fleet.plan import Member
from service.imports.people import PEOPLE, Assignment, People
from service.imports.recording import record_people, terminal_actor
from service.wiring import Gridtrail


def person_of(city: str, key: str) -> UUID:
    """The person behind a key: the same as an import of that login makes."""
    return uuid5(PEOPLE, f"{city}/{key}")


def settle(pieces: Gridtrail, cast: Iterable[Member], password: str | None = None) -> None:
    """Registers the cast and assigns everyone; with a password, everyone gets a login too. RuntimeError where a rule refuses somebody."""
    rows = [
        Assignment(0, member.key, member.label or member.key, member.role, unit, member.from_day, None, password)
        for member in cast
        for unit in member.units
    ]
    people = People(len(rows), rows)
    record_people(pieces, people)
    if people.flaws:
        raise RuntimeError(f"the cast cannot be settled: {people.flaws[0]}")


def code_for(pieces: Gridtrail, member: Member) -> str:
    """A one-time code for the member's tablet."""
    person = str(person_of(pieces.config.city, member.key))
    return pieces.enrolment.make_code(terminal_actor(pieces.config), person).code
