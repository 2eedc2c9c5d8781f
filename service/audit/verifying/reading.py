"""Reads lines so that each has one reading, or none. Read by the walk over a ledger.

Nearly every line is, to the last byte, what the recorded format writes of what it says, the tablet's entry included: such a line cannot be
read in another way. Others are taken apart with care, since a tablet may write its entry in any form of JSON.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from projections.recorded import ENTRY_MEMBER, Recorded
from service.sync.strict import NotStrict, strict_loads

MEMBERS = ("ledger", "position", "stream", "version", "topic", "recorded_at", "state")
TYPES = (str, int, str, int, str, str, dict)
STATE_MEMBER = b',"state":'
DEEPEST = 64
SPACED_COLON = re.compile(rb"\s:")


class Line(Recorded):
    """A recorded event with the line that it was read from.

    raw: the entry's bytes, None where the event did not come as an entry. begins: where the state begins in the line.
    """

    __slots__ = ("begins", "line", "raw")

    def __init__(self, whole: dict[str, Any], line: bytes, raw: bytes | None) -> None:
        self.ledger, self.position, self.stream, self.version, self.topic, self.recorded_at, self.state = whole.values()
        self.line = line
        self.raw = raw
        self.begins = line.find(STATE_MEMBER) + len(STATE_MEMBER)

    def says(self, state: bytes) -> bool:
        """Whether these are the very bytes of the state, which are written without the entry."""
        if self.raw is None:
            return self.line[self.begins : -1] == state
        return self.line.startswith(state[:-1] + ENTRY_MEMBER, self.begins)


class Reading:
    """Reads the lines of one ledger, one after another. lost: told of each place at which there is no line."""

    def __init__(self, report: Callable[..., None], lost: Callable[[int], None]) -> None:
        self.report = report
        self.lost = lost

    def read(self, place: int, line: bytes) -> Line | None:
        """What stands at a place; None, and a fault, where that has no reading or more than one."""
        try:
            whole = orjson.loads(line)
            if orjson.dumps(whole) == line and tuple(whole) == MEMBERS and tuple(map(type, whole.values())) == TYPES:
                entry, at = whole["state"].get("entry"), line.find(ENTRY_MEMBER)
                if entry is None and at < 0:
                    return Line(whole, line, None)
                if type(entry) is dict and at >= 0 and _is_last(whole["state"], line, at + len(ENTRY_MEMBER)):
                    return Line(whole, line, line[at + len(ENTRY_MEMBER) : -2])
        except (ValueError, TypeError):
            # No JSON, or no object: the careful reading says what is wrong.
            pass
        return self.read_with_care(place, line)

    def read_with_care(self, place: int, line: bytes) -> Line | None:
        """The same of any line.

        The first member named entry after the state begins is the entry, since quotes within strings are escaped; were it another
        member, what stands before it would be no JSON. Parsing and writing what is not the entry gives the very bytes again, and the entry
        itself reads in one way only: so the line has one reading.
        """
        at = line.find(ENTRY_MEMBER)
        raw = line[at + len(ENTRY_MEMBER) : -2] if at >= 0 else None
        written = line[:at] + b"}}" if at >= 0 else line
        try:
            whole = orjson.loads(written)
            if type(whole) is not dict or tuple(map(type, whole.values())) != TYPES or not line.endswith(b"}}"):
                raise ValueError("its members are not those of a recorded line")
            form = tuple(whole) == MEMBERS and orjson.dumps(whole) == written
            if raw is not None:
                *_, state = whole.values()
                state["entry"] = _entry(raw)
        except (ValueError, TypeError) as wrong:
            self.lost(place)
            self.report("not_a_line", place, f"{type(wrong).__name__}: {wrong}")
            return None
        if not form:
            self.report("line_form", place, "it is not written as the recorded format writes")
        return Line(whole, line, raw)


def _is_last(state: dict[str, Any], line: bytes, at: int) -> bool:
    """Whether the entry at a place is the last member of a state, nothing in it has its name, and it cannot be nested too deeply."""
    return next(reversed(state)) == "entry" and line.find(ENTRY_MEMBER, at) < 0 and line.count(b"{", at) + line.count(b"[", at) <= DEEPEST


def _entry(raw: bytes) -> dict[str, Any]:
    """What an entry's bytes say. NotStrict or another ValueError where they can be read in no way, or in more than one."""
    entry = orjson.loads(raw)
    # The usual entry: a colon behind each of its keys and none elsewhere that could hide a second one.
    if raw.count(b'":') != _keys_of(entry) or SPACED_COLON.search(raw) is not None:
        entry = strict_loads(raw, DEEPEST)
    if type(entry) is not dict:
        raise NotStrict("The entry is no object.")
    return entry


def _keys_of(entry: Any) -> int:
    """The number of keys of an entry whose data holds no further objects; -1 where it does, or is none."""
    data = entry.get("data") if type(entry) is dict else None
    if type(data) is not dict or any(type(value) is dict or type(value) is list for value in data.values()):
        return -1
    return len(entry) + len(data)
