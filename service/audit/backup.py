"""``gridtrail backup``: everything in the database at one moment, while uploads go on, and read again before it counts as a backup.

One read transaction sees one moment of all ledgers: a snapshot of PostgreSQL (REPEATABLE READ), or of SQLite's WAL. Neither keeps any
writer waiting; meanwhile PostgreSQL keeps the dead rows, and SQLite the WAL, of what is written. SQLite's own backup interface was left:
in steps it begins anew whenever another process has written, in one step it is the same snapshot, and what it makes is SQLite's only.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import sqlalchemy as sa

from domain.clock import utc_text
from service.audit.backup_checking import Checked, check
from service.audit.backup_files import FORMAT, BadBackup, RowFile, bytes_of, kind_of, sha256_of, write_manifest
from service.audit.tables import root_head
from service.database import is_sqlite, reading, sqlite
from service.durable import sync, write_whole
from service.ledger import schema
from service.ledger.store import Head
from service.sync.facts import b64

ROWS = 2000
ROOM = 0.4
"""Of the database's size: what a backup may take. Measured 0.08 to 0.13; a backup must not be what fills the disk."""
LEAST_ROOM = 64 << 20
BAD, PART = ".bad", ".part"

Seen = Callable[[int], None]


class NotBackedUp(RuntimeError):
    """There is no backup; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written and verified."""

    folder: Path
    manifest: dict[str, Any]
    checked: Checked
    bytes: int


def back_up(gridtrail: Any, target: Path, *, photos: bool = False, begin: Callable[[int], Seen] = lambda _: lambda _: None) -> Made:
    """Writes a backup into a new folder and verifies it. begin(rows) is told how many rows will be written, and then again, be read.

    NotBackedUp: nothing stands under the target's name; what does not verify is kept beside it as ``<target>.bad``.
    """
    with part_of(target) as part:
        _must_have_room(gridtrail, part, photos)
        with moment_of(gridtrail.database) as conn:
            manifest = _write(gridtrail, conn, part, photos, begin)
        try:
            checked = check(part, begin(sum(table["rows"] for table in manifest["tables"])))
        except BadBackup as wrong:
            bad = _set_aside(part, target)
            raise NotBackedUp(f"The backup does not verify and is kept as {bad}, for study only: {wrong}") from wrong
        size = bytes_of(part)
        part.rename(target)
        sync(target.parent)
    return Made(target, manifest, checked, size)


# ---- the target


@contextmanager
def part_of(target: Path) -> Iterator[Path]:
    """The folder to write into, held by this process alone; gone at the end unless it was renamed."""
    if target.exists():
        raise NotBackedUp(f"{target} exists. A backup goes into a folder of its own: name a new one.")
    part = target.with_name(target.name + PART)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.with_name(f".{target.name}.lock"), target):
        shutil.rmtree(part, ignore_errors=True)  # What a backup that was cut off has left.
        part.mkdir(mode=0o700)
        try:
            yield part
        except OSError as full:
            raise NotBackedUp(f"The backup could not be written ({full.strerror or full}); nothing is kept of it.") from full
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _alone(path: Path, target: Path) -> Iterator[None]:
    """Holds a lock file, which goes with its holder."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        raise NotBackedUp(f"Another process is writing {target} right now.") from None
    finally:
        os.close(lock)


def _set_aside(part: Path, target: Path) -> Path:
    bad = target.with_name(target.name + BAD)
    shutil.rmtree(bad, ignore_errors=True)
    part.rename(bad)
    return bad


def _must_have_room(gridtrail: Any, part: Path, photos: bool) -> None:
    with reading(gridtrail.database) as conn:
        wanted = int(_size_of(conn) * ROOM) + LEAST_ROOM
        if photos:
            table = schema.metadata().tables["photos"]
            wanted += int(conn.scalar(sa.select(sa.func.coalesce(sa.func.sum(table.c.bytes), 0))) or 0)
    free = free_bytes(part)
    if free < wanted:
        told = f"{part.parent} has {free >> 20} MB free; the backup may take {wanted >> 20} MB."
        raise NotBackedUp(f"{told} Make room, or name another disk.")


def free_bytes(folder: Path) -> int:
    """What the folder's disk has left for us."""
    return shutil.disk_usage(folder).free


def _size_of(conn: sa.Connection) -> int:
    if is_sqlite(conn):
        pages: int = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        return pages * int(conn.exec_driver_sql("PRAGMA page_size").scalar_one())
    return int(conn.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


# ---- writing


@contextmanager
def moment_of(database: sa.Engine) -> Iterator[sa.Connection]:
    """One moment of the database, for as long as it takes."""
    with reading(database) as conn:
        if not is_sqlite(database):
            conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
            conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield conn


def _write(gridtrail: Any, conn: sa.Connection, part: Path, photos: bool, begin: Callable[[int], Seen]) -> dict[str, Any]:
    tables = schema.metadata().sorted_tables
    migration = schema.revision_of(conn)
    if migration != schema.head():
        raise NotBackedUp(f"The database stands at migration {migration}, this release at {schema.head()}: run gridtrail db upgrade.")
    heads = gridtrail.ledgers.heads(conn)
    made_at = gridtrail.clock()
    seen = begin(sum(int(conn.scalar(sa.select(sa.func.count()).select_from(table)) or 0) for table in tables))
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "id": str(uuid4()),
        "made_at": utc_text(made_at),
        "release": version("gridtrail"),
        "migration": migration,
        "database": conn.dialect.name,
        "city": gridtrail.config.city,
        "origin": gridtrail.config.origin,
        "ledgers": [_told(head) for head in heads],
        "root_log": _told(root) if (root := root_head(conn)) else None,
        "tables": write_tables(conn, tables, part, seen),
    }
    kept = _write_photos(gridtrail, conn, part) if photos else []
    manifest["photos"] = _photos_told(gridtrail, conn, photos, kept)
    manifest["not_inside"] = not_inside(gridtrail.config, photos)
    manifest["delete_by"] = utc_text(made_at + timedelta(days=gridtrail.config.backup_keep_days))
    write_manifest(part, manifest, kept)
    return manifest


