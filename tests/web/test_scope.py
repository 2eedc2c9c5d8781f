"""The one decision: who may do and see what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entries import ACTIONS
from service.scope import ACTIONS_BY_ROLE, Actor, Grant, NotYourRole, OutOfScope, authorise, sight_of
from tests.web.city import CITY, COMMUNITY_A, FIRE, GRID_A1, GRID_A2, GRID_B1, SUBDISTRICT_A, SUBDISTRICT_B

LI = Actor("li", (Grant("worker", GRID_A1),))
ZHAO = Actor("zhao", (Grant("officer", COMMUNITY_A),))
FENG = Actor("feng", (Grant("officer", FIRE),))
SUN = Actor("sun", (Grant("auditor", CITY),))
GUAN = Actor("guan", (Grant("administrator", CITY),))
NOBODY = Actor("nobody")


def test_a_worker_acts_in_the_own_grid_and_nowhere_else():
    assert authorise(LI, "case.report", area=GRID_A1).unit == GRID_A1
    with pytest.raises(OutOfScope):
        authorise(LI, "case.report", area=GRID_A2)


def test_a_worker_reaches_a_case_that_the_own_grid_holds_wherever_it_lies():
    assert authorise(LI, "case.handle", area=GRID_A2, units=(GRID_A1,))


def test_an_officer_reaches_the_whole_subtree():
    assert authorise(ZHAO, "case.accept", area=GRID_A1)
    assert authorise(ZHAO, "case.accept", area=GRID_A2)
    with pytest.raises(OutOfScope):
        authorise(ZHAO, "case.accept", area=GRID_B1)


def test_a_department_reaches_only_what_it_holds_or_was_called_to():
    assert authorise(FENG, "case.handle", area=GRID_A1, units=(SUBDISTRICT_A, FIRE))
    with pytest.raises(OutOfScope):
        authorise(FENG, "case.handle", area=GRID_A1, units=(SUBDISTRICT_A,))
    assert sight_of(FENG).areas == ()
    assert sight_of(FENG).units == (FIRE,)


def test_an_auditor_reads_everything_and_changes_nothing():
    assert sight_of(SUN).covers(GRID_B1)
    for verb in ACTIONS:
        with pytest.raises(NotYourRole):
            authorise(SUN, f"case.{verb}", area=GRID_A1)


def test_an_administrator_manages_people_and_does_not_read_cases():
    assert authorise(GUAN, "person.manage", area=SUBDISTRICT_B)
    with pytest.raises(NotYourRole):
        authorise(GUAN, "case.read", area=GRID_A1)
    assert not sight_of(GUAN).covers(GRID_A1)


def test_who_has_no_assignment_sees_nothing():
    assert not sight_of(NOBODY).covers(CITY)
    with pytest.raises(NotYourRole):
        authorise(NOBODY, "case.read")
    with pytest.raises(OutOfScope):
        authorise(NOBODY, "case.read", area=CITY)


def test_every_action_of_the_console_has_roles_and_none_is_an_auditors():
    for verb in ACTIONS:
        assert ACTIONS_BY_ROLE[f"case.{verb}"]
        assert "auditor" not in ACTIONS_BY_ROLE[f"case.{verb}"]


CODES = st.sampled_from([CITY, "411502", SUBDISTRICT_A, SUBDISTRICT_B, COMMUNITY_A, GRID_A1, GRID_A2, GRID_B1])
UNITS = CODES | CODES.map(lambda code: f"{code}/fire")
GRANTS = st.builds(Grant, st.sampled_from(["worker", "officer", "auditor", "administrator"]), UNITS)


@given(st.lists(GRANTS, max_size=3), CODES, st.lists(UNITS, max_size=2))
def test_what_may_be_read_one_by_one_is_what_lists_show(grants, area, units):
    actor = Actor("somebody", tuple(grants))
    for action in ("case.read", "tablet.read", "area.read"):
        try:
            authorise(actor, action, area=area, units=tuple(units))
            allowed = True
        except (OutOfScope, NotYourRole):
            allowed = False
        assert sight_of(actor, action).covers(area, units) == allowed
