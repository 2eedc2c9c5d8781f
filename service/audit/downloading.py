"""Small files over HTTP, for whoever copies logs: with an auditor's token, bounded, tried again where that helps. Read by fetching."""

import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import urllib3

TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
TRIES = 8
LONGEST_PAUSE_S = 30.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class CannotFetch(Exception):
    """The server did not give what was asked for; the sentence says what and why."""


class Transport(Protocol):
    """How bytes are got; a test puts an application in its place."""

    def get(self, url: str, headers: dict[str, str], limit: int) -> "Answer":
        """One request, not tried again. OSError where no answer came; at most ``limit`` bytes of body are read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in lower case, and the body as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """Requests over urllib3. Redirects are not followed: the token is for one server."""

    def __init__(self, connections: int) -> None:
        self.pool = urllib3.PoolManager(maxsize=connections, block=True, retries=False, timeout=TIMEOUT)

    def get(self, url: str, headers: dict[str, str], limit: int) -> Answer:
        try:
            response = self.pool.request("GET", url, headers=headers, preload_content=False, decode_content=False, redirect=False)
            try:
                body = response.read(limit + 1, decode_content=False)
                told = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, told, body)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as lost:
            raise OSError(str(lost)) from lost


class Downloads:
    """Files below one URL."""

    def __init__(self, url: str, token: str | None, transport: Transport, sleep: Callable[[float], Any] = time.sleep) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Accept-Encoding": "gzip", "User-Agent": "gridtrail-audit"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.transport = transport
        self.sleep = sleep

    def get(self, path: str, limit: int) -> bytes:
        """The file at a path, at most ``limit`` bytes long. CannotFetch where it is not given, in the end."""
        wrong = ""
        for attempt in range(TRIES):
            pause = random.uniform(0, min(LONGEST_PAUSE_S, 0.5 * 2**attempt))
            try:
                answer = self.transport.get(f"{self.url}{path}", self.headers, limit)
            except OSError as lost:
                wrong = str(lost)
            else:
                if answer.status == 200:
                    return _body(path, answer, limit)
                wrong = f"status {answer.status}"
                if answer.status not in AGAIN:
                    raise CannotFetch(f"{path}: {wrong}{HINTS.get(answer.status, '')}")
                pause += _retry_after(answer)
            if attempt + 1 < TRIES:
                self.sleep(pause)
        raise CannotFetch(f"{path}: {wrong}, {TRIES} times")


HINTS = {
    401: ": the token is nobody's; give an auditor's in GRIDTRAIL_AUDIT_TOKEN or with --token-file.",
    403: ": the token is not an auditor's.",
    404: ": there is no such log, or it lies outside of what the token may read.",
}


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else 0.0


def _body(path: str, answer: Answer, limit: int) -> bytes:
    """The body, inflated to at most ``limit`` bytes whatever it claims to hold."""
    body = answer.body
    if len(body) <= limit and answer.headers.get("content-encoding", "") == "gzip":
        inflater = zlib.decompressobj(wbits=31)
        try:
            body = inflater.decompress(body, limit + 1)
        except zlib.error as wrong:
            raise CannotFetch(f"{path}: the gzip data is damaged") from wrong
        if len(body) <= limit and not inflater.eof:
            raise CannotFetch(f"{path}: the gzip data is cut short")
    if len(body) > limit:
        raise CannotFetch(f"{path}: it is longer than the {limit} bytes that it can be")
    return body
