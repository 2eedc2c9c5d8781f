"""What a person may see: subtrees of areas, and units whose work may lie anywhere. Every query of a read model takes one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.areas import area_of


def within(column: sa.ColumnElement[Any], prefix: str) -> sa.ColumnElement[bool]:
    """The column's area code (or unit) lies in the subtree: a range, so that an index on the column serves it."""
    return sa.and_(column >= prefix, column < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def listed(column: sa.ColumnElement[Any], unit: str) -> sa.ColumnElement[bool]:
    """The unit stands in the column's JSON list of units."""
    return column.contains(f'"{unit}"', autoescape=True)


@dataclass(frozen=True)
class Sight:
    """Areas seen with all below them, units seen by name, or everything. An empty sight sees nothing."""

    areas: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    everything: bool = False

    def where(
        self,
        area_col: sa.ColumnElement[Any],
        unit_cols: Iterable[sa.ColumnElement[Any]] = (),
        list_cols: Iterable[sa.ColumnElement[Any]] = (),
        inside: Callable[[sa.ColumnElement[Any], str], sa.ColumnElement[bool]] = within,
    ) -> sa.ColumnElement[bool]:
        """The condition that keeps what is seen. unit_cols hold one unit; list_cols hold a JSON list of units, or null.

        inside: how the table at hand says best that a column lies in a subtree.
        """
        if self.everything:
            return sa.true()
        seen = [inside(area_col, area) for area in self.areas]
        if self.units:
            seen += [column.in_(self.units) for column in unit_cols]
            seen += [sa.and_(column.is_not(None), sa.or_(*(listed(column, unit) for unit in self.units))) for column in list_cols]
        return sa.or_(*seen) if seen else sa.false()

    def covers(self, area: str, units: Iterable[str | None] = ()) -> bool:
        """Whether something in an area, held by or given to those units, is seen."""
        if self.everything or any(area_of(area).startswith(seen) for seen in self.areas):
            return True
        return any(unit in self.units for unit in units)


EVERYTHING = Sight(everything=True)
