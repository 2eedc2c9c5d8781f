"""The files of a backup: independent of the database that they came from and of the one that they go to. Read by backup and restore.

    manifest.json                what it is, what every file holds, what is not inside
    SHA256SUMS                   of every file, as ``sha256sum --check`` reads it
    tables/<name>.jsonl.gz       one JSON array for each row, in the order of the key; the manifest names the columns and their kinds
    photos/<2>/<sha256>          the photos, where they were asked for

Kinds of columns: ``text``, ``int``, ``float``, ``bool``, ``uuid`` (32 hex digits), and ``bytes``: ``u`` and the text where they are UTF-8,
as the recorded lines are, otherwise ``b`` and base64. Null is null.
"""

import base64
import gzip
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from service.durable import sync, write_whole

FORMAT = "gridtrail-backup/1"
VAULT_FORMAT = "gridtrail-vault-backup/1"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
LEVEL = 2
"""Of gzip. 55 MB of lines: a twelfth in 0.26 s of CPU; level 6 makes it a fifteenth in 0.57 s, level 9 a sixteenth in 1.32 s."""
READ = 1 << 20
LONGEST_ROW = 1 << 25
"""No row of ours comes near; a damaged file shall not fill the memory."""

KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (sa.Boolean, "bool"),
    (sa.Integer, "int"),
    (sa.Float, "float"),
    (sa.Uuid, "uuid"),
    (sa.LargeBinary, "bytes"),
    (sa.String, "text"),
)


class BadBackup(RuntimeError):
    """The folder is no backup that can be restored; the sentence names the file and what is wrong with it."""


def kind_of(column: sa.Column[Any]) -> str:
    """The kind of a column. TypeError for a type that the format has no kind for."""
    for type_, kind in KINDS:
        if isinstance(column.type, type_):
            return kind
    raise TypeError(f"{column} is of a type that no backup knows: {column.type!r}")


# ---- values


def bytes_out(plain: bytes | memoryview) -> str:
    """How bytes stand in a row."""
    plain = bytes(plain)
    try:
        return "u" + plain.decode()
    except UnicodeDecodeError:
        return "b" + base64.b64encode(plain).decode()


def bytes_in(told: str) -> bytes:
    """The bytes that bytes_out wrote. ValueError for anything else."""
    if told[:1] == "u":
        return told[1:].encode()
    if told[:1] == "b":
        return base64.b64decode(told[1:], validate=True)
    raise ValueError("bytes begin with u or b")


def uuid_out(value: UUID | str) -> str:
    """SQLite keeps 32 hex digits already."""
    return value.hex if isinstance(value, UUID) else value


WRITTEN: dict[str, Callable[[Any], Any]] = {"bytes": bytes_out, "uuid": uuid_out, "bool": bool}
"""Kind → how a driver's value is written. The others are JSON's own."""
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "uuid": (str,),
    "bytes": (str,),
}


# ---- files


class RowFile:
    """Writes one table: compressed, counted, digested, and on the disk when it is closed."""

    def __init__(self, folder: Path, name: str, kinds: list[str]) -> None:
        self.name = f"tables/{name}.jsonl.gz"
        path = folder / self.name
        path.parent.mkdir(exist_ok=True)
        self.file = _Digested(path.open("xb"))
        self.zip = gzip.GzipFile(fileobj=self.file, mode="wb", compresslevel=LEVEL, mtime=0, filename="")
        self.changes = [(at, WRITTEN[kind]) for at, kind in enumerate(kinds) if kind in WRITTEN]
        self.rows = 0

    def write(self, rows: Iterable[Iterable[Any]]) -> None:
        """Writes rows as the database's driver gave them."""
        lines, changes = [], self.changes
        for row in rows:
            values = list(row)
            for at, change in changes:
                if values[at] is not None:
                    values[at] = change(values[at])
            lines.append(orjson.dumps(values))
        self.rows += len(lines)
        lines.append(b"")
        self.zip.write(b"\n".join(lines))

    def close(self) -> dict[str, Any]:
        """Ends the file; gives what the manifest says of it."""
        self.zip.close()
        self.file.sync()
        return {"file": self.name, "rows": self.rows, "bytes": self.file.bytes, "sha256": self.file.hexdigest()}


