"""What every aggregate and every recorded event share: who did it, when, and which words were said. Read by all of domain.

An event has two kinds of fields. *Said* fields are what a person (on a tablet or at the console) stated; *derived* fields
are what the server added when it recorded the event. All values are JSON-native (str, int, float, bool, None, list, dict), so that a
recorded line, the event made from it and the event that was first made are equal to the last bit.
"""

from dataclasses import MISSING, field, fields
from functools import cache
from typing import Annotated, Any, NamedTuple, Self, TypeVar, get_type_hints
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, datetime_now_with_tzinfo
from eventsourcing.utils import get_topic, resolve_topic

T = TypeVar("T")
Said = Annotated[T, "said"]
Derived = Annotated[T, "derived"]

_new, _set = object.__new__, object.__setattr__
LIBRARY_FIELDS = frozenset({"originator_id", "originator_version", "timestamp", "originator_topic"})


class Act(NamedTuple):
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
        """Records one more event and applies it.

        The event's own ``mutate`` would compare the id and the version that it was given here with those that it was given them from.
        """
        event = _event(event_class, self._id, self._version + 1, act, said_and_derived)
        event.apply(self)
        self._version, self._modified_on = event.originator_version, event.timestamp
        self._pending_events.append(event)


def _event(event_class: Any, stream: UUID, version: int, act: Act, said_and_derived: dict[str, Any]) -> Any:
    """The event, equal to what its constructor would make: that one sets a frozen dataclass's members one by one, in thrice the time."""
    members, needed = _members_of(event_class)
    values = members.copy()
    values["by"], values["role"], values["happened_at"], values["day"], _, values["tablet"], values["entry"] = act
    values.update(said_and_derived)
    values["originator_id"], values["originator_version"], values["timestamp"] = stream, version, datetime_now_with_tzinfo()
    if len(values) != len(members) or not needed <= said_and_derived.keys() or not isinstance(stream, UUID):
        wrong = sorted((values.keys() - members) | (needed - said_and_derived.keys()))
        raise TypeError(f"{event_class.__qualname__} has not exactly these members: {wrong}")
    event = _new(event_class)
    _set(event, "__dict__", values)
    return event


@cache
def _members_of(event_class: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """All members of an event with their defaults (None where there is none), and the names of those that whoever records it must give."""
    members = fields(event_class)
    given = {"originator_id", "originator_version", "timestamp", *Act._fields}
    needed = frozenset(each.name for each in members if each.default is MISSING and each.name not in given)
    return {each.name: None if each.default is MISSING else each.default for each in members}, needed


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
