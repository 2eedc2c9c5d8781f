"""What a read model is, and how history becomes its rows: pure, without a database. Read by the engine, the replay and the tests."""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Protocol, cast

import sqlalchemy as sa

from projections.paging import Row
from projections.recorded import Recorded, read_line

Key = tuple[Any, ...]
"""The values of a row's primary key after the ledger."""
Rows = dict[Key, Row | None]
"""Rows by key; None where a row is known not to exist. A row has every column but the ledger."""


class ReadModel(Protocol):
    """What every read model module has. Beside these it may have:

    APPENDS   True where each row is made by one event and never changes: the engine need not look for the row before.
    spread    ``(row before, row after, event) -> (key, row)…``: further rows that follow from the row just folded, whatever they
              were. They are written without being read, so one event can reach rows that it does not name itself.
    """

    NAME: str
    TABLE: sa.Table
    TOPICS: frozenset[str]

    def keys(self, event: Recorded) -> Iterable[Key]:
        """The rows that an event touches, each once. Told by the event alone."""

    def fold(self, key: Key, row: Row | None, event: Recorded) -> Row | None:
        """The row after the event; None removes it. Gives a new dict and never changes the row that it was given."""


def read_model(model: Any) -> ReadModel:
    """The read model by its name, or as it is where it is one already."""
    if not isinstance(model, str):
        return cast(ReadModel, model)
    from projections import READ_MODELS

    return cast(ReadModel, READ_MODELS[model])


def key_columns(table: sa.Table) -> tuple[str, ...]:
    """Names of the primary key's columns after the ledger."""
    return tuple(str(column.name) for column in table.primary_key.columns)[1:]


def touched(model: ReadModel, events: Iterable[Recorded]) -> set[Key]:
    """The rows that the fold will ask for."""
    if getattr(model, "APPENDS", False):
        return set()
    keys = model.keys
    return {key for event in events for key in keys(event)}


def fold_into(model: ReadModel, rows: Rows, events: Iterable[Recorded], changed: Rows | None = None) -> Rows:
    """Folds events into rows in place and gives what changed. Events of other topics must have been left out.

    Who does not ask what changed gives the rows themselves as ``changed``, and saves a dict.
    An exception bears a note that says at which position it was raised.
    """
    keys, fold, spread = model.keys, model.fold, _spread_of(model)
    changed = {} if changed is None else changed
    position = None
    try:
        for event in events:
            position = event.position
            for key in keys(event):
                before = rows.get(key)
                after = rows[key] = changed[key] = fold(key, before, event)
                if spread is not None:
                    for further, row in spread(before, after, event):
                        rows[further] = changed[further] = row
    except Exception as wrong:
        wrong.add_note(f"at position {position}")
        raise
    return changed


def _spread_of(model: Any) -> Callable[[Row | None, Row | None, Recorded], Iterable[tuple[Key, Row | None]]] | None:
    return getattr(model, "spread", None)


def fold_lines(model: str | ModuleType | ReadModel, lines: Iterable[bytes]) -> list[Row]:
    """A read model's rows after the lines of one ledger, in the order of their keys: what the table would hold, from history alone."""
    one = read_model(model)
    rows: Rows = {}
    ledger = None
    for line in lines:
        event = read_line(line)
        ledger = ledger or event.ledger
        if event.topic in one.TOPICS:
            fold_into(one, rows, (event,))
    names = [str(column.name) for column in one.TABLE.columns]
    whole = ({"ledger": ledger, **row} for _, row in sorted(rows.items(), key=lambda item: item[0]) if row is not None)
    return [{name: row[name] for name in names} for row in whole]
