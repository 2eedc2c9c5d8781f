"""What was known when: areas, assignments, rulebooks and tablets as the ledgers tell them, at any moment. Read by the rules' check.

Decisions read these from read models, so across ledgers; the order across ledgers is that of the times of recording. The facts are few
beside the history, and are held whole.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from domain.books import Books
from projections import areas, people, rulebooks
from projections.recorded import Recorded
from service.audit.verifying.sources import ROOT_LOG
from service.sync.lookups import Assignment, Known

T = TypeVar("T")

ROTATED = "signing_key.rotated"
TABLET_TOPICS = frozenset({"tablet.enrolled", "tablet.revoked", "tablet.forked", "tablet.reinstated"})
TOPICS = areas.TOPICS | people.TOPICS | rulebooks.TOPICS | TABLET_TOPICS | {"ledger.continued", ROTATED}
"""The facts that are gathered before any ledger is judged."""

Span = tuple[str, str | None]


def log_of(origin: str) -> str:
    """The log that an origin names: a ledger's code, or ``root``. The root log's restores are told in the city's ledger."""
    return ROOT_LOG if "/root/" in origin else origin.rpartition("/ledger/")[2].partition("/")[0]


class Timeline(Generic[T]):
    """A value that changed at moments (UTC texts). The moments never go back."""

    __slots__ = ("moments", "values")

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.values: list[T] = []

    def add(self, moment: str, value: T) -> None:
        """The value from a moment on."""
        self.moments.append(moment)
        self.values.append(value)

    def index(self, moment: str) -> int:
        """How many changes there were up to a moment, that one included."""
        return bisect_right(self.moments, moment)

    def at(self, moment: str, default: T) -> T:
        """The value at a moment, after all that changed in it."""
        index = bisect_right(self.moments, moment)
        return self.values[index - 1] if index else default

    def last(self, default: T) -> T:
        """The value at the end."""
        return self.values[-1] if self.values else default

    def within(self, first: str, last: str) -> list[str]:
        """The moments at which it changed, from after first up to last."""
        return self.moments[bisect_right(self.moments, first) : bisect_right(self.moments, last)]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A tablet as its enrolment says."""

    tablet: str
    ledger: str
    person: str
    area: str
    origin: str
    public_key: str
    algorithm: str


class AreasAt:
    """The spans of areas as known at a moment: what ``Known.areas`` is for a decision."""

    __slots__ = ("knowledge", "moment")

    def __init__(self, knowledge: "Knowledge", moment: str) -> None:
        self.knowledge = knowledge
        self.moment = moment

    def get(self, code: str, default: Any = ()) -> Sequence[Span]:
        """The spans of a code, as a dict's ``get``."""
        timeline = self.knowledge.areas.get(code)
        return timeline.at(self.moment, []) if timeline is not None else default


