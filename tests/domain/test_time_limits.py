"""Deadlines on the four clocks, over holidays, swapped workdays and clock changes; and that two readers never come to two of them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import refusals as no
from domain.calendar import Calendar
from domain.time_limits import LIMIT_KINDS, Limit, due_at, moved, remaining
from tests.domain.cast import BOOKS, at
from tests.domain.recount import content_of, deadline, pushed, read, written

CN = BOOKS.calendar("cn@2026")


def due(start: str, kind: str, amount: float, calendar: Calendar = CN) -> str:
    return due_at(at(start), Limit(kind, amount), calendar)


@pytest.mark.parametrize(
    ("start", "kind", "amount", "expected"),
    [
        # urgent_hour runs day and night
        ("2026-11-20 23:30", "urgent_hour", 2, "2026-11-21 01:30"),
        ("2026-02-16 09:00", "urgent_hour", 24, "2026-02-17 09:00"),
        ("2026-11-16 09:00", "urgent_hour", 0.25, "2026-11-16 09:15"),
        # work_hour runs in working periods only
        ("2026-11-16 09:00", "work_hour", 2, "2026-11-16 11:00"),
        ("2026-11-16 11:00", "work_hour", 2, "2026-11-16 15:00"),
        ("2026-11-16 10:00", "work_hour", 2, "2026-11-16 12:00"),
        ("2026-11-16 12:00", "work_hour", 2, "2026-11-16 16:00"),
        ("2026-11-16 13:00", "work_hour", 2, "2026-11-16 16:00"),
        ("2026-11-20 17:00", "work_hour", 4, "2026-11-23 11:00"),
        ("2026-11-21 10:00", "work_hour", 4, "2026-11-23 12:00"),
        ("2026-11-16 07:00", "work_hour", 8, "2026-11-16 18:00"),
        # work_day is the same time of day, from working time on
        ("2026-11-16 09:00", "work_day", 1, "2026-11-17 09:00"),
        ("2026-11-20 17:30", "work_day", 1, "2026-11-23 17:30"),
        ("2026-11-20 18:00", "work_day", 1, "2026-11-24 08:00"),
        ("2026-11-21 10:00", "work_day", 1, "2026-11-24 08:00"),
        ("2026-11-16 12:30", "work_day", 1, "2026-11-17 14:00"),
        ("2026-11-16 09:00", "work_day", 5, "2026-11-23 09:00"),
        ("2026-11-16 09:00", "work_day", 15, "2026-12-07 09:00"),
        # natural_day runs through
        ("2026-11-20 18:30", "natural_day", 7, "2026-11-27 18:30"),
        ("2026-12-31 23:59", "natural_day", 1, "2027-01-01 23:59"),
        ("2028-02-28 08:00", "natural_day", 1, "2028-02-29 08:00"),
        # Spring Festival 2026: 15 to 23 February are free, the Saturdays 14 and 28 are worked
        ("2026-02-13 17:00", "work_day", 1, "2026-02-14 17:00"),
        ("2026-02-14 17:00", "work_day", 1, "2026-02-24 17:00"),
        ("2026-02-14 17:00", "work_hour", 4, "2026-02-24 11:00"),
        ("2026-02-27 17:00", "work_hour", 4, "2026-02-28 11:00"),
        ("2026-02-18 10:00", "work_day", 1, "2026-02-25 08:00"),
        # The Sundays 4 January and 20 September are worked
        ("2026-01-01 10:00", "work_hour", 1, "2026-01-04 09:00"),
        ("2026-09-18 16:00", "work_day", 1, "2026-09-20 16:00"),
        # National Day: 1 to 7 October free, Saturday 10 worked
        ("2026-09-30 16:00", "work_day", 3, "2026-10-10 16:00"),
    ],
)
def test_a_deadline_on_its_clock(start, kind, amount, expected):
    assert due(start, kind, amount) == at(expected)


def calendar(**changed):
    week = {"zone": "Asia/Shanghai", "working_weekdays": [1, 2, 3, 4, 5], "periods": [["08:00", "12:00"], ["14:00", "18:00"]]}
    return {**week, "holidays": [], "workdays": [], **changed}


def test_a_period_to_the_end_of_the_day_loses_no_second():
    round_the_clock = Calendar.of("all@1", calendar(working_weekdays=[1, 2, 3, 4, 5, 6, 7], periods=[["00:00", "24:00"]]))
    assert due("2026-11-16 23:59", "work_hour", 48, round_the_clock) == at("2026-11-18 23:59")
    assert due("2026-11-16 23:30", "work_hour", 1, round_the_clock) == at("2026-11-17 00:30")
    for lost in (["00:00", "23:59"], ["00:00", "23:59:59"], ["00:00", "00:00"]):
        with pytest.raises(no.BookIsWrong):
            Calendar.of("all@1", calendar(periods=[lost]))


def test_a_week_loses_no_sunday():
    seven = Calendar.of("seven@1", calendar(working_weekdays=[1, 2, 3, 4, 5, 6, 7]))
    assert due("2026-11-21 09:00", "work_day", 1, seven) == at("2026-11-22 09:00")
    sundays = Calendar.of("sundays@1", calendar(working_weekdays=[7]))
    assert due("2026-11-16 09:00", "work_hour", 1, sundays) == at("2026-11-22 09:00")
    with pytest.raises(no.BookIsWrong):
        Calendar.of("zero@1", calendar(working_weekdays=[0, 1, 2, 3, 4, 5, 6]))


@pytest.mark.parametrize(
    "changed",
    [
        {"zone": "Asia/Nowhere"},
        {"working_weekdays": []},
        {"working_weekdays": [8]},
        {"periods": []},
        {"periods": [["14:00", "18:00"], ["08:00", "12:00"]]},
        {"periods": [["08:00", "12:00"], ["11:00", "18:00"]]},
        {"periods": [["8:00", "12:00"]]},
        {"periods": [["18:00", "08:00"]]},
        {"holidays": ["1 May"]},
        {"workdays": ["20260104"]},
        {"holidays": None},
    ],
)
def test_a_calendar_that_could_mislead_is_not_published(changed):
    with pytest.raises(no.BookIsWrong):
        Calendar.of("bad@1", calendar(**changed))


def test_a_calendar_in_which_nobody_ever_works_is_found_out():
    never = calendar(working_weekdays=[1], holidays=[(date(2026, 11, 16) + timedelta(7 * week)).isoformat() for week in range(530)])
    with pytest.raises(no.BookIsWrong):
        due("2026-11-16 09:00", "work_hour", 1, Calendar.of("never@1", never))


def test_clock_changes_neither_lose_nor_win_an_hour():
    chicago = Calendar.of("us@1", calendar(zone="America/Chicago", working_weekdays=[1, 2, 3, 4, 5, 6, 7], periods=[["00:00", "24:00"]]))
    # In the night to 8 March 2026 the clocks of Chicago go from 2:00 to 3:00, in the night to 1 November back from 2:00 to 1:00.
    assert due_at("2026-03-07T18:00:00.000Z", Limit("natural_day", 1), chicago) == "2026-03-08T17:00:00.000Z"
    assert due_at("2026-10-31T17:00:00.000Z", Limit("natural_day", 1), chicago) == "2026-11-01T18:00:00.000Z"
    assert due_at("2026-03-08T06:00:00.000Z", Limit("work_hour", 24), chicago) == "2026-03-09T06:00:00.000Z"
    assert due_at("2026-03-07T08:30:00.000Z", Limit("natural_day", 1), chicago) == "2026-03-08T08:30:00.000Z"
    night = Calendar.of("night@1", calendar(zone="America/Chicago", working_weekdays=[7], periods=[["01:00", "04:00"]]))
    assert night.working_between(read("2026-03-08T00:00:00.000Z"), read("2026-03-09T00:00:00.000Z")) == 2 * 3_600_000
    assert night.working_between(read("2026-11-01T00:00:00.000Z"), read("2026-11-02T00:00:00.000Z")) == 4 * 3_600_000


@pytest.mark.parametrize(
    "wrong", [{"kind": "week", "amount": 1}, {"kind": "work_day", "amount": 1.5}, {"kind": "work_hour", "amount": 0}, {"kind": "work_day"}]
)
def test_a_limit_is_an_amount_on_one_of_the_clocks(wrong):
    with pytest.raises(no.BookIsWrong):
        Limit.of(wrong)


MOMENTS = st.integers(0, 380 * 86_400_000).map(lambda ms: written(datetime(2025, 12, 25, tzinfo=UTC) + timedelta(milliseconds=ms)))
ZONES = st.sampled_from(["Asia/Shanghai", "America/Chicago", "Australia/Lord_Howe"])
PERIODS = st.sampled_from([[["08:00", "12:00"], ["14:00", "18:00"]], [["00:00", "24:00"]], [["01:30", "02:30"], ["22:00", "24:00"]]])
CALENDARS = st.builds(lambda zone, periods: {**content_of("cn@2026"), "zone": zone, "periods": periods}, ZONES, PERIODS)
LIMITS = st.tuples(st.sampled_from(LIMIT_KINDS), st.integers(1, 30)).map(lambda pair: Limit(*pair))


@settings(max_examples=150, deadline=None)
@given(MOMENTS, LIMITS, CALENDARS)
def test_two_readers_compute_the_same_deadline(start, limit, content):
    assert due_at(start, limit, Calendar.of("x@1", content)) == deadline(start, limit.recorded(), content)


@settings(max_examples=100, deadline=None)
@given(MOMENTS, st.integers(0, 10**9), st.integers(0, 10**9), LIMITS, CALENDARS)
def test_a_clock_that_stood_still_has_as_much_left_as_before(start, ran, stood, limit, content):
    own = Calendar.of("x@1", content)
    due = due_at(start, limit, own)
    stopped = written(read(start) + timedelta(milliseconds=ran))
    runs_on = written(read(stopped) + timedelta(milliseconds=stood))
    new = moved(due, stopped, runs_on, limit, own)
    assert new == pushed(due, stopped, runs_on, limit.recorded(), content)
    assert new >= due
    assert remaining(runs_on, new, limit, own) == remaining(stopped, due, limit, own) or due <= stopped


@settings(max_examples=100, deadline=None)
@given(MOMENTS, st.integers(0, 10**8), LIMITS, CALENDARS)
def test_who_starts_later_is_not_due_earlier(start, later, limit, content):
    # Where clocks are set back, a natural day from the second 01:15 ends before one from the first 01:45.
    own = Calendar.of("x@1", {**content, "zone": "Asia/Shanghai"})
    assert due_at(start, limit, own) <= due_at(written(read(start) + timedelta(milliseconds=later)), limit, own)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60 * 24 * 40), st.integers(1, 12))
def test_work_hours_are_the_minutes_that_somebody_counts_by_hand(minute, hours):
    start = read(at("2026-02-01 00:00")) + timedelta(minutes=minute)
    own = content_of("cn@2026")
    left, moment = hours * 60, start
    while left:
        local = moment.astimezone(CN.zone)
        day, clock = local.date().isoformat(), local.strftime("%H:%M")
        worked = day in own["workdays"] or (local.isoweekday() <= 5 and day not in own["holidays"])
        left -= worked and any(first <= clock < last for first, last in own["periods"])
        moment += timedelta(minutes=1)
    assert due_at(written(start), Limit("work_hour", hours), CN) == written(moment)
