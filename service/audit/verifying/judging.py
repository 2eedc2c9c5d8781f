"""Decides every event of a ledger once more, by the rules and with what was known when it was recorded. Read by the walk over a ledger.

The decisions are those of the service itself (``service.sync.deciding``, the aggregates' methods): an event holds if deciding it again on
the stream as it stood gives the very bytes of its state. What was known across ledgers is not exact to the millisecond (see ``tolerance_s``
in docs/audit.md): where the knowledge of its own moment does not lead to the event, that of the moments around it is tried.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from domain.aggregate import Act, fields_of
from domain.areas import area_of
from domain.clock import parse_utc, utc_text
from domain.entries import KINDS, units_named
from domain.errors import Refusal
from domain.visit import Visit
from projections.recorded import Recorded
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Enrolled, Knowledge
from service.audit.verifying.reading import Line
from service.audit.verifying.sources import Log
from service.audit.verifying.streams import Held, Streams
from service.ledger.mapper import CLASSES, aggregate_of, event_of
from service.scope import NotYourRole, OutOfScope
from service.sync.batch import fault_of_entry
from service.sync.deciding import REFERENCES, Deciding


class Lost:
    """Of which there is one, in whichever process and after whichever way it was put aside."""

    def __reduce__(self) -> str:
        return "LOST"


LOST = Lost()
"""Stands for an aggregate that cannot be told any more, since an event before is missing or cannot be replayed."""

Attempt = Callable[[Any, str, str], Any]
"""Decides on an aggregate with people as known at one moment and places as known at another; gives the aggregate, its event pending."""


class OtherFields(Exception):
    """Deciding leads to an event, but not to this one."""

    def __init__(self, *names: str) -> None:
        self.names = names
        super().__init__(", ".join(names))


class Known:
    """The streams of one ledger, as ``Deciding`` looks them up."""

    def __init__(self, ledger: str, streams: Streams) -> None:
        self.ledger = ledger
        self.streams = streams
        self.instead: dict[str, Any] = {}

    def get(self, key: tuple[str, str]) -> Any:
        """The aggregate of (ledger, stream), or None."""
        ledger, stream = key
        if stream in self.instead:
            return self.instead[stream]
        held = self.streams.get(stream) if ledger == self.ledger else None
        return held.aggregate if held is not None and held.aggregate is not LOST else None


class Judging(Deciding):
    """The service's own decisions on one person's entries, with what was known at a moment in the place of what is in the tables."""

    def __init__(self, zone: ZoneInfo, knowledge: Knowledge, known: Known, person: str, tablet: str, who: str, where: str) -> None:
        super().__init__(zone, lambda ledger, _: knowledge.books_at(ledger[:4], where), person, tablet)
        self.found = knowledge.known_at(person, who, where)
        self._known = known  # type: ignore[assignment]

    def act_of(self, entry: dict[str, Any], raw: bytes | None, happened_at: str, day: str) -> Act:
        """The act that the entry is. Refusal where its person might not act there on that day."""
        key = (entry["kind"], entry["area"], day)
        role, units = self._admitted.get(key) or self._admit(*key, entry["id"])
        return Act(self.person, role, happened_at, day, units, self.tablet, raw)

    def decided(self, event: Line, day: str, aggregate: Any) -> Any:
        """The aggregate after the decision on an event's entry, its event pending. Whatever the decision raises otherwise."""
        told = event.state
        entry = told["entry"]
        act = self.act_of(entry, event.raw, told["happened_at"], day)
        if act.role != told["role"]:
            raise OtherFields("role")
        return self._act(KINDS[entry["kind"]], act, entry, aggregate)

    def made_of(self, entry: dict[str, Any], act: Act, aggregate: Any) -> Any:
        """The aggregate with the entry's event pending."""
        return self._act(KINDS[entry["kind"]], act, entry, aggregate)


