"""What the roll-ups count: each case as the few items that are counted of it, each at its moment. Read by projections.counting.

A case is several things to a statistic: a report made, a registration, a deadline that falls due, a closing, a rating. Each is a row with
its moment and its marks (``late``, ``extended``, …), so that the numbers of any period are one count over a stretch of an index, and no
period has to be thought of beforehand. domain.indicators.COUNTS says which marks make which number.

    cohort     its moment                      marks
    report     reported                        valid, rejected, merged
    register   registered                      late, exempt
    dispatch   first dispatch after it         returned
    due        the deadline in force           late, extended, reworked, exempt, closed_late (and by when)
    spot       solved before registering       closed_at
    close      closed                          grid, community, subdistrict, county
    rating     rated                           very_satisfied, satisfied, dissatisfied
    reopen     reopened                        none

A case that is reopened begins a new round with a deadline of its own; the items of the round before stay what they were. A suspended or
merged case has no deadline that could fall due. ``late`` is kept for ever: an exemption only adds ``exempt`` beside it.

The row with the cohort ``""`` is the case itself (``state``): what the next event is folded into. It has no moment and is not counted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL
from domain.case_status import UNREGISTERED_STATUSES, paused_after, status_after
from projections.model import Key
from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import AREA, ID, NEVER, TIME, given, key, maybe, read_model_table, text

NAME = "summaries"

TABLE = read_model_table(
    "summaries",
    key("case_id", ID),
    key("round", sa.Integer),
    key("cohort", text(16)),
    given("area", AREA),  # the community, or the case's area where it lies above
    given("at", TIME),
    given("marks", text()),
    maybe("handled_at", TIME),
    maybe("closed_at", TIME),
    maybe("state", sa.Text),
)
C = TABLE.c
sa.Index("summaries_at", C.ledger, C.at, C.cohort, C.area, C.marks, C.handled_at, C.closed_at)

ITSELF = ""
COMMUNITY = LENGTH_OF_LEVEL["community"]
State = dict[str, Any]
Fields = dict[str, Any]
Item = tuple[str, str, str | None, str | None]
"""Moment, marks, handled at, closed at."""

# ---- the case itself: only what is set stands in its state

OF_A_ROUND = frozenset(
    {
        *("due", "handled", "late", "extended", "reworked", "exempt", "dispatched", "returned"),
        *("closed", "closed_late", "level", "rated", "rating", "reopened"),
    }
)
"""Members of the state that a new round begins without. The others: status, paused, round, reported, registered, accept_late, spot."""


def keys(event: Recorded) -> Iterable[Key]:
    return ((event.stream, 0, ITSELF),)


def fold(key: Key, row: Row | None, event: Recorded) -> Row:
    topic, fields = event.topic, event.fields
    if row is None:
        if topic != "case.reported":
            raise ValueError(f"a case begins with case.reported, not with {topic}")
        state: State = {"round": 1}
    else:
        state = orjson.loads(row["state"])
    before, paused = state.get("status"), state.get("paused")
    CHANGES[topic](state, fields)
    state["status"] = status_after(topic, fields, before, paused)
    state["paused"] = paused_after(topic, before, paused)
    told = orjson.dumps({name: value for name, value in state.items() if value}).decode()
    return _row(event.stream, 0, ITSELF, fields["area"][:COMMUNITY], (NEVER, "", None, None), told)


def _row(case: str, round: int, cohort: str, area: str, item: Item, state: str | None = None) -> Row:
    at, marks, handled_at, closed_at = item
    return {
        "case_id": case,
        "round": round,
        "cohort": cohort,
        "area": area,
        "at": at,
        "marks": marks,
        "handled_at": handled_at,
        "closed_at": closed_at,
        "state": state,
    }


def _reported(state: State, fields: Fields) -> None:
    state["reported"] = fields["happened_at"]


def _accepted(state: State, fields: Fields) -> None:
    state["accept_late"] = bool(fields.get("overtime"))


def _registered(state: State, fields: Fields) -> None:
    state["registered"], state["due"] = fields["happened_at"], fields["due_at"]


def _dispatched(state: State, fields: Fields) -> None:
    if state.get("registered") and not state.get("dispatched"):
        state["dispatched"] = fields["happened_at"]


def _returned(state: State, fields: Fields) -> None:
    state["returned"] = bool(state.get("dispatched"))


def _handled(state: State, fields: Fields) -> None:
    state["handled"] = fields["happened_at"]
    state["late"] = bool(state.get("late") or fields.get("overtime"))


def _self_handled(state: State, fields: Fields) -> None:
    """Solved before anybody registered it, or as any other."""
    if state["status"] in UNREGISTERED_STATUSES:
        state["spot"] = fields["happened_at"]
    else:
        _handled(state, fields)


def _extended(state: State, fields: Fields) -> None:
    state["due"], state["extended"] = fields["due_at"], True


def _due_again(state: State, fields: Fields) -> None:
    state["due"] = fields.get("due_at") or state.get("due")


def _checked(state: State, fields: Fields) -> None:
    """What did not pass was not handled, nor solved on the spot."""
    if not fields["passed"]:
        state["handled"] = state["spot"] = None


def _reworked(state: State, fields: Fields) -> None:
    state["reworked"], state["handled"] = True, None


def _evaluated(state: State, fields: Fields) -> None:
    state["rated"], state["rating"] = fields["happened_at"], fields["rating"]


def _closed(state: State, fields: Fields) -> None:
    state["closed"], state["closed_late"], state["level"] = fields["happened_at"], bool(fields.get("overtime")), fields["level"]


def _reopened(state: State, fields: Fields) -> None:
    for name in OF_A_ROUND & state.keys():
        del state[name]
    state.update(round=state["round"] + 1, due=fields["due_at"], reopened=fields["happened_at"])


def _exempted(state: State, fields: Fields) -> None:
    state["exempt"] = True


def _nothing_more(state: State, fields: Fields) -> None:
    """The status after it says all."""


CHANGES: dict[str, Callable[[State, Fields], None]] = {
    "case.reported": _reported,
    "case.verified": _nothing_more,
    "case.accepted": _accepted,
    "case.registered": _registered,
    "case.rejected": _nothing_more,
    "case.dispatched": _dispatched,
    "case.acknowledged": _nothing_more,
    "case.transferred": _nothing_more,
    "case.returned": _returned,
    "case.escalated": _nothing_more,
    "case.referred": _dispatched,
    "case.whistled": _dispatched,
    "case.mustered": _nothing_more,
    "case.handled": _handled,
    "case.self_handled": _self_handled,
    "case.extended": _extended,
    "case.suspended": _nothing_more,
    "case.resumed": _due_again,
    "case.checked": _checked,
    "case.reworked": _reworked,
    "case.evaluated": _evaluated,
    "case.closed": _closed,
    "case.reopened": _reopened,
    "case.merged": _nothing_more,
    "case.split": _due_again,
    "case.overtime_exempted": _exempted,
}
TOPICS = frozenset(CHANGES)

# ---- the items that are counted of it


def spread(before: Row | None, after: Row | None, event: Recorded) -> Iterator[tuple[Key, Row | None]]:
    """The items that the event made, changed or removed. Those of a round that is over are left as they are."""
    assert after is not None
    if event.topic in SILENT:
        return
    case, area, here = event.stream, after["area"], orjson.loads(after["state"])
    items, was = items_of(here), items_of(orjson.loads(before["state"])) if before is not None else {}
    for place, item in items.items():
        if was.get(place) != item:
            yield (case, *place), _row(case, *place, area, item)
    for place in was.keys() - items.keys():
        if place[0] == here["round"]:
            yield (case, *place), None


def items_of(state: State) -> dict[tuple[int, str], Item]:
    """What is counted of a case as it stands, by round and cohort."""
    here, told = state["round"], state.get
    items: dict[tuple[int, str], Item] = {(1, "report"): (state["reported"], _validity(state), None, None)}
    if here == 1:
        if told("registered"):
            items[1, "register"] = (state["registered"], " ".join([mark for mark, name in REGISTER_MARKS if told(name)]), None, None)
        if told("spot"):
            items[1, "spot"] = (state["spot"], "", None, told("closed"))
    if told("dispatched"):
        items[here, "dispatch"] = (state["dispatched"], "returned" if told("returned") else "", None, None)
    if told("due") and state["status"] not in STANDS_STILL:
        marks = " ".join([name for name in DUE_MARKS if told(name)])
        items[here, "due"] = (state["due"], marks, told("handled"), told("closed"))
    if told("closed"):
        items[here, "close"] = (state["closed"], state["level"], None, None)
    if told("rated"):
        items[here, "rating"] = (state["rated"], state["rating"], None, None)
    if told("reopened"):
        items[here, "reopen"] = (state["reopened"], "", None, None)
    return items


SILENT = frozenset(topic for topic, change in CHANGES.items() if change is _nothing_more) - {
    "case.rejected",
    "case.suspended",
    "case.merged",
}
"""Facts that move a case and change nothing that is counted of it."""
REGISTER_MARKS = (("exempt", "exempt"), ("late", "accept_late"))
DUE_MARKS = ("closed_late", "exempt", "extended", "late", "reworked")
STANDS_STILL = frozenset({"suspended", "merged"})


def _validity(state: State) -> str:
    """Whether the report was found to be a case: where it was registered, or solved on the spot. Nothing as long as nobody decided."""
    if state["status"] in ("rejected", "merged"):
        return str(state["status"])
    return "valid" if state.get("registered") or state.get("spot") else ""
