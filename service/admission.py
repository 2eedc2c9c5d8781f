"""Who is served now, who waits shortly, and who is told to come again: back-pressure before anything is read or asked of the database.

Each process works on a bounded number of requests at once; a few more wait, at most about half a second; everybody else gets 503
``overloaded`` at once, which costs little, with a Retry-After that spreads the crowd over the time that it will take to serve it.

- What is recorded goes before what is asked: queries have at most half of the places, and give way.
- A tablet has one upload at a time in a process; the next gets 429 ``upload_in_progress``. Between processes the tablet's state is
  compared and moved on in one transaction, so that a second upload finds the first one's entries and records nothing twice.
- Among those who wait, whoever brought least so far comes first: a greedy tablet starves nobody.

The caller is known by the token as it was sent, which nobody has verified yet: a wrong one gets 401 soon enough.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import structlog

from service import deadlines
from service.closing import close
from service.config import Config
from service.gate import Gate, Lane, Refused
from service.logs import request_id_of
from service.measures import RUNNING, TURNED_AWAY, count_request
from service.problems import CATALOGUE, MEDIA_TYPE, problem_body

CATALOGUE.update(
    {
        "overloaded": (503, "More is asked than can be done now"),
        "upload_in_progress": (429, "An upload of this tablet is being taken"),
    }
)

log = structlog.get_logger("access")

BATCHES = "/v1/sync/batches"
BEGAN = "gridtrail.began"
"""Where the WSGI environment says when the request arrived."""
REASONS = {429: "429 Too Many Requests", 503: "503 Service Unavailable"}
MIXED = 0.15
"""Of those who had to wait, so many lose their connection after the answer: connections stay with one process, and the next one goes to
whichever has time to accept it. So no process is crowded for long while another is not."""
OPEN = ("/health", "/ready", "/metrics", "/docs", "/openapi.json")
"""Never turned away: they are few, cheap, or what operators look at when all else is full."""
OF_THE_PAGES = ("/tablet/", "/console/", "/pages/", "/texts/", "/vendor/")
"""The pages' files, read and never turned away: they come from memory, and a page of which half is there helps nobody. A browser asks for
dozens at once, and after that only whether they changed."""

BATCH = Lane("batches", 0, 1.0, 1.0, single=True)
WRITE = Lane("writes", 0, 1.0, 1.0)
QUERY = Lane("queries", 1, 0.5, 0.5)
PAST = Lane("pasts", 1, 0.25, 0.5)
"""Queries as of a moment, which fold history: few at once, so that the others go on."""


def lane_of(method: str, path: str, query: str = "") -> Lane | None:
    """The lane of a request, None where it is open to all."""
    if path.startswith(OPEN) or (method in ("GET", "HEAD") and (path == "/" or path.startswith(OF_THE_PAGES))):
        return None
    if "as_of=" in query and path.startswith("/v1/cases"):
        return PAST
    if method in ("GET", "HEAD", "OPTIONS") or path == "/v1/sessions":
        return QUERY
    return BATCH if path == BATCHES else WRITE


class Admission:
    """WSGI middleware: admits requests to the application, and gives each a deadline."""

    def __init__(self, application: Any, config: Config, headers: dict[str, str]) -> None:
        slots = max(1, min(config.slots, config.threads // 2))
        self.application = application
        self.config = config
        self.headers = headers
        # One thread is left over, to turn others away while all places are taken.
        self.gate = Gate(slots, max(0, config.threads - slots - 1), config.wait_for_slot_s)
        self.cutter = deadlines.Cutter(config.request_max_seconds * deadlines.AFTERWARDS)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request. The place is given back when the answer is ready; to send it takes none."""
        environ[BEGAN] = time.perf_counter()
        number = self.cutter.add(environ.get("gunicorn.socket"))
        deadlines.begin(self.config.request_max_seconds)
        try:
            answer = self._admitted(environ, start_response)
        except BaseException:
            self.cutter.remove(number)
            raise
        finally:
            deadlines.end()
        return Sent(answer, lambda: self.cutter.remove(number))

    def _admitted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        lane = lane_of(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""))
        if lane is None:
            return self.application(environ, start_response)
        try:
            turn = self.gate.enter(lane, caller_of(environ), _length(environ))
        except Refused as refused:
            return self._turn_away(refused, lane, environ, start_response)
        try:
            if turn.waited and random.random() < MIXED:
                close(start_response)
            with RUNNING.track_inprogress():
                return self.application(environ, start_response)
        finally:
            self.gate.leave(turn)

    def _turn_away(self, refused: Refused, lane: Lane, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The answer to whoever is not admitted, without the application: there may be thousands of them."""
        status, title = CATALOGUE[refused.code]
        request_id, seconds = request_id_of(environ.get("HTTP_X_REQUEST_ID", "")), time.perf_counter() - environ[BEGAN]
        body = orjson.dumps(problem_body(status, refused.code, title, "Nothing was done. Come again after Retry-After.", {}))
        said = {
            **self.headers,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Retry-After": str(refused.retry_after),
            "X-Request-ID": request_id,
        }
        TURNED_AWAY.labels(lane.name, refused.code).inc()
        count_request("none", environ["REQUEST_METHOD"], status, seconds)
        log.info("turned_away", request_id=request_id, lane=lane.name, code=refused.code, status=status, ms=round(seconds * 1000, 1))
        if refused.code == "overloaded":
            close(start_response)
        start_response(REASONS[status], list(said.items()))
        return [body]


def caller_of(environ: dict[str, Any]) -> str:
    """A short name for the token, which is as long as its sender likes, or for the address: thousands of them are remembered."""
    said = environ.get("HTTP_AUTHORIZATION") or environ.get("REMOTE_ADDR", "")
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _length(environ: dict[str, Any]) -> int:
    said = environ.get("CONTENT_LENGTH") or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 12 else 0


class Sent:
    """An answer, and what is to be done when it has been sent, however that ends."""

    __slots__ = ("answer", "over")

    def __init__(self, answer: Iterable[bytes], over: Callable[[], None]) -> None:
        self.answer = answer
        self.over = over

    def __iter__(self) -> Any:
        return iter(self.answer)

    def close(self) -> None:
        """Called by the server."""
        try:
            if hasattr(self.answer, "close"):
                self.answer.close()
        finally:
            self.over()