class Judge:
    """Judges the events of one ledger, in order, and keeps its streams."""

    def __init__(
        self, ledger: str, log: Log, streams: Streams, knowledge: Knowledge, zone: ZoneInfo, tolerance_s: float, findings: Findings
    ) -> None:
        self.ledger = ledger
        self.log = log
        self.streams = streams
        self.knowledge = knowledge
        self.zone = zone
        self.tolerance = timedelta(seconds=tolerance_s)
        self.report = findings.at(ledger)
        self.known = Known(ledger, streams)
        self._judgings: dict[str, tuple[str, tuple[int, int, int], Judging]] = {}
        self._days: dict[str, str] = {}
        self._visits: dict[str, Any] = {}

    # ---- entries of tablets

    def entry(self, event: Line, held: Held | None) -> None:
        """Judges an event that a tablet's entry became."""
        told = event.state
        entry, tablet = told["entry"], str(told.get("tablet"))
        enrolled = self.knowledge.tablets.get(tablet)
        if enrolled is None:
            self.report("tablet_unknown", event.position, f"tablet {tablet}")
            self.replay(event, None)
            return
        wrong = fault_of_entry(entry)
        if wrong is not None or entry["kind"] != event.topic or entry["id"] != event.stream or entry["area"][:9] != self.ledger:
            self.report("not_allowed", event.position, wrong.detail if wrong else "the entry says another kind, stream or ledger")
            self.replay(event, None)
            return
        day, aggregate = self.day_of(told["happened_at"]), held.aggregate if held is not None else None
        try:
            made = self._judging(enrolled, event.recorded_at).decided(event, day, aggregate)
            must_be(event, made)
        except Exception as first:

            def attempt(aggregate: Any, who: str, where: str) -> Any:
                other = Judging(self.zone, self.knowledge, self.known, enrolled.person, enrolled.tablet, who, where)
                return other.decided(event, day, aggregate)

            self._otherwise(event, held, attempt, enrolled.person, entry["area"], entry["data"], first)
            return
        self.follow(event, held, made)

    def _judging(self, enrolled: Enrolled, moment: str) -> Judging:
        """What decides the entries of a tablet with what was known at a moment."""
        found = self._judgings.get(enrolled.tablet)
        if found is None or found[0] != moment:
            epoch = self.knowledge.epoch(enrolled.person, self.ledger, moment)
            if found is None or found[1] != epoch:
                made = Judging(self.zone, self.knowledge, self.known, enrolled.person, enrolled.tablet, moment, moment)
            else:
                made = found[2]
            found = self._judgings[enrolled.tablet] = (moment, epoch, made)
            made.found.areas.moment = moment  # type: ignore[attr-defined]
        return found[2]

    def day_of(self, moment: str) -> str:
        """The city's date at a moment (UTC text)."""
        minute = moment[:16]
        day = self._days.get(minute)
        if day is None:
            if len(self._days) > 50_000:
                self._days.clear()
            day = self._days[minute] = parse_utc(moment).astimezone(self.zone).date().isoformat()
        return day

    # ---- one shape for all: decide again, compare, keep

    def judge(self, event: Line, held: Held | None, attempt: Attempt, person: str, area: str, said: dict[str, Any]) -> None:
        """Reports unless deciding leads to the bytes of the state; the stream goes on as it was recorded in any case."""
        aggregate = held.aggregate if held is not None else None
        try:
            made = attempt(aggregate, event.recorded_at, event.recorded_at)
            must_be(event, made)
        except Exception as first:
            self._otherwise(event, held, attempt, person, area, said, first)
            return
        self.follow(event, held, made)

    def _otherwise(
        self, event: Line, held: Held | None, attempt: Attempt, person: str, area: str, said: dict[str, Any], first: Exception
    ) -> None:
        """What was known at the event's own moment does not lead to it: perhaps what was known shortly before or after does."""
        if held is not None and held.aggregate is LOST:
            self.follow(event, held, LOST)
            return
        codes = [area, *(area_of(unit) for unit in units_named(event.topic, said))]
        fault = self._around(event, attempt, person, codes, said, first)
        if fault is not None:
            self._tell(event, fault)
        self.replay(event, self._restored(held))

    def _around(
        self, event: Line, attempt: Attempt, person: str, codes: Iterable[str], said: dict[str, Any], first: Exception
    ) -> Exception | None:
        """None where what was known at some moment around the event leads to it; otherwise what was wrong at its own."""
        held = self.streams.get(event.stream)
        begins, ends = self.around(event.recorded_at)
        whom, places = self.knowledge.moments(person, codes, begins, ends)
        for instead in self.earlier(said, begins):
            self.known.instead = instead
            try:
                for who in (event.recorded_at, begins, *whom):
                    for where in (event.recorded_at, begins, *places):
                        try:
                            must_be(event, attempt(self._restored(held), who, where))
                        except Exception:
                            continue
                        return None
            finally:
                self.known.instead = {}
        return first

    def around(self, moment: str) -> tuple[str, str]:
        """The first and the last moment whose knowledge may have led to what was recorded then."""
        try:
            middle = parse_utc(moment)
            return utc_text(middle - self.tolerance), utc_text(middle + self.tolerance)
        except (ValueError, OverflowError):
            return moment, moment

    def earlier(self, said: dict[str, Any], begins: str) -> Iterable[dict[str, Any]]:
        """What streams that the event refers to may have looked like to the decision: as they stand, and as they stood shortly before."""
        yield {}
        for name in REFERENCES:
            held = self.streams.get(said[name]) if isinstance(said.get(name), str) else None
            if held is not None and held.positions:
                for aggregate in self.shortly_before(held, begins):
                    yield {said[name]: aggregate}

    def shortly_before(self, held: Held, begins: str) -> Iterable[Any]:
        """The states of a stream before each of its events that was recorded after a moment; None for before the first."""
        lines = self.log.lines_at(held.positions or ())
        for count in range(len(lines) - 1, -1, -1):
            if _recorded_at(lines[count]) <= begins:
                return
            yield aggregate_of(lines[:count])

    def _restored(self, held: Held | None) -> Any:
        """The aggregate made again from its lines: deciding on it before may have changed it."""
        if held is None or held.aggregate is LOST:
            return None if held is None else LOST
        if held.positions is None:
            return held.aggregate
        try:
            return aggregate_of(self.log.lines_at(held.positions))
        except Exception:
            return LOST

    def _tell(self, event: Recorded, fault: Exception) -> None:
        what = f"{event.topic} of {event.stream}"
        if isinstance(fault, OtherFields):
            self.report("derived_wrong", event.position, f"{what}: {', '.join(fault.names)}")
        elif isinstance(fault, OutOfScope | NotYourRole):
            self.report("actor_unknown", event.position, f"{what}: {event.state.get('by')} had no right to it as {event.state.get('role')}")
        elif isinstance(fault, Refusal):
            self.report("not_allowed", event.position, f"{what}: {fault.code}: {fault.detail}")
        else:
            self.report("not_allowed", event.position, f"{what}: it cannot be decided at all: {type(fault).__name__}: {fault}")

    # ---- the streams go on

    def replay(self, event: Line, aggregate: Any) -> None:
        """Goes on with the stream by applying the event as it was recorded."""
        held = self.streams.get(event.stream)
        if aggregate is None and held is not None:
            aggregate = held.aggregate
        if aggregate is not LOST and event.topic in CLASSES:
            try:
                aggregate = event_of(event.line).mutate(aggregate)
            except Exception as wrong:
                self.report("stream_wrong", event.position, f"{event.topic} of {event.stream}: {type(wrong).__name__}: {wrong}")
                aggregate = LOST
        self.follow(event, held, aggregate)

    def follow(self, event: Recorded, held: Held | None, aggregate: Any) -> None:
        """Keeps the aggregate as the stream's, and the event's position with it."""
        if held is not None:
            held.aggregate, held.version = aggregate, event.version
            if held.positions is not None:
                held.positions.append(event.position)
        elif event.topic == "visit.made":
            self.streams.put(event.stream, Held(self._visit(aggregate), event.version, None))
        else:
            self.streams.put(event.stream, Held(aggregate, event.version, [event.position]))

    def _visit(self, made: Any) -> Any:
        """A visit has no life after it was made; what is asked of it later is its area, so all visits of an area share one."""
        if not isinstance(made, Visit):
            return made
        return self._visits.setdefault(made.area, made)


