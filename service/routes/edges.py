"""What is done around every request: admission, an id, the record of reads, an access line, headers, counts. Read by routes.register."""

import time
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from service.admission import BEGAN, Admission
from service.closing import Closing
from service.config import Config
from service.logs import configure_logging as configure_logging
from service.logs import request_id_of
from service.measures import count_request
from service.routes.reads import on_record

log = structlog.get_logger("access")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:{map_host}; "
    "manifest-src 'self'; worker-src 'self' blob:; media-src blob:; "
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


def surround(app: Flask, config: Config) -> None:
    """Hooks both ends of every request. Whose address it is is known first, then whether it is admitted."""
    app.config["PAGE_POLICY"] = page_policy(config)
    app.before_request(_begin)
    app.after_request(_end)
    app.wsgi_app = Closing(app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = Admission(app.wsgi_app, config, {**HEADERS, "Content-Security-Policy": DATA_POLICY})  # type: ignore[method-assign]
    if config.trusted_proxies:
        proxies = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]


def page_policy(config: Config) -> str:
    """What pages may load: this service alone, and pictures from the host of the base map where one is configured."""
    tiles = urlsplit(config.map_tiles)
    return PAGE_POLICY.format(map_host=f" {tiles.scheme}://{tiles.netloc}" if config.map_tiles else "")


def _begin() -> None:
    g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))
    g.begun = request.environ.get(BEGAN) or time.perf_counter()


def _end(response: Response) -> Response:
    response = on_record(response)
    page = response.mimetype in ("text/html", "text/css", "text/javascript")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", current_app.config["PAGE_POLICY"] if page else DATA_POLICY)
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
