"""Handle, extend, suspend, check, evaluate, close, reopen: the result, its deadline, and the people who judge it."""

import pytest

from domain import refusals as no
from tests.domain.cast import CHEN, FENG, FIRE, GRID_A1, LI, QIAN, WANG, WU, XU, ZHAO, ZHENG, ZHOU, Matter, at

WU_2 = WU.as_if(name="a colleague of wu")


def test_a_case_handled_after_its_deadline_is_overtime_for_ever():
    matter = Matter(category="gridtrail/1/B01").with_fire().until("2026-11-16 11:00")
    assert matter.case.due_at == matter.now
    assert not Matter(category="gridtrail/1/B01").with_fire().until("2026-11-16 11:00").says(WU, "handle", result="x").last.overtime
    matter.wait(minutes=0.01).says(WU, "handle", result="cleared")
    assert matter.last.overtime
    matter.says(ZHENG, "check", passed=True).says(FENG, "exempt_overtime", reason="the road was closed")
    assert matter.case.overtime is False
    assert any(fact.TOPIC == "case.handled" and fact.overtime for fact in matter.history)


def test_overtime_is_exempted_by_an_office_above_the_answerable_one_and_only_where_there_is_some():
    with pytest.raises(no.NoOvertime):
        Matter().handled().says(FENG, "exempt_overtime", reason="just so")
    late = Matter(category="gridtrail/1/B01").with_fire().wait(days=3)
    with pytest.raises(no.NotYourCase):
        late.says(ZHOU, "exempt_overtime", reason="ours")
    assert late.says(FENG, "exempt_overtime", reason="a flood").case.status == "acknowledged"
    with pytest.raises(no.NoOvertime):
        late.says(FENG, "exempt_overtime", reason="a flood")


def test_handling_says_what_was_done():
    with pytest.raises(no.TextNeeded):
        Matter().with_fire().says(WU, "handle", result=" ")
    matter = Matter().with_fire().says(WU, "handle", result="filled", quantities={"square_metres": 2.5}, photos=["ab" * 32])
    assert matter.last.quantities == {"square_metres": 2.5}


def test_a_case_is_handled_once_until_a_check_fails():
    matter = Matter().handled()
    with pytest.raises(no.AlreadyHandled):
        matter.says(WU, "handle", result="again")
    matter.says(ZHENG, "check", passed=False, note="still open")
    with pytest.raises(no.CheckHasFailed):
        matter.says(ZHOU, "close")
    with pytest.raises(no.CheckHasFailed):
        matter.says(ZHENG, "check", passed=True)
    matter.says(ZHENG, "rework", reason="still open")
    assert (matter.case.holder, matter.case.status, matter.case.clock_runs) == (FIRE, "rework", True)
    assert matter.says(WU, "handle", result="filled now").says(ZHENG, "check", passed=True).says(ZHOU, "close").case.status == "closed"


def test_rework_follows_a_failed_check_only():
    with pytest.raises(no.CheckHasNotFailed):
        Matter().handled().says(ZHENG, "rework", reason="I do not like it")
    with pytest.raises(no.CheckHasNotFailed):
        Matter().checked().says(ZHENG, "rework", reason="I do not like it")


def test_the_reporter_handles_a_small_matter_on_the_spot():
    matter = Matter().says(LI, "self_handle", result="swept")
    assert (matter.case.status, matter.case.due_at) == ("self_handled", None)
    assert matter.says(ZHAO, "check", passed=True).says(ZHAO, "close").last.overtime is False
    with pytest.raises(no.NeverRegistered):
        matter.says(ZHAO, "reopen", reason="dirty again")


def test_a_case_that_was_not_solved_on_the_spot_after_all_is_registered_like_any_other():
    matter = Matter().says(LI, "self_handle", result="swept").says(ZHAO, "check", passed=False)
    assert matter.case.status == "accepted"
    with pytest.raises(no.NotYetRegistered):
        matter.says(LI, "handle", result="swept again")
    assert matter.says(CHEN, "register").says(LI, "handle", result="swept again").case.status == "handled"