def must_be(event: Line, made: Any) -> None:
    """OtherFields unless the one event that is pending is the very event. It is pending no more."""
    pending = made.pending_events
    (decided,) = pending
    pending.clear()
    state = state_of(decided)
    if not event.says(state) or event.topic != decided.TOPIC or decided.originator_version != event.version:
        raise OtherFields(*_differences(state, decided, event))


def state_of(decided: Any) -> bytes:
    """The state of a decided event as it would be recorded, without the entry's own bytes."""
    kind: Any = type(decided)
    said, derived = fields_of(kind)
    values = vars(decided)
    facts = {name: value for name in derived if (value := values[name]) is not None}
    if decided.entry is None:
        facts["data"] = {name: value for name in said if (value := values[name]) is not None}
    return orjson.dumps(facts)


def _differences(decided: bytes, made: Any, event: Recorded) -> list[str]:
    """Names of the fields in which a decision differs from what was recorded."""
    mine, told = orjson.loads(decided), {name: value for name, value in event.state.items() if name != "entry"}
    found = [name for name in {**mine, **told} if mine.get(name) != told.get(name)]
    found += ["topic"] if event.topic != made.TOPIC else []
    found += ["version"] if made.originator_version != event.version else []
    return sorted(found) or ["the form or the order of its members"]


def _recorded_at(line: bytes) -> str:
    return str(orjson.loads(line)["recorded_at"])
