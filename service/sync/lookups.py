"""What the decisions on a batch need to know, asked in one statement. Read by service.sync.deciding.

One statement sees one moment of the ledgers, as a transaction of several would, and costs one round trip. What changes between this look
and the commit is found there: by the tablet's state, which is compared, and by (ledger, stream, version), which is unique.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from service.ledger.arrays import UUID_OID, Uuids, array_of
from service.ledger.bulk import on_sqlite
from service.scope import Grant

ASSIGNMENT, AREA, STAND, LINE = 1, 2, 3, 4
MOST_LEDGERS = 400
"""In one statement: SQLite joins 500 parts at most. A tablet that names more is none that works, and is told so entry by entry."""
PARTS = {
    ASSIGNMENT: "SELECT 1, from_day, assignment, role, unit, to_day, 0, {no_line} FROM assignments WHERE person = ? AND assignment <> ''",
    AREA: "SELECT 2, code, effective_from, effective_to, NULL, NULL, 0, NULL FROM areas WHERE code IN ({marks})",
    STAND: "SELECT 3, ledger, NULL, NULL, NULL, NULL, max(position), NULL FROM rulebooks WHERE ledger IN ({marks}) GROUP BY ledger",
    LINE: "SELECT 4, ledger, CAST(stream AS text), NULL, NULL, NULL, version, line FROM events WHERE ledger = ? AND stream {among}",
}


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
    """Looks up a person's assignments, areas, the stands of their cities' books, and streams (their names by ledger)."""
    codes = sorted(areas)
    cities = sorted({code[:4] for code in codes} | {ledger[:4] for ledger in wanted})
    ledgers = [(ledger, list(streams)) for ledger, streams in wanted.items()]
    known = _look(driver, person, codes, cities, ledgers[:MOST_LEDGERS])
    for start in range(MOST_LEDGERS, len(ledgers), MOST_LEDGERS):
        known.streams |= _look(driver, person, [], [], ledgers[start : start + MOST_LEDGERS]).streams
    return known


def _look(driver: Any, person: str, codes: list[str], cities: list[str], ledgers: list[tuple[str, list[str]]]) -> Known:
    if on_sqlite(driver):
        ids = {name.replace("-", ""): name for _, streams in ledgers for name in streams}
        values = [person, *codes, *cities]
        for ledger, streams in ledgers:
            values += [ledger, *(name.replace("-", "") for name in streams)]
        statement = _statement(len(codes), len(cities), tuple(len(streams) for _, streams in ledgers))
        return _known(driver.execute(statement, values), ids)
    arrays = [value for ledger, streams in ledgers for value in (ledger, Uuids(array_of(UUID_OID, [bytes_of(name) for name in streams])))]
    return _known(driver.execute(_on_postgres(len(codes), len(cities), len(ledgers)), [person, *codes, *cities, *arrays], binary=True), {})


def bytes_of(name: str) -> bytes:
    """A UUID's 16 bytes, from its text."""
    return bytes.fromhex(name.replace("-", ""))


def _known(rows: Iterable[Any], ids: Mapping[str, str]) -> Known:
    known, lines = Known(), []
    for kind, first, second, third, fourth, fifth, version, line in rows:
        if kind == ASSIGNMENT:
            known.assignments.append(Assignment(first, second, third, fourth, fifth))
        elif kind == AREA:
            known.areas.setdefault(first, []).append((second, third))
        elif kind == STAND:
            known.stands[first] = version
        else:
            lines.append((version, first, ids.get(second, second), line))
    known.assignments.sort(key=lambda each: each[:2])
    for _, ledger, stream, line in sorted(lines):
        known.streams.setdefault((ledger, stream), []).append(line)
    return known


@lru_cache(256)
def _statement(codes: int, cities: int, streams: tuple[int, ...]) -> str:
    return _joined("NULL", codes, cities, [f"IN ({_marks(number)})" for number in streams])


@lru_cache(256)
def _on_postgres(codes: int, cities: int, ledgers: int) -> str:
    return _joined("CAST(NULL AS bytea)", codes, cities, ["= ANY(?)"] * ledgers).replace("?", "%s")


def _joined(no_line: str, codes: int, cities: int, among: Iterable[str]) -> str:
    """One statement for all: it sees one moment, and the databases read each part by its index."""
    parts = [PARTS[ASSIGNMENT].format(no_line=no_line)]
    parts += [PARTS[kind].format(marks=_marks(number)) for kind, number in ((AREA, codes), (STAND, cities)) if number]
    parts += [PARTS[LINE].format(among=each) for each in among]
    return " UNION ALL ".join(parts)


def _marks(number: int) -> str:
    return ",".join("?" * number)
