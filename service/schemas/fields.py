"""Fields that the console's schemas share: what a text, a code, a day and a time on the wire may be."""

import re
from datetime import date
from typing import Any

import marshmallow as ma
import orjson

from domain.areas import LEVEL_OF_LENGTH
from domain.clock import parse_utc, utc_text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
UNIT = r"(\d{4}|\d{6}|\d{9}|\d{12}|\d{15}|\d{17})(/[a-z0-9_]{1,40})?"
AREA = r"(\d{4}|\d{6}|\d{9}|\d{12}|\d{15}|\d{17})"
LEDGER = r"(\d{4}|\d{6}|\d{9})"
POSITION = re.compile(r"(\d{4}|\d{6}|\d{9}):(\d{1,15})", re.ASCII)
INTEGER = re.compile(r"-?\d{1,15}", re.ASCII)


def _no_control(value: str) -> None:
    if CONTROL.search(value):
        raise ma.ValidationError("Control characters are not text.")


def text(longest: int, shortest: int = 1, **more: Any) -> ma.fields.String:
    """A text of bounded length without control characters."""
    return ma.fields.String(validate=[ma.validate.Length(shortest, longest), _no_control], **more)


def matching(pattern: str, example: str, **more: Any) -> ma.fields.String:
    """A text of one form, digits being ASCII digits."""
    return ma.fields.String(validate=ma.validate.Regexp(re.compile(f"^{pattern}\\Z", re.ASCII)), metadata={"example": example}, **more)


def area_code(**more: Any) -> ma.fields.String:
    """An area code; a filter by it takes the whole subtree."""
    return matching(AREA, "411502001", **more)


def unit(**more: Any) -> ma.fields.String:
    """An area code, or a department of an area."""
    return matching(UNIT, "411502001/fire", **more)


def word(**more: Any) -> ma.fields.String:
    """A code word of ours, such as a status."""
    return matching(r"[a-z][a-z0-9_.]{0,63}", "open", **more)


def one_of(*words: str, **more: Any) -> ma.fields.String:
    """One of a closed list."""
    return ma.fields.String(validate=ma.validate.OneOf(words), **more)


class QueryInteger(ma.fields.Integer):
    """An integer written in ASCII digits: Python's int() would also take 1_000, spaces and other scripts' digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not (isinstance(value, str) and INTEGER.fullmatch(value)):
            raise self.make_error("invalid", input=value)
        return int(value)


def flag(**more: Any) -> ma.fields.Boolean:
    """true or false in a query."""
    return ma.fields.Boolean(truthy={"true"}, falsy={"false"}, **more)


class Day(ma.fields.String):
    """A date of the city, ``2026-11-21``, kept as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        said = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            if date.fromisoformat(said).isoformat() == said:
                return said
        except ValueError:
            pass
        raise ma.ValidationError("Not a date like 2026-11-21.")


class Moment(ma.fields.String):
    """A time with its offset from UTC, given on as the fixed UTC text that columns hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        said = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            # A plus sign that was not percent-encoded reads as a space in a query.
            return utc_text(parse_utc(said.replace(" ", "+")))
        except (ValueError, OverflowError) as wrong:
            raise ma.ValidationError("Not a time with an offset, like 2026-11-21T09:03:12+08:00.") from wrong


class Parsed(ma.fields.Raw):
    """A value that a read model keeps as canonical JSON text."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value


def shown(kind: type[ma.fields.Field], *names: str, optional: tuple[str, ...] = ()) -> dict[str, ma.fields.Field]:
    """Fields of an answer: those named are always there, the optional ones may be null."""
    required = {name: kind(required=True) for name in names}
    return {**required, **{name: kind(required=True, allow_none=True) for name in optional}}


def levels() -> list[str]:
    """The levels of areas from city down."""
    return [LEVEL_OF_LENGTH[length] for length in sorted(LEVEL_OF_LENGTH)]
