"""Every answer that is not a success: one table from what went wrong to status, code and title (RFC 9457). Read by all routes.

Raise ``Problem(code, detail, **facts)``, or an exception of ``EXCEPTIONS``, or a ``domain.errors.Refusal``. Codes are stable for ever.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException

from domain.errors import Refusal
from service.audit.journal import JournalRefused
from service.database import Busy, CommitUnknown
from service.ledger.keys import KeyRefused
from service.ledger.store import HistoryBehind
from service.scope import NotYourRole, OutOfScope

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:gridtrail:problem:"

CATALOGUE: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "bad_json": (400, "The body is not the JSON that is expected here"),
    "bad_cursor": (400, "The cursor is not one that this service gave out"),
    "bad_parameter": (400, "A parameter cannot be read"),
    "repeated_parameter": (400, "A parameter was given more than once"),
    "not_logged_in": (401, "A valid token is needed"),
    "wrong_login": (401, "Login or password is wrong"),
    "not_your_role": (403, "Your role may not do this here"),
    "session_needed": (403, "Only a login session may do this"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "This is not done here"),
    "not_acceptable": (406, "No such form of answer"),
    "conflict": (409, "It contradicts what is recorded"),
    "login_taken": (409, "The login is taken"),
    "version_changed": (412, "It was changed meanwhile"),
    "too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body has a type that is not read here"),
    "range_not_satisfiable": (416, "No such range"),
    "bad_fields": (422, "Fields are missing, unknown or wrong"),
    "password_too_weak": (422, "The password is too weak"),
    "if_match_needed": (428, "Say which version you saw"),
    "too_many_attempts": (429, "Too many attempts"),
    "headers_too_large": (431, "The headers are too large"),
    "internal_error": (500, "Something went wrong"),
    "read_model_behind": (503, "Not yet in the lists"),
    "database_unavailable": (503, "The database cannot be reached"),
    "database_busy": (503, "The database is busy"),
    "outcome_unknown": (503, "Whether it was recorded must be looked up"),
    "key_store_unavailable": (503, "The keys of personal values cannot be used"),
    "storage_full": (503, "There is no room left to record"),
    "history_behind": (503, "The database is not the one that was signed"),
    "journal_unwritable": (503, "What would be signed cannot be journalled"),
}
"""Code → status and title. Other modules add their codes with ``CATALOGUE.update`` when they are imported."""

CODE_OF_STATUS = {
    400: "bad_request",
    401: "not_logged_in",
    403: "not_your_role",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    412: "version_changed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "bad_fields",
    428: "if_match_needed",
    429: "too_many_attempts",
    431: "headers_too_large",
}

EXCEPTIONS: dict[type[Exception], str] = {
    OutOfScope: "not_found",
    NotYourRole: "not_your_role",
    Busy: "database_busy",
    CommitUnknown: "outcome_unknown",
    KeyRefused: "key_store_unavailable",
    HistoryBehind: "history_behind",
    JournalRefused: "journal_unwritable",
}
"""Exceptions whose type alone says what went wrong. Other modules add theirs with ``EXCEPTIONS.update``."""

RETRY_AFTER_S = 2
NO_ROOM = ("database or disk is full", "no space left", "disk full", "53100")


class Problem(Exception):
    """An answer that is not a success. facts become members of the body; headers are sent along."""

    def __init__(self, code: str, detail: str | None = None, *, headers: dict[str, str] | None = None, **facts: Any) -> None:
        self.code = code
        self.status, self.title = CATALOGUE[code]
        self.detail = detail
        self.facts = facts
        self.headers = headers or {}
        super().__init__(detail or self.title)


STANDARD = ("type", "title", "status", "code", "detail")


def problem_body(status: int, code: str, title: str, detail: str | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a problem document. A fact that bears a standard name (a case's status) is called current_<name>."""
    body = {"type": TYPE_PREFIX + code, "title": title, "status": status, "code": code}
    if detail is not None:
        body["detail"] = detail
    return body | {f"current_{name}" if name in STANDARD else name: value for name, value in facts.items()}


