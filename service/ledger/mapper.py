"""Events to lines and back: what an event of the domain is in the ledger. Read by the sync, the use cases, the recorder and the replay."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.domain import AggregateCreated, DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import get_topic

from domain import AGGREGATES, event_classes
from domain.aggregate import LIBRARY_FIELDS, Aggregate, Fact, fields_of
from domain.clock import parse_utc
from projections.recorded import Recorded, entry_of, read_line, state_of, write_line, write_state
from service.ledger.store import Draft

CLASSES: dict[str, type[Fact]] = event_classes()
AGGREGATE_TOPICS = {
    topic: get_topic(aggregate) for aggregate in AGGREGATES for topic, event in CLASSES.items() if event in vars(aggregate).values()
}
SYSTEM = "system"


def draft_of(event: Fact, seq: int | None = None) -> Draft:
    """The draft to append for a new event. seq is the entry's number on its tablet, where the caller knows it already.

    timestamp and originator_topic are not stored: the one is recorded_at, the other follows from the topic.
    """
    said, derived = fields_of(type(event))
    values, entry = vars(event), event.entry
    facts = {name: value for name in derived if (value := values[name]) is not None}
    # What an entry says stands in the entry itself.
    state = write_state(facts, {} if entry is not None else {name: values[name] for name in said}, entry)
    if seq is None and event.tablet is not None:
        seq = values["seq"] if "seq" in derived else _seq_of(entry)
    topic: str = type(event).TOPIC  # type: ignore[attr-defined]
    by, tablet = _uuid_or_none(event.by), _uuid_or_none(event.tablet)
    return Draft(event.originator_id, event.originator_version, topic, state, by, tablet, seq, inline=True)


def event_of(line: bytes) -> Fact:
    """The event that a line records. ValueError where the topic is unknown or a field that must be there is missing."""
    recorded = read_line(line)
    return _make(recorded, UUID(recorded.stream), parse_utc(recorded.recorded_at), entry_of(line))


def aggregate_of(lines: Iterable[bytes]) -> Any:
    """The aggregate that a stream's lines, in order, lead to; None for no lines."""
    aggregate: Aggregate | None = None
    for line in lines:
        aggregate = event_of(line).mutate(aggregate)
    return aggregate


class LedgerMapper(Mapper[UUID]):
    """The library's mapper for the ledger: facts of the domain in the recorded format, and anything else as the library writes it.

    The library reads events without the time of recording, so that their timestamp is happened_at here.
    """

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        if not isinstance(domain_event, Fact):
            return super().to_stored_event(domain_event)
        if self.cipher is not None or self.compressor is not None:
            raise ValueError("Facts are recorded as they are, so that auditors can read them: unset CIPHER_TOPIC and COMPRESSOR_TOPIC.")
        draft = draft_of(domain_event)
        return StoredEvent(draft.stream, draft.version, draft.topic, draft.state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        if stored_event.topic not in CLASSES:
            return super().to_domain_event(stored_event)
        stream = UUID(str(stored_event.originator_id))
        line = write_line("", 0, stream, stored_event.originator_version, stored_event.topic, "", stored_event.state, inline=True)
        recorded = read_line(line)
        return _make(recorded, stream, parse_utc(recorded["happened_at"]), entry_of(line))


def draft_of_stored(stored: StoredEvent) -> Draft:
    """The draft for what the library wants to record, with the index columns of a fact filled from its state."""
    draft = Draft(UUID(str(stored.originator_id)), stored.originator_version, stored.topic, stored.state)
    if stored.topic in CLASSES:
        state = orjson.loads(stored.state)
        draft.by_person, draft.tablet = _uuid_or_none(state["by"]), _uuid_or_none(state.get("tablet"))
        if draft.tablet is not None:
            draft.seq = state["seq"] if "seq" in state else (state.get("entry") or {}).get("seq")
        draft.inline = True
    return draft


def stored_of(line: bytes) -> StoredEvent:
    """What the library recorded, from its line."""
    recorded = read_line(line)
    return StoredEvent(UUID(recorded.stream), recorded.version, recorded.topic, state_of(line))


def _make(recorded: Recorded, stream: UUID, timestamp: Any, entry: bytes | None) -> Fact:
    event_class = CLASSES.get(recorded.topic)
    if event_class is None:
        raise ValueError(f"{recorded.topic!r} is not an event that this release knows")
    names, defaults, first = _plan(event_class)
    found = recorded.fields
    values: dict[str, Any] = {"originator_id": stream, "originator_version": recorded.version, "timestamp": timestamp}
    if first:
        values["originator_topic"] = AGGREGATE_TOPICS[recorded.topic]
    values |= defaults
    for name in names:
        value = found.get(name)
        # An empty list is how JSON writes an empty tuple, which is the default of every list.
        if value is not None and not (value == [] and defaults.get(name) == ()):
            values[name] = value
        elif name not in defaults:
            raise ValueError(f"{recorded.topic} at {recorded.position} of {recorded.ledger} has no {name}")
    values["entry"] = entry
    event = object.__new__(event_class)
    event.__dict__.update(values)
    return event


@cache
def _plan(event_class: type[Fact]) -> tuple[tuple[str, ...], dict[str, Any], bool]:
    """Names of the recorded fields, the defaults of those that have one, and whether the event begins an aggregate."""
    recorded = [each for each in fields(event_class) if each.name not in LIBRARY_FIELDS and each.name != "entry"]
    defaults = {each.name: each.default for each in recorded if each.default is not MISSING}
    return tuple(each.name for each in recorded), defaults, issubclass(event_class, AggregateCreated)


@lru_cache(4096)  # The same person and tablet stand in each event of a batch.
def _uuid_or_none(text: str | None) -> UUID | None:
    return UUID(text) if text is not None and text != SYSTEM else None


def _seq_of(entry: bytes | None) -> int | None:
    return orjson.loads(entry)["seq"] if entry is not None else None
