"""``gridtrail rulebooks``: categories, time limits, calendars and care plans, as versions that never change."""

import json
from pathlib import Path

import click

from domain.books import BOOK_KINDS, shipped_items
from projections import rulebooks
from service.cli.common import FORMATS, gridtrail, show_rows
from service.database import reading
from service.imports.recording import publish_books

MEMBERS = ("kind", "name", "version", "effective_from", "content")


@click.group("rulebooks")
def command() -> None:
    """Categories, time limits, calendars and care plans of the city."""


@command.command("publish")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--shipped", is_flag=True, help="Publish the books that come with Gridtrail.")
def publish(files: tuple[Path, ...], shipped: bool) -> None:
    """Publish versions from JSON files with the members kind, name, version, effective_from and content.

    The same version with the same content again records nothing; with another content it is refused.
    """
    books = [*(shipped_items() if shipped else ()), *map(_read, files)]
    if not books:
        raise click.UsageError("Name a file, or --shipped.")
    publish_books(gridtrail(), books)
    click.echo(f"{len(books)} versions are published.")


@command.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
def show(form: str) -> None:
    """List the published versions of the city."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        rows = rulebooks.published(conn, pieces.config.city)
    show_rows(rows, MEMBERS if form == "json" else MEMBERS[:-1], form)


def _read(file: Path) -> dict[str, object]:
    try:
        book = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as wrong:
        raise click.ClickException(f"{file}: not JSON: {wrong}") from wrong
    if not isinstance(book, dict) or book.keys() != set(MEMBERS) or book["kind"] not in BOOK_KINDS or not _has_the_types(book):
        raise click.ClickException(f"{file}: a book has exactly the members {', '.join(MEMBERS)}; kind is one of {', '.join(BOOK_KINDS)}.")
    return book


def _has_the_types(book: dict[str, object]) -> bool:
    return isinstance(book["content"], dict) and all(isinstance(book[name], str) for name in MEMBERS[:-1])


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number of JSON")
