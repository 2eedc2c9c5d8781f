"""Lists of cases in pages that cost what they show, however many cases there are. Read by the case routes.

A person sees a case for one of several reasons: where it lies, who holds it, who registered it, who was called. Each reason has an index
that is sorted as the list is, for open cases and for those that are over; so a page is the first rows of each, merged. One condition
with OR would scan and sort instead.

A filter that no index serves (status, category, text…) is looked for among the next SCANNED cases only; a page may then be short, or
empty, before the end, and says where to go on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from domain.areas import LENGTH_OF_LEVEL, ledger_of
from projections.open_cases import COUNTY, IS_OPEN, IS_OVER, TABLE, C
from projections.paging import After, Row, Rows
from projections.sight import Sight
from projections.tables import NEVER, WORD

LEDGER_LENGTH, COUNTY_LENGTH = LENGTH_OF_LEVEL["subdistrict"], LENGTH_OF_LEVEL["county"]
SCANNED = 2000
"""Cases looked at for one page, at most, for each reason to see one."""
SORTS = {"due_at": (C.late_from, False), "reported_at": (C.reported_at, False), "-reported_at": (C.reported_at, True)}
"""Sort name: (column, descending). due_at is the end of the running clock, most urgent first; cases without one come last."""
SHOWN = (
    C.ledger, C.case_id, C.area, C.open, C.status, C.holder, C.category, C.urgency, C.level, C.source, C.private, C.summary, C.reference,
    C.reported_at, C.held_since, C.due_at, C.late_from, C.changed_at, C.overtime, C.lat, C.lon, C.version,
)  # fmt: skip
"""What a list shows of a case: a third of its columns."""
NAMES = tuple(str(column.name) for column in SHOWN)
SEARCHED = frozenset({"status", "category", "level", "urgency", "text"})
"""Filters that no index serves."""
PERIOD = frozenset({"reported_from", "reported_to"})
"""Filters that an index serves where the list is sorted by the time of the report."""
STATEMENTS = 512

ESCAPE = "|"
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
    urgency: str | None = None,
    reported_from: str | None = None,
    reported_to: str | None = None,
    overdue_at: str | None = None,
    text: str | None = None,
    open: bool | None = None,
    unchanged_since: tuple[int, str] | None = None,
    sort: str = "due_at",
    after: After = None,
    limit: int = 100,
) -> Rows:
    """Cases of a subtree, open ones or all. overdue_at: those whose running clock ended before. Cursor: (the sort's value, case_id).

    reported_from, reported_to: UTC texts, the second not included.

    unchanged_since: only those that stand today as they stood at (position of their ledger, its time).
    """
    given = {"holder": holder, "overdue_at": overdue_at, "status": status, "category": category, "level": level, "urgency": urgency}
    given |= {"reported_from": reported_from, "reported_to": reported_to, "text": text}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if text is not None:
        values["text"] = text.translate(SMALL)
        values["text_in"] = _escaped(values["text"])
    if unchanged_since is not None:
        values["last_position"], values["reported_by"] = unchanged_since
    ways = tuple(_ways(sight, area))
    kinds = tuple(kind for kind in (True, False) if open in (kind, None) and (kind or overdue_at is None))
    if not ways or not kinds:
        return Rows()
    for way in ways:
        values |= way.values
    list_ = _List(sort, tuple(way.shape for way in ways), kinds, frozenset(FILTERS) & frozenset(values))
    return _page(conn, list_, values, after, limit)


def merged(sort: str, limit: int, *pages: Rows) -> Rows:
    """One page from pages of the same list over different cases. Where one looked at only a part, the page ends there."""
    column, descending = SORTS[sort]
    reached = [page.reached for page in pages if page.reached is not None]
    end = (max(reached) if descending else min(reached)) if reached else None
    found = sorted(((row[str(column.name)], row["case_id"], row) for page in pages for row in page), key=_place, reverse=descending)
    if end is not None:
        found = [each for each in found if (each[:2] >= end if descending else each[:2] <= end)]
    return Rows((row for *_, row in found[:limit]), reached=end)


def _place(found: tuple[str, str, Row]) -> tuple[str, str]:
    return found[:2]


def _page(conn: sa.Connection, list_: "_List", values: dict[str, Any], after: After, limit: int) -> Rows:
    if after is not None:
        values |= {"after": after[0], "after_id": after[1]}
    horizon = None
    if not list_.filters.isdisjoint(list_.searched):
        ends = [tuple(row) for row in conn.execute(_horizons(list_, after is not None), values)]
        horizon = (max(ends) if SORTS[list_.sort][1] else min(ends)) if ends else None
    if horizon is not None:
        values |= {"until": horizon[0], "until_id": horizon[1]}
    found = conn.execute(_statement(list_, after is not None, horizon is not None, limit), values)
    return Rows((dict(zip(NAMES, row, strict=True)) for row in found), reached=horizon)


# ---- the reasons to see a case


@dataclass(frozen=True, slots=True)
class Way:
    """One reason. shape: what the statement depends on; values: what is bound when it runs, under names of this way's own."""

    shape: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)


