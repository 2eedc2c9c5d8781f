"""Areas 区域: the tree of city, county, subdistrict, community, grid, micro-grid, and the arithmetic of its codes.

Read by everything that asks "where": codes nest by prefix, so a subtree is a prefix and a ledger is the first nine digits.
"""

import re
from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Fact, FirstFact, Said
from domain.days import must_be_a_day, must_be_in_order
from domain.personal import must_be_free_of_numbers
from domain.refusals import AreaEnded, NotAnArea, NothingChanged, TextNeeded, UnknownAreaKind

LEVEL_OF_LENGTH = {4: "city", 6: "county", 9: "subdistrict", 12: "community", 15: "grid", 17: "micro_grid"}
LENGTH_OF_LEVEL = {level: length for length, level in LEVEL_OF_LENGTH.items()}
GRID_KINDS = ("general", "exclusive", "patrol", "party", "micro")
DEPARTMENT = re.compile(r"[a-z0-9_]{1,64}")
CHANGEABLE = ("name", "kind", "centre", "polygon", "reference")


class Area(Aggregate):
    """One area, effective-dated: a code may end and its successors begin."""

    TOPIC = "area"

    class Registered(FirstFact):
        """区域登记: an area exists from a day on. polygon and centre are WGS-84 GeoJSON order (lon, lat)."""

        TOPIC = "area.registered"
        code: Said[str]
        name: Said[str]
        effective_from: Said[str]
        kind: Said[str | None] = None
        centre: Said[list[float] | None] = None
        polygon: Said[dict[str, Any] | None] = None
        reference: Said[str | None] = None

        def apply(self, area: "Area") -> None:
            area.code, area.effective_from, area.effective_to = self.code, self.effective_from, None
            area.known = {name: getattr(self, name) for name in CHANGEABLE}

    class Changed(Fact):
        """区域变更: a new name, kind, outline or reference from a day on; only the members said are changed."""

        TOPIC = "area.changed"
        code: Said[str]
        effective_from: Said[str]
        name: Said[str | None] = None
        kind: Said[str | None] = None
        centre: Said[list[float] | None] = None
        polygon: Said[dict[str, Any] | None] = None
        reference: Said[str | None] = None

        def apply(self, area: "Area") -> None:
            said = {name: getattr(self, name) for name in CHANGEABLE}
            area.known = {**area.known, **{name: value for name, value in said.items() if value is not None}}

    class Ended(Fact):
        """区域撤销: the code is not used after a day; successors take its place."""

        TOPIC = "area.ended"
        code: Said[str]
        effective_to: Said[str]
        successors: Said[list[str] | tuple[()]] = ()

        def apply(self, area: "Area") -> None:
            area.effective_to = self.effective_to

    code: str
    effective_from: str
    effective_to: str | None
    known: dict[str, Any]

    def __init__(self) -> None:
        """State is set by facts only; without this, the library would make an initialiser of the names above."""

    @classmethod
    def register(cls, act: Act, books: Any, stream: UUID, *, code: str, name: str, effective_from: str, **details: Any) -> "Area":
        """区域登记: an area exists from a day on. details: kind, centre, polygon, reference."""
        must_be_an_area(code)
        must_be_a_day(effective_from)
        _must_be_named(name)
        _must_be_a_kind(details.get("kind"))
        return cls.begin(cls.Registered, act, stream, code=code, name=name, effective_from=effective_from, **details)

    def change(self, act: Act, books: Any, *, effective_from: str, **changed: Any) -> None:
        """区域变更: changes what is said (name, kind, centre, polygon, reference) from a day on."""
        self._must_not_have_ended()
        must_be_a_day(effective_from)
        _must_be_a_kind(changed.get("kind"))
        if changed.get("name") is not None:
            _must_be_named(changed["name"])
        if not any(self.differs(name, value) for name, value in changed.items() if value is not None):
            raise NothingChanged(code=self.code)
        self.record(self.Changed, act, code=self.code, effective_from=effective_from, **changed)

    def end(self, act: Act, books: Any, *, effective_to: str, successors: list[str] | tuple[()] = ()) -> None:
        """区域撤销: the code is not used after a day."""
        self._must_not_have_ended()
        must_be_a_day(effective_to)
        must_be_in_order(self.effective_from, effective_to)
        for successor in successors:
            must_be_an_area(successor)
        self.record(self.Ended, act, code=self.code, effective_to=effective_to, successors=successors)

    def differs(self, name: str, value: Any) -> bool:
        """Whether this would change something that can change."""
        return name in CHANGEABLE and bool(self.known[name] != value)

    def _must_not_have_ended(self) -> None:
        if self.effective_to is not None:
            raise AreaEnded(code=self.code, effective_to=self.effective_to)


def _must_be_named(name: str) -> None:
    # A NUL would stand in the ledger for ever and in no text column of PostgreSQL.
    if not name.strip() or "\0" in name:
        raise TextNeeded("An area has a name, without NUL.")
    must_be_free_of_numbers(name)


def _must_be_a_kind(kind: str | None) -> None:
    if kind is not None and kind not in GRID_KINDS:
        raise UnknownAreaKind(kind=kind)


def is_area(code: str) -> bool:
    """Whether the text is an area code."""
    return len(code) in LEVEL_OF_LENGTH and code.isascii() and code.isdigit()


def must_be_an_area(code: str) -> None:
    """NotAnArea where the text is no area code."""
    if not is_area(code):
        raise NotAnArea(area=code)


def unit_is_well_formed(unit: str) -> bool:
    """Whether the text is an area code, or <area code>/<department> with the department in small letters, digits and _."""
    area, slash, department = unit.partition("/")
    return is_area(area) and (not slash or DEPARTMENT.fullmatch(department) is not None)


def level_of(code: str) -> str:
    """Level of an area code by its length. ValueError if it is no area code."""
    if not code.isascii() or not code.isdigit() or len(code) not in LEVEL_OF_LENGTH:
        raise ValueError(f"{code!r} is not an area code: 4, 6, 9, 12, 15 or 17 digits")
    return LEVEL_OF_LENGTH[len(code)]


def ledger_of(code: str) -> str:
    """The ledger that records what happens in an area: its subdistrict's, or its own code above that.

    Accepts a unit (``<area code>/<department>``) as well.
    """
    area = area_of(code)
    level_of(area)
    return area[:9]


def parent_of(code: str) -> str | None:
    """Code of the area one level up; None for a city."""
    lengths = sorted(LEVEL_OF_LENGTH)
    level_of(code)
    here = lengths.index(len(code))
    return code[: lengths[here - 1]] if here else None


def area_of(unit: str) -> str:
    """The area code of a unit: ``411502001/fire`` belongs to ``411502001``."""
    return unit.partition("/")[0]


def department_of(unit: str) -> str | None:
    """The department of a unit, or None where the unit is the area's own office or the grid itself."""
    return unit.partition("/")[2] or None


def lies_within(code: str, ancestor: str) -> bool:
    """Whether an area (or the area of a unit) is ancestor itself or below it."""
    return area_of(code).startswith(ancestor)
