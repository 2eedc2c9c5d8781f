"""Report, register, close: the stations of a case, and who may take it from one to the next."""

import pytest

from domain import refusals as no
from tests.domain.cast import (
    CHEN,
    FENG,
    FIRE,
    GRID_A1,
    GRID_A2,
    LI,
    QIAN,
    SUN,
    WANG,
    WU,
    ZHAO,
    ZHENG,
    ZHOU,
    Matter,
    at,
)


def test_a_new_report_is_held_by_the_unit_of_its_level_that_covers_the_area():
    assert Matter().case.holder == GRID_A1
    assert Matter(level="community").case.holder == GRID_A1[:12]
    assert Matter(level="subdistrict").case.holder == GRID_A1[:9]
    assert Matter(level="county").case.holder == GRID_A1[:6]
    assert Matter(area=GRID_A1 + "07").case.holder == GRID_A1


def test_a_report_from_a_whole_community_cannot_be_a_grids_matter():
    with pytest.raises(no.LevelBelowArea):
        Matter(area=GRID_A1[:12])
    assert Matter(area=GRID_A1[:12], level="community").case.holder == GRID_A1[:12]


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"category": "gridtrail/1/Z99"}, no.UnknownCategory),
        ({"category": "E01"}, no.UnknownCategory),
        ({"urgency": "soon"}, no.UnknownUrgency),
        ({"severity": "05"}, no.UnknownSeverity),
        ({"level": "city"}, no.UnknownLevel),
        ({"source": "rumour"}, no.UnknownSource),
        ({"summary": "  "}, no.TextNeeded),
        ({"area": "41150200100300"}, no.NotAnArea),
    ],
)
def test_a_report_that_says_what_nobody_knows_is_refused(said, refusal):
    with pytest.raises(refusal):
        Matter(**said)


def test_a_case_goes_from_report_to_evaluation():
    matter = Matter().checked().says(LI, "evaluate", rating="satisfied", rated_by="reporter").says(ZHOU, "close")
    assert [fact.TOPIC for fact in matter.history] == [
        "case.reported",
        "case.accepted",
        "case.registered",
        "case.dispatched",
        "case.acknowledged",
        "case.handled",
        "case.checked",
        "case.evaluated",
        "case.closed",
    ]
    assert matter.case.status == "closed"
    assert matter.case.registrar == "411502001"


def test_a_case_of_2008_goes_its_way_in_its_own_time():
    matter = Matter("2008-09-02 07:49", by=LI, level="subdistrict", source="import").closed()
    assert matter.case.due_at == at("2008-09-09 08:00")


def test_a_report_is_rejected_with_a_reason():
    with pytest.raises(no.ReasonNeeded):
        Matter().says(ZHAO, "reject", reason=" ")
    matter = Matter().says(ZHAO, "reject", reason="no hole there")
    assert matter.case.status == "rejected"
    with pytest.raises(no.CaseRejected):
        matter.says(ZHAO, "accept")
    with pytest.raises(no.CaseRejected):
        matter.says(ZHAO, "reopen", reason="there is")


def test_a_registered_case_can_no_longer_be_rejected():
    with pytest.raises(no.AlreadyRegistered):
        Matter().registered().says(ZHAO, "reject", reason="too late")


def test_what_the_public_reports_is_verified_before_it_is_registered():
    matter = Matter(source="resident").accepted()
    with pytest.raises(no.NotVerified):
        matter.says(ZHAO, "register")
    assert matter.says(LI, "verify", found=True).says(ZHAO, "register").case.status == "registered"


def test_what_verification_did_not_find_is_not_registered():
    matter = Matter(source="sensor").says(LI, "verify", found=False)
    assert matter.case.status == "verified"
    matter.says(ZHAO, "accept")
    with pytest.raises(no.FoundUntrue):
        matter.says(ZHAO, "register")
    matter.says(LI, "verify", found=True).says(ZHAO, "register")


def test_a_workers_report_needs_no_verification():
    with pytest.raises(no.VerifiesOnlyPublicReports):
        Matter(source="patrol").says(LI, "verify", found=True)


