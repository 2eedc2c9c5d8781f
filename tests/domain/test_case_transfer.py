"""Who holds a case: dispatch, transfer, return, escalate, refer, whistle and muster, merge and split."""

import pytest

from domain import refusals as no
from tests.domain.cast import (
    COUNTY_WATER,
    FENG,
    FIRE,
    GRID_A1,
    GRID_A2,
    HE,
    LI,
    OTHER_COUNTY_GRID,
    OTHER_SUBDISTRICT_GRID,
    QIAN,
    SUBDISTRICT,
    URBAN,
    WANG,
    WU,
    XU,
    ZHAO,
    ZHOU,
    Matter,
    at,
)


def test_a_dispatched_case_is_held_by_the_unit_it_was_sent_to():
    matter = Matter().registered().says(ZHAO, "dispatch", to=FIRE)
    assert (matter.case.holder, matter.last.from_holder) == (FIRE, GRID_A1)
    assert matter.case.status == "dispatched"


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        (GRID_A1, no.ToItself),
        (OTHER_COUNTY_GRID, no.OutsideTheCounty),
        ("4115", no.OutsideTheCounty),
        ("411502001/Fire Brigade", no.NotAUnit),
        ("fire", no.NotAUnit),
        ("", no.NotAUnit),
    ],
)
def test_a_case_is_sent_to_another_well_formed_unit_of_its_county(to, refusal):
    with pytest.raises(refusal):
        Matter().registered().says(ZHAO, "dispatch", to=to)


def test_a_case_may_be_held_in_another_subdistrict_and_stays_in_its_own_history():
    matter = Matter().registered().says(ZHAO, "dispatch", to=OTHER_SUBDISTRICT_GRID)
    assert matter.case.area == GRID_A1
    assert matter.says(QIAN, "acknowledge").case.status == "acknowledged"


def test_only_the_unit_holding_a_case_acknowledges_and_handles_it():
    matter = Matter().registered().says(ZHAO, "dispatch", to=FIRE)
    for who in (ZHAO, ZHOU, LI, XU):
        with pytest.raises(no.NotYourCase) as refused:
            matter.says(who, "acknowledge")
        assert refused.value.facts["holder"] == FIRE
        with pytest.raises(no.NotYourCase):
            matter.says(who, "handle", result="done")


def test_only_the_unit_holding_a_case_or_an_office_above_can_transfer_it():
    matter = Matter().with_fire()
    with pytest.raises(no.NotYourCase):
        matter.says(XU, "transfer", to=URBAN, reason="ours")
    assert matter.says(WU, "transfer", to=URBAN, reason="not a fire").case.holder == URBAN
    assert matter.says(ZHOU, "transfer", to=FIRE, reason="it is").case.holder == FIRE


def test_a_transfer_stays_on_its_level_and_has_a_reason():
    with pytest.raises(no.NotTheSameLevel):
        Matter().with_fire().says(WU, "transfer", to=COUNTY_WATER, reason="water")
    with pytest.raises(no.ReasonNeeded):
        Matter().with_fire().says(WU, "transfer", to=URBAN, reason="")


def test_a_report_to_the_wrong_grid_is_handed_to_the_right_one_before_it_is_accepted():
    matter = Matter().says(ZHAO, "transfer", to=GRID_A2, reason="beyond the crossing")
    assert (matter.case.status, matter.case.holder) == ("reported", GRID_A2)


def test_a_returned_case_goes_back_the_way_it_came():
    matter = Matter().with_fire().says(WU, "transfer", to=URBAN, reason="a stall").says(XU, "return", reason="not a stall")
    assert (matter.case.holder, matter.last.from_holder) == (FIRE, URBAN)
    assert matter.says(WU, "return", reason="not a fire").case.holder == GRID_A1
    with pytest.raises(no.NobodyToReturnTo):
        matter.says(LI, "return", reason="nor mine")


