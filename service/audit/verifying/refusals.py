"""Judges kept refusals: deciding the entry again must refuse it with the same code. Read by the walk over a ledger.

Who could keep a good entry as refused could make a report disappear from every list, so a refusal is a decision like any other.
"""

import copy
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import orjson

from domain.aggregate import Act
from domain.clock import parse_utc
from domain.errors import Refusal, all_refusals
from domain.refusals import TabletRevoked
from projections.recorded import Recorded
from service.audit.verifying.judging import LOST, Judge, Judging
from service.audit.verifying.knowledge import Enrolled
from service.audit.verifying.streams import Held
from service.audit.verifying.tablets import FORKED, leaf_of
from service.ledger.tree import leaf_hash
from service.problems import Problem
from service.sync.batch import Line, line_of
from service.sync.keeping import keep
from service.sync.refusals import Forked, MalformedEntry, TimeOutOfRange, Undecided, UnknownKind, UnknownVersion

UNREPEATABLE = frozenset({Undecided.code, UnknownKind.code, UnknownVersion.code, Forked.code})
"""Codes of which a later release, or another history of the tablet, may judge otherwise."""
DEEPEST, SHALLOWEST = 64, 3
"""The bounds within which the setting for the deepest nesting of an entry lies; which it was then is not on record."""
AS_IT_SAYS = frozenset({"detail", "facts", "code", "personal"})
"""Members of a refusal that are compared by their code alone: sentences may be put better in a later release, and salts are random."""


def kept(judge: Judge, event: Recorded, raw: bytes | None) -> None:
    """Judges one kept refusal. raw: the entry's bytes, where whoever verifies has the vault; without, what the event says of itself."""
    told = event.state
    enrolled = judge.knowledge.tablets.get(str(told.get("tablet")))
    if enrolled is None:
        judge.report("tablet_unknown", event.position, f"tablet {told.get('tablet')}")
        return
    leaf = leaf_of(event)
    if leaf is None or (raw is not None and leaf_hash(raw) != leaf):
        judge.report("derived_wrong", event.position, "refused.kept: the leaf is not that of the entry")
        return
    if not _is_named(event, told, leaf):
        judge.report("derived_wrong", event.position, f"refused.kept: the stream {event.stream} does not follow from the entry")
    if told["code"] not in all_refusals():
        judge.report("refused_wrongly", event.position, f"{told['code']!r} is no refusal")
    elif told["code"] != Forked.code and raw is not None:
        _decide_again(judge, event, raw, enrolled)


def _is_named(event: Recorded, told: dict[str, Any], leaf: bytes) -> bool:
    """Whether the stream is the one of this entry, or a new id, as it gets where its own was taken."""
    mark = "fork:" if told["code"] == FORKED else ""
    name = f"{mark}{told['seq']}:{leaf.hex()}"
    return str(uuid5(UUID(told["tablet"]), name)) == event.stream or UUID(event.stream).version == 4


def _decide_again(judge: Judge, event: Recorded, raw: bytes, enrolled: Enrolled) -> None:
    told, moment = event.state, event.recorded_at
    line = _line_of(told["seq"], raw, DEEPEST)
    if line.fault is None and told["code"] == MalformedEntry.code:
        line = _line_of(told["seq"], raw, SHALLOWEST)
    begins, ends = judge.around(moment)
    entry = line.entry if line.entry is not None and line.fault is None else None
    area = entry["area"] if entry is not None else enrolled.area
    whom, places = judge.knowledge.moments(enrolled.person, [area], begins, ends)
    first: tuple[str, list[str]] | None = None
    for instead in _earlier(judge, entry, begins):
        judge.known.instead = instead
        try:
            for who in (moment, begins, *whom):
                for where in (moment, begins, *places):
                    code, wrong = _outcome(judge, event, line, enrolled, who, where)
                    if code == told["code"] and not wrong:
                        return
                    first = first or (code, wrong)
        finally:
            judge.known.instead = {}
    code, wrong = first or ("", [])
    if code != told["code"]:
        judge.report("refused_wrongly", event.position, f"kept as {told['code']}; deciding again gives {code}")
    else:
        judge.report("derived_wrong", event.position, f"refused.kept: {', '.join(wrong)}")


