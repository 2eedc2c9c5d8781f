"""CSV files and XLSX sheets as rows with line numbers, and what is wrong with them. Read by every import; knows no meaning of a row."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from service.imports.flaws import BadValue, Flaw, Source, UnreadableFile
from service.imports.workbook import read_sheet

__all__ = ["BadValue", "Flaw", "Row", "Source", "Table", "UnreadableFile", "fault_of_text", "read_rows", "read_table", "text_of"]

T = TypeVar("T")
FIELD_LIMIT = 131_072


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line that it begins on, and its values by column, stripped."""

    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    def need(self, column: str) -> str:
        """The value, which must not be empty."""
        value = self[column]
        if not value:
            raise BadValue(column, "empty", "is empty, and must not be.")
        return value

    def flaw(self, bad: BadValue) -> Flaw:
        """The bad value, placed in the file."""
        return Flaw(self.line, bad.column, bad.code, bad.sentence)


@dataclass
class Table:
    """The good rows of a file and the flaws of the others. total counts both."""

    rows: list[Row] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All data rows of the file."""
        return len(self.rows) + len(self.flaws)


def text_of(path: Source) -> str:
    """The file's text; bytes that are not UTF-8 stay recognisable, so that only their rows are refused."""
    return _bytes_of(path).decode("utf-8-sig", "surrogateescape")


def _bytes_of(path: Source) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise UnreadableFile(f"{path}: {wrong.strerror or wrong}.") from wrong


def read_table(path: Source, required: tuple[str, ...]) -> Table:
    """Reads a CSV file or the first sheet of a workbook. UnreadableFile where a required column or the whole header is missing."""
    table = Table()
    is_workbook = path.suffix.lower() == ".xlsx"
    lines = read_sheet(str(path), _bytes_of(path)) if is_workbook else _records(text_of(path), table.flaws)
    header = next(lines, None)
    if header is None:
        raise UnreadableFile(f"{path}: there is no header line.")
    columns = [name.strip() for name in header[1]]
    missing = [name for name in required if name not in columns]
    if missing:
        raise UnreadableFile(f"{path}: the header has no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}.")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise UnreadableFile(f"{path}: the header names {', '.join(twice)} more than once.")
    for line, values in lines:
        if not any(value.strip() for value in values):
            continue
        flaw = _flaw_of(line, columns, values)
        if flaw:
            table.flaws.append(flaw)
        else:
            table.rows.append(Row(line, dict(zip(columns, (value.strip() for value in values), strict=True))))
    return table


def read_rows(table: Table, read: Callable[[Row], T]) -> Iterator[T]:
    """Reads each row; a row with a bad value becomes a flaw of the table."""
    for row in table.rows:
        try:
            yield read(row)
        except BadValue as bad:
            table.flaws.append(row.flaw(bad))


def _records(text: str, flaws: list[Flaw]) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            flaws.append(Flaw(line, "", "not_csv", f"the row is not CSV: {wrong}."))


def _flaw_of(line: int, columns: list[str], values: list[str]) -> Flaw | None:
    if len(values) != len(columns):
        return Flaw(line, "", "ragged", f"has {len(values)} values where the header has {len(columns)} columns.")
    for column, value in zip(columns, values, strict=True):
        fault = fault_of_text(value)
        if fault:
            return Flaw(line, column, *fault)
    return None


def fault_of_text(value: str) -> tuple[str, str] | None:
    """The code and the sentence of what makes a text unfit to be recorded: once in the ledger, no database could be rid of it."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        return "not_utf8", "holds bytes that are not UTF-8."
    if any(char < " " and char not in "\t\r\n" for char in value):
        return "control_character", "holds a control character."
    return None
