"""What is done around every request: an id, one access line, security headers, counts. Read by ``routes.register``."""

import logging
import re
import time
import uuid
from typing import Any

import structlog
from flask import Flask, Response, g, request

from service.config import Config
from service.routes.metrics import count_request

log = structlog.get_logger("access")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def configure_logging(config: Config) -> None:
    """One line per happening on standard output, as JSON or as text."""
    renderer: Any = structlog.processors.JSONRenderer() if config.log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if config.log_format == "json" else _as_it_is,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _as_it_is(_logger: Any, _name: str, event: Any) -> Any:
    return event


def surround(app: Flask) -> None:
    """Hooks both ends of every request."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.begun = time.perf_counter()


def _end(response: Response) -> Response:
    page = response.mimetype in ("text/html", "text/css", "text/javascript")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY if page else DATA_POLICY)
    response.headers["X-Request-ID"] = g.request_id
    _write_access_line(response)
    return response


def _write_access_line(response: Response) -> None:
    """The route's pattern stands for the path: ids and query values are not written, tokens never."""
    seconds = time.perf_counter() - g.begun
    route = request.url_rule.rule if request.url_rule else None
    who = g.get("visitor")
    count_request(route or "none", request.method, response.status_code, seconds)
    log.info(
        "request",
        request_id=g.request_id,
        person=who.actor.person if who else None,
        tablet=g.get("tablet_id"),
        method=request.method,
        route=route,
        status=response.status_code,
        ms=round(seconds * 1000, 1),
    )
