"""What is wrong with a file, or with one place of it. Read by everything that reads files from outside."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong in one place of a file. column is empty where the whole row is meant, line is 0 where none is; code is stable."""

    line: int
    column: str
    code: str
    sentence: str

    def __str__(self) -> str:
        where = [*([f"line {self.line}"] if self.line else []), *([f"column {self.column}"] if self.column else [])]
        return f"{', '.join(where)}: {self.sentence}" if where else self.sentence


class UnreadableFile(Exception):
    """The file as a whole cannot be read; the message says why."""


class BadValue(Exception):
    """One value of one row is wrong; becomes a Flaw that names the line."""

    def __init__(self, column: str, code: str, sentence: str) -> None:
        self.column, self.code, self.sentence = column, code, sentence
        super().__init__(sentence)


class Source(Protocol):
    """A file on disk (a Path), or one that was sent: str(source) is its name."""

    @property
    def suffix(self) -> str: ...

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that came in a request."""

    name: str
    suffix: str
    content: bytes

    def __str__(self) -> str:
        return self.name

    def read_bytes(self) -> bytes:
        """Its content."""
        return self.content
