"""Generated work for a fleet: each tablet's own days of patrols, visits and reports, the same for the same seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from service.fleet.plan import Member, Step

GENERATED = UUID("8a3c7d52-40f1-5c36-9a0e-7f2c1d5b9e60")
FROM_DAY = "2020-01-01"
CATEGORIES = ("A01", "A02", "B01", "B04", "E01", "E03")
PRIVATE_CATEGORIES = ("C", "D", "F02")
PRIVATE, NEED = 0.03, 0.01
"""Shares of reports that are private, and of visits on which a need is voiced: one tablet's day in four has something to disclose."""
QUARRELS = ("Neighbours quarrel over noise", "A scooter was taken from the shed", "No power on the third floor")
NEEDS = ("A lift to the clinic", "Help with a form", "Somebody to carry the rice up")
WORDS = ("rubbish", "a blocked lane", "a broken lamp", "loose paving", "an open manhole", "adverts on a wall")


def cast_of(grids: Sequence[str], tablets: int) -> list[Member]:
    """So many workers, spread over the grids; a grid gets several where there are more workers than grids."""
    return [Member(f"fleet-{number:05d}", "worker", (grids[number % len(grids)],), FROM_DAY) for number in range(tablets)]


def steps_of(member: Member, count: int, begins: datetime, seed: int | str) -> list[Step]:
    """The first ``count`` entries of a worker's days: a patrol with stops, visits, and a report now and then."""
    work = _work(member, begins, random.Random(f"{seed} {member.key}"), seed)
    return [next(work) for _ in range(count)]


def _work(member: Member, begins: datetime, dice: random.Random, seed: int | str) -> Iterator[Step]:
    area, moment, number = member.units[0], begins, 0

    def step(kind: str, stream: str, data: dict[str, Any], personal: dict[str, Any] | None = None) -> Step:
        nonlocal moment
        moment += timedelta(minutes=dice.randint(2, 9))
        return Step(member.key, kind, stream, area, moment, data, personal=personal or {})

    def new(what: str) -> str:
        nonlocal number
        number += 1
        return str(uuid5(GENERATED, f"{seed}/{member.key}/{what}/{number}"))

    while True:
        patrol = new("patrol")
        yield step("patrol.started", patrol, {})
        for stop in range(dice.randint(3, 6)):
            yield step("patrol.checkpoint_passed", patrol, {"checkpoint": f"{area[-3:]}-{stop}"})
            if dice.random() < 0.2:
                yield step("case.reported", new("case"), *_report(dice, patrol))
        yield step("patrol.finished", patrol, {})
        for _ in range(dice.randint(2, 5)):
            voiced = {"need_voiced": dice.choice(NEEDS)} if dice.random() < NEED else None
            yield step("visit.made", new("visit"), _visit(dice, area), voiced)


def _report(dice: random.Random, patrol: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a report says, and what it discloses: on patrol mostly matters of public space, now and then one among people."""
    if dice.random() < PRIVATE:
        return {"category": f"gridtrail/1/{dice.choice(PRIVATE_CATEGORIES)}", "patrol": patrol}, {"case_summary": dice.choice(QUARRELS)}
    return {"category": f"gridtrail/1/{dice.choice(CATEGORIES)}", "summary": f"Found {dice.choice(WORDS)}", "patrol": patrol}, {}


def _visit(dice: random.Random, area: str) -> dict[str, Any]:
    outcome = dice.choice(("met", "met", "met", "no_one_home", "refused"))
    return {"household": f"H-{area[-9:]}-{dice.randint(1, 300):03d}", "outcome": outcome, "care_group": "living_alone"}
