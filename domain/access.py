"""The record of reads, sealed day by day: how many reads a day had and what they hash to. Read by whoever audits the auditors."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, Fact, FirstFact
from domain.days import must_be_a_day


class AccessDay(Aggregate):
    """One city-local day of the record of reads, once it is over. The reads themselves stand beside the ledger, for some months."""

    TOPIC = "access_day"

    class Sealed(FirstFact):
        """日结: the day is over, and these were its reads. root is the RFC 6962 root over them in the order of (ledger, at, id)."""

        TOPIC = "access.day_sealed"
        sealed_day: Derived[str]
        reads: Derived[int]
        root: Derived[str]

        def apply(self, day: "AccessDay") -> None:
            day.sealed_day, day.reads, day.root, day.pruned = self.sealed_day, self.reads, self.root, False

    class Pruned(Fact):
        """到期销毁: the day's reads were removed, all of them, after the time that they must be kept. What they hashed to stays."""

        TOPIC = "access.day_pruned"
        sealed_day: Derived[str]
        reads: Derived[int]

        def apply(self, day: "AccessDay") -> None:
            day.pruned = True

    sealed_day: str
    reads: int
    root: str
    pruned: bool

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def seal(cls, act: Act, books: Any, stream: UUID, *, sealed_day: str, reads: int, root: str) -> "AccessDay":
        """日结: seals a day that is over."""
        must_be_a_day(sealed_day)
        return cls.begin(cls.Sealed, act, stream, sealed_day=sealed_day, reads=reads, root=root)

    def prune(self, act: Act) -> None:
        """到期销毁: the day's reads are removed."""
        self.record(self.Pruned, act, sealed_day=self.sealed_day, reads=self.reads)
