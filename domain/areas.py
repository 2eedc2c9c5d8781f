"""Areas 区域: the tree of city, county, subdistrict, community, grid, micro-grid, and the arithmetic of its codes.

Read by everything that asks "where": codes nest by prefix, so a subtree is a prefix and a ledger is the first nine digits.
"""

from typing import Any

from domain.aggregate import Aggregate, Fact, FirstFact, Said

LEVEL_OF_LENGTH = {4: "city", 6: "county", 9: "subdistrict", 12: "community", 15: "grid", 17: "micro_grid"}
LENGTH_OF_LEVEL = {level: length for length, level in LEVEL_OF_LENGTH.items()}
GRID_KINDS = ("general", "exclusive", "patrol", "party", "micro")


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

    class Ended(Fact):
        """区域撤销: the code is not used after a day; successors take its place."""

        TOPIC = "area.ended"
        code: Said[str]
        effective_to: Said[str]
        successors: Said[list[str] | tuple[()]] = ()


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
