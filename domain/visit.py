"""Daily visits 日走访: contact with one household or unit. Read by the upload path and the visit log."""

from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, FirstFact, Said
from domain.areas import must_be_an_area
from domain.books import Books
from domain.days import must_be_a_day, must_be_in_order
from domain.personal import Personal, must_be_a_reference, must_be_declared, must_hold_no_number
from domain.refusals import UnknownCareGroup, UnknownChannel, UnknownOutcome

OUTCOMES = ("met", "no_one_home", "refused")
CHANNELS = ("at_door", "phone", "video")


class Visit(Aggregate):
    """One visit, complete in one event: a visit has no life after it was made."""

    TOPIC = "visit"

    class Made(FirstFact):
        """走访: a household or unit was visited, phoned, or found absent. Needs, position and photos are disclosures."""

        TOPIC = "visit.made"
        area: Said[str]
        household: Said[str]
        outcome: Said[str]
        channel: Said[str] = "at_door"
        care_group: Said[str | None] = None
        next_visit: Said[str | None] = None
        personal: Said[Personal] = ()
        next_due: Derived[str | None] = None

        def apply(self, visit: "Visit") -> None:
            visit.area, visit.household, visit.outcome = self.area, self.household, self.outcome

    area: str
    household: str
    outcome: str

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def make(
        cls,
        act: Act,
        books: Books,
        stream: UUID,
        *,
        area: str,
        household: str,
        outcome: str,
        channel: str = "at_door",
        care_group: str | None = None,
        next_visit: str | None = None,
        personal: Personal = (),
    ) -> "Visit":
        """走访: records a visit. household: a reference, never a name."""
        must_be_an_area(area)
        must_be_a_reference(household)
        must_hold_no_number("household", household)
        must_be_declared(cls.Made.TOPIC, personal)
        if outcome not in OUTCOMES:
            raise UnknownOutcome(outcome=outcome)
        if channel not in CHANNELS:
            raise UnknownChannel(channel=channel)
        if next_visit is not None:
            must_be_a_day(next_visit)
            must_be_in_order(act.day, next_visit)
        said = {"area": area, "household": household, "outcome": outcome, "channel": channel, "care_group": care_group}
        due = next_due(books, act.day, outcome, care_group, next_visit)
        return cls.begin(cls.Made, act, stream, **said, next_visit=next_visit, next_due=due, personal=personal)


def next_due(books: Books, day: str, outcome: str, care_group: str | None, next_visit: str | None) -> str | None:
    """The day by which the household is to be visited again: the care group's interval after this visit.

    Where nobody was at home it is sooner, the care plan's no_one_home_days (3 as shipped). Who refused is asked again after the
    ordinary interval, not sooner. A day that the worker agreed on counts where it is earlier, or where no care group sets one.
    """
    days = []
    if care_group is not None:
        interval = books.care_interval(care_group, day)
        if interval is None:
            raise UnknownCareGroup(care_group=care_group)
        if outcome == "no_one_home":
            interval = min(interval, books.no_one_home_days(day))
        days.append(_days_after(day, interval))
    if next_visit is not None:
        days.append(next_visit)
    return min(days) if days else None


@lru_cache(4096)  # All visits of a day have one of a few intervals.
def _days_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
