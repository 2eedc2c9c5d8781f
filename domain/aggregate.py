"""What every aggregate and every recorded event share: who did it, when, and which words were said. Read by all of domain.

An event has two kinds of fields. *Said* fields are what a person (on a tablet or at the console) stated; *derived* fields
are what the server added when it recorded the event. All values are JSON-native (str, int, float, bool, None, list, dict), so that a
recorded line, the event made from it and the event that was first made are equal to the last bit.
"""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Self, TypeVar, get_type_hints
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate

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


class Aggregate(BaseAggregate[UUID]):
    """Base of all aggregates. Ids come from the caller: a tablet names what it makes while offline."""

    class Event(Fact):
        """Asked for by the library; events subclass ``Fact`` or ``FirstFact``."""

    @classmethod
    def begin(cls, event_class: type[Any], act: Act, stream: UUID, **said_and_derived: Any) -> Self:
        """Makes the aggregate by its first event."""
        return cls._create(event_class, id=stream, **act.recorded(), **said_and_derived)

    def record(self, event_class: type[Any], act: Act, **said_and_derived: Any) -> None:
        """Records one more event and applies it."""
        self.trigger_event(event_class, **act.recorded(), **said_and_derived)


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
