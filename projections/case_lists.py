"""Lists of cases in pages that cost what they show, however many cases there are. Read by the case routes.

A person sees a case for one of several reasons: where it lies, who holds it, who registered it, who was called. Each reason has an index
that is sorted as the list is, for open cases and for those that are over; so a page is the first rows of each, merged. One condition
with OR would scan and sort instead.

A filter that no index serves (status, category, text…) is looked for among the next SCANNED cases only; a page may then be short, or
empty, before the end, and says where to go on.
"""

from collections.abc import Iterator, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from domain.areas import ledger_of
from projections.open_cases import IS_OPEN, IS_OVER, TABLE, C
from projections.paging import After, Rows
from projections.sight import Sight, listed, within
from projections.tables import NEVER, WORD

LEDGER_LENGTH = 9
SCANNED = 2000
"""Cases looked at for one page, at most, for each reason to see one."""
SORTS = {"due_at": (C.late_from, False), "reported_at": (C.reported_at, False), "-reported_at": (C.reported_at, True)}
"""Sort name: (column, descending). due_at is the end of the running clock, most urgent first; cases without one come last."""
SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)

Condition = sa.ColumnElement[bool]


class walked(sa.sql.functions.GenericFunction[Any]):
    """The column, in a condition that is to be checked along another index rather than served by its own.

    SQLite, which keeps no distribution of values, is told so by a plus sign; PostgreSQL knows how many rows a range of values holds.
    """

    inherit_cache = True


