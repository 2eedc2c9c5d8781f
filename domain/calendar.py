"""Calendars 日历: which moments are working time in a city. Read when a deadline is computed, by the service and by whoever recomputes it.

A calendar is published content (see domain.books): zone name, working weekdays, working periods, holidays, and the days that are
worked although they would be free (swapped workdays 调休). Periods include their first moment and exclude their last, so that no second
is lost between two of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.refusals import BookIsWrong

HOUR_MINUTE = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
ONE_DAY = timedelta(days=1)
ONE_MS = timedelta(milliseconds=1)
LONGEST_SEARCH = 3660
"""Days after which a search for working time gives up: a calendar with no working day in ten years is wrong."""


@dataclass(frozen=True)
class Calendar:
    """Working time of a city. ``label`` is name@version, the form in which a case freezes it."""

    label: str
    zone: ZoneInfo
    weekdays: frozenset[int]
    periods: tuple[tuple[str, str], ...]
    holidays: frozenset[str]
    workdays: frozenset[str]

    @classmethod
    def of(cls, label: str, content: dict[str, Any]) -> "Calendar":
        """The calendar of published content. BookIsWrong where it could lose working time or has none."""
        must_be_a_calendar(content)
        return cls(
            label=label,
            zone=ZoneInfo(content["zone"]),
            weekdays=frozenset(content["working_weekdays"]),
            periods=tuple((first, last) for first, last in content["periods"]),
            holidays=frozenset(content["holidays"]),
            workdays=frozenset(content["workdays"]),
        )

    def is_working_day(self, day: date) -> bool:
        """Whether people work on that day: a swapped workday wins over a holiday, a holiday over the weekday (1 Monday to 7 Sunday)."""
        text = day.isoformat()
        return text in self.workdays or (text not in self.holidays and day.isoweekday() in self.weekdays)

    def local(self, moment: datetime) -> datetime:
        """The moment on the city's clock."""
        return moment.astimezone(self.zone)

    def moment(self, day: date, hour_minute: str) -> datetime:
        """The UTC moment of a local time; 24:00 is the next day's first.

        A time that a clock change skips counts by the offset before it, one that comes twice is the first of the two.
        """
        if hour_minute == "24:00":
            day, hour_minute = day + ONE_DAY, "00:00"
        return datetime.combine(day, time.fromisoformat(hour_minute), self.zone).astimezone(UTC)

    def end_of_day(self, day: str) -> datetime:
        """The first UTC moment after a local day."""
        return self.moment(date.fromisoformat(day), "24:00")

    def working_periods(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working periods as pairs of UTC moments, cut to what lies after start, in order."""
        day = self.local(start).date()
        for _ in range(LONGEST_SEARCH):
            if self.is_working_day(day):
                for first, last in self.periods:
                    begins, ends = max(self.moment(day, first), start), self.moment(day, last)
                    if begins < ends:
                        yield begins, ends
            day += ONE_DAY
        raise BookIsWrong(f"Calendar {self.label} has not enough working time in ten years after {start.date()}.", calendar=self.label)

    def working_days(self, after: date) -> Iterator[date]:
        """Working days after a day, in order."""
        for step in range(1, LONGEST_SEARCH):
            day = after + step * ONE_DAY
            if self.is_working_day(day):
                yield day
        raise BookIsWrong(f"Calendar {self.label} has not enough working days in ten years after {after}.", calendar=self.label)

    def first_working_moment(self, start: datetime) -> datetime:
        """start itself where it lies in working time, otherwise the beginning of the next working period."""
        return next(self.working_periods(start))[0]

    def add_working(self, start: datetime, ms: int) -> datetime:
        """The earliest moment at which ms milliseconds of working time have passed since start."""
        left = timedelta(milliseconds=ms)
        if not left:
            return start
        for begins, ends in self.working_periods(start):
            if left <= ends - begins:
                return begins + left
            left -= ends - begins
        raise AssertionError("working_periods ends by an exception only")

    def working_between(self, start: datetime, end: datetime) -> int:
        """Milliseconds of working time from start to end; 0 where end is not later."""
        passed = timedelta()
        for begins, ends in self.working_periods(start):
            if begins >= end:
                break
            passed += min(ends, end) - begins
        return passed // ONE_MS


def must_be_a_calendar(content: dict[str, Any]) -> None:
    """BookIsWrong where the content is no calendar, or one of the known traps."""
    try:
        ZoneInfo(content["zone"])
        weekdays, periods = content["working_weekdays"], content["periods"]
        days = [*content["holidays"], *content["workdays"]]
        if not weekdays or not all(isinstance(day, int) and 1 <= day <= 7 for day in weekdays):
            raise BookIsWrong("working_weekdays are 1 (Monday) to 7 (Sunday), at least one; 0 would lose the Sundays.")
        if any(date.fromisoformat(day).isoformat() != day for day in days):
            raise BookIsWrong("holidays and workdays are days such as 2026-01-04.")
        must_be_periods(periods)
    except (KeyError, TypeError, ValueError, OSError) as wrong:
        raise BookIsWrong(f"This is not a calendar: {wrong!r}. It has zone, working_weekdays, periods, holidays, workdays.") from wrong


def must_be_periods(periods: list[Any]) -> None:
    """Periods are [first, last] in HH:MM, in order, and do not touch the last minute of a day without reaching its end."""
    before = "00:00"
    for first, last in periods:
        if not (HOUR_MINUTE.fullmatch(first) and HOUR_MINUTE.fullmatch(last)):
            raise BookIsWrong("Periods are [first, last] in HH:MM. The end is exclusive: write 24:00 for the end of a day, not 23:59:59.")
        if last == "23:59":
            raise BookIsWrong("A period to 23:59 loses the last minute of the day. Write 24:00.")
        if not before <= first < last:
            raise BookIsWrong("Periods stand in order and do not overlap.")
        before = last
    if not periods:
        raise BookIsWrong("A calendar needs at least one working period.")
