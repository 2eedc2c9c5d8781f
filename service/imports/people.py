"""People and their assignments from CSV: login,label,role,unit,from,to[,password]. Read by ``gridtrail people import``.

A login that stands in several rows is one person with several assignments. Ids follow from the login, so that the same file again
changes nothing. The label is kept with the account and never enters an event.
"""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from domain.areas import area_of, department_of, level_of
from domain.people import ROLES
from service.imports.areas import day_of
from service.imports.table import BadValue, Flaw, Row, read_rows, read_table

REQUIRED = ("login", "role", "unit", "from")
PEOPLE = UUID("3f1d5c0a-6a3e-5d0f-9c1b-2b7f0d3f8a55")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One role of one person in one unit, from a day on."""

    line: int
    login: str
    label: str
    role: str
    unit: str
    from_day: str
    to_day: str | None
    password: str | None

    def person_id(self, city: str) -> UUID:
        """The person's id: the same for the same login of the same city."""
        return uuid5(PEOPLE, f"{city}/{self.login}")

    def id(self, city: str) -> str:
        """The assignment's id."""
        return str(uuid5(self.person_id(city), f"{self.role} {self.unit} {self.from_day}"))


@dataclass
class People:
    """What a file said: the good rows, and the flaws of the others."""

    total: int = 0
    found: list[Assignment] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)


def read_people(path: Path) -> People:
    """Reads a file of assignments. UnreadableFile where it has no usable header."""
    table = read_table(path, REQUIRED)
    total = table.total
    found = list(read_rows(table, _assignment))
    return People(total, found, sorted(table.flaws, key=lambda flaw: flaw.line))


def _assignment(row: Row) -> Assignment:
    role = row.need("role").lower()
    if role not in ROLES:
        raise BadValue("role", "unknown_role", f"{row['role']!r} is not one of {', '.join(ROLES)}.")
    to_day = day_of(row, "to") if row["to"] else None
    from_day = day_of(row, "from")
    if to_day and to_day < from_day:
        raise BadValue("to", "ends_before_it_begins", f"{to_day} is before {from_day}.")
    login = row.need("login")
    if len(login) > 64 or not login.isprintable():
        raise BadValue("login", "not_a_login", "a login has at most 64 printable characters.")
    if len(row["label"]) > 120:
        raise BadValue("label", "too_long", "a label has at most 120 characters.")
    return Assignment(row.line, login, row["label"] or login, role, _unit(row), from_day, to_day, row["password"] or None)


def _unit(row: Row) -> str:
    unit = row.need("unit")
    try:
        level_of(area_of(unit))
    except ValueError as wrong:
        raise BadValue("unit", "not_a_unit", f"{wrong}, or such a code, a slash and a department.") from None
    if "/" in unit and not department_of(unit):
        raise BadValue("unit", "not_a_unit", "names no department after the slash.")
    return unit