def _line_of(seq: int, raw: bytes, depth: int) -> Line:
    try:
        return line_of(seq, raw, depth)
    except Problem as wrong:
        return Line(seq, raw, None, Refusal(str(wrong)))


def _outcome(judge: Judge, event: Recorded, line: Line, enrolled: Enrolled, who: str, where: str) -> tuple[str, list[str]]:
    """The code that deciding gives ("recorded" where it refuses nothing), and the fields in which the kept fact differs."""
    told = event.state
    judging = Judging(judge.zone, judge.knowledge, judge.known, enrolled.person, enrolled.tablet, who, where)
    day = judge.day_of(told["happened_at"])
    refusal, act = _refusal_of(judge, event, line, judging, day)
    if refusal is None:
        return "recorded", []
    if told["code"] in UNREPEATABLE:
        refusal = all_refusals()[told["code"]]()
    # An act that was admitted is kept where its entry wanted to be; any other in the tablet's own area.
    area = line.entry["area"] if act is not None and line.entry is not None else enrolled.area
    act = act or Act(enrolled.person, judging.role_on(day), told["happened_at"], day, (), enrolled.tablet)
    decided = orjson.loads(keep(UUID(enrolled.tablet), line, refusal, area, act)[0].state)
    if area[:9] != event.ledger:
        return refusal.code, ["ledger"]
    names = ({**decided, **told}).keys() - AS_IT_SAYS
    return refusal.code, sorted(name for name in names if decided.get(name) != told.get(name))


def _refusal_of(judge: Judge, event: Recorded, line: Line, judging: Judging, day: str) -> tuple[Refusal | None, Act | None]:
    told = event.state
    revoked = judge.knowledge.last_valid.get(judging.tablet)
    if told["code"] == TabletRevoked.code and revoked is not None:
        known = {revoked.at(moment, None) for moment in (event.recorded_at, *judge.around(event.recorded_at))}
        if any(last is not None and told["seq"] > last for last in known):
            return TabletRevoked(), None
    if line.fault is not None or line.entry is None:
        return line.fault or Refusal(), None
    entry = line.entry
    if not _is_a_time(entry["occurred_at"]):
        return TimeOutOfRange(), None
    act = None
    try:
        act = judging.act_of(entry, line.raw, told["happened_at"], day)
        judging.made_of(entry, act, copied(judge.known.get((entry["area"][:9], entry["id"]))))
    except Refusal as refusal:
        return refusal, act
    except Exception:
        return Undecided(), act
    return (all_refusals()[told["code"]](), act) if told["code"] in UNREPEATABLE else (None, act)


def _is_a_time(text: str) -> bool:
    try:
        return 1970 <= parse_utc(text).year < 2101
    except (ValueError, OverflowError):
        return False


def copied(aggregate: Any) -> Any:
    """The same aggregate, to try a decision on: facts put new values in the place of old ones and change none."""
    if aggregate is None:
        return None
    other = copy.copy(aggregate)
    other._pending_events = []
    return other


def _earlier(judge: Judge, entry: dict[str, Any] | None, begins: str) -> Iterable[dict[str, Any]]:
    """As the streams stand, and as the decision may have seen them: what others recorded while it was made was not there."""
    if entry is None:
        yield {}
        return
    yield from judge.earlier(entry["data"], begins)
    held: Held | None = judge.streams.get(entry["id"])
    if held is not None and held.aggregate is not LOST and held.positions:
        for aggregate in judge.shortly_before(held, begins):
            yield {entry["id"]: aggregate}
    for name in ("visit", "patrol", "into"):
        if isinstance(entry["data"].get(name), str):
            yield {entry["data"][name]: None}
