"""The three forms of an export: JSON lines, CSV and Parquet. Each writes recorded lines and gives back exactly the same bytes.

JSON lines are the stored lines themselves, nothing added. CSV and Parquet have the stored line in the column ``line`` and, beside it, what
it says in columns that a query can use. Read by the export and by the replay.
"""

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import orjson

from projections.recorded import LINE_LIMIT

COLUMNS = (
    "ledger",
    "position",
    "stream",
    "version",
    "topic",
    "recorded_at",
    "happened_at",
    "day",
    "area",
    "by_person",
    "role",
    "tablet",
    "seq",
    "line",
)
NUMBERS = frozenset({"position", "version", "seq"})
ROW_GROUP = 16_384
"""Rows of a Parquet row group: what is held in memory at once, about 16 MB."""
MOST_HELD = 32 * 1024 * 1024
"""Bytes of lines after which a row group is written, however few its rows are."""

Row = tuple[Any, ...]


class MissingPackage(RuntimeError):
    """What a form needs is not installed; the sentence says how to get it."""


class DamagedFile(ValueError):
    """A file of an export that is not what the export wrote."""


def row_of(line: bytes) -> Row:
    """What a line says, in the order of COLUMNS; None where it says nothing. The line itself comes last."""
    whole = orjson.loads(line)
    state = whole.get("state") or {}
    entry = state.get("entry")
    entry = entry if isinstance(entry, dict) else {}
    data = state.get("data") or {}
    return (
        whole["ledger"],
        whole["position"],
        whole["stream"],
        whole["version"],
        whole["topic"],
        whole["recorded_at"],
        state.get("happened_at"),
        state.get("day"),
        next((area for area in (state.get("area"), entry.get("area"), data.get("area")) if isinstance(area, str)), None),
        state.get("by"),
        state.get("role"),
        state.get("tablet"),
        state["seq"] if "seq" in state else entry.get("seq"),
        line,
    )


class Writer(AbstractContextManager["Writer"], Protocol):
    """Writes one month's file."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Adds lines at the end."""


class Form(Protocol):
    """How a file is written, and read again."""

    suffix: str

    def writer(self, path: Path) -> Writer:
        """Opens a new file."""

    def read(self, path: Path) -> Iterator[bytes]:
        """The lines in order, their columns compared with what they say. DamagedFile where they differ."""


class _Base(ABC):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...


class _JsonlWriter(_Base):
    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def write(self, lines: Sequence[bytes]) -> None:
        self.file.write(b"".join(line + b"\n" for line in lines))

    def close(self) -> None:
        self.file.close()


class Jsonl:
    """The stored lines, each closed by a line feed. A stored line never holds one."""

    suffix = "jsonl"

    def writer(self, path: Path) -> Writer:
        return _JsonlWriter(path)

    def read(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while line := file.readline(LINE_LIMIT + 2):
                if not line.endswith(b"\n"):
                    raise DamagedFile(f"{path.name} holds a line that is cut short or too long")
                yield line[:-1]


class _CsvWriter(_Base):
    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="")
        self.rows = csv.writer(self.file, lineterminator="\n")
        self.rows.writerow(COLUMNS)

    def write(self, lines: Sequence[bytes]) -> None:
        self.rows.writerows((*row[:-1], row[-1].decode()) for row in map(row_of, lines))

    def close(self) -> None:
        self.file.close()


class Csv:
    """UTF-8 with a header, quoted by RFC 4180, rows closed by a line feed. For machines: nothing is put in front of any cell."""

    suffix = "csv"

    def writer(self, path: Path) -> Writer:
        return _CsvWriter(path)

    def read(self, path: Path) -> Iterator[bytes]:
        csv.field_size_limit(2 * LINE_LIMIT)
        with path.open(encoding="utf-8", newline="") as file:
            try:
                rows = csv.reader(file, strict=True)
                if next(rows, None) != list(COLUMNS):
                    raise DamagedFile(f"{path.name} has another header")
                for cells in rows:
                    line = cells[-1].encode()
                    if cells[:-1] != ["" if value is None else str(value) for value in row_of(line)[:-1]]:
                        raise DamagedFile(f"{path.name}: the columns beside a line say something else than the line: {cells[:2]}")
                    yield line
            except (csv.Error, UnicodeDecodeError, ValueError, KeyError) as wrong:
                raise wrong if isinstance(wrong, DamagedFile) else DamagedFile(f"{path.name} cannot be read: {wrong}") from wrong


def arrow() -> Any:
    """The package pyarrow with its Parquet part. MissingPackage where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingPackage(
            "Parquet needs the package pyarrow: pip install 'gridtrail[export]'. JSON lines and CSV need nothing more."
        ) from missing
    return pyarrow


class _ParquetWriter(_Base):
    def __init__(self, path: Path) -> None:
        self.arrow = arrow()
        kinds = {name: self.arrow.int64() if name in NUMBERS else self.arrow.string() for name in COLUMNS}
        needed = ("ledger", "position", "stream", "version", "topic", "recorded_at", "line")
        self.schema = self.arrow.schema([self.arrow.field(name, kind, nullable=name not in needed) for name, kind in kinds.items()])
        self.file = self.arrow.parquet.ParquetWriter(path, self.schema, compression="zstd")
        self.held: list[Row] = []
        self.bytes = 0

    def write(self, lines: Sequence[bytes]) -> None:
        self.held.extend(map(row_of, lines))
        self.bytes += sum(map(len, lines))
        if len(self.held) >= ROW_GROUP or self.bytes >= MOST_HELD:
            self._flush()

    def _flush(self) -> None:
        if self.held:
            columns = [self.arrow.array(cells, kind) for cells, kind in zip(zip(*self.held, strict=True), self.schema.types, strict=True)]
            self.file.write_table(self.arrow.Table.from_arrays(columns, schema=self.schema))
        self.held, self.bytes = [], 0

    def close(self) -> None:
        self._flush()
        self.file.close()


class Parquet:
    """Columns by zstd, about a tenth of the bytes. DuckDB, pandas, Spark and others read it."""

    suffix = "parquet"

    def writer(self, path: Path) -> Writer:
        return _ParquetWriter(path)

    def read(self, path: Path) -> Iterator[bytes]:
        pyarrow = arrow()
        try:
            file = pyarrow.parquet.ParquetFile(path)
            if tuple(file.schema_arrow.names) != COLUMNS:
                raise DamagedFile(f"{path.name} has other columns")
            for batch in file.iter_batches(batch_size=2_000):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    line = cells[-1].encode()
                    if cells[:-1] != row_of(line)[:-1]:
                        raise DamagedFile(f"{path.name}: the columns beside a line say something else than the line: {cells[:2]}")
                    yield line
        except (pyarrow.ArrowException, OSError, ValueError, KeyError) as wrong:
            raise wrong if isinstance(wrong, DamagedFile) else DamagedFile(f"{path.name} cannot be read: {wrong}") from wrong


FORMS: dict[str, Form] = {"parquet": Parquet(), "jsonl": Jsonl(), "csv": Csv()}


def pages(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Lines in lists of at most so many."""
    rest = iter(lines)
    while page := list(islice(rest, size)):
        yield page