def problem_response(
    status: int, code: str, title: str, detail: str | None = None, facts: Mapping[str, Any] | None = None, headers: Any = ()
) -> Response:
    """The answer itself."""
    response = jsonify(problem_body(status, code, title, detail, facts or {}))
    response.status_code = status
    for name, value in dict(headers).items():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="gridtrail"')
    if status == 503:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    response.content_type = MEDIA_TYPE
    return response


def answer(wrong: Exception) -> Response:
    """The problem document of any exception."""
    if isinstance(wrong, Problem):
        return problem_response(wrong.status, wrong.code, wrong.title, wrong.detail, wrong.facts, wrong.headers)
    if isinstance(wrong, Refusal):
        return _refusal(wrong)
    if isinstance(wrong, HTTPException):
        return _http_exception(wrong)
    if isinstance(wrong, DBAPIError):
        return _database(wrong)
    for kind, code in EXCEPTIONS.items():
        if isinstance(wrong, kind):
            return problem_response(*_named(code), str(wrong) or None, vars(wrong))
    if _is_malformed(wrong):
        # Its words would say again what came in.
        return problem_response(*_named("bad_request"), "The body is not in the chunks that Transfer-Encoding announces.")
    return _unforeseen(wrong)


def _is_malformed(wrong: Exception) -> bool:
    """Whether gunicorn found, while the body was read, that it is no HTTP. Imported here: commands need no gunicorn."""
    from gunicorn.http.errors import ParseException

    return isinstance(wrong, ParseException)


def _named(code: str) -> tuple[int, str, str]:
    status, title = CATALOGUE[code]
    return status, code, title


def _refusal(refusal: Refusal) -> Response:
    """A rule of the field said no: 409 with its own code, or the status that its class names (422 for a field)."""
    status = getattr(refusal, "status", 409)
    title = "A field is wrong" if status == 422 else "A rule of the field says no"
    return problem_response(status, refusal.code, title, refusal.detail, refusal.facts)


def _http_exception(error: HTTPException) -> Response:
    """What Flask, Werkzeug or webargs raised, with its own headers (Allow, WWW-Authenticate, Retry-After)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    code = CODE_OF_STATUS.get(status, "bad_request" if status < 500 else "internal_error")
    data = getattr(error, "data", None) or {}
    errors = data.get("messages") or data.get("errors")
    title = CATALOGUE[code][1]
    # An absent page and an absent object must look the same, so a 404 never carries Werkzeug's sentence.
    detail = None if status == 404 or status >= 500 or errors else error.description
    facts = {"errors": errors} if errors else {}
    headers = [*error.get_headers(), *(data.get("headers") or {}).items()]
    return problem_response(status, code, title, detail, facts, headers)


def _database(wrong: DBAPIError) -> Response:
    """A database that cannot serve now is 503 with Retry-After; a statement that it finds wrong is our fault, 500."""
    said = f"{getattr(wrong.orig, 'sqlstate', '')} {wrong.orig}".lower()
    if any(sign in said for sign in NO_ROOM):
        code = "storage_full"
    elif isinstance(wrong, (OperationalError, InterfaceError)) or wrong.connection_invalidated:
        code = "database_unavailable"
    else:
        return _unforeseen(wrong)
    log.warning(code, error=type(wrong.orig).__name__, request_id=g.get("request_id"))
    return problem_response(*_named(code))


def _unforeseen(wrong: Exception) -> Response:
    """Nobody foresaw this: the log has everything, the answer has the request's id and nothing else."""
    log.error("unforeseen", request_id=g.get("request_id"), path=request.path, exc_info=wrong)
    return problem_response(*_named("internal_error"), facts={"request_id": g.get("request_id")})


def answer_all(app: Flask) -> None:
    """Every exception of the app is answered by the table."""
    app.register_error_handler(Exception, answer)
