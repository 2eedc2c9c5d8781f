"""Histories of a subdistrict made by the domain's own rules, as recorded lines: what the roll-ups are counted from in tests."""

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from domain.aggregate import fields_of
from domain.areas import Area
from domain.clock import parse_utc, utc_text
from domain.patrol import Patrol
from domain.periods import Period
from domain.visit import OUTCOMES, Visit
from projections.counting import Bounds, Counts, Recount
from projections.recorded import read_line, write_line, write_state
from tests.domain.cast import BOOKS, CITY_TIME, GRID_A1, GRID_A2, LI, SUBDISTRICT, ZHOU, Matter, at
from tests.domain.test_any_history import random_matter

SPACE = UUID("4cf1f7b2-9a40-4b53-8a3d-5d7a6f3e1c01")
GRID_B1 = "411502001007001"
MICRO = f"{GRID_A1}01"


class Lines:
    """A ledger's lines, and what ``tests.projections.telling.Told`` asks of a history."""

    def __init__(self, facts: Iterable[tuple[str, Any]]) -> None:
        """facts: (recorded at, fact), facts of one stream in their order."""
        self.ledger = SUBDISTRICT
        self.lines: list[bytes] = []
        for recorded_at, fact in sorted(facts, key=lambda each: each[0]):
            place = (self.ledger, len(self.lines), fact.originator_id, fact.originator_version, fact.TOPIC, recorded_at)
            said, derived = ({name: getattr(fact, name) for name in names} for names in fields_of(type(fact)))
            self.lines.append(write_line(*place, write_state(derived, said, None), inline=True))


def recorded(aggregates: Iterable[Any]) -> list[tuple[str, Any]]:
    """The facts of aggregates, each recorded when it happened."""
    return [(fact.happened_at, fact) for facts in aggregates for fact in facts]


def area(code: str, first: str = "2026-01-01", last: str | None = None) -> list[Any]:
    """An area that is in force from a day to a day."""
    made = Area.register(ZHOU.act(at("2026-01-01 00:00")), BOOKS, uuid5(SPACE, code), code=code, name=f"area {code}", effective_from=first)
    if last is not None:
        made.end(ZHOU.act(at("2026-01-01 00:01")), BOOKS, effective_to=last)
    return made.collect_events()


def visit(name: str, household: str, when: str, outcome: str = "met", where: str = GRID_A1, **said: Any) -> list[Any]:
    """A visit at a time of the city."""
    made = Visit.make(LI.act(at(when)), BOOKS, uuid5(SPACE, name), area=where, household=household, outcome=outcome, **said)
    return made.collect_events()


def patrol(name: str, when: str, where: str = GRID_A1) -> list[Any]:
    """A patrol that was walked at a time of the city."""
    made = Patrol.start(LI.act(at(when)), BOOKS, uuid5(SPACE, name), area=where)
    made.pass_checkpoint(LI.act(at(when)), BOOKS, checkpoint="gate")
    made.finish(LI.act(at(when)), BOOKS)
    return made.collect_events()


def bounds_of(name: str, until: str | None = None, end: str | None = None) -> Bounds:
    """The bounds of a period of the city, whole or as far as it had come."""
    period = Period.of(name)
    return Bounds(period.start_at(CITY_TIME), until or period.end_at(CITY_TIME), period.first, end or period.end)


def counts(name: str, *told: Matter | list[Any], until: str | None = None) -> Counts:
    """The counts of a period after some cases, and facts of other kinds."""
    facts = recorded(each.history if isinstance(each, Matter) else each for each in told)
    counting = Recount(bounds_of(name, until))
    counting.take(map(read_line, Lines(facts).lines))
    return counting.counts()


def random_lines(dice: random.Random, matters: int, visits: int, patrols: int) -> Lines:
    """Something of everything, from November to January; some facts recorded long after they happened."""
    streams = [area(GRID_A1), area(GRID_A2, "2026-11-20"), area(GRID_B1, last="2026-12-05"), area(MICRO)]
    streams += [random_matter(dice, dice.randint(3, 30)).history for _ in range(matters)]
    days = [(date(2026, 11, 1) + timedelta(days=each)).isoformat() for each in range(80)]
    where = (GRID_A1, GRID_A2, GRID_B1)
    for number in range(visits):
        day, household = dice.choice(days), f"H-{dice.randint(1, max(1, visits // 4))}"
        said = {"care_group": dice.choice([None, "disabled_elderly", "living_alone", "left_behind"]), "where": dice.choice(where)}
        streams.append(
            visit(f"visit {dice.random()} {number}", household, f"{day} {dice.randint(0, 23):02d}:30", dice.choice(OUTCOMES), **said)
        )
    for number in range(patrols):
        streams.append(patrol(f"patrol {dice.random()} {number}", f"{dice.choice(days)} 08:00", dice.choice((*where, MICRO))))
    facts = []
    for stream in streams:
        last = ""
        for fact in stream:
            late = timedelta(minutes=dice.choice([0, 0, 0, 5, 3_000]))
            last = max(last, utc_text(parse_utc(fact.happened_at) + late))
            facts.append((last, fact))
    return Lines(facts)
