"""Patrols 巡查 and visits 走访: who goes on with a patrol, and when a household is visited again."""

from uuid import uuid4

import pytest

from domain import refusals as no
from domain.patrol import Patrol
from domain.personal import told_apart
from domain.visit import Visit
from tests.domain.cast import BOOKS, GRID_A1, LI, SUBJECT, WANG, at

NOW = at("2026-11-16 09:00")


def patrol() -> Patrol:
    return Patrol.start(LI.act(NOW), BOOKS, uuid4(), area=GRID_A1)


def visit(**said) -> Visit:
    return Visit.make(LI.act(NOW), BOOKS, uuid4(), **{"area": GRID_A1, "household": "A1-0042", "outcome": "met", **said})


def replayed(aggregate):
    again = None
    for fact in aggregate.pending_events:
        again = fact.mutate(again)
    again.collect_events()
    return vars(again) == {**vars(aggregate), "_pending_events": []}


def test_a_patrol_is_started_passes_checkpoints_and_is_finished():
    walk = patrol()
    for checkpoint in ("gate", "well", "gate"):
        walk.pass_checkpoint(LI.act(NOW), BOOKS, checkpoint=checkpoint)
    walk.finish(LI.act(NOW), BOOKS, note="quiet")
    assert [fact.checkpoint for fact in walk.pending_events[1:-1]] == ["gate", "well", "gate"]
    assert {fact.area for fact in walk.pending_events} == {GRID_A1}
    assert replayed(walk)


def test_only_the_worker_who_started_a_patrol_goes_on_with_it():
    with pytest.raises(no.NotYourPatrol):
        patrol().pass_checkpoint(WANG.act(NOW), BOOKS, checkpoint="gate")
    with pytest.raises(no.NotYourPatrol):
        patrol().finish(WANG.act(NOW), BOOKS)


def test_nothing_follows_a_finished_patrol():
    walk = patrol()
    walk.finish(LI.act(NOW), BOOKS)
    with pytest.raises(no.PatrolFinished):
        walk.pass_checkpoint(LI.act(NOW), BOOKS, checkpoint="gate")
    with pytest.raises(no.PatrolFinished):
        walk.finish(LI.act(NOW), BOOKS)


def test_a_checkpoint_and_an_area_are_named():
    with pytest.raises(no.TextNeeded):
        patrol().pass_checkpoint(LI.act(NOW), BOOKS, checkpoint=" ")
    with pytest.raises(no.NotAnArea):
        Patrol.start(LI.act(NOW), BOOKS, uuid4(), area="A1")


@pytest.mark.parametrize(
    ("said", "next_due"),
    [
        ({"care_group": "disabled_elderly"}, "2026-11-23"),
        ({"care_group": "living_alone"}, "2026-12-16"),
        ({"care_group": "empty_nest"}, "2027-02-14"),
        ({"care_group": "empty_nest", "outcome": "no_one_home"}, "2026-11-19"),
        ({"care_group": "empty_nest", "outcome": "refused"}, "2027-02-14"),
        ({"care_group": "living_alone", "next_visit": "2026-11-20"}, "2026-11-20"),
        ({"care_group": "living_alone", "next_visit": "2027-06-01"}, "2026-12-16"),
        ({"next_visit": "2027-06-01"}, "2027-06-01"),
        ({"outcome": "no_one_home"}, None),
    ],
)
def test_a_household_is_visited_again_as_its_care_group_needs_it(said, next_due):
    assert visit(**said).pending_events[0].next_due == next_due


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"outcome": "happy"}, no.UnknownOutcome),
        ({"channel": "letter"}, no.UnknownChannel),
        ({"care_group": "petitioner"}, no.UnknownCareGroup),
        ({"household": ""}, no.NotAReference),
        ({"household": "Grandma Wang"}, no.NotAReference),
        ({"household": "13812345678"}, no.PersonalNumberInText),
        ({"area": "4115020010030"}, no.NotAnArea),
        ({"next_visit": "2026-11-15"}, no.DaysOutOfOrder),
        ({"next_visit": "tomorrow"}, no.NotADay),
    ],
)
def test_a_visit_that_says_what_nobody_knows_is_refused(said, refusal):
    with pytest.raises(refusal):
        visit(**said)


def test_a_visit_is_complete_in_one_fact():
    told, _ = told_apart("visit.made", {"needs": ["hearing aid"], "photos": ["ab" * 32], "channel": "phone"}, SUBJECT)
    made = visit(**told)
    assert [each["field"] for each in made.pending_events[0].personal] == ["need_voiced", "photo"]
    assert (made.household, replayed(made)) == ("A1-0042", True)
