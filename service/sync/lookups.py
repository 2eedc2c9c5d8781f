"""What the decisions on a batch need to know, asked in one round trip. Read by service.sync.deciding.

Everything that one entry's decision reads of the ledgers comes from one statement, and so from one moment: the streams of one ledger.
Assignments, areas and the stand of the books come from another; they follow the ledgers at their own pace anyway. What changes
between these looks and the commit is found there: by the tablet's state, which is compared, and by (ledger, stream, version), which is unique.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from service.ledger.bulk import on_sqlite
from service.scope import Grant


class Assignment(NamedTuple):
    """One assignment of the person, whatever day it holds on."""

    from_day: str
    name: str
    role: str
    unit: str
    to_day: str | None

    def holds_on(self, day: str) -> bool:
        """Whether it covers a day; its last day belongs to it."""
        return self.from_day <= day and (self.to_day is None or day <= self.to_day)


@dataclass(slots=True)
class Known:
    """What was found. areas: the spans (first day, last day or None) of each code. stands: the number of each city's books."""

    assignments: list[Assignment] = field(default_factory=list)
    areas: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    stands: dict[str, int] = field(default_factory=dict)
    streams: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)

    def grants_on(self, day: str) -> tuple[Grant, ...]:
        """The person's roles in units on a day."""
        return tuple(Grant(each.role, each.unit) for each in self.assignments if each.holds_on(day))


def look(driver: Any, person: str, areas: Iterable[str], wanted: Mapping[str, Iterable[str]]) -> Known:
    """Looks up a person's assignments, areas, the stands of their cities' books, and streams (names by ledger)."""
    codes = sorted(areas)
    cities = sorted({code[:4] for code in codes} | {ledger[:4] for ledger in wanted})
    sqlite = on_sqlite(driver)
    options = {} if sqlite else {"binary": True}
    reference = driver.execute(_reference(len(codes), len(cities), sqlite), (person, *codes, *cities), **options)
    names = {ledger: {_stored(name, sqlite): name for name in streams} for ledger, streams in wanted.items()}
    cursors = {
        ledger: driver.execute(_streams(len(ids), sqlite), (ledger, *(ids if sqlite else [list(ids)])), **options)
        for ledger, ids in names.items()
    }
    known = Known()
    for kind, *row in reference:
        if kind == "a":
            known.assignments.append(Assignment(*row))
        elif kind == "b":
            known.areas.setdefault(row[0], []).append((row[1], row[4]))
        else:
            known.stands[row[0]] = int(row[1])
    known.assignments.sort(key=lambda each: each[:2])
    for ledger, cursor in cursors.items():
        for stream, line in cursor:
            known.streams.setdefault((ledger, names[ledger][stream]), []).append(line)
    return known


def _stored(name: str, sqlite: bool) -> Any:
    """An id as it stands in the column."""
    return name.replace("-", "") if sqlite else UUID(name)


@lru_cache(256)
def _reference(codes: int, cities: int, sqlite: bool) -> str:
    """One statement for three small lookups; nothing but its length depends on how many are asked for."""
    parts = ["SELECT 'a', from_day, assignment, role, unit, to_day FROM assignments WHERE person = ? AND assignment <> ''"]
    if codes:
        parts.append(f"SELECT 'b', code, effective_from, NULL, NULL, effective_to FROM areas WHERE code IN ({_marks(codes)})")
    if cities:
        parts.append(
            f"SELECT 'c', ledger, CAST(max(position) AS text), NULL, NULL, NULL FROM rulebooks WHERE ledger IN ({_marks(cities)}) GROUP BY ledger"
        )
    statement = " UNION ALL ".join(parts)
    return statement if sqlite else statement.replace("?", "%s")


@lru_cache(256)
def _streams(number: int, sqlite: bool) -> str:
    among = f"IN ({_marks(number)})" if sqlite else "= ANY(%s)"
    statement = f"SELECT stream, line FROM events WHERE ledger = ? AND stream {among} ORDER BY stream, version"
    return statement if sqlite else statement.replace("?", "%s")


def _marks(number: int) -> str:
    return ",".join("?" * number)
