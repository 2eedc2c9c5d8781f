"""Removes photos that personal values name, where nobody else uses them. Read by the erasure and the retention."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.personal import BadDisclosure, read_disclosure
from service.database import reading, writing
from service.personal.tables import disclosures
from service.sync.tables import photo_uses
from service.sync.tables import photos as photo_rows

PHOTO = "photo"
PAGE = 2000
D = disclosures.c


def photo_of(text: Any) -> str | None:
    """The SHA-256 that a ``photo`` disclosure names."""
    try:
        return str(read_disclosure(text).value) if isinstance(text, str) else None
    except BadDisclosure:
        return None


def remove_photos(gridtrail: Any, digests: Iterable[str], *, closing: bool = False) -> tuple[int, int]:
    """Removes the photos that some held values name, rows first and then the bytes. Gives how many are gone, and how many stay.

    A photo stays where a matter of public space shows it, or where a value that is not among these names it too. Safe to run again: until
    the values themselves are destroyed it finds the same photos.
    """
    ours = list(dict.fromkeys(digests))
    if not ours:
        return 0, 0
    with reading(gridtrail.database) as conn:
        named = {sha for text in gridtrail.vault.open(conn, ours, closing=closing).values() if (sha := photo_of(text)) is not None}
        stay = set(conn.scalars(sa.select(photo_uses.c.sha256).where(photo_uses.c.sha256.in_(sorted(named))))) if named else set()
        if named - stay:
            stay |= _named_by_others(gridtrail, conn, set(ours)) & named
    gone = sorted(named - stay)
    with writing(gridtrail.database) as conn:
        conn.execute(sa.delete(photo_rows).where(photo_rows.c.sha256.in_(gone)))
    for sha in gone:
        gridtrail.photos.store.delete(sha)
    return len(gone), len(named & stay)


def _named_by_others(gridtrail: Any, conn: sa.Connection, ours: set[str]) -> set[str]:
    """The photos that other held values name: all of them are opened, a page at a time."""
    found: set[str] = set()
    last: tuple[str, str] = ("", "")
    while True:
        query = sa.select(D.ledger, D.digest).where(D.field == PHOTO, D.gone_at.is_(None))
        query = query.where(sa.tuple_(D.ledger, D.digest) > sa.tuple_(*map(sa.literal, last)))
        page = conn.execute(query.order_by(D.ledger, D.digest).limit(PAGE)).all()
        if not page:
            return found
        last = (page[-1].ledger, page[-1].digest)
        opened = gridtrail.vault.open(conn, [row.digest for row in page if row.digest not in ours])
        found |= {sha for text in opened.values() if (sha := photo_of(text)) is not None}


def photo_digests(conn: sa.Connection, subject: UUID) -> list[str]:
    """The digests under which photos of a subject are held."""
    return list(conn.scalars(sa.select(D.digest).where(D.subject == subject, D.field == PHOTO, D.gone_at.is_(None))))
