"""A second reader: recomputes from recorded facts and published content alone what the aggregate says, by other means than its own."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from domain.books import shipped_items
from domain.case import CLOCK_RUNS, OPEN_STATUSES, STATUSES, Case, paused_after, status_after

MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)


def read(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def content_of(label: str) -> dict[str, Any]:
    """What was published as name@version."""
    name, version = label.split("@")
    return next(item["content"] for item in shipped_items() if (item["kind"], item["name"], item["version"]) == ("calendar", name, version))


def spans(calendar: dict[str, Any], day: date) -> list[tuple[datetime, datetime]]:
    """Working periods of a day, as moments."""
    text, zone, found = day.isoformat(), ZoneInfo(calendar["zone"]), []
    worked = text in calendar["workdays"] or (text not in calendar["holidays"] and day.weekday() + 1 in calendar["working_weekdays"])
    for first, last in calendar["periods"] if worked else []:
        # Clock arithmetic of one zone is arithmetic on its wall clock.
        begins, ends = (
            datetime.combine(day, time(), zone) + timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (first, last)
        )
        if begins.astimezone(UTC) < ends.astimezone(UTC):
            found.append((begins.astimezone(UTC), ends.astimezone(UTC)))
    return found


def working_spans(calendar: dict[str, Any], start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """All working time after start."""
    first = start.astimezone(ZoneInfo(calendar["zone"])).date()
    for step in range(5000):
        for begins, ends in spans(calendar, first + step * DAY):
            if ends > start:
                yield max(start, begins), ends


def after_work(calendar: dict[str, Any], start: datetime, left: timedelta) -> datetime:
    if not left:
        return start
    for begins, ends in working_spans(calendar, start):
        if begins + left <= ends:
            return begins + left
        left -= ends - begins
    raise AssertionError("no deadline in 5000 days")


def work_between(calendar: dict[str, Any], start: datetime, end: datetime) -> timedelta:
    before = takewhile(lambda span: span[0] < end, working_spans(calendar, start))
    return sum((min(ends, end) - begins for begins, ends in before), timedelta())


def deadline(start: str, limit: dict[str, Any], calendar: dict[str, Any]) -> str:
    """A deadline from a limit as it is recorded."""
    moment, amount, zone = read(start), limit["amount"], ZoneInfo(calendar["zone"])
    if limit["kind"] == "urgent_hour":
        return written(moment + timedelta(hours=amount))
    if limit["kind"] == "work_hour":
        return written(after_work(calendar, moment, timedelta(hours=amount)))
    if limit["kind"] == "natural_day":
        local = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=amount)
        return written(local.replace(tzinfo=zone))
    day = next(working_spans(calendar, moment))[0].astimezone(zone)
    for _ in range(amount):
        day += DAY
        while not spans(calendar, day.date()):
            day += DAY
    return written(day)


def pushed(due: str, stopped: str, runs_on: str, limit: dict[str, Any], calendar: dict[str, Any]) -> str:
    """A deadline after a clock stood still."""
    if due <= stopped or runs_on <= stopped:
        return due
    if limit["kind"] in ("urgent_hour", "natural_day"):
        return written(read(due) + (read(runs_on) - read(stopped)))
    ends = after_work(calendar, read(runs_on), work_between(calendar, read(stopped), read(due)))
    return written(next(working_spans(calendar, ends))[0] if limit["kind"] == "work_day" else ends)


class Deadlines:
    """Reads a history fact by fact; each deadline that stands in a fact must be the one that anybody computes."""

    def __init__(self) -> None:
        self.due: str | None = None
        self.limit: dict[str, Any] = {}
        self.calendar: dict[str, Any] = {}
        self.stopped = ""
        self.until: str | None = None
        self.status: str | None = None
        self.paused: str | None = None

    def read(self, fact: Any) -> None:
        before, was_paused = self.status, self.paused
        self.status = status_after(fact.TOPIC, vars(fact), before, was_paused)
        self.paused = paused_after(fact.TOPIC, before, was_paused)
        name = fact.TOPIC.removeprefix("case.")
        if name == "split" and was_paused not in CLOCK_RUNS:
            name = "split without a clock"
        getattr(self, name, lambda fact: None)(fact)
        recorded = getattr(fact, "due_at", None)
        assert recorded is None or recorded == self.due, f"{fact.TOPIC}: recorded {recorded}, recomputed {self.due}"

    def reported(self, fact: Any) -> None:
        assert fact.accept_due_at == written(read(fact.happened_at) + timedelta(minutes=15))

    def registered(self, fact: Any) -> None:
        self.limit, self.calendar = fact.limit, content_of(fact.calendar)
        self.due = deadline(fact.happened_at, self.limit, self.calendar)
        assert fact.dispatch_due_at == written(read(fact.happened_at) + timedelta(minutes=15))

    def whistled(self, fact: Any) -> None:
        assert fact.muster_due_at == written(read(fact.happened_at) + timedelta(minutes=fact.muster_minutes))

    def extended(self, fact: Any) -> None:
        assert self.due is not None
        self.due = deadline(self.due, {**self.limit, "amount": fact.amount}, self.calendar)

    def reopened(self, fact: Any) -> None:
        self.due = deadline(fact.happened_at, self.limit, self.calendar)

    def handled(self, fact: Any) -> None:
        assert self.due is not None
        assert fact.overtime == (fact.happened_at > self.due)

    def suspended(self, fact: Any) -> None:
        self.stopped, self.until = fact.happened_at, fact.until

    def merged(self, fact: Any) -> None:
        self.stopped, self.until = fact.happened_at, None

    def resumed(self, fact: Any) -> None:
        assert self.due is not None
        runs_on = fact.happened_at
        if self.until is not None:
            midnight = datetime.combine(date.fromisoformat(self.until) + DAY, time(), ZoneInfo(self.calendar["zone"]))
            runs_on = min(runs_on, written(midnight))
        self.due = pushed(self.due, self.stopped, runs_on, self.limit, self.calendar)

    split = resumed


def deadline_after(history: list[Any]) -> str | None:
    """The deadline in force after a history."""
    reader = Deadlines()
    for fact in history:
        reader.read(fact)
    return reader.due


def check_holders(history: list[Any]) -> None:
    """Exactly one holder after each fact, handed from one to the next without a break; each return goes where the case came from."""
    holder, way = history[0].holder, []
    for fact in history[1:]:
        assert isinstance(fact.holder, str)
        assert fact.holder
        gave = getattr(fact, "from_holder", None)
        assert gave == (holder if fact.holder != holder else None), f"{fact.TOPIC}: {gave} gave away what {holder} held"
        if fact.TOPIC == "case.returned":
            assert fact.holder == way.pop(), "a return went astray"
        elif fact.TOPIC == "case.reopened":
            way = []
        elif fact.holder != holder:
            way.append(holder)
        holder = fact.holder


def check_people(history: list[Any]) -> None:
    """Nobody handled, checked or evaluated two of the three."""
    did: dict[str, set[str]] = {"handled": set(), "checked": set(), "evaluated": set()}
    for fact in history:
        step = fact.TOPIC.removeprefix("case.").replace("self_handled", "handled")
        if step in did:
            did[step].add(fact.by)
    assert not did["handled"] & did["checked"]
    assert not did["handled"] & did["evaluated"]
    assert not did["checked"] & did["evaluated"]


def check_history(history: list[Any], case: Case, books: Any) -> None:
    """All that must hold after every step of every story."""
    status: str | None = None
    paused: str | None = None
    for fact in history:
        status, paused = status_after(fact.TOPIC, vars(fact), status, paused), paused_after(fact.TOPIC, status, paused)
    assert case.status == status
    assert case.status in STATUSES
    assert case.holder == history[-1].holder
    assert len({fact.area for fact in history}) == 1
    assert case.due_at == deadline_after(history)
    assert not case.clock_runs or (case.status in OPEN_STATUSES and case.status != "suspended")
    check_holders(history)
    check_people(history)
    replayed = None
    for fact in history:
        replayed = fact.mutate(replayed)
    assert replayed == case
