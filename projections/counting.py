"""Counting a period, twice over: in the read models, for pages, and in a ledger's own events, for whoever trusts nothing else.

Both give the same numbers for the same events (a property test, on both stores). The database counts in its own statements, over the
stretch of an index that the period is; what it hands over are sums. ``Recount`` folds events in the order of the ledger, in portions of
any size, and holds the cases' states and what lies in the one period.

A period is given by its bounds: UTC moments for what has a moment, the city's days for what has a day (both half open).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from domain.clock import parse_utc, utc_text
from domain.indicators import CLOSED, COUNTS, HANDLED, counted
from domain.visit import OUTCOMES
from projections import areas, patrol_coverage, summaries, visit_log
from projections.model import Key
from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import NEVER

READ = ("summaries", "visit_log", "patrol_coverage", "areas")
"""The read models that are counted in: all of them stand at one position where their numbers are to be those of a tree."""
CONTACT = ("met", "refused")
"""Outcomes of a visit that reached the household. Where nobody was at home, it is still due."""

Counts = dict[str, int]
NOTHING: Counts = dict.fromkeys(COUNTS, 0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A period: from ``start`` up to, and without, ``until`` (UTC texts); from day ``first`` up to, and without, day ``end``."""

    start: str
    until: str
    first: str
    end: str

    def holds(self, moment: str) -> bool:
        """Whether a moment lies in it."""
        return self.start <= moment < self.until

    def days(self, first: str, last: str | None) -> int:
        """How many of its days lie between two days, both of them included; last: None where there is no end."""
        begins = max(first, self.first)
        ends = date.fromisoformat(self.end).toordinal()
        if last is not None:
            ends = min(ends, date.fromisoformat(last).toordinal() + 1)
        return max(0, ends - date.fromisoformat(begins).toordinal())


def total(parts: Iterable[Counts]) -> Counts:
    """The sums of several counts."""
    found = dict(NOTHING)
    for part in parts:
        for name, number in part.items():
            found[name] += number
    return found


def _add(found: dict[Any, Counts], where: Any, cohort: str, marks: Iterable[str], number: int) -> None:
    counts = found.setdefault(where, dict(NOTHING))
    for name in counted(cohort, marks):
        counts[name] += number


def _marks_by(marks: str, handled: bool, closed: bool) -> list[str]:
    """The marks that held when the period ended."""
    return [*marks.split(), *([HANDLED] if handled else ()), *([CLOSED] if closed else ())]


# ---- in the read models


def count_ledgers(conn: sa.Connection, ledgers: Sequence[str], bounds: Bounds) -> dict[tuple[str, str], Counts]:
    """The counts of a period by (ledger, community); an area that lies above the communities stands under its own code."""
    found: dict[tuple[str, str], Counts] = {}
    for query in (_items(ledgers, bounds), _households(ledgers, bounds), _grid_days(ledgers, bounds), _grids(ledgers, bounds)):
        for row in conn.execute(query):
            ledger, area, cohort, marks, handled, closed, number = tuple(row)
            _add(found, (ledger, area), cohort, _marks_by(marks, bool(handled), bool(closed)), number)
    for row in conn.execute(_grids_in_force(ledgers, bounds)):
        ledger, code, first, last = tuple(row)
        days = bounds.days(first, last)
        counts = found.setdefault((ledger, code[: summaries.COMMUNITY]), dict(NOTHING))
        counts["grid_days_due"] += days
        counts["grids_due"] += days > 0
    return found


Select = sa.Select[Any]
NO = sa.literal_column("0", sa.Integer)


def _items(ledgers: Sequence[str], bounds: Bounds) -> Select:
    C = summaries.C
    by_then = [sa.case((sa.func.coalesce(column, NEVER) < bounds.until, 1), else_=0) for column in (C.handled_at, C.closed_at)]
    columns = (C.ledger, C.area, C.cohort, C.marks, by_then[0].label("handled"), by_then[1].label("closed"))
    rows = sa.select(*columns).where(C.ledger.in_(list(ledgers)), C.at >= bounds.start, C.at < bounds.until).subquery()
    return sa.select(*rows.c, sa.func.count()).group_by(*rows.c)


