"""Whether every line stands where it says: positions without a gap, one ledger, times that never go back. Read by the walk."""

from collections.abc import Callable

from projections.recorded import Recorded


class Places:
    """Follows positions. One line in a wrong place is named alone; where all after it are moved too, that is said once."""

    def __init__(self, ledger: str, report: Callable[..., None]) -> None:
        self.ledger = ledger
        self.report = report
        self.expected = 0
        self.offset = 0
        self.strayed: tuple[int, int] | None = None
        self.before = ""
        self.last = ""

    def lost(self, place: int) -> None:
        """What stands at a place is no line."""
        self._gap(place)
        self.expected = place + 1

    def stands(self, place: int, event: Recorded, last: str) -> bool:
        """Whether the line can be followed. place: where it stands; last: when the latest line before it was recorded."""
        self.before, self.last = self.last, event.recorded_at
        as_said = place == self.expected == event.position and self.strayed is None and not self.offset
        if as_said and event.ledger == self.ledger and event.recorded_at >= last:
            self.expected = place + 1
            return True
        self._gap(place)
        self.expected = place + 1
        if event.ledger != self.ledger:
            self.report("wrong_ledger", place, f"it says {event.ledger}")
            return False
        moved = event.position - place
        if moved == 0 and self.offset:
            self.offset, self.strayed = 0, None
        elif moved != self.offset:
            if self.strayed is not None and self.strayed == (place - 1, moved):
                # Two lines in a row say the same: it is not one line that strayed, the rest was moved.
                self.offset, self.strayed = moved, None
                self.report("entries_shifted", place - 1, f"the lines from here on say positions {moved:+d} from where they stand")
            else:
                self._tell_stray()
                self.strayed = (place, moved)
        else:
            self._tell_stray()
        if event.recorded_at < last:
            self.report("time_went_back", place, f"recorded at {event.recorded_at}, after {last}")
        return True

    def close(self) -> None:
        """At the end of the log."""
        self._tell_stray()

    def _tell_stray(self) -> None:
        if self.strayed is not None:
            place, moved = self.strayed
            self.report("entry_misplaced", place, f"it says position {place + moved}")
            self.strayed = None

    def _gap(self, place: int) -> None:
        if place > self.expected:
            self.report("entry_missing", self.expected, f"nothing stands from {self.expected} to {place - 1}", place - 1)
