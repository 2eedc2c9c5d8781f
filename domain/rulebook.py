"""The rulebook 规则: categories, time limits, calendars and care plans of a city, as published versions. Read when a case is registered."""

import hashlib
import json
from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Fact, FirstFact, Said
from domain.books import BOOK_KINDS as KINDS
from domain.books import Books, must_be_a_book
from domain.days import must_be_a_day
from domain.refusals import NotYourCity, TextNeeded, UnknownBook, VersionPublished

__all__ = ["KINDS", "Books", "Rulebook"]


class Rulebook(Aggregate):
    """All versions of one named book of one city. A published version never changes; a later one takes its place from a day on."""

    TOPIC = "rulebook"

    class Opened(FirstFact):
        """立规: a book exists. kind is one of KINDS."""

        TOPIC = "rulebook.opened"
        city: Said[str]
        kind: Said[str]
        name: Said[str]

        def apply(self, book: "Rulebook") -> None:
            book.city, book.kind, book.name, book.versions = self.city, self.kind, self.name, {}

    class Published(Fact):
        """发布: a version of the book holds from a day on. content is the whole book, so that a deadline can be recomputed for ever."""

        TOPIC = "rulebook.published"
        kind: Said[str]
        name: Said[str]
        version: Said[str]
        effective_from: Said[str]
        content: Said[dict[str, Any]]

        def apply(self, book: "Rulebook") -> None:
            book.versions[self.version] = digest_of(self.content)

    city: str
    kind: str
    name: str
    versions: dict[str, str]

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def open(cls, act: Act, books: Books, stream: UUID, *, city: str, kind: str, name: str) -> "Rulebook":
        """立规: opens a book, empty as yet."""
        if kind not in KINDS:
            raise UnknownBook(kind=kind)
        if len(city) != 4 or not city.isascii() or not city.isdigit():
            raise NotYourCity(city=city)
        if not _is_a_label(name):
            raise TextNeeded("The name of a book is a short text without @ and /.", name=name)
        return cls.begin(cls.Opened, act, stream, city=city, kind=kind, name=name)

    def publish(self, act: Act, books: Books, *, version: str, effective_from: str, content: dict[str, Any]) -> None:
        """发布: publishes a version that holds from a day on."""
        if not _is_a_label(version):
            raise TextNeeded("The version of a book is a short text without @ and /.", version=version)
        if version in self.versions:
            raise VersionPublished(name=self.name, version=version)
        must_be_a_day(effective_from)
        must_be_a_book(self.kind, content)
        self.record(self.Published, act, kind=self.kind, name=self.name, version=version, effective_from=effective_from, content=content)

    def has_version(self, version: str, content: dict[str, Any]) -> bool:
        """Whether this very content is published under this version already."""
        return self.versions.get(version) == digest_of(content)


def _is_a_label(text: str) -> bool:
    """Printable, or it could stand in the ledger for ever and in no table."""
    return bool(text.strip()) and text.isprintable() and "@" not in text and "/" not in text


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of the content in one canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