def _told(head: Head) -> dict[str, Any]:
    members = {name: getattr(head, name) for name in ("ledger", "size", "incarnation", "recorded_at")}
    return {**members, "root": b64(head.root)}


def write_tables(conn: sa.Connection, tables: Sequence[sa.Table], part: Path, seen: Seen) -> list[dict[str, Any]]:
    """Writes each table into its file, in the order of its key; gives what the manifest says of them."""
    told = []
    for table in tables:
        columns = [(column.name, kind_of(column)) for column in table.columns]
        file = RowFile(part, table.name, [kind for _, kind in columns])
        for rows in _pages(conn, table):
            file.write(rows)
            seen(len(rows))
        told.append({"name": table.name, **file.close(), "columns": [list(each) for each in columns]})
    return told


def _pages(conn: sa.Connection, table: sa.Table) -> Iterator[list[Any]]:
    """The table's rows through the driver's own cursor: on PostgreSQL one that stays on the server."""
    statement = str(sa.select(*table.columns).order_by(*table.primary_key.columns).compile(dialect=conn.dialect))
    driver: Any = conn.connection.driver_connection
    cursor = driver.cursor() if is_sqlite(conn) else driver.cursor(f"backup_{table.name}", binary=True)
    try:
        cursor.execute(statement)
        while rows := cursor.fetchmany(ROWS):
            yield rows
    except (sqlite.DatabaseError, psycopg.Error) as wrong:
        raise NotBackedUp(f"The table {table.name} could not be read: {wrong}") from wrong
    finally:
        cursor.close()


# ---- photos


def _write_photos(gridtrail: Any, conn: sa.Connection, part: Path) -> list[str]:
    """Copies the photos of this moment out of the store; gives their digests. One that the store does not have is told, not hidden."""
    table = schema.metadata().tables["photos"]
    store, kept = gridtrail.photos.store, []
    for sha256 in conn.scalars(sa.select(table.c.sha256).distinct().order_by(table.c.sha256)):
        content = store.get(sha256)
        if content is None:
            continue
        path = part / "photos" / sha256[:2] / sha256
        write_whole(path, content, new=True)
        if sha256_of(path)[0] == sha256:
            kept.append(sha256)
        else:
            path.unlink()
    return kept


def _photos_told(gridtrail: Any, conn: sa.Connection, photos: bool, kept: Iterable[str]) -> dict[str, Any]:
    table = schema.metadata().tables["photos"]
    known = set(conn.scalars(sa.select(table.c.sha256).distinct()))
    if not photos:
        return {"included": False, "known": len(known)}
    missing = sorted(known - set(kept))
    return {"included": True, "known": len(known), "kept": len(known) - len(missing), "missing": missing}


# ---- what is not inside


def not_inside(config: Any, photos: bool) -> list[dict[str, str]]:
    """What a whole service needs beside this backup, where it lies, and how to keep it."""
    key = "GRIDTRAIL_SIGNING_KEY" if config.signing_key else str(Path(config.signing_key_file).resolve())
    told = [
        {
            "what": "signing key",
            "where": key,
            "how": "Copy it once to two sealed places that the database's administrators cannot open; it never lies beside a backup.",
        },
        {
            "what": "watermark journal",
            "where": str(Path(getattr(config, "watermark_file", "var/signed.journal")).resolve()),
            "how": "Never restore an older copy of it: it says how far the service has signed, so that a restored database is known to be "
            "behind. Ship its lines to another machine as they are written (for example tail -F into the system's log).",
        },
        {
            "what": "vault keys",
            "where": "GRIDTRAIL_VAULT_URL",
            "how": "gridtrail backup --vault FOLDER, elsewhere and for a short time only: a key in a backup outlives an erasure.",
        },
        {
            "what": "key of the vault's keys",
            "where": "GRIDTRAIL_VAULT_KEY_FILE",
            "how": "Copy it once, as the signing key, and apart from the backups of the vault: either opens nothing without the other.",
        },
        {
            "what": "settings",
            "where": "the environment (/etc/gridtrail/gridtrail.env)",
            "how": "Keep them with the machine's configuration.",
        },
    ]
    if not photos:
        how = "gridtrail backup --photos, or copy the store with its own tools: a photo's name is its SHA-256 and never changes."
        told.append({"what": "photos", "where": config.photos_url, "how": how})
    return told
