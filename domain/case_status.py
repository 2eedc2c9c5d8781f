"""The status of a case as a pure table: what it is after each fact. Read by the aggregate and by the read models, so that both agree."""

from collections.abc import Callable
from typing import Any

STATUSES = (
    "reported",
    "verified",
    "accepted",
    "registered",
    "dispatched",
    "mustering",
    "acknowledged",
    "rework",
    "self_handled",
    "handled",
    "check_failed",
    "checked",
    "suspended",
    "rejected",
    "merged",
    "closed",
)
"""In the order of a case's life; the last four stand outside it. registered: waits for its holder to dispatch or to take it up.

self_handled: solved on the spot before it was registered. If the check passes, it never needs to be; if it fails, the case is accepted
and must be registered like any other, so that no open case goes on without a time limit.
"""

OVER_STATUSES = frozenset({"rejected", "merged", "closed"})
OPEN_STATUSES = frozenset(STATUSES) - OVER_STATUSES
UNREGISTERED_STATUSES = frozenset({"reported", "verified", "accepted"})
CLOCK_RUNS = frozenset({"registered", "dispatched", "mustering", "acknowledged", "rework", "check_failed"})
"""Statuses in which the time limit runs. After handling, others are waited for; suspended, rejected, merged and closed stand still."""

Fields = dict[str, Any]
Next = str | Callable[[Fields, str, str | None], str]


def _verified(fields: Fields, before: str, paused: str | None) -> str:
    return "verified" if before == "reported" else before


def _sent(status: str) -> Next:
    """Moving a case that is not registered yet changes its holder only."""
    return lambda fields, before, paused: before if before in UNREGISTERED_STATUSES else status


def _mustered(fields: Fields, before: str, paused: str | None) -> str:
    return "acknowledged" if before == "mustering" and fields.get("unit") == fields.get("holder") else before


def _self_handled(fields: Fields, before: str, paused: str | None) -> str:
    return "self_handled" if before in UNREGISTERED_STATUSES else "handled"


def _checked(fields: Fields, before: str, paused: str | None) -> str:
    if fields.get("passed"):
        return "checked"
    return "accepted" if before == "self_handled" else "check_failed"


def _unpaused(fields: Fields, before: str, paused: str | None) -> str:
    return paused or "registered"


NEXT: dict[str, Next] = {
    "case.reported": "reported",
    "case.verified": _verified,
    "case.accepted": "accepted",
    "case.registered": "registered",
    "case.rejected": "rejected",
    "case.dispatched": "dispatched",
    "case.acknowledged": "acknowledged",
    "case.transferred": _sent("dispatched"),
    "case.returned": _sent("registered"),
    "case.escalated": _sent("registered"),
    "case.referred": _sent("dispatched"),
    "case.whistled": "mustering",
    "case.mustered": _mustered,
    "case.handled": "handled",
    "case.self_handled": _self_handled,
    "case.suspended": "suspended",
    "case.resumed": _unpaused,
    "case.checked": _checked,
    "case.reworked": "rework",
    "case.closed": "closed",
    "case.reopened": "registered",
    "case.merged": "merged",
    "case.split": _unpaused,
}
"""Facts that are not named here (extended, evaluated, overtime_exempted) leave the status as it was."""


def status_after(topic: str, fields: Fields, before: str | None, paused: str | None = None) -> str:
    """The status after a fact. before: the status it had; paused: what paused_after gave after the fact before."""
    here = before or "reported"
    following = NEXT.get(topic, here)
    return following if isinstance(following, str) else following(fields, here, paused)


def paused_after(topic: str, before: str | None, paused: str | None) -> str | None:
    """The status that a suspended or merged case goes back to, to be kept beside the status; None where it is neither."""
    if topic in ("case.suspended", "case.merged"):
        return before
    return None if topic in ("case.resumed", "case.split") else paused