def test_a_return_needs_a_reason_and_is_the_holders_own():
    with pytest.raises(no.ReasonNeeded):
        Matter().with_fire().says(WU, "return", reason="\n")
    with pytest.raises(no.NotYourCase):
        Matter().with_fire().says(ZHOU, "return", reason="mine")


def test_returning_deletes_nothing_that_was_filled_in():
    matter = Matter().registered(note="deep").says(ZHAO, "dispatch", to=FIRE, note="with a ladder")
    due = matter.case.due_at
    matter.says(WU, "return", reason="not a fire")
    assert (matter.case.due_at, matter.case.registrar) == (due, "411502001003")
    assert [fact.note for fact in matter.history if fact.TOPIC in ("case.registered", "case.dispatched")] == ["deep", "with a ladder"]


def test_escalating_goes_up_one_level_with_a_reason_as_far_as_the_county():
    matter = Matter().registered()
    with pytest.raises(no.ReasonNeeded):
        matter.says(LI, "escalate", reason="")
    for level, holder, who in (("community", GRID_A1[:12], LI), ("subdistrict", SUBDISTRICT, ZHAO), ("county", "411502", ZHOU)):
        assert matter.says(who, "escalate", reason="beyond us").case.holder == holder
        assert matter.last.level == matter.case.level == level
    with pytest.raises(no.AlreadyAtTheTop):
        matter.says(FENG, "escalate", reason="beyond us")


def test_a_department_escalates_above_its_own_level():
    assert Matter().with_fire().says(WU, "escalate", reason="a great fire").case.holder == "411502"


def test_a_returned_escalation_takes_the_level_back():
    matter = Matter().registered().says(LI, "escalate", reason="too deep").says(ZHAO, "return", reason="it is not")
    assert (matter.case.level, matter.last.level, matter.case.holder) == ("grid", "grid", GRID_A1)


def test_the_unit_that_a_return_reaches_may_return_it_further():
    matter = Matter().registered().says(LI, "escalate", reason="up").says(ZHAO, "escalate", reason="up")
    matter.says(ZHOU, "return", reason="down").says(ZHAO, "return", reason="down")
    assert (matter.case.holder, matter.case.level) == (GRID_A1, "grid")


def test_a_case_is_referred_to_a_department_only():
    with pytest.raises(no.NotADepartment):
        Matter().registered().says(ZHAO, "refer", to=SUBDISTRICT, reason="please")
    with pytest.raises(no.NotYetAccepted):
        Matter().says(ZHAO, "refer", to=COUNTY_WATER, reason="a pipe")
    assert Matter().registered().says(ZHAO, "refer", to=COUNTY_WATER, reason="a pipe").says(HE, "acknowledge").case.holder == COUNTY_WATER


def test_an_officer_below_does_not_act_for_a_unit_above():
    matter = Matter(level="subdistrict").registered(ZHOU)
    with pytest.raises(no.NotYourCase):
        matter.says(ZHAO, "dispatch", to=FIRE)


def whistled(**said):
    call = {"lead": FIRE, "assists": [URBAN, COUNTY_WATER], "muster_minutes": 30, "task": "clear the lane", **said}
    return Matter().registered().says(ZHOU, "whistle", **call)


def test_the_subdistrict_whistles_and_the_lead_becomes_the_holder():
    matter = whistled()
    assert (matter.case.holder, matter.case.status) == (FIRE, "mustering")
    assert matter.last.muster_due_at == at("2026-11-16 09:30")
    assert matter.case.concerned_units() == (FIRE, "411502001003", URBAN, COUNTY_WATER)


def test_only_the_subdistrict_whistles():
    for who in (ZHAO, FENG, ZHOU.as_if(units=("411502002",))):
        with pytest.raises(no.NotYourSubdistrict):
            Matter().registered().says(who, "whistle", lead=FIRE, assists=[], muster_minutes=30, task="clear")


