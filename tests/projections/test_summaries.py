"""What roll-ups count: the field's cases told one by one, and any history counted three ways to the same numbers."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.books import Books
from domain.indicators import COUNTS, indicators_of
from domain.periods import Period
from projections import READ_MODELS
from projections.counting import NOTHING, READ, Counts, Recount, count_ledgers, total
from projections.recorded import read_line
from service.database import reading
from service.summaries.document import Summed, write
from tests.domain.cast import CHEN, CITY_TIME, FIRE, GRID_A1, GRID_A2, LI, SUBDISTRICT, WANG, WU, ZHAO, ZHOU, Matter
from tests.examples import examples
from tests.projections.counted import GRID_B1, area, bounds_of, counts, patrol, random_lines, visit

BOOK = Books.default().in_force("indicators", "2026-10-01")
SHARES = {each.code: each for each in indicators_of(BOOK.content)}
QUARTER = "2026-Q4"


def share(code: str, found: Counts) -> tuple[int, int]:
    value = SHARES[code].value(found)
    return value["numerator"], value["denominator"]


def some(found: Counts, *names: str) -> list[int]:
    return [found[name] for name in names]


# ---- cases, told one by one (the limit of E01 is five working days; 2026-11-16 is a Monday)


def test_a_case_in_time_counts_for_every_indicator_that_it_is_due_for():
    matter = Matter().registered().wait(hours=2).says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="filled")
    matter.says(CHEN, "check", passed=True).says(LI, "evaluate", rating="satisfied", rated_by="reporter").says(ZHAO, "close")
    found = counts(QUARTER, matter)
    for code in (
        "valid_report",
        "ontime_register",
        "accurate_dispatch",
        "handle",
        "ontime_handle",
        "close",
        "ontime_close",
        "satisfaction",
    ):
        assert share(code, found) == (1, 1), code
    for code in ("overdue_pending", "extension", "rework"):
        assert share(code, found) == (0, 1), code
    assert share("resolved_at_grid", found) == (1, 1)
    assert share("visit_coverage", found) == (0, 0)


def test_a_case_counts_where_its_deadline_lies_and_not_where_it_was_reported():
    matter = Matter("2026-09-28 09:00").registered()
    assert some(counts("2026-09", matter), "reports", "registered", "due") == [1, 1, 0]
    assert some(counts("2026-10", matter), "reports", "registered", "due", "overdue_pending") == [0, 0, 1, 1]


def test_a_deadline_at_midnight_belongs_to_the_period_that_begins_then():
    matter = Matter("2026-12-31 00:00", category="gridtrail/1/F01", source="hotline").registered()
    assert matter.case.due_at == "2026-12-31T16:00:00.000Z"
    assert counts("2026-Q4", matter)["due"] == 0
    assert counts("2027-Q1", matter)["due"] == 1


def test_what_is_not_due_yet_is_not_due():
    matter = Matter().registered()
    assert some(counts(QUARTER, matter, until="2026-11-20T00:00:00.000Z"), "reports", "due") == [1, 0]


def test_handled_after_the_period_is_overdue_in_it_for_ever():
    matter = (
        Matter("2026-12-21 09:00")
        .registered()
        .until("2027-01-04 09:00")
        .says(ZHAO, "dispatch", to=GRID_A2)
        .says(WANG, "handle", result="done")
    )
    found = counts("2026-Q4", matter)
    assert some(found, "due", "handled", "overdue_pending") == [1, 0, 1]
    assert share("overdue_pending", found) == (1, 1)


def test_overtime_is_kept_for_ever_and_an_exemption_stands_beside_it():
    matter = Matter().registered().wait(days=20).says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="done")
    before = counts(QUARTER, matter)
    assert some(before, "handled_late", "handled_exempted") == [1, 0]
    assert share("ontime_handle", before) == (0, 1)
    matter.says(ZHOU, "exempt_overtime", reason="the road was closed by police")
    after = counts(QUARTER, matter)
    assert some(after, "handled_late", "handled_exempted", "handled_in_time") == [1, 1, 0]
    assert share("ontime_handle", after) == (1, 1)


def test_an_exemption_while_the_clock_runs_over_takes_the_case_out_of_the_overdue():
    matter = Matter().registered().wait(days=20).says(ZHOU, "exempt_overtime", reason="waits for a part")
    found = counts(QUARTER, matter)
    assert some(found, "overdue_pending", "overdue_unexempted") == [1, 0]
    assert share("overdue_pending", found) == (0, 1)


def test_an_extension_moves_the_case_into_the_period_of_its_new_deadline():
    matter = Matter("2026-12-21 09:00").registered().says(ZHAO, "extend", amount=5, reason="frost")
    assert counts("2026-Q4", matter)["due"] == 0
    assert share("extension", counts("2027-Q1", matter)) == (1, 1)


def test_a_suspended_case_is_not_due_until_its_clock_runs_again():
    matter = Matter().registered().says(ZHAO, "suspend", until="2026-11-27", reason="waits")
    assert counts(QUARTER, matter)["due"] == 0
    assert counts(QUARTER, matter.wait(days=3).says(ZHAO, "resume"))["due"] == 1


def test_a_case_that_failed_its_check_is_not_handled_until_it_is_again_and_counts_as_reworked():
    matter = Matter().registered().says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="done")
    matter.says(CHEN, "check", passed=False)
    assert some(counts(QUARTER, matter), "due", "handled", "reworked") == [1, 0, 0]
    matter.says(CHEN, "rework", reason="still a hole")
    matter.says(WANG, "handle", result="now")
    assert some(counts(QUARTER, matter), "due", "handled", "handled_in_time", "reworked") == [1, 1, 1, 1]


def closed(now: str = "2026-09-21 09:00") -> Matter:
    matter = Matter(now).registered().says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="done")
    return matter.says(CHEN, "check", passed=True).says(ZHAO, "close")


def test_a_reopened_case_begins_a_new_round_and_leaves_the_old_one_as_it_was():
    matter = closed()
    third = counts("2026-Q3", matter)
    matter.until("2026-11-16 09:00").says(ZHAO, "reopen", reason="it sank again")
    assert counts("2026-Q3", matter) == third
    fourth = counts("2026-Q4", matter)
    assert some(fourth, "reports", "registered", "reopened", "due", "handled", "closed") == [0, 0, 1, 1, 0, 0]
    matter.says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="deeper").says(CHEN, "check", passed=True).says(ZHAO, "close")
    assert counts("2026-Q3", matter) == third
    assert some(counts("2026-Q4", matter), "due", "handled_in_time", "due_closed", "closed") == [1, 1, 1, 1]


def test_an_exemption_of_a_later_round_says_nothing_of_the_one_before():
    matter = Matter("2026-09-01 09:00").registered().wait(days=20).says(ZHAO, "dispatch", to=GRID_A2).says(WANG, "handle", result="done")
    matter.says(CHEN, "check", passed=True).says(ZHAO, "close")
    third = counts("2026-Q3", matter)
    assert some(third, "handled_late", "handled_exempted", "due_closed_in_time") == [1, 0, 0]
    matter.until("2026-10-12 09:00").says(ZHAO, "reopen", reason="again").wait(days=30).says(ZHOU, "exempt_overtime", reason="flood")
    assert counts("2026-Q3", matter) == third


def test_what_was_solved_on_the_spot_has_no_deadline_and_is_due_to_be_closed():
    matter = Matter().says(LI, "self_handle", result="took it away")
    assert some(counts(QUARTER, matter), "reports_valid", "registered", "due", "spot", "spot_closed") == [1, 0, 0, 1, 0]
    matter.says(ZHAO, "check", passed=True).says(CHEN, "close")
    found = counts(QUARTER, matter)
    assert (share("close", found), share("ontime_close", found), share("handle", found)) == ((1, 1), (1, 1), (0, 0))


def test_what_was_not_solved_on_the_spot_after_all_goes_the_way_of_any_other():
    matter = Matter().says(LI, "self_handle", result="took it away").says(ZHAO, "check", passed=False)
    assert some(counts(QUARTER, matter), "spot", "reports_valid") == [0, 0]
    assert some(counts(QUARTER, matter.says(ZHAO, "register")), "spot", "reports_valid", "registered", "due") == [0, 1, 1, 1]


def test_a_rejected_report_is_not_valid_and_one_that_was_merged_is():
    rejected = Matter().accepted().says(ZHAO, "reject", reason="nothing there")
    merged = Matter().registered().says(ZHAO, "merge", into="7b0c5c8e-4d5a-4a55-8d7e-0d1d1c1b1a19", reason="same hole")
    found = counts(QUARTER, rejected, merged, Matter())
    assert some(found, "reports", "reports_valid", "reports_rejected", "reports_merged", "due") == [3, 0, 1, 1, 0]
    assert share("valid_report", found) == (1, 3)


def test_a_late_acceptance_makes_a_late_registration():
    found = counts(QUARTER, Matter().wait(hours=3).registered())
    assert some(found, "registered", "registered_in_time", "registered_late") == [1, 0, 1]


def test_a_dispatch_that_came_back_was_not_accurate():
    matter = Matter().registered(ZHOU).says(ZHOU, "dispatch", to=FIRE).says(WU, "return", reason="not ours")
    matter.says(ZHOU, "dispatch", to=GRID_A2)
    assert share("accurate_dispatch", counts(QUARTER, matter)) == (0, 1)


def test_ratings_count_when_they_were_given():
    matter = closed("2026-09-21 09:00").until("2026-10-02 09:00").says(LI, "evaluate", rating="dissatisfied", rated_by="reporter")
    assert counts("2026-Q3", matter)["ratings"] == 0
    assert share("satisfaction", counts("2026-Q4", matter)) == (0, 1)


# ---- visits and patrols


def test_a_household_counts_once_however_often_somebody_went():
    visits = [visit(f"v{day}", "H-1", f"2026-11-{day:02d} 10:00", care_group="disabled_elderly") for day in (2, 9, 16, 23)]
    found = counts("2026-11", *visits)
    assert some(found, "households_due", "households_met") == [1, 1]


def test_a_household_where_nobody_was_at_home_is_still_due():
    first = visit("v1", "H-1", "2026-10-30 10:00", care_group="disabled_elderly")
    again = visit("v2", "H-1", "2026-11-05 10:00", "no_one_home", care_group="disabled_elderly")
    found = counts("2026-11", first, again)
    assert some(found, "households_due", "households_met", "households_no_one_home") == [1, 0, 1]
    assert share("visit_coverage", found) == (0, 1)


def test_who_refused_was_visited():
    first = visit("v1", "H-1", "2026-10-30 10:00", care_group="disabled_elderly")
    found = counts("2026-11", first, visit("v2", "H-1", "2026-11-05 10:00", "refused", care_group="disabled_elderly"))
    assert share("visit_coverage", found) == (1, 1)


def test_a_household_that_was_reached_before_the_period_is_not_due_for_the_visit_before():
    early = [
        visit("v1", "H-1", "2026-11-12 10:00", next_visit="2026-11-18"),
        visit("v2", "H-1", "2026-11-14 10:00", next_visit="2026-12-20"),
    ]
    assert counts("2026-W47", *early)["households_due"] == 0
    assert counts("2026-W46", *early)["households_due"] == 0
    assert counts("2026-W51", *early)["households_due"] == 1


def test_a_week_keeps_its_sunday():
    found = counts("2026-W47", visit("v1", "H-1", "2026-11-10 10:00", next_visit="2026-11-22"), visit("v2", "H-1", "2026-11-22 23:59"))
    assert some(found, "households_due", "households_met") == [1, 1]


def test_patrols_count_by_grid_and_day_of_the_grids_in_force():
    told = [area(GRID_A1), area(GRID_B1, "2026-11-21", "2026-11-25")]
    walked = [patrol("p1", "2026-11-22 08:00"), patrol("p2", "2026-11-22 20:00"), patrol("p3", "2026-11-20 08:00", GRID_B1)]
    found = counts("2026-W47", *told, *walked)
    assert some(found, "grids_due", "grids_patrolled", "grid_days_due", "grid_days_patrolled") == [2, 1, 7 + 2, 1]


def test_a_microgrid_is_patrolled_for_its_grid():
    found = counts("2026-W47", area(GRID_A1), patrol("p1", "2026-11-22 08:00", f"{GRID_A1}01"))
    assert share("patrol_coverage", found) == (1, 7)


# ---- any history


PERIODS = ("2026-11", "2026-W48", "2026-Q4", "2027-Q1", "2026")


@settings(max_examples=examples(15), deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(PERIODS))
def test_folding_in_any_split_gives_the_same_bytes(dice: random.Random, name: str):
    lines = random_lines(dice, 4, 12, 4).lines
    whole, split = Recount(bounds_of(name)), Recount(bounds_of(name))
    whole.take(map(read_line, lines))
    at = sorted(dice.randint(0, len(lines)) for _ in range(dice.randint(0, 6)))
    for first, last in zip([0, *at], [*at, len(lines)], strict=True):
        split.take(map(read_line, lines[first:last]))
    assert document(name, whole) == document(name, split)
    assert total(whole.by_area().values()) == whole.counts()


def document(name: str, counting: Recount) -> bytes:
    period = Period.of(name)
    start, until = period.start_at(CITY_TIME), period.end_at(CITY_TIME)
    return write(Summed(SUBDISTRICT, period, "Asia/Shanghai", start, until, counting.counts(), "o", 1, "r"), BOOK)


def test_random_histories_reach_every_count():
    found, rare = dict(NOTHING), {"very_satisfied", "dissatisfied"}
    for seed in range(60):
        counting = Recount(bounds_of("2026"))
        counting.take(map(read_line, random_lines(random.Random(seed), 24, 20, 6).lines))
        found = total([found, counting.counts()])
        if {name for name, number in found.items() if not number} == rare:
            return
    raise AssertionError({name for name, number in found.items() if not number} - rare)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_database_counts_what_the_events_say(follow: Any, database: Any, seed: int):
    dice = random.Random(seed)
    history = random_lines(dice, 40, 160, 60)
    follower = follow(history, models={name: READ_MODELS[name] for name in READ})
    follower.catch_up()
    for name in (*PERIODS, "2026-12"):
        for until, end in ((None, None), ("2026-12-09T04:00:00.000Z", "2026-12-10")):
            bounds = bounds_of(name, until, end)
            counting = Recount(bounds)
            counting.take(map(read_line, history.lines))
            with reading(database) as conn:
                live = count_ledgers(conn, [SUBDISTRICT], bounds)
            assert told(live) == {(SUBDISTRICT, code): each for code, each in told(counting.by_area()).items()}, (name, until)


def told(found: dict[Any, Counts]) -> dict[Any, Counts]:
    return {where: {name: number for name, number in each.items() if number} for where, each in found.items() if any(each.values())}


def test_what_follows_in_pieces_is_what_a_rebuild_makes(follow: Any, database: Any):
    history = random_lines(random.Random(7), 12, 20, 5)
    follower = follow(history, models={"summaries": READ_MODELS["summaries"]}, turn=7)
    follower.catch_up()
    with reading(database) as conn:
        live = follower.digest(conn, "summaries", SUBDISTRICT)
    follower.rebuild("summaries")
    with reading(database) as conn:
        assert follower.digest(conn, "summaries", SUBDISTRICT) == live


def test_every_count_is_explained_by_a_cohort_that_is_counted():
    assert {each.cohort for each in COUNTS.values()} == {
        *("report", "register", "dispatch", "due", "spot", "close", "reopen", "rating", "household"),
        *("grid", "grid_day", "patrolled_grid", "patrolled_grid_day"),
    }
