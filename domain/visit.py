"""Daily visits 日走访: contact with one household or unit. Read by the upload path and the visit log."""

from typing import Any

from domain.aggregate import Act, Aggregate, Derived, FirstFact, Said


class Visit(Aggregate):
    """One visit, complete in one event: a visit has no life after it was made."""

    TOPIC = "visit"

    class Made(FirstFact):
        """走访: a household or unit was visited, phoned, or found absent."""

        TOPIC = "visit.made"
        area: Said[str]
        household: Said[str]
        outcome: Said[str]
        channel: Said[str] = "at_door"
        care_group: Said[str | None] = None
        needs: Said[list[str] | tuple[()]] = ()
        next_visit: Said[str | None] = None
        place: Said[dict[str, Any] | None] = None
        photos: Said[list[str] | tuple[()]] = ()
        next_due: Derived[str | None] = None

        def apply(self, visit: "Visit") -> None:
            visit.area, visit.household, visit.outcome = self.area, self.household, self.outcome

    area: str
    household: str
    outcome: str
