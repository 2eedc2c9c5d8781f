"""The city's offset from UTC over the times that a dossier shows, so that its verifier needs no time zone database."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.clock import parse_utc, utc_text

STEP = timedelta(days=7)


def zone_of(zone: ZoneInfo, times: Iterable[str]) -> dict[str, Any]:
    """``{"name", "offsets": [[from UTC text, minutes ahead of UTC], …]}``: one for the first time, and one for each change after it."""
    moments = sorted(map(parse_utc, times)) or [datetime(1970, 1, 1, tzinfo=UTC)]
    here, last = moments[0], moments[-1]
    offsets = [[utc_text(here), _minutes(zone, here)]]
    while here < last:
        there = min(here + STEP, last)
        if _minutes(zone, there) != offsets[-1][1]:
            change = _change(zone, here, there)
            offsets.append([utc_text(change), _minutes(zone, change)])
        here = there
    return {"name": str(zone), "offsets": offsets}


def _minutes(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the offset changes between two moments."""
    old = _minutes(zone, before)
    before, after = before.replace(microsecond=0), after.replace(microsecond=0) + timedelta(seconds=1)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        before, after = (middle, after) if _minutes(zone, middle) == old else (before, middle)
    return after