class Knowledge:
    """All that is known of the reference facts, from the lines of all ledgers."""

    def __init__(self) -> None:
        self.areas: dict[str, Timeline[list[Span]]] = {}
        self.people: dict[str, Timeline[list[Assignment]]] = {}
        self.books: dict[str, Timeline[Books]] = {}
        self.tablets: dict[str, Enrolled] = {}
        self.last_valid: dict[str, Timeline[int | None]] = {}
        self.of_ledger: dict[str, Timeline[None]] = {}
        self.continued: dict[str, list[Recorded]] = {}
        self.statements: list[str] = []
        self._shipped = Books.default()
        self._area_rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._people_rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._homes: dict[str, set[str]] = {}
        self._published: dict[str, list[dict[str, Any]]] = {}

    @classmethod
    def of(cls, lines: Iterable[Recorded]) -> "Knowledge":
        """What these facts tell. They are taken in the order in which they were recorded; one that cannot be read is left out."""
        known = cls()
        for event in sorted(lines, key=lambda each: (each.recorded_at, each.ledger, each.position)):
            try:
                known._learn(event)
            except (KeyError, TypeError, ValueError, AttributeError):
                # The rules' check names it at its place.
                continue
        return known

    def _learn(self, event: Recorded) -> None:
        if event.topic in areas.TOPICS:
            self._learn_area(event)
        elif event.topic in people.TOPICS:
            self._learn_person(event)
        elif event.topic in rulebooks.TOPICS:
            self._learn_book(event)
        elif event.topic == "ledger.continued":
            self.continued.setdefault(log_of(event["origin"]), []).append(event)
        elif event.topic == ROTATED:
            self.statements.append(str(event["statement"]))
        else:
            self._learn_tablet(event)

    def _learn_area(self, event: Recorded) -> None:
        (key,) = areas.keys(event)
        code = key[0]
        self._area_rows[event.ledger, code] = row = areas.fold(key, self._area_rows.get((event.ledger, code)), event)
        self.areas.setdefault(code, Timeline()).add(event.recorded_at, [(row["effective_from"], row["effective_to"])])
        self.of_ledger.setdefault(code[:9], Timeline()).add(event.recorded_at, None)

    def _learn_person(self, event: Recorded) -> None:
        (key,) = people.keys(event)
        place = (event.ledger, key[0])
        self._people_rows[place] = people.fold(key, self._people_rows.get(place), event)
        rows = [row for (_, person), row in self._people_rows.items() if person == key[0]] if self._lives_twice(place) else None
        assigned = [orjson.loads(row["assigned"]) for row in rows or [self._people_rows[place]]]
        found = [
            Assignment(each["from_day"], name, each["role"], each["unit"], each["to_day"]) for one in assigned for name, each in one.items()
        ]
        self.people.setdefault(key[0], Timeline()).add(event.recorded_at, sorted(found, key=lambda each: each[:2]))

    def _lives_twice(self, place: tuple[str, str]) -> bool:
        """Whether facts of the person stand in another ledger too: only then all rows need to be looked at."""
        homes = self._homes.setdefault(place[1], set())
        homes.add(place[0])
        return len(homes) > 1

    def _learn_book(self, event: Recorded) -> None:
        (key,) = rulebooks.keys(event)
        row = rulebooks.fold(key, None, event)
        mine = self._published.setdefault(event.ledger, [])
        mine.append({**row, "content": event["content"]})
        self.books.setdefault(event.ledger, Timeline()).add(event.recorded_at, Books.of(sorted(mine, key=lambda each: each["position"])))

    def _learn_tablet(self, event: Recorded) -> None:
        if event.topic == "tablet.enrolled":
            told = [event[name] for name in ("person", "area", "origin", "public_key", "algorithm")]
            self.tablets.setdefault(event.stream, Enrolled(event.stream, event.ledger, *told))
        elif event.topic != "tablet.forked":
            last_valid = event["last_valid"] if event.topic == "tablet.revoked" else None
            self.last_valid.setdefault(event.stream, Timeline()).add(event.recorded_at, last_valid)

    # ---- as decisions ask

    def books_at(self, city: str, moment: str) -> Books:
        """The rules in force in a city at a moment."""
        timeline = self.books.get(city)
        return timeline.at(moment, self._shipped) if timeline is not None else self._shipped

    def assignments(self, person: str, moment: str) -> list[Assignment]:
        """A person's assignments as known at a moment."""
        timeline = self.people.get(person)
        return timeline.at(moment, []) if timeline is not None else []

    def known_at(self, person: str, who: str, where: str) -> Known:
        """What a decision of a person's act looks up. who: the moment at which people are known, where: at which areas are."""
        return Known(list(self.assignments(person, who)), AreasAt(self, where), {}, {})  # type: ignore[arg-type]

    def moments(self, person: str, codes: Iterable[str], first: str, last: str) -> tuple[list[str], list[str]]:
        """The moments between two at which something changed of a person, and of areas and their cities' rules."""
        whom = self.people.get(person)
        where: set[str] = set()
        for code in codes:
            for timeline in (self.areas.get(code), self.books.get(code[:4])):
                if timeline is not None:
                    where.update(timeline.within(first, last))
        return (whom.within(first, last) if whom is not None else []), sorted(where)

    def epoch(self, person: str, ledger: str, moment: str) -> tuple[int, int, int]:
        """Equal for two moments between which nothing changed that an act of this person in this ledger depends on by itself."""
        whom, where, rules = self.people.get(person), self.of_ledger.get(ledger), self.books.get(ledger[:4])
        return (
            whom.index(moment) if whom is not None else 0,
            where.index(moment) if where is not None else 0,
            rules.index(moment) if rules is not None else 0,
        )
