"""Time limits 时限: from a start, a limit and a calendar to a deadline, and back. Read by cases, and by whoever recomputes a deadline.

Four clocks, each with its own count of time:

    urgent_hour   elapsed time, day and night
    work_hour     elapsed time within working periods
    work_day      working days: the start is moved into working time first; the deadline is n working days later, same time of day
    natural_day   days: the deadline is n days later at the same time of day of the city

All are pure functions of texts and published content: no clock is asked, so two readers cannot come to two deadlines.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from domain.calendar import ONE_DAY, ONE_MS, Calendar
from domain.clock import parse_utc, utc_text
from domain.refusals import BookIsWrong

HOUR_KINDS = ("urgent_hour", "work_hour")
DAY_KINDS = ("work_day", "natural_day")
LIMIT_KINDS = HOUR_KINDS + DAY_KINDS
WORKING_KINDS = ("work_hour", "work_day")
LARGEST_AMOUNT = 3000


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of time on one of the four clocks. Hours may be fractions (0.25 is 15 minutes), days are whole."""

    kind: str
    amount: float

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Limit":
        """The limit of a recorded or published ``{"kind": …, "amount": …}``. BookIsWrong where it is none."""
        kind, amount = content.get("kind"), content.get("amount")
        number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if kind not in LIMIT_KINDS or not number or not 0 < amount <= LARGEST_AMOUNT:  # type: ignore[operator]
            raise BookIsWrong(f"A limit is a kind ({', '.join(LIMIT_KINDS)}) and an amount up to {LARGEST_AMOUNT}, not {content!r}.")
        if kind in DAY_KINDS and not isinstance(amount, int):
            raise BookIsWrong(f"Days are counted whole: {content!r}.")
        return cls(kind, amount)  # type: ignore[arg-type]

    def recorded(self) -> dict[str, Any]:
        """As it stands in an event."""
        return {"kind": self.kind, "amount": self.amount}


def due_at(start: str, limit: Limit, calendar: Calendar) -> str:
    """The deadline of a limit that begins to run at start, both UTC texts.

    work_day: a start outside working time (a holiday, a night, the noon break, the very end of a period) counts from the beginning
    of the next working period. So Friday 17:30 plus 1 is Monday 17:30, and Saturday plus 1 is Tuesday 08:00.
    """
    return utc_text(ADVANCE[limit.kind](parse_utc(start), limit.amount, calendar))


def remaining(start: str, due: str, limit: Limit, calendar: Calendar) -> int:
    """Milliseconds that are left from start to due: of working time for work_hour and work_day, elapsed otherwise. Never below 0."""
    begins, ends = parse_utc(start), parse_utc(due)
    if ends <= begins:
        return 0
    return calendar.working_between(begins, ends) if limit.kind in WORKING_KINDS else (ends - begins) // ONE_MS


def moved(due: str, stopped_at: str, runs_on_at: str, limit: Limit, calendar: Calendar) -> str:
    """The deadline after a clock stood still: what was left when it stopped is left when it runs on.

    A deadline that had passed before the clock stopped stays: stopping a clock never undoes an overtime. A deadline in work_days always
    lies in working time (Tuesday 08:00 rather than Monday 18:00, which is the same to the clock), so that it never moves backwards.
    """
    if due <= stopped_at or runs_on_at <= stopped_at:
        return due
    left = remaining(stopped_at, due, limit, calendar)
    begins = parse_utc(runs_on_at)
    if limit.kind not in WORKING_KINDS:
        return utc_text(begins + timedelta(milliseconds=left))
    ends = calendar.add_working(begins, left)
    return utc_text(calendar.first_working_moment(ends) if limit.kind == "work_day" else ends)


def _urgent_hours(start: datetime, amount: float, calendar: Calendar) -> datetime:
    return start + timedelta(milliseconds=_hours(amount))


def _work_hours(start: datetime, amount: float, calendar: Calendar) -> datetime:
    return calendar.add_working(start, _hours(amount))


def _work_days(start: datetime, amount: float, calendar: Calendar) -> datetime:
    local = calendar.local(calendar.first_working_moment(start))
    day = next(islice(calendar.working_days(local.date()), int(amount) - 1, None))
    return datetime.combine(day, local.time(), calendar.zone).astimezone(UTC)


def _natural_days(start: datetime, amount: float, calendar: Calendar) -> datetime:
    local = calendar.local(start)
    return datetime.combine(local.date() + int(amount) * ONE_DAY, local.time(), calendar.zone).astimezone(UTC)


def _hours(amount: float) -> int:
    return round(amount * 3_600_000)


ADVANCE = {"urgent_hour": _urgent_hours, "work_hour": _work_hours, "work_day": _work_days, "natural_day": _natural_days}