def test_only_who_covers_the_area_verifies():
    with pytest.raises(no.NotYourCase):
        Matter(source="resident").says(WANG, "verify", found=True)


def test_verifying_is_before_registering_and_checking_is_before_closing():
    matter = Matter(source="resident").says(LI, "verify", found=True).registered()
    with pytest.raises(no.AlreadyRegistered):
        matter.says(LI, "verify", found=True)
    with pytest.raises(no.NotYetHandled):
        matter.says(ZHAO, "check", passed=True)


def test_registering_comes_after_accepting():
    with pytest.raises(no.NotYetAccepted):
        Matter().says(ZHAO, "register")
    with pytest.raises(no.AlreadyAccepted):
        Matter().accepted().says(ZHAO, "accept")
    with pytest.raises(no.AlreadyRegistered):
        Matter().registered().says(ZHAO, "register")


def test_accepting_and_dispatching_have_15_minutes_each():
    assert not Matter().wait(minutes=15).says(ZHAO, "accept").last.overtime
    late = Matter().wait(minutes=15.01).says(ZHAO, "accept")
    assert late.last.overtime
    late.says(ZHAO, "register").wait(minutes=16).says(ZHAO, "dispatch", to=FIRE)
    assert late.last.overtime
    assert late.says(WU, "return", reason="not a fire").wait(hours=2).says(ZHAO, "dispatch", to=GRID_A2).last.overtime is False


def test_only_the_holder_or_an_office_above_accepts():
    with pytest.raises(no.NotYourCase):
        Matter().says(ZHAO.as_if(units=("411502001004",)), "accept")
    with pytest.raises(no.NotYourCase):
        Matter(level="subdistrict").says(ZHAO, "accept")
    with pytest.raises(no.NotYourCase):
        Matter().says(WU, "accept")
    for above in (ZHAO, ZHOU, FENG):
        assert Matter().says(above, "accept").case.holder == GRID_A1


@pytest.mark.parametrize("who", [SUN, LI, QIAN])
def test_auditors_and_workers_do_not_register(who):
    with pytest.raises(no.RoleMayNotDoThis):
        Matter().accepted().says(who, "register")


def test_who_registers_stays_answerable_to_the_end():
    matter = Matter().registered(ZHAO).says(ZHAO, "dispatch", to=FIRE).says(WU, "handle", result="done")
    with pytest.raises(no.NotYourCase):
        matter.says(WU.as_if(name="another fireman"), "check", passed=True)
    assert matter.says(CHEN, "check", passed=True).says(ZHAO, "close").case.status == "closed"


def test_the_registering_unit_is_the_nearest_office_of_who_registers():
    both = ZHOU.as_if(units=("411502", "411502001"))
    assert Matter().registered(both).case.registrar == "411502001"
    assert Matter(level="subdistrict").registered(both).case.registrar == "411502001"


def test_the_limit_is_frozen_when_the_case_is_registered():
    matter = Matter(category="gridtrail/1/D").registered(complexity="complex")
    assert matter.last.limit == {"kind": "natural_day", "amount": 20}
    assert matter.last.calendar == "cn@2026"
    assert matter.case.due_at == at("2026-12-06 09:00")
    with pytest.raises(no.UnknownComplexity):
        Matter().accepted().says(ZHAO, "register", complexity="tricky")


def test_nothing_skips_a_station():
    with pytest.raises(no.NotYetRegistered):
        Matter().says(LI, "handle", result="done")
    with pytest.raises(no.NotYetRegistered):
        Matter().says(ZHAO, "dispatch", to=FIRE)
    with pytest.raises(no.NotYetChecked):
        Matter().handled().says(ZHOU, "close")
    with pytest.raises(no.NotYetChecked):
        Matter().handled().says(LI, "evaluate", rating="satisfied", rated_by="reporter")
    with pytest.raises(no.CaseClosed):
        Matter().closed().says(ZHENG, "check", passed=True)
    with pytest.raises(no.CaseClosed):
        Matter().closed().says(WU, "handle", result="again")