def test_a_registered_case_that_was_handled_on_the_spot_keeps_its_deadline():
    matter = Matter().registered().says(LI, "self_handle", result="swept")
    assert matter.case.status == "handled"
    assert matter.says(CHEN, "check", passed=False).says(CHEN, "rework", reason="dirty").case.clock_runs


def test_only_the_reporter_handles_on_the_spot_and_not_after_it_was_sent_on():
    with pytest.raises(no.NotYourReport):
        Matter().says(WANG, "self_handle", result="swept")
    with pytest.raises(no.NotYourCase):
        Matter().with_fire().says(LI, "self_handle", result="swept")


def test_what_was_handled_on_the_spot_is_checked_by_somebody_else():
    officer_reports = Matter(by=ZHAO).says(ZHAO, "self_handle", result="swept")
    with pytest.raises(no.SamePerson):
        officer_reports.says(ZHAO, "check", passed=True)
    with pytest.raises(no.NotYetChecked):
        officer_reports.says(CHEN, "close")
    officer_reports.says(CHEN, "check", passed=True)


def test_handler_checker_and_evaluator_are_different_people():
    grid_chief = LI.as_if(role="officer", units=(GRID_A1, GRID_A1[:12]))
    matter = Matter().registered(CHEN).says(grid_chief, "handle", result="filled")
    with pytest.raises(no.SamePerson) as refused:
        matter.says(grid_chief, "check", passed=True)
    assert refused.value.facts == {"did": "handled", "step": "checked"}
    matter.says(ZHAO, "check", passed=True)
    with pytest.raises(no.SamePerson):
        matter.says(LI, "evaluate", rating="very_satisfied", rated_by="reporter")
    with pytest.raises(no.SamePerson):
        matter.says(ZHAO, "evaluate", rating="satisfied", rated_by="resident")
    matter.says(CHEN, "evaluate", rating="dissatisfied", rated_by="resident")


def test_who_checked_before_a_reopening_does_not_handle_after_it():
    matter = Matter(level="subdistrict").closed().says(ZHOU, "reopen", reason="open again")
    with pytest.raises(no.SamePerson):
        matter.says(ZHENG, "handle", result="filled")


def test_a_rating_comes_from_the_reporter_or_is_taken_down_for_a_resident():
    matter = Matter().checked()
    with pytest.raises(no.UnknownRating):
        matter.says(LI, "evaluate", rating="five stars", rated_by="reporter")
    with pytest.raises(no.UnknownRater):
        matter.says(LI, "evaluate", rating="satisfied", rated_by="department")
    with pytest.raises(no.NotYourReport):
        matter.says(ZHAO, "evaluate", rating="satisfied", rated_by="reporter")
    with pytest.raises(no.NotYourCase):
        matter.says(QIAN, "evaluate", rating="satisfied", rated_by="resident")
    matter.says(ZHAO, "evaluate", rating="satisfied", rated_by="resident")
    with pytest.raises(no.AlreadyEvaluated):
        matter.says(LI, "evaluate", rating="satisfied", rated_by="reporter")


def test_a_rating_may_come_after_closing_and_again_after_a_new_handling():
    matter = Matter().closed().says(LI, "evaluate", rating="dissatisfied", rated_by="reporter")
    matter.says(ZHOU, "reopen", reason="the reporter is right").says(ZHOU, "dispatch", to=FIRE)
    matter.says(WU, "handle", result="filled").says(ZHENG, "check", passed=True)
    assert matter.says(LI, "evaluate", rating="satisfied", rated_by="reporter").case.status == "checked"


def test_a_reopened_case_is_with_its_registrar_and_has_the_whole_limit_again():
    matter = Matter(category="gridtrail/1/A01").closed().until("2026-11-20 17:00").says(ZHOU, "reopen", reason="again")
    assert (matter.case.holder, matter.case.status) == ("411502001", "registered")
    assert (matter.last.from_holder, matter.case.due_at) == (FIRE, at("2026-11-23 11:00"))
    with pytest.raises(no.NobodyToReturnTo):
        matter.says(ZHOU, "return", reason="to whom")
    with pytest.raises(no.NotYetClosed):
        matter.says(ZHOU, "reopen", reason="twice")