def _households(ledgers: Sequence[str], bounds: Bounds) -> Select:
    """Households of which a visit fell due in the period, unless they were reached before it began; each with all that came of going."""
    wanted, came = _due(ledgers, bounds), _came(ledgers, bounds)
    same = sa.and_(came.c.ledger == wanted.c.ledger, came.c.household == wanted.c.household)
    held = [sa.case((came.c[outcome] > 0, f"{outcome} "), else_="") for outcome in OUTCOMES]
    marks = sa.func.trim(held[0].concat(held[1]).concat(held[2])).label("marks")
    said = (sa.literal("household").label("cohort"), marks, NO.label("handled"), NO.label("closed"))
    each = sa.select(wanted.c.ledger, wanted.c.area, *said).select_from(wanted.outerjoin(came, same)).subquery()
    return sa.select(*each.c, sa.func.count()).group_by(*each.c)


def _due(ledgers: Sequence[str], bounds: Bounds) -> sa.Subquery:
    """Households whose next visit was due on a day of the period, and of which nobody was reached between that visit and the period."""
    due, again = visit_log.TABLE.alias("due"), visit_log.TABLE.alias("again")
    D, A = due.c, again.c
    later = sa.and_(
        A.ledger == D.ledger, A.household == D.household, A.happened_at > D.happened_at, A.happened_at < _days_off(bounds.start, 1)
    )
    reached = sa.exists(sa.select(sa.literal(1)).where(later, A.day < bounds.first, A.outcome.in_(CONTACT)))
    return (
        sa.select(D.ledger, D.household, sa.func.min(sa.func.substr(D.area, 1, summaries.COMMUNITY)).label("area"))
        .where(D.ledger.in_(list(ledgers)), D.next_due >= bounds.first, D.next_due < bounds.end, ~reached)
        .group_by(D.ledger, D.household)
        .subquery()
    )


def _came(ledgers: Sequence[str], bounds: Bounds) -> sa.Subquery:
    """What came of going to a household in the period: for each outcome, whether it was one."""
    V = visit_log.C
    stretch = sa.and_(V.happened_at >= _days_off(bounds.start, -1), V.happened_at < _days_off(bounds.until, 1))
    marks = [sa.func.max(sa.case((V.outcome == outcome, 1), else_=0)).label(outcome) for outcome in OUTCOMES]
    query = sa.select(V.ledger, V.household, *marks).where(V.ledger.in_(list(ledgers)), stretch, V.day >= bounds.first, V.day < bounds.end)
    return query.group_by(V.ledger, V.household).subquery()


def _days_off(moment: str, days: int) -> str:
    """A moment some days away: where an index by time may begin or end. The days themselves decide."""
    return utc_text(parse_utc(moment) + timedelta(days=days))


def _patrolled(ledgers: Sequence[str], bounds: Bounds) -> sa.Subquery:
    """Days on which a grid that was in force was patrolled."""
    P, A = patrol_coverage.C, areas.C
    grid = sa.func.substr(P.area, 1, patrol_coverage.GRID)
    days = (
        sa.select(P.ledger, grid.label("grid"), P.day)
        .where(P.ledger.in_(list(ledgers)), P.day >= bounds.first, P.day < bounds.end, sa.func.length(P.area) >= patrol_coverage.GRID)
        .distinct()
        .subquery()
    )
    there = sa.and_(A.ledger == days.c.ledger, A.code == days.c.grid, A.level == "grid")
    in_force = sa.and_(A.effective_from <= days.c.day, sa.or_(A.effective_to.is_(None), A.effective_to >= days.c.day))
    community = sa.func.substr(days.c.grid, 1, summaries.COMMUNITY).label("area")
    return sa.select(days.c.ledger, community, days.c.grid, days.c.day).join_from(days, areas.TABLE, sa.and_(there, in_force)).subquery()


def _grid_days(ledgers: Sequence[str], bounds: Bounds) -> Select:
    return _of_grids("patrolled_grid_day", _patrolled(ledgers, bounds), sa.func.count())


def _grids(ledgers: Sequence[str], bounds: Bounds) -> Select:
    days = _patrolled(ledgers, bounds)
    return _of_grids("patrolled_grid", days, sa.func.count(days.c.grid.distinct()))


def _of_grids(cohort: str, days: sa.Subquery, number: sa.ColumnElement[int]) -> Select:
    said = (sa.literal(cohort), sa.literal(""), NO.label("handled"), NO.label("closed"))
    return sa.select(days.c.ledger, days.c.area, *said, number).group_by(days.c.ledger, days.c.area)


def _grids_in_force(ledgers: Sequence[str], bounds: Bounds) -> Select:
    A = areas.C
    some_day = sa.and_(A.effective_from < bounds.end, sa.or_(A.effective_to.is_(None), A.effective_to >= bounds.first))
    return sa.select(A.ledger, A.code, A.effective_from, A.effective_to).where(A.ledger.in_(list(ledgers)), A.level == "grid", some_day)


