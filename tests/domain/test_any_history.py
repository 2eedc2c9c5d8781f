"""Whatever people do to a case, in any order and at any time: a step is either refused without a trace or leaves a sound history.

What is sound stands in recount.check_history, which every step of a Matter passes: one holder, no lost return, no clock that runs in
a closed case, deadlines that another reader computes alike, different people, and a replay that is equal.
"""

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.case_rules import LEVELS, RULES, SOURCES
from domain.entries import ACTIONS
from domain.errors import Refusal
from tests.domain.cast import CAST, COUNTY_WATER, FIRE, GRID_A1, GRID_A2, OTHER_COUNTY_GRID, URBAN, Matter
from tests.examples import examples

UNITS = (GRID_A1, GRID_A2, GRID_A1[:12], GRID_A1[:9], GRID_A1[:6], FIRE, URBAN, COUNTY_WATER, OTHER_COUNTY_GRID)
CATEGORIES = ("A01", "B01", "D", "D", "E01", "E02", "E02", "F01")
WAITS = (*[0] * 6, 1, 1, 16, 60, 60, 500, 1440, 9000, 60_000)
SELDOM = ("reject", "merge", "self_handle", "escalate", "return")
"""Would end most histories early if they were as likely as the others."""
REASON = {"reason": "because"}


def said_with(dice: random.Random, action: str) -> dict[str, Any]:
    """Something that may be said with an action; mostly sensible."""
    to = dice.choice(UNITS)
    others = dice.sample(UNITS[:-1], dice.randint(0, 2))
    told: dict[str, dict[str, Any]] = {
        "verify": {"found": dice.random() < 0.8},
        "accept": {},
        "register": {"complexity": dice.choice([None, "simple", "complex"])},
        "dispatch": {"to": to},
        "acknowledge": {},
        "transfer": {"to": to, **REASON},
        "refer": {"to": to, **REASON},
        "whistle": {"lead": to, "assists": others, "muster_minutes": dice.choice([1, 30, 1440]), "task": "clear it"},
        "muster": {"unit": to},
        "handle": {"result": "done"},
        "self_handle": {"result": "done"},
        "extend": {"amount": dice.choice([1, 1, 2, 15]), **REASON},
        "suspend": {"until": dice.choice(["2026-11-17", "2026-11-20", "2026-12-01", "2027-11-01"]), **REASON},
        "resume": {},
        "check": {"passed": dice.random() < 0.6},
        "evaluate": {"rating": "satisfied", "rated_by": dice.choice(["reporter", "resident"])},
        "close": {},
        "merge": {"into": "7b0c5c8e-4d5a-4a55-8d7e-0d1d1c1b1a19", **REASON},
    }
    return told.get(action, REASON)


def random_matter(dice: random.Random, steps: int) -> Matter:
    """A case to which random people do random things; mostly something that its status allows."""
    said = {"category": f"gridtrail/1/{dice.choice(CATEGORIES)}", "level": dice.choice(LEVELS), "source": dice.choice(SOURCES)}
    matter = Matter(by=dice.choice(CAST[:4]), **said)
    for _ in range(steps):
        matter.wait(minutes=dice.choice(WAITS))
        fitting = [action for action, rule in RULES.items() if matter.case.status in rule.statuses]
        action = dice.choice(fitting if fitting and dice.random() < 0.8 else list(ACTIONS))
        if action not in SELDOM or dice.random() < 0.15:
            attempt(matter, action, said_with(dice, action), dice.sample(CAST, 9))
    return matter


def attempt(matter: Matter, action: str, said: dict[str, Any], people: list[Any]) -> None:
    """The people try the action one after another, until one may."""
    for who in people:
        before = dict(vars(matter.case))
        try:
            matter.says(who, action, **said)
        except Refusal:
            assert vars(matter.case) == before, f"{action} was refused and left a trace"
        else:
            assert matter.case.version == before["_version"] + 1
            return


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False), st.integers(5, 60))
def test_no_sequence_of_actions_reaches_an_unsound_history(dice, steps):
    random_matter(dice, steps)


def test_random_histories_reach_every_kind_of_fact():
    reached: set[str] = set()
    for seed in range(examples(60)):
        reached |= {fact.TOPIC for fact in random_matter(random.Random(seed), 35).history}
    assert set(ACTIONS.values()) - reached == set()


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_recorded_fact_can_be_replayed_in_any_order(dice):
    first, *rest = random_matter(dice, 20).history
    dice.shuffle(rest)
    case = first.mutate(None)
    for fact in rest:
        case = replace(fact, originator_version=case.version + 1).mutate(case)
    assert case.holder == (rest or [first])[-1].holder
