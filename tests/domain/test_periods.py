"""Periods: half open, in the city's time zone, without a lost second, a lost Sunday or a day counted twice."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import local_day, utc_text
from domain.periods import KINDS, Period, spanning
from domain.refusals import NotAPeriod

SHANGHAI, CHICAGO = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Chicago")
DAYS = st.dates(date(2000, 1, 3), date(2099, 12, 31)).map(date.isoformat)
MOMENTS = st.integers(0, 3_000_000_000).map(lambda seconds: utc_text(datetime.fromtimestamp(978_307_200 + seconds, UTC)))


def test_a_quarter_does_not_end_at_23_59_59():
    quarter = Period.of("2026-Q3")
    assert (quarter.first, quarter.end) == ("2026-07-01", "2026-10-01")
    assert (quarter.start_at(SHANGHAI), quarter.end_at(SHANGHAI)) == ("2026-06-30T16:00:00.000Z", "2026-09-30T16:00:00.000Z")
    assert quarter.end_at(SHANGHAI) > "2026-09-30T15:59:59.999Z" >= quarter.start_at(SHANGHAI)


def test_a_week_begins_on_monday_and_keeps_its_sunday():
    week = Period.of("2026-W47")
    assert [date.fromisoformat(day).isoweekday() for day in (week.first, week.end)] == [1, 1]
    assert Period.holding("week", "2026-11-22") == week, "a Sunday"
    assert Period.holding("week", "2026-11-23").name == "2026-W48"


def test_the_first_days_of_a_year_may_lie_in_the_last_week_of_the_one_before():
    assert Period.holding("week", "2027-01-01").name == "2026-W53"
    assert Period.of("2026-W53").end == "2027-01-04"


def test_midnight_is_the_citys_also_where_the_clock_changes():
    march = Period.of("2026-03")
    assert (march.start_at(CHICAGO), march.end_at(CHICAGO)) == ("2026-03-01T06:00:00.000Z", "2026-04-01T05:00:00.000Z")


@pytest.mark.parametrize(
    "name", ["2026-Q0", "2026-Q5", "2026-13", "2026-00", "2026-W54", "2025-W53", "26-Q1", "2026Q1", "1999", "2100", "", "2026-W00"]
)
def test_what_is_no_period_is_refused(name: str):
    with pytest.raises(NotAPeriod):
        Period.of(name)


@given(st.sampled_from(KINDS), DAYS)
def test_every_day_lies_in_exactly_one_period_of_a_kind(kind: str, day: str):
    period = Period.holding(kind, day)
    assert period.first <= day < period.end
    assert Period.of(period.name) == period
    before = (date.fromisoformat(period.first) - timedelta(days=1)).isoformat()
    if before >= "2000-01-03":
        assert Period.holding(kind, before).next() == period, "the next begins where the one before ends"


@given(st.sampled_from(KINDS), MOMENTS, st.sampled_from([SHANGHAI, CHICAGO]))
def test_a_moment_lies_in_the_period_of_its_local_day(kind: str, moment: str, zone: ZoneInfo):
    period = Period.holding(kind, local_day(moment, zone))
    assert period.start_at(zone) <= moment < period.end_at(zone)


def test_a_span_holds_every_period_once_and_is_bounded():
    assert [each.name for each in spanning("month", "2026-11-30", "2027-02-01", 60)] == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert list(spanning("month", "2026-11-30", "2026-10-01", 60)) == []
    with pytest.raises(NotAPeriod):
        list(spanning("week", "2020-01-01", "2026-01-01", 60))
