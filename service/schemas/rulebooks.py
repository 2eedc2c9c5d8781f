"""Rulebooks on the wire: categories, time limits, calendars and care plans, as versions that never change."""

import marshmallow as ma

from domain.books import BOOK_KINDS
from service.schemas.fields import Day, Parsed, flag, one_of, shown, text
from service.schemas.pages import Listing

String, Integer, Boolean = ma.fields.String, ma.fields.Integer, ma.fields.Boolean
DEEPEST = 8
"""How deep the content of a book nests at most; the shipped ones have four levels."""


class BookQuery(Listing):
    """Versions of one kind; in_force=true: only those that decide today; content=false leaves out what stands in them."""

    kind = one_of(*BOOK_KINDS)
    in_force = flag()
    content = flag(load_default=True)


class BookVersion(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(String, "kind", "name", "version", "effective_from", "sha256", optional=("published_at",))
        | shown(Boolean, "shipped", "in_force")
    )
):
    """One version of one book. shipped: it came with the software, and holds where the city published nothing instead.

    in_force: decisions of today use it. sha256: of the content in canonical JSON.
    """

    content = Parsed(required=True, allow_none=True, metadata={"type": "object"})


def _is_shallow(value: object, depth: int = DEEPEST) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in inner)


def _must_be_shallow(value: object) -> None:
    if not _is_shallow(value):
        raise ma.ValidationError(f"Nested deeper than {DEEPEST} levels.")


class NewBook(ma.Schema):
    """A version to be published: what a file of gridtrail rulebooks publish holds."""

    kind = one_of(*BOOK_KINDS, required=True)
    name = text(64, required=True)
    version = text(32, required=True)
    effective_from = Day(required=True)
    content = ma.fields.Dict(keys=String(), required=True, validate=_must_be_shallow)


class Trying(ma.Schema):
    """dry_run=true: say what would be recorded, and record nothing."""

    dry_run = flag(load_default=False)


class PublishedBook(ma.Schema):
    """What became of it: published, or same where this very version is published already. position is null where nothing was recorded."""

    outcome = one_of("published", "same", required=True)
    dry_run = ma.fields.Boolean(required=True)
    ledger = String(required=True)
    position = Integer(required=True, allow_none=True)
