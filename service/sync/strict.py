"""Strict JSON: one reading of a line or none. Read by the batch decoder for every line that a tablet sends.

orjson refuses NaN, infinities, lone surrogates, a byte order mark and bytes that are not UTF-8, and it is fast; it takes duplicate keys
and any depth up to 1024. Both are found here without a second parse of an ordinary line.
"""

import json
from collections.abc import Iterable
from typing import Any

import orjson


class NotStrict(ValueError):
    """The bytes are no JSON, or have two readings. The message is a sentence."""


def strict_loads(line: bytes, max_depth: int) -> Any:
    """The value of a line. NotStrict where it is no JSON, has a duplicate key, or nests deeper than max_depth."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        raise NotStrict(f"Not JSON: {wrong}.") from wrong
    keys = _keys_within(value, max_depth)
    # Every key is followed by a colon, with or without white space between: so these counts are never below the number of keys written.
    # Where they equal the number of keys read, no key was written twice. Text that holds `":` only leads to the slow check.
    if line.count(b'":') + line.count(b" :") + line.count(b"\t:") + line.count(b"\r:") + line.count(b"\n:") != keys:
        _refuse_duplicates(line)
    return value


def _keys_within(value: Any, depth: int) -> int:
    """Number of keys in all objects of a value. NotStrict where it nests deeper than depth."""
    if type(value) is dict:
        members: Iterable[Any] = value.values()
        count = len(value)
    elif type(value) is list:
        members = value
        count = 0
    else:
        return 0
    if depth < 1:
        raise NotStrict("Nested too deeply.")
    for each in members:
        if type(each) is dict or type(each) is list:
            count += _keys_within(each, depth - 1)
    return count


def _refuse_duplicates(line: bytes) -> None:
    """Parses once more, slowly. The depth is known to be small, and orjson has refused numbers that Python could not take."""
    json.loads(line, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrict("An object has the same key twice.")
    return found
