"""Times as the ledger writes them: UTC text of fixed width, and the city's local day. The one place that asks the machine for the time."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Gives the present moment as an aware datetime. Passed in, so that a test can own the time."""


def system_clock() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)


def utc_text(moment: datetime) -> str:
    """``2026-11-21T01:03:12.123Z``: UTC, milliseconds, always 24 characters, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def parse_utc(text: str) -> datetime:
    """The aware datetime of a text that utc_text wrote, or of any ISO 8601 time with an offset. ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    zone = moment.tzinfo
    if zone is UTC:
        return moment
    if zone is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return moment.astimezone(UTC)


def local_day(text: str, zone: ZoneInfo) -> str:
    """The date in the city of a UTC text."""
    return parse_utc(text).astimezone(zone).date().isoformat()