# ---- in a ledger's own events


class Recount:
    """The counts of one period from the events of one ledger, from its first on. Take them in order, in portions of any size."""

    TOPICS = summaries.TOPICS | visit_log.TOPICS | patrol_coverage.TOPICS | {"area.registered", "area.ended"}

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._cases: dict[Key, Row] = {}
        self._items: dict[Key, Row] = {}
        self._due: dict[str, list[tuple[str, str]]] = {}
        self._reached: dict[str, str] = {}
        self._came: dict[str, set[str]] = {}
        self._patrolled: set[tuple[str, str]] = set()
        self._grids: dict[str, tuple[str, str | None]] = {}

    def take(self, events: Iterable[Recorded]) -> None:
        """Goes on with the next events; those of other topics are passed over."""
        for event in events:
            if event.topic in summaries.TOPICS:
                self._case(event)
            elif event.topic in visit_log.TOPICS:
                self._visit(event)
            elif event.topic in patrol_coverage.TOPICS:
                self._patrol(event)
            elif event.topic in self.TOPICS:
                self._area(event)

    def _case(self, event: Recorded) -> None:
        for key in summaries.keys(event):
            before = self._cases.get(key)
            after = self._cases[key] = summaries.fold(key, before, event)
            for place, item in summaries.spread(before, after, event):
                if item is not None and self.bounds.holds(item["at"]):
                    self._items[place] = item
                else:
                    self._items.pop(place, None)

    def _visit(self, event: Recorded) -> None:
        fields, due = event.fields, visit_log.next_due(event)
        household, day, happened_at = fields["household"], fields["day"], fields["happened_at"]
        if due is not None and self.bounds.first <= due < self.bounds.end:
            self._due.setdefault(household, []).append((happened_at, fields["area"][: summaries.COMMUNITY]))
        if day < self.bounds.first and fields["outcome"] in CONTACT:
            self._reached[household] = max(happened_at, self._reached.get(household, ""))
        if self.bounds.first <= day < self.bounds.end:
            self._came.setdefault(household, set()).add(fields["outcome"])

    def _patrol(self, event: Recorded) -> None:
        area, day = event["area"], event["day"]
        if self.bounds.first <= day < self.bounds.end and len(area) >= patrol_coverage.GRID:
            self._patrolled.add((area[: patrol_coverage.GRID], day))

    def _area(self, event: Recorded) -> None:
        code = event["code"]
        if len(code) == patrol_coverage.GRID:
            first = self._grids[code][0] if event.topic == "area.ended" else event["effective_from"]
            self._grids[code] = (first, event["effective_to"] if event.topic == "area.ended" else None)

    def by_area(self) -> dict[str, Counts]:
        """The counts by community, as ``count_ledgers`` gives them of the ledger."""
        found: dict[str, Counts] = {}
        for (area, cohort, marks), number in Counter(self._counted()).items():
            _add(found, area, cohort, marks.split(), number)
        for code, (first, last) in self._grids.items():
            days = self.bounds.days(first, last)
            if days:
                counts = found.setdefault(code[: summaries.COMMUNITY], dict(NOTHING))
                counts["grid_days_due"] += days
                counts["grids_due"] += 1
        return found

    def counts(self) -> Counts:
        """The counts of the whole ledger."""
        return total(self.by_area().values())

    def _counted(self) -> Iterator[tuple[str, str, str]]:
        """(area, cohort, marks) of each thing that counts."""
        until = self.bounds.until
        for item in self._items.values():
            handled, closed = ((item[name] or NEVER) < until for name in ("handled_at", "closed_at"))
            yield item["area"], item["cohort"], " ".join(_marks_by(item["marks"], handled, closed))
        for household, visits in self._due.items():
            since = self._reached.get(household, "")
            where = [area for happened_at, area in visits if happened_at >= since]
            if where:
                yield min(where), "household", " ".join(sorted(self._came.get(household, ())))
        days = [(grid, day) for grid, day in self._patrolled if self._in_force(grid, day)]
        for grid, _ in days:
            yield grid[: summaries.COMMUNITY], "patrolled_grid_day", ""
        for grid in {grid for grid, _ in days}:
            yield grid[: summaries.COMMUNITY], "patrolled_grid", ""

    def _in_force(self, grid: str, day: str) -> bool:
        first, last = self._grids.get(grid, (NEVER, None))
        return first <= day and (last is None or day <= last)
