"""What every aggregate and every recorded event share: who did it, when, and which words were said. Read by all of domain.

An event has two kinds of fields. *Said* fields are what a person (on a tablet or at the console) stated; *derived* fields
are what the server added when it recorded the event. All values are JSON-native (str, int, float, bool, None, list, dict), so that a
recorded line, the event made from it and the event that was first made are equal to the last bit.
"""

from collections.abc import Hashable
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Self, TypeVar, cast, get_type_hints
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate
from eventsourcing.utils import get_topic, resolve_topic

T = TypeVar("T")
Said = Annotated[T, "said"]
Derived = Annotated[T, "derived"]

LIBRARY_FIELDS = frozenset({"originator_id", "originator_version", "timestamp", "originator_topic"})


@dataclass(frozen=True, slots=True)
class Act:
    """One act of one person: what every event records of it, and what the rules may ask of the actor.

    by            the person's id (UUID text); ``system`` for what the service itself does
    role          the role acted in: worker, officer, auditor, administrator, system
    happened_at   the server's best estimate of when it happened, UTC, ``2026-11-21T01:03:12.123Z``, never later than recorded
    day           the city's local date of ``happened_at``, ``2026-11-21``
    units         units that this person acts for on that day: area codes, or ``<area code>/<department>``
    tablet        the tablet's id (UUID text) when a tablet's entry says so
    entry         the entry's exact bytes as the tablet wrote them (a JSON object), or None for an act at the console
    """

    by: str
    role: str
    happened_at: str
    day: str
    units: tuple[str, ...] = ()
    tablet: str | None = None
    entry: bytes | None = None

    def recorded(self) -> dict[str, Any]:
        """The event fields that the act itself supplies."""
        return {
            "by": self.by,
            "role": self.role,
            "happened_at": self.happened_at,
            "day": self.day,
            "tablet": self.tablet,
            "entry": self.entry,
        }


class Fact(AggregateEvent):
    """A permanent fact. Fields said by people are ``Said[...]``, fields set by the server ``Derived[...]``."""

    by: Derived[str] = field(kw_only=True)
    role: Derived[str] = field(kw_only=True)
    happened_at: Derived[str] = field(kw_only=True)
    day: Derived[str] = field(kw_only=True)
    tablet: Derived[str | None] = field(default=None, kw_only=True)
    entry: bytes | None = field(default=None, kw_only=True, repr=False)


class FirstFact(Fact, AggregateCreated):
    """The first fact of a stream."""

    def mutate(self, aggregate: Any) -> Any:
        """The aggregate that begins with this fact. The library's own looks for the initialiser's arguments; ours have none."""
        assert aggregate is None
        begun = object.__new__(resolve_topic(self.originator_topic))
        begun.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        begun.__init__()
        self.apply(begun)
        return begun


class Aggregate(BaseAggregate[UUID]):
    """Base of all aggregates. Ids come from the caller: a tablet names what it makes while offline."""

    class Event(Fact):
        """Asked for by the library; events subclass ``Fact`` or ``FirstFact``."""

    @classmethod
    def begin(cls, event_class: type[Any], act: Act, stream: UUID, **said_and_derived: Any) -> Self:
        """Makes the aggregate by its first event."""
        said_and_derived["originator_topic"] = get_topic(cls)
        event = _event(event_class, stream, cls.INITIAL_VERSION, act, said_and_derived)
        begun: Self = event.mutate(None)
        begun.pending_events.append(event)
        return begun

    def record(self, event_class: type[Any], act: Act, **said_and_derived: Any) -> None:
        """Records one more event and applies it."""
        event = _event(event_class, self.id, self.version + 1, act, said_and_derived)
        event.mutate(self)
        self.pending_events.append(event)


def _event(event_class: type[Any], stream: UUID, version: int, act: Act, said_and_derived: dict[str, Any]) -> Any:
    """The event, equal to what its constructor would make: that one sets a frozen dataclass's members one by one, in thrice the time."""
    names, defaults = _members_of(cast(Hashable, event_class))
    values = {**defaults, **act.recorded(), **said_and_derived}
    values["originator_id"], values["originator_version"], values["timestamp"] = stream, version, event_class.create_timestamp()
    if values.keys() != names or not isinstance(stream, UUID):
        raise TypeError(f"{event_class.__qualname__} has not exactly these members: {sorted(values.keys() ^ names)}")
    event = object.__new__(event_class)
    object.__setattr__(event, "__dict__", values)
    return event


@cache
def _members_of(event_class: Any) -> tuple[frozenset[str], dict[str, Any]]:
    """The names of all members of an event, and the defaults of those that have one."""
    members = fields(event_class)
    return frozenset(each.name for each in members), {each.name: each.default for each in members if each.default is not MISSING}


@cache
def fields_of(event_class: type[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the event's (said, derived) fields, in the order they were declared."""
    hints = get_type_hints(event_class, include_extras=True)
    said: list[str] = []
    derived: list[str] = []
    for each in fields(event_class):
        if each.name in LIBRARY_FIELDS or each.name == "entry":
            continue
        marks = getattr(hints[each.name], "__metadata__", ())
        (said if "said" in marks else derived).append(each.name)
    return tuple(said), tuple(derived)
