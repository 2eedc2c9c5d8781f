"""A second reader: recomputes from recorded facts and published content alone what the aggregate says, by other means than its own."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.books import shipped_items
from domain.case import CLOCK_RUNS, OPEN_STATUSES, STATUSES, Case, paused_after, status_after

MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)


def read(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo("UTC")).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def content_of(label: str) -> dict[str, Any]:
    """What was published as name@version."""
    name, version = label.split("@")
    return next(item["content"] for item in shipped_items() if (item["kind"], item["name"], item["version"]) == ("calendar", name, version))


def spans(calendar: dict[str, Any], day: date) -> list[tuple[datetime, datetime]]:
    """Working periods of a day, as moments."""
    text = day.isoformat()
    worked = text in calendar["workdays"] or (text not in calendar["holidays"] and day.weekday() + 1 in calendar["working_weekdays"])
    midnight = datetime.combine(day, datetime.min.time())
    found = []
    for first, last in calendar["periods"] if worked else []:
        ends = [midnight + timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (first, last)]
        found.append(tuple(moment.replace(tzinfo=ZoneInfo(calendar["zone"])).astimezone(ZoneInfo("UTC")) for moment in ends))
    return found  # type: ignore[return-value]


def working_spans(calendar: dict[str, Any], start: datetime, days: int = 500) -> list[tuple[datetime, datetime]]:
    """All working time after start, for some days."""
    first = start.astimezone(ZoneInfo(calendar["zone"])).date()
    every = [span for step in range(days) for span in spans(calendar, first + step * DAY)]
    return [(max(start, begins), ends) for begins, ends in every if ends > start]


def after_work(calendar: dict[str, Any], start: datetime, left: timedelta) -> datetime:
    if not left:
        return start
    for begins, ends in working_spans(calendar, start):
        if begins + left <= ends:
            return begins + left
        left -= ends - begins
    raise AssertionError("no deadline in 500 days")


def work_between(calendar: dict[str, Any], start: datetime, end: datetime) -> timedelta:
    days = (end - start).days + 2
    return sum((min(ends, end) - begins for begins, ends in working_spans(calendar, start, days) if begins < end), timedelta())


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
    local = working_spans(calendar, moment)[0][0].astimezone(zone)
    worked = [day for step in range(1, 500) if spans(calendar, day := local.date() + step * DAY)]
    return written(datetime.combine(worked[amount - 1], local.time()).replace(tzinfo=zone))


def pushed(due: str, stopped: str, runs_on: str, limit: dict[str, Any], calendar: dict[str, Any]) -> str:
    """A deadline after a clock stood still."""
    if due <= stopped or runs_on <= stopped:
        return due
    if limit["kind"] in ("urgent_hour", "natural_day"):
        return written(read(due) + (read(runs_on) - read(stopped)))
    ends = after_work(calendar, read(runs_on), work_between(calendar, read(stopped), read(due)))
    return written(working_spans(calendar, ends)[0][0] if limit["kind"] == "work_day" else ends)


def deadlines(history: list[Any]) -> str | None:
    """The deadline in force after a history; asserts that each recorded one is what anybody computes."""
    due, limit, calendar, stopped, until, running = None, None, None, None, None, True
    status: str | None = None
    paused: str | None = None
    for fact in history:
        topic, before = fact.TOPIC, status
        status, paused = status_after(topic, vars(fact), status, paused), paused_after(topic, status, paused)
        match topic:
            case "case.registered":
                limit, calendar = fact.limit, content_of(fact.calendar)
                due = deadline(fact.happened_at, limit, calendar)
                assert fact.dispatch_due_at == deadline(fact.happened_at, {"kind": "urgent_hour", "amount": 0.25}, calendar)
            case "case.reported":
                assert fact.accept_due_at == written(read(fact.happened_at) + timedelta(minutes=15))
            case "case.whistled":
                assert fact.muster_due_at == written(read(fact.happened_at) + timedelta(minutes=fact.muster_minutes))
            case "case.extended":
                due = deadline(due, {"kind": limit["kind"], "amount": fact.amount}, calendar)  # type: ignore[arg-type,index]
            case "case.reopened":
                due = deadline(fact.happened_at, limit, calendar)  # type: ignore[arg-type]
            case "case.suspended":
                stopped, until = fact.happened_at, fact.until
            case "case.merged":
                stopped, until, running = fact.happened_at, None, before in CLOCK_RUNS
            case "case.resumed" | "case.split" if due is not None and (topic == "case.resumed" or running):
                runs_on = fact.happened_at
                if until is not None:
                    midnight = datetime.combine(date.fromisoformat(until) + DAY, datetime.min.time(), ZoneInfo(calendar["zone"]))  # type: ignore[index]
                    runs_on = min(runs_on, written(midnight))
                due = pushed(due, stopped, runs_on, limit, calendar)  # type: ignore[arg-type]
            case "case.handled":
                assert fact.overtime == (fact.happened_at > due)  # type: ignore[operator]
        if getattr(fact, "due_at", None) is not None:
            assert fact.due_at == due, f"{topic}: recorded {fact.due_at}, recomputed {due}"
    return due


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
    assert case.due_at == deadlines(history)
    assert not case.clock_runs or (case.status in OPEN_STATUSES and case.status != "suspended")
    check_holders(history)
    check_people(history)
    replayed = None
    for fact in history:
        replayed = fact.mutate(replayed)
    assert replayed == case
