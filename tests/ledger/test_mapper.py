"""Every event of the domain survives being recorded: what is read from its line is what was first made, but for the time."""

from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints
from uuid import UUID, uuid4

import orjson
import pytest
from eventsourcing.domain import AggregateCreated

from domain import event_classes
from domain.aggregate import Act, Fact, fields_of
from domain.clock import parse_utc
from domain.tablet import Refused
from domain.visit import Visit
from projections.recorded import entry_of, read_line, state_of, write_line
from service.ledger.mapper import AGGREGATE_TOPICS, aggregate_of, draft_of, event_of
from service.ledger.store import Draft

LEDGER, RECORDED_AT = "411502001", "2026-11-21T01:03:13.000Z"
AREA = "411502001001001"
PERSON, TABLET = str(uuid4()), str(uuid4())
CLASSES = event_classes()
SAMPLES: dict[Any, Any] = {
    str: '街道 " \\ entry data',
    int: 41,
    float: 0.1,
    bool: False,
    list: ["a", "b"],
    dict: {"amount": 1.5, "街": None},
}


def line_of(draft: Draft, position: int = 5) -> bytes:
    return write_line(LEDGER, position, draft.stream, draft.version, draft.topic, RECORDED_AT, draft.state, inline=draft.inline)


def sample(hint: Any) -> Any:
    """Some value of an annotated type."""
    for each in (hint, getattr(hint, "__origin__", None), *get_args(hint)):
        if each in SAMPLES:
            return SAMPLES[each]
    return next(found for each in get_args(hint) if (found := sample(each)) is not None)


def make(event_class: type[Fact], *, full: bool, entry: bytes | None = None) -> Fact:
    """An event with every field set, or only with those that must be."""
    hints = get_type_hints(event_class, include_extras=True)
    said, derived = fields_of(event_class)
    needed = {each.name for each in fields(event_class) if each.default is MISSING}
    values = {name: sample(hints[name]) for name in (*said, *derived) if full or name in needed}
    values |= {
        "by": PERSON,
        "role": "worker",
        "happened_at": "2026-11-21T01:03:12.123Z",
        "day": "2026-11-21",
        "tablet": TABLET,
        "entry": entry,
    }
    values |= {"area": AREA} if "area" in said else {}
    first = {"originator_topic": AGGREGATE_TOPICS[event_class.TOPIC]} if issubclass(event_class, AggregateCreated) else {}  # type: ignore[attr-defined]
    return event_class(originator_id=uuid4(), originator_version=1, timestamp=parse_utc(RECORDED_AT), **first, **values)


@pytest.mark.parametrize("full", [True, False], ids=["every field", "needed fields"])
@pytest.mark.parametrize("topic", CLASSES)
def test_an_event_said_at_the_console_reads_back_equal(topic: str, full: bool) -> None:
    made = make(CLASSES[topic], full=full)
    again = event_of(line_of(draft_of(made)))
    assert type(again) is type(made)
    assert vars(again) == vars(made)


@pytest.mark.parametrize("topic", CLASSES)
def test_an_event_that_a_tablet_said_reads_back_equal_and_keeps_the_entrys_bytes(topic: str) -> None:
    made = make(CLASSES[topic], full=True)
    said = {name: vars(made)[name] for name in fields_of(CLASSES[topic])[0]}
    area = said.pop("area", AREA)
    entry = b' {"seq": 41 ,"area":%b,"data":%b}' % (orjson.dumps(area), orjson.dumps(said, option=orjson.OPT_INDENT_2).replace(b"\n", b" "))
    made = make(CLASSES[topic], full=True, entry=entry.strip())
    draft = draft_of(made)
    line = line_of(draft)
    assert entry_of(line) == entry.strip()
    assert vars(event_of(line)) == vars(made)
    assert (draft.by_person, draft.tablet, draft.seq) == (UUID(PERSON), UUID(TABLET), 41)


def test_a_draft_has_its_index_columns_from_the_act() -> None:
    made = make(Visit.Made, full=False)
    draft = draft_of(made)
    assert (draft.by_person, draft.tablet, draft.seq) == (UUID(PERSON), UUID(TABLET), None)
    assert draft_of(made, seq=9).seq == 9
    system = Visit.begin(Visit.Made, Act("system", "system", RECORDED_AT, "2026-11-21"), uuid4(), area=AREA, household="h", outcome="met")
    draft = draft_of(system.pending_events[0])  # type: ignore[arg-type]
    assert (draft.by_person, draft.tablet, draft.seq) == (None, None, None)


def test_a_refused_entry_that_is_no_json_is_found_by_its_number_too() -> None:
    kept = make(Refused.Kept, full=True)
    assert draft_of(kept).seq == vars(kept)["seq"] == 41


def test_a_state_that_write_state_made_needs_no_second_look() -> None:
    draft = draft_of(make(Visit.Made, full=True))
    looked_at = write_line(LEDGER, 5, draft.stream, draft.version, draft.topic, RECORDED_AT, draft.state)
    assert looked_at == line_of(draft)
    assert state_of(looked_at) == draft.state


def test_the_timestamp_is_the_time_of_recording_and_is_not_stored_twice() -> None:
    line = line_of(draft_of(make(Visit.Made, full=True)))
    assert event_of(line).timestamp == parse_utc(RECORDED_AT)
    assert set(read_line(line).state) >= {"by", "data"}
    assert not {"timestamp", "originator_topic", "originator_id", "originator_version"} & set(read_line(line).state)


def test_a_stream_is_replayed_into_its_aggregate() -> None:
    visit = Visit.begin(Visit.Made, Act(PERSON, "worker", RECORDED_AT, "2026-11-21"), uuid4(), area=AREA, household="h", outcome="met")
    again = aggregate_of([line_of(draft_of(each)) for each in visit.collect_events()])  # type: ignore[arg-type]
    assert (again.id, again.version, again.area, again.household, again.outcome) == (visit.id, 1, AREA, "h", "met")
    assert aggregate_of([]) is None


def test_an_unknown_topic_or_a_missing_field_is_named() -> None:
    draft = draft_of(make(Visit.Made, full=True))
    draft.topic = "visit.dreamt"
    with pytest.raises(ValueError, match=r"visit\.dreamt"):
        event_of(line_of(draft))
    draft.topic, draft.state = "visit.made", b'{"by":"system","data":{}}'
    with pytest.raises(ValueError, match=r"visit\.made at 5 of 411502001 has no"):
        event_of(line_of(draft))
