"""Incarnations of a ledger: after a restored backup the same history goes on under a new name, and says so. Read by the audit."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, FirstFact, Said
from domain.refusals import ReasonNeeded, TextNeeded

LONGEST_REASON = 500


class Incarnation(Aggregate):
    """One new name of one ledger: a stream of a single fact, which is the first that stands under the name."""

    TOPIC = "incarnation"

    class Continued(FirstFact):
        """续账: the ledger goes on under another origin, because what was signed under the old one goes further than what is here.

        size and root are what was restored; signed_size and signed_root the last that the old origin's key put its name to, as far as the
        watermark beside the database tells; checkpoint the last signed note of the old origin that was published in this history.
        """

        TOPIC = "ledger.continued"
        reason: Said[str]
        approved_by: Said[str]
        old_origin: Derived[str]
        origin: Derived[str]
        size: Derived[int]
        root: Derived[str]
        checkpoint: Derived[str | None] = None
        signed_size: Derived[int | None] = None
        signed_root: Derived[str | None] = None

        def apply(self, incarnation: "Incarnation") -> None:
            incarnation.origin, incarnation.old_origin, incarnation.size = self.origin, self.old_origin, self.size

    origin: str
    old_origin: str
    size: int

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def go_on(cls, act: Act, books: Any, stream: UUID, *, reason: str, approved_by: str, **found: Any) -> "Incarnation":
        """续账: begins the incarnation. found: the server's part of the fact. approved_by: a person's id, since no name enters an event."""
        if not reason.strip() or len(reason) > LONGEST_REASON or "\0" in reason:
            raise ReasonNeeded(f"Say in 1 to {LONGEST_REASON} characters why the ledger goes on under a new name.")
        if not approved_by.strip():
            raise TextNeeded("Say who approved it.")
        return cls.begin(cls.Continued, act, stream, reason=reason, approved_by=approved_by, **found)
