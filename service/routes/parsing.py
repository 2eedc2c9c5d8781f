"""How a request is read: strict JSON, strict query parameters, cursors, versions, positions. Read by the Noun blueprint and the routes.

What cannot be read is 400 (415 for a wrong media type); what can be read and is wrong in a field is 422. Nothing is guessed.
"""

import base64
import binascii
import hashlib
import json
import re
from typing import Any

import marshmallow as ma
import orjson
from flask import Request, request
from webargs.flaskparser import FlaskParser

from service.problems import Problem
from service.schemas.fields import POSITION

QUERY_VALUE_LIMIT = 2_000
VERSION = re.compile(r'"(\d{1,12})"')
VERSIONS, POSITIONS = range(2**31), range(2**53)
"""The integers that a cursor may name: what the columns hold, and what JSON says exactly."""


class StrictParser(FlaskParser):
    """webargs' parser, reading JSON without duplicate keys, NaN or lone surrogates, and refusing unknown members everywhere."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE, "json": ma.RAISE}  # noqa: RUF012

    def _raw_load_json(self, req: Request) -> Any:
        if req.mimetype != "application/json":
            raise Problem("unsupported_media_type", "Send the body as application/json.")
        return read_json(req.get_data(cache=True))


def read_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Problem bad_json where it is not exactly one, or says a member twice."""
    try:
        value = orjson.loads(body)
        json.loads(body, object_pairs_hook=_each_member_once)
    except (ValueError, RecursionError) as wrong:
        raise Problem("bad_json", str(wrong)[:200]) from wrong
    return value


def _each_member_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return members


def refuse_odd_query(known: frozenset[str]) -> None:
    """Query parameters stand once, are known, have no NUL and a bounded length."""
    for name, values in request.args.lists():
        if name not in known:
            raise Problem("bad_parameter", "There is no such parameter here.", errors={"query": {name[:80]: ["Unknown field."]}})
        if len(values) > 1:
            raise Problem("repeated_parameter", f"{name} was given {len(values)} times.")
        if "\x00" in values[0] or "\ufffd" in values[0] or len(values[0]) > QUERY_VALUE_LIMIT:
            raise Problem("bad_parameter", f"{name} holds what no value holds.", errors={"query": {name: ["Not a valid text."]}})


def write_cursor(after: Any, query: dict[str, Any]) -> str:
    """An opaque cursor: where the page ended, bound to the filters that it belongs to."""
    text = json.dumps({"after": after, "of": _fingerprint(query)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(query: dict[str, Any], kinds: tuple[type | range, ...]) -> tuple[Any, ...] | None:
    """Where the page before ended, or None for the first. Problem bad_cursor for anything that write_cursor did not write."""
    text = query.get("cursor")
    if text is None:
        return None
    try:
        whole = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        after = whole["after"]
        if whole["of"] != _fingerprint(query) or type(after) is not list or len(after) != len(kinds) or write_cursor(after, query) != text:
            raise ValueError("not a cursor of this list")
        if not all(_is_plain(value, kind) for value, kind in zip(after, kinds, strict=True)):
            raise ValueError("not a place in this list")
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as wrong:
        raise Problem("bad_cursor", "Send a cursor as it was given, with the same filters.") from wrong
    return tuple(after)


def _is_plain(value: Any, kind: type | range) -> bool:
    """Whether a value of a cursor can be compared with a column: a forged one must not reach the database as another type."""
    if isinstance(kind, range):
        return type(value) is int and value in kind
    return type(value) is str and "\x00" not in value and value.isprintable()


def _fingerprint(query: dict[str, Any]) -> str:
    filters = {name: query[name] for name in sorted(query) if name not in ("cursor", "limit", "min_position")}
    return hashlib.sha256(json.dumps(filters, default=str).encode()).hexdigest()[:12]


def version_seen() -> int | None:
    """The version named by If-Match; None for ``*``. Problem if_match_needed where the header is missing."""
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise Problem("if_match_needed", "Send If-Match with the ETag of the case that you decided on.")
    if header == "*":
        return None
    match = VERSION.fullmatch(header)
    if match is None:
        raise Problem("version_changed", "If-Match names no version of this case; send the ETag as it was given.")
    return int(match[1])


def read_position(text: str) -> tuple[str, int]:
    """``411502001:17`` → ledger and position."""
    match = POSITION.fullmatch(text)
    if match is None:
        raise Problem("bad_parameter", "min_position is <ledger>:<position>.", errors={"query": {"min_position": ["Not a position."]}})
    return match[1], int(match[2])
