"""Periods 统计期: weeks, months, quarters and years of the city's calendar, each from its first day up to, and without, the next one's.

Read by whoever counts. A period is half open: it has no last second that could be lost, and no day belongs to two of them. As moments it
runs from the city's midnight to the city's midnight, whatever the clock does in between.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.clock import utc_text
from domain.refusals import NotAPeriod

KINDS = ("week", "month", "quarter", "year")
FORM = re.compile(r"(20\d\d)(?:-(?:W(\d\d)|Q([1-4])|(\d\d)))?", re.ASCII)
MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Period:
    """name: ``2026-W47``, ``2026-11``, ``2026-Q4`` or ``2026``. first is its first day, end the first day after it."""

    name: str
    kind: str
    first: str
    end: str

    @classmethod
    def of(cls, name: str) -> "Period":
        """The period of a name. NotAPeriod where it is none: years 2000 to 2099, ISO weeks from Monday to Sunday."""
        match = FORM.fullmatch(name)
        try:
            if match is None:
                raise ValueError(name)
            year, week, quarter, month = match.groups()
            if week is not None:
                return _week(date.fromisocalendar(int(year), int(week), 1))
            if quarter is not None:
                return _months("quarter", int(year), int(quarter) * 3 - 2)
            return _months("month", int(year), int(month)) if month is not None else _months("year", int(year), 1)
        except ValueError:
            raise NotAPeriod(period=name[:40]) from None

    @classmethod
    def holding(cls, kind: str, day: str) -> "Period":
        """The period of a kind in which a day lies. NotAPeriod for a year outside of 2000 to 2099."""
        if not "2000" <= day < "2100":
            raise NotAPeriod(period=day)
        when = date.fromisoformat(day)
        if kind == "week":
            found = _week(when - timedelta(days=when.isoweekday() - 1))
        else:
            length = MONTHS_OF[kind]
            found = _months(kind, when.year, (when.month - 1) // length * length + 1)
        return cls.of(found.name)

    def next(self) -> "Period":
        """The period after this one."""
        return Period.holding(self.kind, self.end)

    def start_at(self, zone: ZoneInfo) -> str:
        """Its first moment, UTC text."""
        return _midnight(self.first, zone)

    def end_at(self, zone: ZoneInfo) -> str:
        """The first moment that is not in it any more, UTC text."""
        return _midnight(self.end, zone)


def spanning(kind: str, first_day: str, last_day: str, most: int) -> Iterator[Period]:
    """The periods of a kind from the one that holds a day to the one that holds another, in order. NotAPeriod for more than ``most``."""
    period, last = Period.holding(kind, first_day), Period.holding(kind, last_day)
    for _ in range(most):
        if period.first > last.first:
            return
        yield period
        if period.first == last.first:
            return
        period = period.next()
    raise NotAPeriod(f"That is more than {most} periods; ask for fewer at once.", most=most)


def day_after(day: str) -> str:
    """The next day."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _week(monday: date) -> Period:
    year, week, _ = monday.isocalendar()
    return Period(f"{year}-W{week:02d}", "week", monday.isoformat(), (monday + timedelta(days=7)).isoformat())


def _months(kind: str, year: int, month: int) -> Period:
    first, after = date(year, month, 1), month + MONTHS_OF[kind]
    end = date(year + (after > 12), (after - 1) % 12 + 1, 1)
    names = {"month": f"{year}-{month:02d}", "quarter": f"{year}-Q{(month + 2) // 3}", "year": str(year)}
    return Period(names[kind], kind, first.isoformat(), end.isoformat())


def _midnight(day: str, zone: ZoneInfo) -> str:
    """A midnight that a clock change skips counts by the offset before it, one that comes twice is the first of the two."""
    return utc_text(datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC))
