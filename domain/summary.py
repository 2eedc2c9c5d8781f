"""The quarterly roll-up 每季度汇总 of a subdistrict, sealed: the numbers, and the tree they come from. Read by its page.

What is recorded is enough to write the whole document again, byte by byte, and the root says which events the numbers came from. A sealed
roll-up never changes: what comes to light later is shown as the difference between it and the present numbers.
"""

from typing import Any
from uuid import UUID, uuid5

from domain.aggregate import Act, Aggregate, Derived, FirstFact, Said
from domain.areas import LENGTH_OF_LEVEL, must_be_an_area
from domain.periods import Period
from domain.refusals import NotAQuarter, NotASubdistrict, PeriodNotOver, SummarySealed

STREAMS = UUID("f3a1d0c2-7b64-5a8e-9c1d-40e2b6a57d19")


def summary_stream(area: str, period: str) -> UUID:
    """The stream of a subdistrict's roll-up: there is one for each quarter."""
    return uuid5(STREAMS, f"{area}/{period}")


class Summary(Aggregate):
    """The roll-up of one subdistrict and one quarter: a stream of a single fact."""

    TOPIC = "summary"

    class Sealed(FirstFact):
        """季度汇总封存: the roll-up of a quarter that is over. size and root are the ledger's tree that it was computed from."""

        TOPIC = "summary.sealed"
        area: Said[str]
        period: Said[str]
        zone: Derived[str]
        until: Derived[str]
        origin: Derived[str]
        size: Derived[int]
        root: Derived[str]
        book: Derived[str]
        counting: Derived[str]
        counts: Derived[dict[str, int]]
        digest: Derived[str]

        def apply(self, summary: "Summary") -> None:
            summary.area, summary.period, summary.digest = self.area, self.period, self.digest

    area: str
    period: str
    digest: str

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def seal(cls, act: Act, books: Any, stream: UUID, *, area: str, period: str, **found: Any) -> "Summary":
        """季度汇总封存: seals the roll-up of a quarter. found: the server's part of the fact."""
        must_be_a_quarter_over(area, period, act.day)
        return cls.begin(cls.Sealed, act, stream, area=area, period=period, **found)


def must_not_be_sealed(period: str, *, sealed: bool) -> None:
    """A roll-up is sealed once."""
    if sealed:
        raise SummarySealed(period=period)


def must_be_a_quarter_over(area: str, period: str, day: str) -> Period:
    """The quarter. A refusal where the area is no subdistrict, the period is no quarter, or the quarter goes on."""
    must_be_an_area(area)
    if len(area) != LENGTH_OF_LEVEL["subdistrict"]:
        raise NotASubdistrict(area=area)
    quarter = Period.of(period)
    if quarter.kind != "quarter":
        raise NotAQuarter(period=period)
    if day < quarter.end:
        raise PeriodNotOver(period=period, until=quarter.end)
    return quarter
