"""The columns beside a line repeat it and add nothing. Read by the walk over a ledger in a database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from projections.recorded import Recorded

NAMES = ("position", "line", "stream", "version", "topic", "recorded_at", "by_person", "tablet", "seq")
SYSTEM = "system"


class Columns:
    """Compares rows with what their lines say. Ids are compared in the form in which the database gives them."""

    def __init__(self, report: Callable[..., None]) -> None:
        self.report = report
        self._ids: dict[Any, str | None] = {None: None}

    def check(self, event: Recorded, row: tuple[Any, ...], seq: int | None) -> None:
        """Reports each column that differs. seq: what must stand in the column of that name."""
        state = event.state
        by = state.get("by")
        if (
            row[3] == event.version
            and row[4] == event.topic
            and row[5] == event.recorded_at
            and row[8] == seq
            and self._id(row[6]) == (None if by == SYSTEM else by)
            and self._id(row[7]) == state.get("tablet")
            and _same_stream(row[2], event.stream)
        ):
            return
        person = None if by == SYSTEM else by
        right = (None, None, event.stream, event.version, event.topic, event.recorded_at, person, state.get("tablet"), seq)
        found = (None, None, _text(row[2]), *row[3:6], _text(row[6]), _text(row[7]), row[8])
        for name, one, other in zip(NAMES, found, right, strict=True):
            if one != other:
                self.report("column_wrong", event.position, f"{name} is {one!r}, and the line says {other!r}")

    def _id(self, value: Any) -> str | None:
        """Few people and tablets stand in many rows."""
        try:
            return self._ids[value]
        except KeyError:
            if len(self._ids) > 50_000:
                self._ids = {None: None}
            self._ids[value] = text = _text(value)
            return text


def _same_stream(value: Any, stream: str) -> bool:
    if type(value) is str:
        return value == stream.replace("-", "")
    return type(value) is UUID and str(value) == stream


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, UUID):
        return str(value) if value is not None else None
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError):
        return repr(value)