def test_a_whistled_case_is_handled_after_the_lead_mustered():
    matter = whistled().says(XU, "muster", unit=URBAN)
    for action, said in {"handle": {"result": "cleared"}, "acknowledge": {}, "transfer": {"to": URBAN, "reason": "no"}}.items():
        with pytest.raises(no.MusterFirst):
            matter.says(WU, action, **said)
    matter.says(WU, "muster", unit=FIRE)
    assert matter.case.status == "acknowledged"
    matter.wait(minutes=31).says(HE, "muster", unit=COUNTY_WATER)
    assert matter.last.overtime
    assert matter.says(WU, "handle", result="cleared").case.status == "handled"


def test_each_called_unit_musters_once_and_nobody_else_does():
    matter = whistled().says(WU, "muster", unit=FIRE)
    with pytest.raises(no.AlreadyMustered):
        matter.says(WU, "muster", unit=FIRE)
    with pytest.raises(no.NotCalled):
        matter.says(WU, "muster", unit=URBAN)
    with pytest.raises(no.NotCalled):
        matter.says(LI, "muster", unit=GRID_A1)
    with pytest.raises(no.NotCalled):
        Matter().registered().says(WU, "muster", unit=FIRE)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"assists": [FIRE]}, no.UnitNamedTwice),
        ({"assists": [URBAN, URBAN]}, no.UnitNamedTwice),
        ({"assists": [OTHER_COUNTY_GRID]}, no.OutsideTheCounty),
        ({"lead": "nobody"}, no.NotAUnit),
        ({"muster_minutes": 0}, no.MusterTimeWrong),
        ({"muster_minutes": 1441}, no.MusterTimeWrong),
        ({"task": ""}, no.TextNeeded),
    ],
)
def test_a_whistle_calls_different_units_to_a_task_within_a_time(said, refusal):
    with pytest.raises(refusal):
        whistled(**said)


def test_a_lead_that_was_called_wrongly_returns_the_case_without_mustering():
    matter = whistled().says(WU, "return", reason="no fire")
    assert (matter.case.holder, matter.case.status, matter.case.called) == (GRID_A1, "registered", {})


def test_a_duplicate_is_merged_and_its_clock_stops():
    other = Matter()
    matter = Matter().registered().says(ZHAO, "merge", into=str(other.id), reason="the same hole")
    assert (matter.case.status, matter.case.clock_runs, matter.case.holder) == ("merged", False, GRID_A1)
    with pytest.raises(no.CaseMerged):
        matter.says(LI, "handle", result="filled")
    with pytest.raises(no.CaseMerged):
        matter.says(ZHAO, "merge", into=str(other.id), reason="again")


def test_a_case_is_not_merged_into_itself():
    matter = Matter()
    with pytest.raises(no.MergedIntoItself):
        matter.says(ZHAO, "merge", into=str(matter.id).upper(), reason="the same")


def test_a_split_case_goes_on_where_it_stood_with_the_time_that_was_left():
    matter = Matter(category="gridtrail/1/A01").with_fire().until("2026-11-16 11:00")
    matter.says(ZHOU, "merge", into=str(Matter().id), reason="the same").until("2026-11-17 17:00")
    assert matter.says(ZHOU, "split", reason="another hole").case.status == "acknowledged"
    # 4 work_hour from 9:00; 2 were left at 11:00.
    assert matter.case.due_at == at("2026-11-18 09:00")
    with pytest.raises(no.NotMerged):
        matter.says(ZHOU, "split", reason="again")


def test_a_report_that_was_split_again_before_registering_has_no_deadline_yet():
    matter = Matter().says(ZHAO, "merge", into=str(Matter().id), reason="the same").says(ZHAO, "split", reason="it is not")
    assert (matter.case.status, matter.case.due_at) == ("reported", None)


def test_a_worker_of_another_grid_has_no_say():
    for action, said in {"escalate": {"reason": "x"}, "return": {"reason": "x"}, "handle": {"result": "x"}}.items():
        with pytest.raises(no.NotYourCase):
            Matter().registered().says(WANG, action, **said)