def _ways(sight: Sight, area: str | None) -> Iterator[Way]:
    """Each reason, such that an index serves it. area: only what lies there."""
    if sight.everything:
        yield _lying_in(area, "w") if area is not None else Way(("all",))
        return
    for number, seen in enumerate(sight.areas):
        if area is None or seen.startswith(area):
            yield _lying_in(seen, f"a{number}_")
        elif area.startswith(seen):
            yield _lying_in(area, f"a{number}_")
    there = _lying_in(area, "t") if area is not None else Way(())
    for number, unit in enumerate(sight.units):
        for reason in ("holder", "registrar", "called"):
            name = f"u{number}_"
            value = _escaped(f'"{unit}"') if reason == "called" else unit
            county = {f"{name}county": unit[:COUNTY_LENGTH]} if reason == "called" else {}
            yield Way((reason, name, *there.shape), {**there.values, **county, f"{name}{reason}": value})


def _lying_in(area: str, name: str) -> Way:
    """From the subdistrict down an area lies in one ledger, which has indexes of its own; above, the index of all ledgers is walked.

    There the area is written into the statement, so that a prepared plan, too, knows how much of all cases it holds.
    """
    if len(area) < LEDGER_LENGTH:
        return Way(("wide", area, _behind(area)))
    if len(area) == LEDGER_LENGTH:
        return Way(("ledger", name), {f"{name}ledger": area})
    return Way(("inside", name), {f"{name}ledger": ledger_of(area), f"{name}from": area, f"{name}to": _behind(area)})


