"""Where a history is read from: a folder that was fetched, or the database itself. Read by every check.

A source gives what stands there and believes none of it. What only a database has beside the entries is ``Beside``; a folder has none.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from projections.recorded import Recorded
from service.audit.verifying.faults import Findings

ROOT_LOG = "root"


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of a log in the order of their places. rows: what stands in the columns beside each line, where there are columns."""

    places: Sequence[int]
    lines: Sequence[bytes]
    rows: Sequence[tuple[Any, ...]] | None = None


@dataclass(frozen=True, slots=True)
class StoredTile:
    """A tile as it is stored: its level, its number and its hashes, 32 bytes each."""

    level: int
    number: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class StoredHead:
    """What a database says of a ledger beside its entries."""

    size: int
    frontier: bytes
    root: bytes
    incarnation: str
    recorded_at: str


class Log(Protocol):
    """One log, open for reading at one moment."""

    def pages(self, start: int = 0) -> Iterator[Page]:
        """All entries from a position on."""

    def lines_at(self, positions: Sequence[int]) -> list[bytes]:
        """The lines at some positions, in the order asked; those that are not there are left out."""

    def about(self, topics: frozenset[str]) -> Iterator[bytes]:
        """The lines of some topics, in order, quickly. A line whose column lies may be missed: the column check finds it."""

    def tile(self, level: int, number: int) -> tuple[bytes, bytes | None] | None:
        """The hashes of a stored full tile, and their root where that is stored beside them; None where the tile is not stored."""

    def partial_tiles(self) -> Iterator[StoredTile]:
        """Stored tiles of fewer than 256 hashes."""

    def head(self) -> StoredHead | None:
        """What is said of the log beside its entries; None where there is no such place."""

    @property
    def connection(self) -> Any:
        """The database connection, None for a folder."""


class BadStatements(ValueError):
    """What is kept for the statements that the key was handed on is none; the sentence says why."""


class Source(Protocol):
    """A whole history. Small enough to be sent to another process, which opens the logs anew."""

    @property
    def has_columns(self) -> bool:
        """Whether it is a database, with columns, heads, states and read models beside the entries."""

    def logs(self) -> dict[str, int]:
        """The ledgers, without the root log, with about how many entries each has."""

    def has_root_log(self) -> bool:
        """Whether there is a root log."""

    def open(self, log: str) -> AbstractContextManager[Log]:
        """One log, at one moment."""

    def checkpoint(self, log: str) -> str | None:
        """The latest published checkpoint of a log, as it stands."""

    def earlier(self, log: str) -> list[str]:
        """Checkpoints of a log that were kept before, as evidence."""

    def statements(self) -> list[str]:
        """Statements by which the signing key was handed on, oldest first, where some are kept beside the ledgers, which tell them too.

        BadStatements where what is kept cannot be read.
        """


def bytes_unknown(event: Recorded) -> bytes | None:
    """The bytes of a refused entry for whoever has no vault: they are in no copy of the history."""
    return None


@dataclass(frozen=True)
class Wanted:
    """What the auditor asks for."""

    keys: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    quorum: int | None = None
    zone: str = "Asia/Shanghai"
    tolerance_s: float = 60.0
    read_models: bool = True
    rules: bool = True
    stop_after: int | None = None
    logs: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = field(default=())
    """Checkpoints that the auditor has from elsewhere: an earlier audit, a tablet's receipt."""
    refused: Callable[[Recorded], bytes | None] = bytes_unknown
    """The bytes of a kept refusal, from the vault where there is one: such a refusal is decided again."""
    values: "Callable[[Findings], None] | None" = None
    """Judges every personal value, for whoever has the vault."""


class NoSuchHistory(Exception):
    """What was named is neither a folder that was fetched nor a database; the sentence says so."""


def open_source(named: str) -> Source:
    """The source that a folder's path or a database's URL names. NoSuchHistory where it is neither."""
    from service.audit.verifying.databases import DatabaseSource
    from service.audit.verifying.folders import FolderSource

    if "://" in named:
        return DatabaseSource(named)
    folder = Path(named)
    if (folder / "log").is_dir():
        return FolderSource(folder)
    if folder.is_dir():
        raise NoSuchHistory(f"{named} has no folder 'log' in it: it is not what gridtrail audit fetch makes.")
    raise NoSuchHistory(f"{named} is neither a folder nor the URL of a database, such as sqlite:///var/gridtrail.db.")
