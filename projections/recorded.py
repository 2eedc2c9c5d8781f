"""Recorded lines: what stands in the ledger, and how it reads. Read by the store, every fold, the audit and the replay.

A line is one JSON object, stored verbatim and hashed as it stands:

    {"ledger":"411502001","position":7,"stream":"<uuid>","version":1,"topic":"visit.made","recorded_at":"…Z","state":{…}}

``state`` holds the derived fields and, last, either ``entry`` (the exact bytes that the tablet wrote) or ``data`` (what was said at
the console). So a tablet's bytes are a slice of the line, and one parse reads both. A state that is not a JSON object (the library's own
test cases store such) stands as ``"state_base64":"…"``.
"""

import base64
from typing import Any
from uuid import UUID

import orjson

LINE_LIMIT = 65_535
"""Bytes of the longest line: an entry of a C2SP tlog-tiles entry bundle has a 16-bit length."""

ENTRY_MEMBER = b',"entry":'
DATA_MEMBER = b',"data":'


class Recorded:
    """One recorded event as folds see it. ``fields`` are the said and the derived fields in one dict.

    ledger, position, stream (UUID text), version, topic, recorded_at (UTC text), state (the parsed state).
    """

    __slots__ = ("fields", "ledger", "position", "recorded_at", "state", "stream", "topic", "version")

    fields: dict[str, Any]
    """Said and derived fields together; a derived field wins over a said one of the same name. Made when they are first asked for."""

    def __init__(self, ledger: str, position: int, stream: str, version: int, topic: str, recorded_at: str, state: dict[str, Any]) -> None:
        self.ledger = ledger
        self.position = position
        self.stream = stream
        self.version = version
        self.topic = topic
        self.recorded_at = recorded_at
        self.state = state

    def __getattr__(self, name: str) -> Any:
        # Called only while the slot is empty: folds ask for fields six times an event, and a plain slot is what costs them least.
        if name != "fields":
            raise AttributeError(name)
        state = self.state
        entry = state.get("entry")
        if entry is not None:
            self.fields = {**entry["data"], "area": entry["area"], **state}
        else:
            self.fields = {**(state.get("data") or {}), **state}
        return self.fields

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value, or default where the event has none."""
        value = self.fields.get(name)
        return default if value is None else value

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def read_line(line: bytes | memoryview) -> Recorded:
    """Parses a stored line. ValueError where it is not one."""
    whole = orjson.loads(line)
    try:
        state = whole["state"] if "state" in whole else {"state_base64": whole["state_base64"]}
        return Recorded(whole["ledger"], whole["position"], whole["stream"], whole["version"], whole["topic"], whole["recorded_at"], state)
    except (KeyError, TypeError) as missing:
        raise ValueError(f"not a recorded line: {missing} is missing") from missing


def write_line(
    ledger: str, position: int, stream: UUID, version: int, topic: str, recorded_at: str, state: bytes, *, inline: bool = False
) -> bytes:
    """The bytes to store and to hash. state is a JSON object's bytes, or any bytes (kept as base64).

    inline: the caller made the state with write_state, so it need not be parsed once more.
    """
    head = orjson.dumps(
        {"ledger": ledger, "position": position, "stream": str(stream), "version": version, "topic": topic, "recorded_at": recorded_at}
    )[:-1]
    if inline or is_json_object(state):
        return b'%b,"state":%b}' % (head, state)
    return b'%b,"state_base64":"%b"}' % (head, base64.b64encode(state))


def is_json_object(state: bytes) -> bool:
    """Whether the bytes can stand inline in a line: one JSON object, no line break."""
    if not (state.startswith(b"{") and state.endswith(b"}")) or b"\n" in state:
        return False
    try:
        orjson.loads(state)
    except orjson.JSONDecodeError:
        return False
    return True


def state_of(line: bytes) -> bytes:
    """The state's bytes as they were given to write_line."""
    start = line.find(b',"state":{')
    coded = line.find(b',"state_base64":"')
    if start >= 0 and (coded < 0 or start < coded):
        return line[start + len(b',"state":') : -1]
    return base64.b64decode(line[coded + len(b',"state_base64":"') : -2])


def entry_of(line: bytes) -> bytes | None:
    """The exact bytes that the tablet wrote, or None where the event did not come as an entry.

    The entry is the last member of the state, no derived field holds an object with a member named entry or data, and quotes inside
    strings are escaped: so the first occurrence of the member's name after the state begins is it.
    """
    state = line.find(b',"state":{')
    if state < 0:
        return None
    start = line.find(ENTRY_MEMBER, state)
    if start < 0 or line.find(DATA_MEMBER, state, start) >= 0:
        return None
    return line[start + len(ENTRY_MEMBER) : -2]


def write_state(derived: dict[str, Any], said: dict[str, Any], entry: bytes | None) -> bytes:
    """The state's bytes: derived fields that are set, then the entry verbatim, or the said fields as data."""
    head = orjson.dumps({name: value for name, value in derived.items() if value is not None})[:-1]
    if entry is not None:
        return b"%b%b%b}" % (head, ENTRY_MEMBER, entry)
    return b"%b%b%b}" % (head, DATA_MEMBER, orjson.dumps({name: value for name, value in said.items() if value is not None}))