def _behind(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _escaped(text: str) -> str:
    """The text itself, where LIKE looks for it."""
    return text.replace(ESCAPE, ESCAPE * 2).replace("%", f"{ESCAPE}%").replace("_", f"{ESCAPE}_")


# ---- statements, made once for each kind of question


@dataclass(frozen=True, slots=True)
class _List:
    """What a list's statements depend on."""

    sort: str
    ways: tuple[tuple[str, ...], ...]
    kinds: tuple[bool, ...]
    filters: frozenset[str]

    @property
    def column(self) -> sa.Column[Any]:
        return SORTS[self.sort][0]

    @property
    def searched(self) -> frozenset[str]:
        """Filters that no index of this order serves."""
        return SEARCHED if self.column is C.reported_at else SEARCHED | PERIOD

    def ordered(self, *columns: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
        return [column.desc() if SORTS[self.sort][1] else column.asc() for column in columns]

    def first(self, columns: sa.Select[Any], conditions: tuple[Condition, ...], limit: int, offset: int = 0) -> list[sa.Select[Any]]:
        """For each reason and kind, the first rows of an index."""
        wheres = [(*_condition(way), *_of_kind(kind, self.sort), *conditions) for way in self.ways for kind in self.kinds]
        some = columns.order_by(*self.ordered(self.column, C.case_id)).limit(_number(limit)).offset(_number(offset) if offset else None)
        return [some.where(*where) for where in wheres]

    def beyond(self, name: str) -> Condition:
        here, key = sa.tuple_(self.column, C.case_id), sa.tuple_(_bound(name, self.column), _bound(f"{name}_id", C.case_id))
        return here < key if SORTS[self.sort][1] else here > key

    def narrowed(self, *names: str) -> tuple[Condition, ...]:
        return tuple(FILTERS[name] for name in sorted(self.filters) if name in names)


@lru_cache(STATEMENTS)
def _statement(list_: _List, after: bool, until: bool, limit: int) -> sa.Select[Any]:
    conditions = list_.narrowed(*FILTERS) + ((list_.beyond("after"),) if after else ())
    if until:
        conditions += (sa.not_(list_.beyond("until")),)
    if len(list_.ways) * len(list_.kinds) == 1:
        return list_.first(sa.select(*SHOWN), conditions, limit)[0]
    keys = list_.first(sa.select(C.ledger, C.case_id, list_.column.label("at")), conditions, limit)
    merged = sa.union(*(sa.select(each.subquery()) for each in keys)).subquery()
    shown = sa.select(merged).order_by(*list_.ordered(merged.c.at, merged.c.case_id)).limit(_number(limit)).subquery()
    same = sa.and_(C.ledger == shown.c.ledger, C.case_id == shown.c.case_id)
    return sa.select(*SHOWN).join_from(TABLE, shown, same).order_by(*list_.ordered(shown.c.at, shown.c.case_id))


@lru_cache(STATEMENTS)
def _horizons(list_: _List, after: bool) -> sa.CompoundSelect[Any]:
    """For each reason that has so many more cases, the key up to which SCANNED of them are looked at."""
    conditions = list_.narrowed("holder", "overdue_at", *(PERIOD - list_.searched)) + ((list_.beyond("after"),) if after else ())
    ends = list_.first(sa.select(list_.column, C.case_id), conditions, 1, SCANNED - 1)
    return sa.union_all(*(sa.select(each.subquery()) for each in ends))


def _bound(name: str, column: sa.Column[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=column.type)


def _number(value: int) -> sa.ColumnElement[int]:
    """Written into the statement: a prepared plan that does not know the limit prefers to sort."""
    return sa.literal_column(str(int(value)), sa.Integer)


def _quoted(value: str) -> sa.ColumnElement[str]:
    return sa.literal_column("'" + value.replace("'", "''") + "'")


def _small(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    return sa.func.lower(sa.cast(column, WORD))


FILTERS: dict[str, Condition] = {
    "holder": C.holder == _bound("holder", C.holder),
    "overdue_at": C.late_from < _bound("overdue_at", C.late_from),
    "status": C.status == _bound("status", C.status),
    "category": C.category == _bound("category", C.category),
    "level": C.level == _bound("level", C.level),
    "urgency": C.urgency == _bound("urgency", C.urgency),
    "reported_from": C.reported_at >= _bound("reported_from", C.reported_at),
    "reported_to": C.reported_at < _bound("reported_to", C.reported_at),
    "last_position": C.position <= _bound("last_position", C.position),
    # Follows from the one above, and lets an index by the time of reporting end there.
    "reported_by": C.reported_at <= _bound("reported_by", C.reported_at),
    # Part of the summary, or the whole reference or id. A to Z are as a to z and every other letter as itself, on every database.
    "text": sa.or_(
        _small(C.summary).contains(_bound("text_in", C.summary), escape=ESCAPE),
        _small(C.reference) == _bound("text", C.reference),
        C.case_id == _bound("text", C.reference),
    ),
}


def _of_kind(open: bool, sort: str) -> tuple[Condition, ...]:
    """Open cases and those that are over have indexes of their own. Over means that no clock runs, so by due_at they stand by their ids."""
    if open:
        return (IS_OPEN,)
    return (IS_OVER, C.late_from == NEVER) if sort == "due_at" else (IS_OVER,)


def _condition(shape: tuple[str, ...]) -> tuple[Condition, ...]:
    if not shape or shape[0] == "all":
        return ()
    reason, name, *more = shape
    if reason == "wide":
        ledger = walked(C.ledger, type_=C.ledger.type)
        return ledger >= _quoted(name), ledger < _quoted(more[0])
    if reason in ("ledger", "inside"):
        here: tuple[Condition, ...] = (C.ledger == _bound(f"{name}ledger", C.ledger),)
        area = walked(C.area, type_=C.area.type)
        return here if reason == "ledger" else (*here, area >= _bound(f"{name}from", C.area), area < _bound(f"{name}to", C.area))
    there = _condition(tuple(more))
    if reason == "called":
        calls = C.called.contains(_bound(f"{name}called", C.called), escape=ESCAPE)
        return C.called.is_not(None), _bound(f"{name}county", C.ledger) == COUNTY, calls, *there
    return C[reason] == _bound(f"{name}{reason}", C[reason]), *there
