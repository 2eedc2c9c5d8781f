"""The forms of entries follow from the recorded events, and the fast check judges as the schemas do."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain import event_classes
from domain.aggregate import fields_of
from domain.entries import KINDS
from service.schemas.entries import SHAPES
from service.sync.strict import NotStrict, strict_loads

WORDS = st.sampled_from(["met", "H-1", "411502001001001", "2026-11-21", "a" * 64, "", "0b0a6a0e-8f0e-4c58-9c54-5a2f1b1de001", "x\0y"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
NAMES = WORDS | st.text(max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)


def test_every_kind_says_what_its_event_says_except_the_area() -> None:
    for topic in KINDS:
        said = set(fields_of(event_classes()[topic])[0]) - {"area"}
        assert set(SHAPES[topic].schema.fields) == said, topic


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_the_fast_check_and_the_schema_agree(data: st.DataObject, topic: str) -> None:
    names = st.sampled_from([*SHAPES[topic].checks, "unknown"])
    said: dict[str, Any] = data.draw(st.dictionaries(names, VALUES, max_size=4))
    assert (SHAPES[topic].fault(said) is None) == (not SHAPES[topic].schema.validate(said))


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_strict_json_reads_what_json_writes_and_nothing_twice(value: Any) -> None:
    try:
        written = json.dumps({"a": value}, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return
    strict_loads(written, 30)
    for spoilt in (written[:-1] + b',"a":0}', written[:-1] + b', "\\u0061" : 0}'):
        try:
            strict_loads(spoilt, 30)
        except NotStrict:
            continue
        raise AssertionError(spoilt)
