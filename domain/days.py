"""Days as the ledger writes them, ``2026-11-21``, city-local. Read by every rule that is about days."""

from datetime import date

from domain.refusals import DaysOutOfOrder, NotADay


def must_be_a_day(text: str) -> None:
    """NotADay where the text is not a day in the one form that the ledger uses."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except (TypeError, ValueError):
        pass
    raise NotADay(f"{text!r} is not a day such as 2026-11-21.", day=str(text))


def must_be_in_order(first: str, last: str) -> None:
    """DaysOutOfOrder where the last day lies before the first."""
    if last < first:
        raise DaysOutOfOrder(first=first, last=last)
