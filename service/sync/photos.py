"""Keeps photos under the SHA-256 of their bytes, and says who may see them. Read by the photo routes and the upload path.

A photo may be read by whoever brought its bytes, and by whoever may read a case or visit in which somebody who brought its bytes showed it.
To name a photo's hash in an entry gives no right to a photo that one never had.
"""

import hashlib
import os
from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

import fsspec
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem

from domain.clock import utc_text
from projections import open_cases
from service.database import reading, writing
from service.durable import sync, write_whole
from service.ledger.bulk import insert_unless_present, on_sqlite
from service.problems import CATALOGUE, Problem
from service.scope import Actor, OutOfScope, sight_of
from service.sync.batch import Readable
from service.sync.tables import photo_uses
from service.sync.tables import photos as photo_rows

CATALOGUE.update(
    {
        "not_a_photo": (415, "The bytes are no JPEG, PNG or WebP image"),
        "digest_mismatch": (422, "The body has another SHA-256 than its name"),
    }
)

CHUNK = 262_144


def media_type_of(start: bytes) -> str | None:
    """The image's type by its first bytes; what the sender says does not matter."""
    if start.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return None


class PhotoStore(Protocol):
    """Where the bytes are. put is atomic: nobody ever reads half a photo under its name."""

    def has(self, sha256: str) -> bool: ...

    def put(self, sha256: str, content: bytes) -> None: ...

    def get(self, sha256: str) -> bytes | None: ...

    def delete(self, sha256: str) -> None: ...


class FilePhotos:
    """Photos in a folder, or in anything that fsspec reaches by URL."""

    def __init__(self, url: str) -> None:
        self.files, self.root = fsspec.core.url_to_fs(url)
        self.local = isinstance(self.files, LocalFileSystem)

    def _path(self, sha256: str) -> str:
        return f"{self.root}/{sha256[:2]}/{sha256}"

    def has(self, sha256: str) -> bool:
        """Whether the photo is there."""
        return bool(self.files.exists(self._path(sha256)))

    def put(self, sha256: str, content: bytes) -> None:
        """Writes beside and renames; on a local disk the bytes and the name are durable before it returns."""
        path = self._path(sha256)
        if not self.local:
            self.files.pipe_file(path, content)
            return
        write_whole(path, content)

    def get(self, sha256: str) -> bytes | None:
        """The photo's bytes, or None."""
        try:
            return bytes(self.files.cat_file(self._path(sha256)))
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        """Removes the photo; on a local disk its name is durably gone before it returns. One that is not there is no fault."""
        path = self._path(sha256)
        try:
            self.files.rm_file(path)
        except FileNotFoundError:
            return
        if self.local:
            sync(os.path.dirname(path))


class Photos:
    """The use cases of photos."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database = gridtrail.database
        self.config = gridtrail.config
        self.store: PhotoStore = FilePhotos(gridtrail.config.photos_url)

    def put(self, ledger: str, person: str, sha256: str, stream: Readable, length: int | None) -> bool:
        """Keeps a photo that a person brought. True where it is new from this person; sending again changes nothing."""
        content = self._read(stream, length)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Problem("digest_mismatch", "Send the photo again, under the SHA-256 of its bytes.")
        media_type = media_type_of(content[:16])
        if media_type is None:
            raise Problem("not_a_photo", "Send JPEG, PNG or WebP.", allowed=["image/jpeg", "image/png", "image/webp"])
        if not self.store.has(sha256):
            self._keep(sha256, content)
        row = {
            "ledger": ledger, "sha256": sha256, "person": UUID(person), "bytes": len(content), "media_type": media_type,
            "stored_at": utc_text(self.gridtrail.clock()),
        }  # fmt: skip
        with writing(self.database) as conn:
            return bool(conn.execute(insert_unless_present(conn, photo_rows), row).rowcount > 0)

    def _keep(self, sha256: str, content: bytes) -> None:
        try:
            self.store.put(sha256, content)
        except OSError as full:
            raise Problem("storage_full", "The photo could not be kept; send it again later.", headers={"Retry-After": "60"}) from full

    def _read(self, stream: Readable, length: int | None) -> bytes:
        if length is None:
            raise Problem("length_required", "Say how many bytes the photo has.")
        if length > self.config.photo_max_bytes:
            raise Problem("too_large", "The photo is larger than allowed.", max_bytes=self.config.photo_max_bytes)
        chunks, missing = [], length
        while missing and (chunk := stream.read(min(missing, CHUNK))):
            chunks.append(chunk)
            missing -= len(chunk)
        if missing:
            raise Problem("length_mismatch", "The photo is cut short; send it again.", expected=length, received=length - missing)
        return b"".join(chunks)

    def get(self, actor: Actor, sha256: str) -> tuple[bytes, str]:
        """A photo's bytes and type. OutOfScope where it is not for this actor, or is not there: the two are not told apart."""
        with reading(self.database) as conn:
            media_type = self._visible(conn, actor, sha256)
        content = self.store.get(sha256) if media_type else None
        if content is None or media_type is None:
            raise OutOfScope
        return content, media_type

    def get_disclosed(self, actor: Actor, sha256: str, stream: str) -> tuple[bytes, str]:
        """The same for a photo of persons, which a case or visit discloses: for whoever may read its values, on record."""
        from service.personal.reading import photo_shown

        if not photo_shown(self.gridtrail, actor, sha256, stream):
            raise OutOfScope
        with reading(self.database) as conn:
            media_type = conn.scalar(sa.select(photo_rows.c.media_type).where(photo_rows.c.sha256 == sha256).limit(1))
        content = self.store.get(sha256) if media_type else None
        if content is None:
            raise OutOfScope
        return content, str(media_type)

    def _visible(self, conn: sa.Connection, actor: Actor, sha256: str) -> str | None:
        brought = conn.execute(sa.select(photo_rows.c.person, photo_rows.c.media_type).where(photo_rows.c.sha256 == sha256)).all()
        if not brought:
            return None
        people = {str(row.person) for row in brought}
        if actor.person in people:
            return str(brought[0].media_type)
        sight = sight_of(actor, "photo.read")
        for use in conn.execute(sa.select(photo_uses).where(photo_uses.c.sha256 == sha256)):
            if str(use.person) not in people:
                continue
            if sight.covers(use.area) or (sight.units and open_cases.get_case(conn, sight, str(use.stream), use.ledger) is not None):
                return str(brought[0].media_type)
        return None


USE = "INSERT INTO photo_uses (ledger, sha256, stream, person, area) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"


def record_uses(conn: sa.Connection, uses: Iterable[tuple[str, str, UUID, str, str]]) -> None:
    """Notes where acts that are being recorded show photos: (ledger, sha256, stream, person, area) each. In the acts' transaction."""
    write_uses(conn.connection.driver_connection, uses)


def write_uses(driver: Any, uses: Iterable[tuple[str, str, UUID, str, str]]) -> None:
    """The same on the driver's own connection."""
    for ledger, sha256, stream, person, area in dict.fromkeys(uses):
        ids = (stream.hex, UUID(person).hex) if on_sqlite(driver) else (stream, UUID(person))
        driver.execute(USE if on_sqlite(driver) else USE.replace("?", "%s"), (ledger, sha256, *ids, area))
