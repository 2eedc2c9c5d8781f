"""What answers of the service look like; whatever else comes is somebody else's, such as the page of a network that wants a login.

Read by the reference client, which comes again later where an answer does not fit.
"""

from datetime import datetime
from typing import Any

TAKEN = frozenset({200, 201})
OUTCOMES = frozenset({"recorded", "duplicate", "refused"})
OUTCOME = {"seq": int, "outcome": OUTCOMES, "ledger": str, "position": int}
HEAD = {"ledger": str, "incarnation": str, "size": int, "root": str, "checkpoint": str}
ENROLLED = ("tablet", "token", "origin", "ledger", "area", "person", "ledger_origin", "checkpoint_key")
CHANGE = {"ledger": str, "kind": str, "id": str, "gone": bool, "data": object}
FORMS: dict[str, dict[str, Any]] = {
    "/v1/tablets/enrolments": {**dict.fromkeys(ENROLLED, str), "limits": dict},
    "/v1/sync/batches": {"size": int, "root": str, "outcomes": [OUTCOME], "ledgers": [HEAD], "received_at": datetime},
    "/v1/sync/disclosures": {"items": [{"digest": str, "outcome": str}]},
    "/v1/sync/standing": {"status": str, "size": int, "root": str, "frontier": [str]},
    "/v1/sync/changes": {"reset": bool, "items": [CHANGE], "next": str, "more": bool, "upload": {"size": int, "root": str}},
    "/v1/sync/personal": {"items": [dict]},
    "/v1/sync/proofs": {"checkpoint": str, "consistency": object, "entries": [dict]},
    "/log/keys": {"rotations": [str]},
}
"""By path: the members that the client reads, each with its type, its values, or what a list is made of."""


def fits(told: Any, form: Any) -> bool:
    """Whether an answer, or a part of it, has a form."""
    match form:
        case dict():
            return isinstance(told, dict) and all(name in told and fits(told[name], each) for name, each in form.items())
        case [each]:
            return isinstance(told, list) and all(fits(one, each) for one in told)
        case frozenset():
            return isinstance(told, str) and told in form
    return _is_moment(told) if form is datetime else isinstance(told, form)


def _is_moment(told: Any) -> bool:
    try:
        return datetime.fromisoformat(told).tzinfo is not None
    except (TypeError, ValueError):
        return False
