"""The blueprint of what tablets ask: their token, their policies, and bodies that are not JSON. Read by the sync and photo routes."""

import sys
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import g, request

from service.routes.nouns import Noun, bearer_token, gridtrail
from service.routes.parsing import refuse_odd_query

TABLET = "tablet"
TABLET_READS = "tablet_reads"
"""Policies: the token of any enrolled tablet, or of one that is neither revoked nor set aside."""


class TabletNoun(Noun):
    """A blueprint for operations whose caller is a tablet."""

    def tablet_operation(
        self,
        method: str,
        path: str,
        *,
        policy: str,
        answers: tuple[int, type[ma.Schema] | None],
        query: type[ma.Schema] | None = None,
        body: type[ma.Schema] | None = None,
        errors: tuple[int, ...] = (),
        doc: dict[str, Any] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares one operation of a tablet. body: a small JSON object; other bodies are read by the view itself."""
        known = frozenset(query().fields) if query else frozenset()
        statuses = {400, 401, 500, 503, *errors, *((403,) if policy == TABLET_READS else ()), *((413, 415, 422) if body else ())}

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            status, schema = answers
            wrapped = self.response(status, schema)(view)
            if body is not None:
                wrapped = self.arguments(body(), location="json")(wrapped)
            if query is not None:
                wrapped = self.arguments(query(), location="query", error_status_code=400)(wrapped)
            wrapped = _for_tablet(wrapped, policy, known)
            for each in sorted(statuses):
                wrapped = self.alt_response(each, HTTPStatus(each).name)(wrapped)
            wrapped = self.doc(operationId=view.__name__, **(doc or {}))(wrapped)
            wrapped.policy = policy
            self.route(path, methods=[method], endpoint=view.__name__)(wrapped)
            return view

        return decorate

    def photo_operation(
        self, method: str, *, policy: str, status: int, errors: tuple[int, ...], doc: dict[str, Any], known: frozenset[str] = frozenset()
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares an operation on one photo, which tells tablets and people apart itself."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            wrapped = self.response(status)(_with_query(view, known))
            for each in sorted({400, 401, 403, 500, 503, *errors, *((200,) if status == 201 else ())}):
                wrapped = self.alt_response(each, HTTPStatus(each).name)(wrapped) if each >= 400 else wrapped
            wrapped = self.doc(operationId=view.__name__, **doc)(wrapped)
            wrapped.policy = policy
            self.route("/<string:sha256>", methods=[method], endpoint=view.__name__)(wrapped)
            return view

        return decorate


def _with_query(view: Callable[..., Any], known: frozenset[str]) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refuse_odd_query(known)
        return view(*args, **kwargs)

    return guarded


def _for_tablet(view: Callable[..., Any], policy: str, known: frozenset[str]) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.tablet = gridtrail().enrolment.tablet_of(bearer_token(), reads=policy == TABLET_READS)
        g.tablet_id = str(g.tablet.tablet)
        refuse_odd_query(known)
        return view(*args, **kwargs)

    return guarded


def tablet() -> Any:
    """The state of the tablet that is asking."""
    return g.tablet


def open_stream() -> Any:
    """The body as a stream. The limit is checked by whoever reads it, so that the answer can name it."""
    # None would mean the application's own limit, which is that of JSON bodies.
    request.max_content_length = sys.maxsize
    return request.stream
