"""The columns beside a line repeat it and add nothing. Read by the walk over a ledger in a database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from projections.recorded import Recorded
from service.schemas.entries import is_uuid

NAMES = ("position", "line", "stream", "version", "topic", "recorded_at", "by_person", "tablet", "seq")
SYSTEM = "system"
MOST_IDS = 50_000


class Columns:
    """Compares rows with what their lines say. Ids stand in SQLite as 32 hexadecimal digits, in PostgreSQL as what they are."""

    def __init__(self, report: Callable[..., None]) -> None:
        self.report = report
        self._stored = Stored()
        self._ids: dict[Any, str | None] = {None: None}

    def check(self, event: Recorded, row: tuple[Any, ...], seq: int | None) -> None:
        """Reports each column that differs. seq: what must stand in the column of that name."""
        by, tablet = event.state.get("by"), event.state.get("tablet")
        person = None if by == SYSTEM else by
        if self._is_stored(event, row, person, tablet, seq):
            return
        right = (None, None, event.stream, event.version, event.topic, event.recorded_at, person, tablet, seq)
        found = (None, None, _text(row[2]), *row[3:6], self._id(row[6]), self._id(row[7]), row[8])
        if right == found:
            return
        for name, one, other in zip(NAMES, found, right, strict=True):
            if one != other:
                self.report("column_wrong", event.position, f"{name} is {one!r}, and the line says {other!r}")

    def _is_stored(self, event: Recorded, row: tuple[Any, ...], person: Any, tablet: Any, seq: int | None) -> bool:
        """Whether the row is, value for value, what SQLite holds of such a line."""
        stored, stream = self._stored, event.stream.replace("-", "")
        try:
            return row[2:] == (stream, event.version, event.topic, event.recorded_at, stored[person], stored[tablet], seq)
        except TypeError:
            # What the line says is not even a text.
            return False

    def _id(self, value: Any) -> str | None:
        """Few people and tablets stand in many rows."""
        try:
            return self._ids[value]
        except KeyError:
            if len(self._ids) > MOST_IDS:
                self._ids = {None: None}
            self._ids[value] = text = _text(value)
            return text


class Stored(dict[Any, Any]):
    """Ids of people and tablets as SQLite holds them, by what lines say. What is no id equals nothing."""

    def __missing__(self, said: Any) -> Any:
        if len(self) > MOST_IDS:
            self.clear()
        self[said] = stored = None if said is None else said.replace("-", "") if is_uuid(said) else object()
        return stored


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, UUID):
        return str(value) if value is not None else None
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError):
        return repr(value)
