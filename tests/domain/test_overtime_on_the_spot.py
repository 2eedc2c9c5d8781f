"""What is solved on the spot after its deadline says so in the record, like any other handling."""

from tests.domain.cast import LI, ZHAO, Matter


def test_overtime_of_what_was_solved_on_the_spot_is_recorded():
    matter = Matter().says(ZHAO, "accept").says(ZHAO, "register").until("2026-12-31 09:00").says(LI, "self_handle", result="filled")
    assert matter.history[-1].overtime is True
    assert matter.case.overtime is True


def test_on_the_spot_before_a_limit_was_fixed_nothing_is_late():
    matter = Matter().says(LI, "self_handle", result="filled")
    assert matter.history[-1].overtime is False
