"""When something happened, from three clocks that disagree. Read by the upload path.

No entry is refused because a clock is wrong: the tablet's own time stays in the entry, and the best estimate stands beside it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.clock import parse_utc
from service.sync.refusals import TimeOutOfRange

TRUSTED_SKEW_MS = 300_000
"""Up to five minutes, a tablet's wall clock is taken at its word."""
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The server's clock and the tablet's two, at the moment of one batch. skew_ms is None where sent_at cannot be read."""

    received_at: datetime
    mono_ms: int
    boot: str
    skew_ms: int | None

    def happened_at(self, entry: dict[str, Any]) -> datetime:
        """The best estimate, never in the future. TimeOutOfRange where the tablet's time is no time of this age."""
        try:
            claimed = parse_utc(entry["occurred_at"])
        except (ValueError, OverflowError) as wrong:
            raise TimeOutOfRange("occurred_at must be an ISO 8601 time with its offset from UTC.", pointer="/occurred_at") from wrong
        if not FIRST <= claimed < LAST:
            raise TimeOutOfRange(pointer="/occurred_at")
        return min(max(self._estimate(claimed, entry), FIRST), self.received_at)

    def _estimate(self, claimed: datetime, entry: dict[str, Any]) -> datetime:
        if self.skew_ms is None:
            return claimed
        if abs(self.skew_ms) <= TRUSTED_SKEW_MS:
            return claimed
        try:
            if entry["boot"] == self.boot and entry["mono_ms"] <= self.mono_ms:
                return self.received_at - timedelta(milliseconds=self.mono_ms - entry["mono_ms"])
            return claimed + timedelta(milliseconds=self.skew_ms)
        except OverflowError:
            return self.received_at


def clocks_of(received_at: datetime, sent_at: str, mono_ms: int, boot: str) -> Clocks:
    """The clocks as one batch shows them."""
    try:
        skew = round((received_at - parse_utc(sent_at)).total_seconds() * 1000)
    except (ValueError, OverflowError):
        skew = None
    return Clocks(received_at, mono_ms, boot, skew)