class _Digested:
    """A file that is written once, with its SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest, self.bytes = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def hexdigest(self) -> str:
        return self.digest.hexdigest()

    def sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


def rows_of(folder: Path, table: dict[str, Any]) -> Iterator[list[Any]]:
    """The rows of a table's file, bytes as bytes. BadBackup names the file and the row where a value is not of its column's kind."""
    kinds = [TYPES[kind] for _, kind in table["columns"]]
    binary = [at for at, (_, kind) in enumerate(table["columns"]) if kind == "bytes"]
    number = 0
    try:
        with gzip.open(folder / table["file"], "rb") as lines:
            while line := lines.readline(LONGEST_ROW):
                row = orjson.loads(line)
                if len(row) != len(kinds) or not all(value is None or type(value) in kind for value, kind in zip(row, kinds, strict=True)):
                    raise ValueError("the values are not of the columns' kinds")
                for at in binary:
                    if row[at] is not None:
                        row[at] = bytes_in(row[at])
                number += 1
                yield row
    except (OSError, EOFError, ValueError, TypeError, gzip.zlib.error) as wrong:  # type: ignore[attr-defined]
        raise BadBackup(f"{table['file']} is damaged behind row {number}: {wrong}.") from wrong
    if number != table["rows"]:
        raise BadBackup(f"{table['file']} holds {number} rows; {table['rows']} were written.")


def sha256_of(path: Path, seen: Callable[[int], None] = lambda _: None) -> tuple[str, int]:
    """Digest and length of a file, read from the disk."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(READ):
            digest.update(chunk)
            length += len(chunk)
            seen(len(chunk))
    return digest.hexdigest(), length


# ---- the manifest


def write_manifest(folder: Path, manifest: dict[str, Any], photos: Iterable[str] = ()) -> None:
    """Writes manifest and SHA256SUMS, and makes the tables' names durable. photos: digests, which are their own names."""
    text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n"
    write_whole(folder / MANIFEST, text, new=True)
    sums = [f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}"]
    sums += [f"{table['sha256']}  {table['file']}" for table in manifest["tables"]]
    sums += [f"{photo}  photos/{photo[:2]}/{photo}" for photo in photos]
    write_whole(folder / SUMS, "".join(f"{line}\n" for line in sums).encode(), new=True)
    sync(folder / "tables")


def read_manifest(folder: Path, format_: str = FORMAT) -> dict[str, Any]:
    """The manifest, if it is the one that was written. BadBackup otherwise."""
    try:
        text = (folder / MANIFEST).read_bytes()
        sums = (folder / SUMS).read_text("ascii")
        manifest: dict[str, Any] = orjson.loads(text)
        found = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise BadBackup(f"{folder} is no backup: {wrong}.") from wrong
    if f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n" not in sums:
        raise BadBackup(f"{folder / MANIFEST} is not the manifest that was written: SHA256SUMS has another digest of it.")
    if found != format_:
        raise BadBackup(f"{folder} is of the format {found!r}; this release reads {format_!r}.")
    return manifest


def check_sums(folder: Path, seen: Callable[[int], None] = lambda _: None) -> int:
    """Reads every file that SHA256SUMS names and compares. Gives the number of files. BadBackup names the first that differs."""
    lines = (folder / SUMS).read_text("ascii").splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        if ".." in name or name.startswith("/"):
            raise BadBackup(f"{SUMS} names a file outside of the backup: {name}.")
        try:
            found, _length = sha256_of(folder / name, seen)
        except OSError as wrong:
            raise BadBackup(f"{name} cannot be read: {wrong.strerror}.") from wrong
        if found != digest:
            raise BadBackup(f"{name} is damaged: its SHA-256 is not the one that was written.")
    return len(lines)


def bytes_of(folder: Path) -> int:
    """The size of a backup's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
