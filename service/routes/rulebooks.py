"""Rulebooks: which versions there are, which decide today, and how one is published. Read by every page that names a category."""

from typing import Any

from domain.books import BOOK_KINDS, Books, Item, shipped_items
from domain.clock import local_day, utc_text
from domain.rulebook import digest_of
from projections import rulebooks
from service.database import reading
from service.inspection import Tried
from service.routes.nouns import Noun, actor, gridtrail, paged
from service.schemas.pages import page_of
from service.schemas.rulebooks import BookQuery, BookVersion, NewBook, PublishedBook, Trying

blueprint = Noun("rulebooks", __name__, url_prefix="/v1", description="Categories, time limits, calendars and care plans of the city.")

KEY = ("kind", "name", "version")


@blueprint.operation("GET", "/rulebooks", policy="rulebook.read", query=BookQuery, answers=(200, page_of(BookVersion)))
def list_books(query: dict[str, Any]) -> dict[str, Any]:
    """Every version of the city's books, and of those that came with the software, by kind, name and version."""

    def find(after: Any, limit: int) -> list[dict[str, Any]]:
        return [row for row in rows if after is None or tuple(row[name] for name in KEY) > after][:limit]

    rows = [
        row if query["content"] else {**row, "content": None}
        for row in _versions()
        if query.get("kind") in (None, row["kind"]) and query.get("in_force") in (None, row["in_force"])
    ]
    return paged(query, find, kind=str, name=str, version=str)


@blueprint.operation(
    "POST", "/rulebooks", policy="rulebook.manage", query=Trying, body=NewBook, answers=(200, PublishedBook), errors=(404, 409)
)
def publish_book(query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Publish a version of a book: it holds from its day on, for ever. The same version with the same content again records nothing."""
    city = gridtrail().config.city
    tried: Tried = gridtrail().inspection.publish_book(actor(), city, body, dry_run=query["dry_run"])
    outcome = "published" if tried.new else "same"
    return {"outcome": outcome, "dry_run": query["dry_run"], "ledger": city, "position": tried.position}


def _versions() -> list[dict[str, Any]]:
    """All versions in the order of their key. A shipped one that the city published as well stands once, as published."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        published = rulebooks.published(conn, pieces.config.city)
    own = {_key(each) for each in published}
    deciding = _deciding(Books.of(published), local_day(utc_text(pieces.clock()), pieces.config.zone))
    whole = [*published, *({**each, "published_at": None} for each in shipped_items() if _key(each) not in own)]
    rows = [
        {
            **{name: each[name] for name in (*KEY, "effective_from", "published_at", "content")},
            "sha256": digest_of(each["content"]),
            "shipped": _key(each) not in own,
            "in_force": _key(each) in deciding,
        }
        for each in whole
    ]
    return sorted(rows, key=lambda row: tuple(row[name] for name in KEY))


def _deciding(books: Books, day: str) -> set[tuple[str, ...]]:
    found: list[Item] = [item for kind in BOOK_KINDS for item in books.deciding(kind, day)]
    return {(item.kind, item.name, item.version) for item in found}


def _key(book: Any) -> tuple[str, ...]:
    return tuple(book[name] for name in KEY)