def test_an_extension_moves_the_deadline_twice_at_most_and_at_most_by_the_limit():
    matter = Matter().with_fire()
    assert matter.case.due_at == at("2026-11-23 09:00")
    with pytest.raises(no.ExtensionTooLong):
        matter.says(WU, "extend", amount=6, reason="rain")
    with pytest.raises(no.ExtensionTooLong):
        matter.says(WU, "extend", amount=0, reason="rain")
    with pytest.raises(no.ReasonNeeded):
        matter.says(WU, "extend", amount=1, reason="")
    assert matter.says(WU, "extend", amount=5, reason="rain").case.due_at == at("2026-11-30 09:00")
    assert matter.says(ZHOU, "extend", amount=2, reason="more rain").case.due_at == at("2026-12-02 09:00")
    with pytest.raises(no.ExtendedTwice):
        matter.says(ZHOU, "extend", amount=1, reason="snow")


def test_a_deadline_that_has_passed_is_not_moved_any_more():
    matter = Matter().with_fire().until("2026-11-23 09:01")
    with pytest.raises(no.DeadlinePassed):
        matter.says(WU, "extend", amount=1, reason="rain")
    with pytest.raises(no.DeadlinePassed):
        matter.says(WU, "suspend", until="2026-12-31", reason="frost")


def test_a_stranger_does_not_extend():
    with pytest.raises(no.NotYourCase):
        Matter().with_fire().says(XU, "extend", amount=1, reason="rain")


def test_the_clock_stands_still_while_a_case_is_suspended():
    matter = Matter().with_fire().until("2026-11-18 10:00").says(ZHOU, "suspend", until="2026-12-31", reason="frost")
    assert (matter.case.status, matter.case.clock_runs) == ("suspended", False)
    with pytest.raises(no.CaseSuspended):
        matter.says(WU, "handle", result="filled")
    matter.until("2026-12-07 10:00").says(ZHOU, "resume", reason="thaw")
    # 3 working days less an hour were left on Wednesday 10:00, and so they are on Monday 10:00.
    assert (matter.case.status, matter.case.due_at) == ("acknowledged", at("2026-12-10 09:00"))


def test_a_suspension_ends_with_its_day_even_if_nobody_resumes_the_case_then():
    matter = Matter(category="gridtrail/1/D").with_fire().until("2026-11-17 09:00")
    matter.says(ZHOU, "suspend", until="2026-11-20", reason="away").until("2026-11-25 12:00").says(ZHOU, "resume")
    # 6 natural days were left; they run from the end of the 20th.
    assert matter.case.due_at == at("2026-11-27 00:00")


def test_a_case_is_suspended_once_for_a_year_at_most():
    for until in ("2026-11-16", "2026-11-15", "2027-11-17"):
        with pytest.raises(no.SuspensionTooLong):
            Matter().with_fire().says(ZHOU, "suspend", until=until, reason="frost")
    with pytest.raises(no.NotADay):
        Matter().with_fire().says(ZHOU, "suspend", until="next spring", reason="frost")
    matter = Matter().with_fire().says(ZHOU, "suspend", until="2027-11-16", reason="frost").wait(days=2).says(ZHOU, "resume")
    with pytest.raises(no.SuspendedBefore):
        matter.says(ZHOU, "suspend", until="2026-12-31", reason="frost again")
    with pytest.raises(no.NotSuspended):
        matter.says(ZHOU, "resume")


def test_a_suspended_case_is_not_merged_before_it_is_resumed():
    matter = Matter().with_fire().says(ZHOU, "suspend", until="2026-12-31", reason="frost")
    with pytest.raises(no.CaseSuspended):
        matter.says(ZHOU, "merge", into=str(Matter().id), reason="the same")


def test_a_closed_case_has_no_running_clock_and_knows_the_level_that_solved_it():
    matter = Matter().registered().says(LI, "handle", result="swept").says(CHEN, "check", passed=True).says(ZHAO, "close")
    assert (matter.case.clock_runs, matter.last.level, matter.last.overtime) == (False, "grid", False)


def test_closing_after_the_deadline_is_on_record_even_where_handling_was_in_time():
    assert Matter().handled().wait(days=30).says(ZHENG, "check", passed=True).says(ZHOU, "close").last.overtime
