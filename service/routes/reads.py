"""Which answers go on record before they leave: all that an auditor reads, and all personal data. Read by edges, nouns and the routes.

It stands at the one place that every answer passes, and asks who was told it, not which route made it: a new operation cannot forget it.
"""

from typing import Any

import orjson
from flask import Response, current_app, g, request

from service.access import purpose_said
from service.problems import Problem, answer
from service.scope import AUDITOR, Actor

READS = frozenset({"GET", "HEAD"})
PURPOSE_HEADER = {
    "in": "header",
    "name": "Gridtrail-Purpose",
    "required": False,
    "description": "Why you read this, 3 to 200 characters, UTF-8 or percent-encoded; it goes on record with the read. Needed for personal "
    "values of a case or visit that one did not handle oneself.",
    "schema": {"type": "string", "pattern": r"^[\x20-\x7e]{3,200}$"},
}


def reads(*, ledger: str | None = None, object: str | None = None, subject: str | None = None, own: bool | None = None) -> None:
    """Said by a view: what it is about to tell, for the record of reads.

    own: whether the reader is the field staff of the case or visit, who need not say why they read personal values. A view that says
    own=False, as well as a personal operation that says nothing, is refused without a purpose.
    """
    said = {"ledger": ledger, "object": object, "subject": subject, "own": own}
    g.read = {**g.get("read", {}), **{name: value for name, value in said.items() if value is not None}}


def on_record(response: Response) -> Response:
    """The same answer, once it is on record; or the problem why it may not leave. Other answers pass untouched."""
    if response.status_code >= 400:
        return response
    personal = _personal()
    reader = _reader()
    if reader is None or not (personal or (request.method in READS and _is_auditor(reader))):
        return response
    try:
        if personal and not g.get("read", {}).get("own") and purpose_said() is None:
            raise Problem("purpose_needed", "These are personal values of others. Say why you read them: send Gridtrail-Purpose.")
        if not g.get("access_recorded"):
            _record(reader, response)
    except Problem as problem:
        response.close()
        return answer(problem)
    return response


def _personal() -> bool:
    """Whether personal values are told: the operation is declared so, or its view has said whose they are."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "personal", False)) or "own" in g.get("read", {})


def _reader() -> Actor | None:
    """The person who asked, or the one whose tablet did. None for what is public."""
    visitor, tablet = g.get("visitor"), g.get("tablet")
    if visitor is not None:
        actor: Actor = visitor.actor
        return actor
    return Actor(str(tablet.person), (), str(tablet.tablet)) if tablet is not None else None


def _is_auditor(reader: Actor) -> bool:
    return any(grant.role == AUDITOR for grant in reader.grants)


def _record(reader: Actor, response: Response) -> None:
    said: dict[str, Any] = g.get("read", {})
    named = {name: str(value) for name, value in (request.view_args or {}).items()}
    filters = {name: value for name, value in request.args.items() if name != "cursor"}
    current_app.extensions["gridtrail"].access.record(
        None,
        reader,
        request.endpoint.rpartition(".")[2] if request.endpoint else request.path[:80],
        ledger=said.get("ledger") or named.get("ledger") or filters.get("area"),
        object=said.get("object") or ("/".join(named.values()) or None),
        subject=said.get("subject"),
        rows=_rows_of(response),
        filters=filters,
    )


def _rows_of(response: Response) -> int:
    """How many rows an answer tells: those of a list, and 1 for anything else."""
    if response.mimetype != "application/json" or response.direct_passthrough or response.is_streamed:
        return 1
    try:
        whole = orjson.loads(response.get_data())
    except ValueError:
        return 1
    items = whole.get("items") if isinstance(whole, dict) else None
    return len(items) if isinstance(items, list) else 1
