"""The blueprint of one noun: each operation is declared with its policy, its query, its body and its answers. Read by every route file.

``Noun.operation`` is the only way to add a route, so that no route is without a policy and none is without its documentation.
"""

from collections.abc import Callable
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, cast

import marshmallow as ma
from flask import current_app, g, request
from flask_smorest import Blueprint

from domain.areas import department_of
from service.database import reading
from service.identity import Visitor
from service.problems import Problem
from service.routes.parsing import StrictParser, read_cursor, read_position, refuse_odd_query, write_cursor
from service.routes.reads import PURPOSE_HEADER
from service.scope import Actor, OutOfScope, authorise
from service.wiring import Gridtrail

PUBLIC = "public"
LOGGED_IN = "logged_in"
ALWAYS = (400, 500, 503)
WITH_TOKEN = (401, 403)
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The ETag of the case as it was read.",
    "schema": {"type": "string", "pattern": r'^("\d{1,12}"|\*)$'},
}
ETAG = {"ETag": {"description": "The version.", "schema": {"type": "string"}}}


def gridtrail() -> Gridtrail:
    """The pieces of the running service."""
    return cast(Gridtrail, current_app.extensions["gridtrail"])


def visitor() -> Visitor:
    """Who is asking, in an operation that is not public."""
    return cast(Visitor, g.visitor)


def actor() -> Actor:
    """The actor who is asking."""
    return visitor().actor


def bearer_token() -> str:
    """The token of the Authorization header. Problem not_logged_in where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem("not_logged_in", "Send Authorization: Bearer <token>.")
    return token.strip()


class Noun(Blueprint):
    """A blueprint whose operations all state who may do them."""

    ARGUMENTS_PARSER = StrictParser()

    def register_views_in_doc(self, api: Any, app: Any, spec: Any, *, name: str, parameters: Any) -> None:
        """Called by flask-smorest at the start. What is documented is worked out when somebody asks: it takes longer than all else."""
        api.undocumented.append(partial(super().register_views_in_doc, api, app, spec, name=name, parameters=parameters))

    def operation(
        self,
        method: str,
        path: str,
        *,
        policy: str,
        answers: tuple[int, type[ma.Schema] | None] | tuple[int, None, str],
        query: type[ma.Schema] | None = None,
        body: type[ma.Schema] | ma.Schema | None = None,
        errors: tuple[int, ...] = (),
        reads: str | None = None,
        personal: bool = False,
        headers: dict[str, Any] | None = None,
        endpoint: str | None = None,
        doc: dict[str, Any] | None = None,
        open_by: str | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares one operation.

        policy   PUBLIC, LOGGED_IN, or an action of scope.ACTIONS_BY_ROLE, asked before anything of the request is read
        open_by  the setting that opens the operation to everybody; nobody is asked for a token then
        answers  status, schema (None for no JSON), media type
        errors   further statuses; those that any operation can have are added
        reads    the read model to wait for where min_position is given
        personal whether the answer may hold personal values: told only on record, and to others than the field staff only with a purpose
                 (the view says which with ``service.routes.reads.reads``)
        """
        # One instance of each schema for all requests: making one costs more than loading a query with it.
        known = frozenset(query().fields) if query else frozenset()
        statuses = {*ALWAYS, *errors, *(WITH_TOKEN if policy != PUBLIC else ()), *((413, 415, 422) if body else ())}

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            status, schema, *media_type = answers
            wrapped = self.response(status, schema, content_type=media_type[0] if media_type else "application/json", headers=headers)(view)
            if body is not None:
                wrapped = self.arguments(body() if isinstance(body, type) else body, location="json")(wrapped)
            wrapped = _waiting(wrapped, reads)
            if query is not None:
                wrapped = self.arguments(query(), location="query", error_status_code=400)(wrapped)
            wrapped = _guarded(wrapped, policy, known, open_by)
            # Said in one piece: each alt_response copies all that was said before, schemas too, and is one more call for each request.
            manual = dict(doc or {})
            manual["responses"] = {str(each): HTTPStatus(each).name for each in sorted(statuses)} | manual.get("responses", {})
            if method == "GET" and policy != PUBLIC:
                manual["parameters"] = [*manual.get("parameters", ()), PURPOSE_HEADER]
            if policy == PUBLIC:
                manual["security"] = []
            wrapped = self.doc(operationId=endpoint or view.__name__, **manual)(wrapped)
            wrapped.policy = policy
            wrapped.personal = personal
            self.route(path, methods=[method], endpoint=endpoint or view.__name__)(wrapped)
            return view

        return decorate


def _guarded(view: Callable[..., Any], policy: str, known: frozenset[str], open_by: str | None) -> Callable[..., Any]:
    """Who is asking, and whether the operation is open to them at all, before a byte of the rest is read."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if policy != PUBLIC and not (open_by and getattr(gridtrail().config, open_by)):
            g.visitor = gridtrail().identity.visitor(bearer_token())
            if policy != LOGGED_IN:
                authorise(g.visitor.actor, policy)
        refuse_odd_query(known)
        return view(*args, **kwargs)

    return guarded


def _waiting(view: Callable[..., Any], read_model: str | None) -> Callable[..., Any]:
    """Read your writes: a reader who names a position waits, bounded, until the list has reached it."""
    if read_model is None:
        return view

    @wraps(view)
    def waiting(query: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if "min_position" in query:
            wait_for(query["min_position"], read_model)
        return view(query, *args, **kwargs)

    return waiting


def wait_for(text: str, read_model: str) -> None:
    """Waits until a read model has reached ``<ledger>:<position>``. Problem read_model_behind after the configured time."""
    ledger, position = read_position(text)
    if not any(_same_branch(ledger, grant.unit) for grant in actor().grants):
        raise OutOfScope
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        head = pieces.ledgers.head(conn, ledger)
    if head is None or position >= head.size:
        # Waiting cannot help: only what was recorded is ever read.
        raise Problem("bad_parameter", f"No entry was recorded at position {position} of {ledger}.", ledger=ledger)
    if not pieces.follower.wait_for(ledger, read_model, position, pieces.config.wait_for_position_s):
        raise Problem("read_model_behind", f"{read_model} has not reached position {position} of {ledger} yet.", ledger=ledger)


def _same_branch(ledger: str, unit: str) -> bool:
    """Whether a ledger belongs to a unit's subtree, or the unit to the ledger's area."""
    area = unit.partition("/")[0]
    return ledger.startswith(area) or area.startswith(ledger) or (department_of(unit) is not None and area.startswith(ledger[: len(area)]))


def paged(query: dict[str, Any], find: Callable[..., list[dict[str, Any]]], **key: type | range) -> dict[str, Any]:
    """One page of a list: find(after=…, limit=…) gives rows in the order of key, the columns that the cursor names.

    Where find looked at only a part of the list, the next page goes on from there, also behind a page that is short.
    """
    after = read_cursor(query, tuple(key.values()))
    rows = find(after=after, limit=query["limit"] + 1)
    shown = rows[: query["limit"]]
    following = [shown[-1][name] for name in key] if len(rows) > len(shown) else getattr(rows, "reached", None)
    return {"items": shown, "next": write_cursor(list(following), query) if following is not None else None}


def filters(query: dict[str, Any]) -> dict[str, Any]:
    """What a list is narrowed by: the query without what pages and waiting need."""
    return {name: value for name, value in query.items() if name not in ("cursor", "limit", "min_position")}
