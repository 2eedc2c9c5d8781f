"""Reading a line: the quick way and the careful one say the same of whatever somebody may have written into the place of a line."""

import random
from typing import Any
from uuid import UUID

import orjson
import pytest

from projections.recorded import write_line, write_state
from service.audit.verifying.reading import Line, Reading

LEDGER, STREAM, TABLET = "411502001", "5f0a1c52-7c1e-4c58-9a0e-2f1f5d9b1e60", "0b4919bf-b619-477c-af4b-411f984388e6"
DERIVED: dict[str, Any] = {"by": TABLET, "role": "worker", "happened_at": "2026-11-21T01:03:12.123Z", "day": "2026-11-21", "tablet": TABLET}


def entry(**members: Any) -> dict[str, Any]:
    """An entry as tablets write it."""
    said = {"household": "H-1", "outcome": "met"}
    known = {"seq": 7, "kind": "visit.made", "v": 1, "id": STREAM, "area": LEDGER + "001001", "occurred_at": "2026-11-21T09:03:12+08:00"}
    return {**known, "mono_ms": 7000, "boot": "b", "data": said, **members}


def line_of(raw: bytes | None, derived: dict[str, Any] = DERIVED, **data: Any) -> bytes:
    """A line of the recorded format."""
    state = write_state(derived, data, raw)
    return write_line(LEDGER, 7, UUID(STREAM), 1, "visit.made", "2026-11-21T01:03:13.000Z", state, inline=True)


LINES = {
    "an entry": line_of(orjson.dumps(entry())),
    "an entry with lists and objects": line_of(orjson.dumps(entry(data={"photos": ["a" * 64], "place": {"lat": 31.2, "lon": 121.47}}))),
    "an entry in Chinese": line_of(orjson.dumps(entry(data={"summary": '门口有 "垃圾"', "category": "gridtrail/1/A01"}))),
    "an entry written at leisure": line_of(b' {"seq" : 7, "data": {"note": "a:b \\":\\" c"}} '),
    "an entry with numbers in another form": line_of(b'{"seq":7,"data":{"amount":1.50,"lat":3.12e1}}'),
    "an entry that is told of in a text": line_of(orjson.dumps(entry(data={"note": ',"entry":{"seq":8}'}))),
    "an entry within an entry": line_of(orjson.dumps(entry(data={"a": 1, "entry": {"seq": 8}, "state": {}}))),
    "a deed at the console": line_of(None, area=LEDGER, result="taken away"),
    "a deed with objects": line_of(None, {**DERIVED, "limit": {"kind": "work_day", "amount": 5}}, area=LEDGER),
    "a deep entry": line_of(b'{"data":{"a":' + b"[" * 62 + b"]" * 62 + b"}}"),
    "an entry that is too deep": line_of(b'{"data":{"a":' + b"[" * 63 + b"]" * 63 + b"}}"),
}
PIECES = (
    b'"',
    b":",
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\",
    b" ",
    b"1",
    b"e",
    b'"entry":',
    b',"entry":{}',
    b',"state":{}',
    b'"seq":7,',
    b"\xff",
)


def told(place: int, line: bytes, *, with_care: bool) -> tuple[Any, list[str]]:
    """What a reading gives, and the kinds of faults that it reports."""
    faults: list[str] = []
    reading = Reading(lambda kind, *_: faults.append(kind), lambda place: faults.append("lost"))
    found = reading.read_with_care(place, line) if with_care else reading.read(place, line)
    return members_of(found) if found is not None else None, faults


def members_of(line: Line) -> tuple[Any, ...]:
    """All that a line says, with the order and the types of its members."""
    whole = (line.ledger, line.position, line.stream, line.version, line.topic, line.recorded_at)
    return (*whole, tuple(map(type, whole)), orjson.dumps(line.state), line.line, line.raw, line.begins)


def spoiled(line: bytes, dice: random.Random) -> bytes:
    """The line with a byte changed, a piece put in or taken out, or a stretch of it twice."""
    at, end = sorted((dice.randrange(len(line)), dice.randrange(len(line))))
    how = dice.randrange(4)
    if how == 0:
        return line[:at] + bytes([dice.randrange(256)]) + line[at + 1 :]
    if how == 1:
        return line[:at] + dice.choice(PIECES) + line[at:]
    if how == 2:
        return line[:at] + line[min(end, at + dice.randrange(1, 40)) :]
    return line[:end] + line[at:end] + line[end:]


@pytest.mark.parametrize("name", LINES)
def test_both_ways_of_reading_say_the_same(name: str) -> None:
    line = LINES[name]
    assert told(7, line, with_care=False) == told(7, line, with_care=True)
    dice = random.Random(name)
    for _ in range(3000):
        other = spoiled(line, dice)
        assert told(7, other, with_care=False) == told(7, other, with_care=True), other


@pytest.mark.parametrize("name", [name for name in LINES if name != "an entry that is too deep"])
def test_a_line_gives_back_its_bytes(name: str) -> None:
    line = LINES[name]
    found, faults = told(7, line, with_care=False)
    assert (found is not None, faults) == (True, [])
    read = Reading(print, print).read(7, line)
    assert read is not None
    state = orjson.dumps({name: value for name, value in read.state.items() if name != "entry"})
    assert read.says(state)
    assert not read.says(state.replace(b"worker", b"officer"))
    assert not read.says(state[:-1] + b',"more":1}')
    assert (read.raw is None) == ("entry" not in read.state)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        ((b'"outcome":"met"', b'"outcome":"met","outcome":"met"'), "not_a_line"),
        ((b'"seq":7', b'"seq":7,"seq" :7'), "not_a_line"),
        ((b'"role":"worker"', b'"role":"officer","role":"worker"'), "line_form"),
        ((b'"role":"worker"', b'"role": "worker"'), "line_form"),
        ((b'"version":1', b'"version":true'), "not_a_line"),
        ((b'"version":1', b'"version":1.0'), "not_a_line"),
        ((b'"position":7', b'"position":"7"'), "not_a_line"),
        ((b'{"ledger"', b'{"more":1,"ledger"'), "not_a_line"),
        ((b'"ledger"', b'"Ledger"'), "line_form"),
        ((b"}}}", b"}}} "), "not_a_line"),
    ],
)
def test_a_line_with_two_readings_or_of_another_form_is_found(spoil: tuple[bytes, bytes], kind: str) -> None:
    line = LINES["an entry"].replace(*spoil)
    assert line != LINES["an entry"]
    found, faults = told(7, line, with_care=False)
    assert [fault for fault in faults if fault != "lost"] == [kind]
    assert (found is None) == (kind == "not_a_line") == ("lost" in faults)


@pytest.mark.parametrize("raw", [b"5", b'"x"', b"[1]", b"null", b"", b"{", b'{"a":1}}'])
def test_an_entry_is_an_object(raw: bytes) -> None:
    assert told(7, line_of(raw), with_care=False) == (None, ["lost", "not_a_line"])