@compiles(walked)
def _plain(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(walked, "sqlite")
def _not_by_index(element: Any, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def list_cases(
    conn: sa.Connection,
    sight: Sight,
    *,
    area: str | None = None,
    holder: str | None = None,
    status: str | None = None,
    category: str | None = None,
    level: str | None = None,
    overdue_at: str | None = None,
    text: str | None = None,
    open: bool | None = None,
    sort: str = "due_at",
    after: After = None,
    limit: int = 100,
) -> Rows:
    """Cases of a subtree, open ones or all. overdue_at: those whose running clock ended before. Cursor: (the sort's value, case_id)."""
    wanted = {C.status: status, C.category: category, C.level: level}
    searched = [column == value for column, value in wanted.items() if value is not None]
    if text is not None:
        searched.append(_tells(text))
    narrowed = [C.holder == holder] if holder is not None else []
    if overdue_at is not None:
        narrowed.append(C.late_from < overdue_at)
    ways = [sa.and_(way, *narrowed, *kind) for way in _ways(sight, area) for kind in _kinds(open, overdue_at, sort)]
    return Pages(conn, *SORTS[sort], ways).after(after, searched, limit) if ways else Rows()


def _kinds(open: bool | None, overdue_at: str | None, sort: str) -> Iterator[Sequence[Condition]]:
    """Open cases and those that are over have indexes of their own. Over means that no clock runs, so by due_at they stand by their ids."""
    if open is not False:
        yield (IS_OPEN,)
    if open is not True and overdue_at is None:
        yield (IS_OVER, C.late_from == NEVER) if sort == "due_at" else (IS_OVER,)


def _tells(text: str) -> sa.ColumnElement[bool]:
    """Part of the summary, or the whole reference or id. A to Z are as a to z and every other letter as itself, on every database."""
    wanted = text.translate(SMALL)
    summary, reference = (sa.func.lower(sa.cast(column, WORD)) for column in (C.summary, C.reference))
    return sa.or_(summary.contains(wanted, autoescape=True), reference == wanted, C.case_id == wanted)


# ---- the reasons to see a case


def _ways(sight: Sight, area: str | None) -> Iterator[Condition]:
    """One condition for each reason, such that an index serves it. area: only what lies there."""
    if sight.everything:
        yield _lies_in(area) if area is not None else sa.true()
        return
    for seen in sight.areas:
        if area is None or seen.startswith(area):
            yield _lies_in(seen)
        elif area.startswith(seen):
            yield _lies_in(area)
    there = [_within(area)] if area is not None else []
    for unit in sight.units:
        for reason in (C.holder == unit, C.registrar == unit, sa.and_(C.called.is_not(None), listed(C.called, unit))):
            yield sa.and_(reason, *there)


def _lies_in(area: str) -> Condition:
    """From the subdistrict down an area lies in one ledger, which has indexes of its own; above, the index of all ledgers is walked."""
    if len(area) < LEDGER_LENGTH:
        return _within(area)
    here = C.ledger == ledger_of(area)
    return here if len(area) == LEDGER_LENGTH else sa.and_(here, within(walked(C.area), area))


def _within(area: str) -> Condition:
    """The ledgers of an area. Written into the statement, so that a prepared plan, too, knows how much of all cases they hold."""
    column = walked(C.ledger, type_=C.ledger.type)
    if len(area) >= LEDGER_LENGTH:
        return sa.and_(column == ledger_of(area), within(walked(C.area), area))
    return sa.and_(column >= _literal(area), column < _literal(area[:-1] + chr(ord(area[-1]) + 1)))


def _literal(value: str | int) -> sa.BindParameter[Any]:
    return sa.bindparam(None, value, unique=True, literal_execute=True)


# ---- pages


class Pages:
    """Pages of the cases that at least one of several conditions keeps, in one order."""

    def __init__(self, conn: sa.Connection, column: sa.Column[Any], descending: bool, ways: Sequence[Condition]) -> None:
        self.conn, self.column, self.descending, self.ways = conn, column, descending, ways

    def after(self, after: After, searched: Sequence[Condition], limit: int) -> Rows:
        """The rows behind a key. searched: filters that are looked for among the next SCANNED only."""
        conditions = [self._beyond(after)] if after is not None else []
        horizon = self._horizon(conditions) if searched else None
        if horizon is not None:
            conditions.append(sa.not_(self._beyond(horizon)))
        found = self.conn.execute(self._page([*conditions, *searched], limit)).mappings()
        return Rows((dict(row) for row in found), reached=horizon)

    def _key(self, value: Any, case_id: Any) -> sa.Tuple:
        return sa.tuple_(sa.literal(value, self.column.type), sa.literal(case_id, C.case_id.type))

    def _beyond(self, key: tuple[Any, ...]) -> Condition:
        here = sa.tuple_(self.column, C.case_id)
        return here < self._key(*key) if self.descending else here > self._key(*key)

    def _order(self, *columns: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in columns]

    def _page(self, conditions: Sequence[Condition], limit: int) -> sa.Select[Any]:
        if len(self.ways) == 1:
            return self._first(sa.select(TABLE), self.ways[0], conditions, limit)
        keys = sa.select(C.ledger, C.case_id, self.column.label("at"))
        merged = sa.union(*(sa.select(self._first(keys, way, conditions, limit).subquery()) for way in self.ways)).subquery()
        shown = sa.select(merged).order_by(*self._order(merged.c.at, merged.c.case_id)).limit(_literal(limit)).subquery()
        same = sa.and_(C.ledger == shown.c.ledger, C.case_id == shown.c.case_id)
        return sa.select(TABLE).join(shown, same).order_by(*self._order(shown.c.at, shown.c.case_id))

    def _first(self, query: sa.Select[Any], way: Condition, conditions: Sequence[Condition], limit: int) -> sa.Select[Any]:
        return query.where(way, *conditions).order_by(*self._order(self.column, C.case_id)).limit(_literal(limit))

    def _horizon(self, conditions: Sequence[Condition]) -> tuple[Any, ...] | None:
        """The key up to which every reason's next cases are looked at; None where that reaches the end of all."""
        keys = sa.select(self.column, C.case_id)
        lasts = [self._first(keys, way, conditions, 1).offset(_literal(SCANNED - 1)).subquery() for way in self.ways]
        found = [tuple(row) for row in self.conn.execute(sa.union_all(*map(sa.select, lasts)))]
        return (max(found) if self.descending else min(found)) if found else None
