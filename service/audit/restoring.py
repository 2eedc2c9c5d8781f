"""``gridtrail restore``: a backup back into a database of either kind, all of it or nothing. Read by the command line.

The backup is checked first, and what stands in the database afterwards is checked again before anybody can see it: PostgreSQL gets it in
one transaction, SQLite as a file beside the old one that takes its name at the end. So a crash at any moment leaves what was there before.

Every ledger that was restored is *held*: the service refuses to write to it until ``gridtrail ledger continue --new-incarnation``. What
was signed after the backup was made is in the hands of tablets and witnesses, and only they know of it when the watermark is lost as well.
"""

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from domain.clock import utc_text
from service import database as databases
from service.audit.backup_checking import HEAD, Checked, check, faults_of, says
from service.audit.backup_files import BadBackup, read_manifest, rows_of, sha256_of
from service.audit.held import held_ledgers
from service.audit.trees import Trees
from service.database import is_sqlite, sqlite
from service.durable import sync
from service.ledger import schema
from service.ledger.keys import log_origin
from service.ledger.store import Ledgers
from service.sync.photos import PhotoStore

BATCH = 2000
PART = ".restoring"
LEAVING_S = 5.0

OTHERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'gridtrail'"
)

Seen = Callable[[int], None]
Begin = Callable[[int], Seen]


class NotRestored(RuntimeError):
    """Nothing was restored, and what was there before is as it was; the sentence says why and what to do."""


class NotEmpty(NotRestored):
    """The database has rows. ``name`` is what must be said to replace them."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The database {name} is not empty. Name another one, or replace it: gridtrail restore --replace.")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the backup's manifest, what was checked before, and the ledgers that are held."""

    manifest: dict[str, Any]
    checked: Checked
    held: list[str]


def check_source(source: Path, begin: Begin) -> tuple[dict[str, Any], Checked]:
    """The manifest of a backup that verifies and that this release can read. BadBackup or NotRestored otherwise."""
    manifest = read_manifest(source)
    known = {script.revision for script in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()}
    if manifest["migration"] not in known:
        raise NotRestored(
            f"{source} was made by release {manifest['release']} at migration {manifest['migration']}, which this release does not know. "
            "Install that release or a later one, then restore."
        )
    return manifest, check(source, begin(sum(table["rows"] for table in manifest["tables"])))


def restore(
    config: Any, source: Path, *, clock: Any, replace: str | None = None, held: bool = True, begin: Begin = lambda _: lambda _: None
) -> Restored:
    """Restores a backup into the configured database. NotRestored, NotEmpty, BadBackup: the database is as it was.

    replace  the database's name, where it is not empty
    held     False: the service was stopped before the backup was made and has not run since, so that nothing that was signed is missing
    """
    manifest, checked = check_source(source, begin)
    open_ = _sqlite_beside if databases.sa.make_url(config.database_url).get_backend_name() == "sqlite" else _postgres
    with open_(config, replace, manifest) as conn:
        _make_tables(conn, manifest["migration"])
        _load(conn, source, manifest, begin)
        _check_loaded(conn, manifest, begin)
        command.upgrade(schema.alembic_config(conn), "head")
        names = _hold(conn, manifest, utc_text(clock())) if held else []
    return Restored(manifest, checked, names)


# ---- the two kinds of databases


@contextmanager
def _sqlite_beside(config: Any, replace: str | None, manifest: dict[str, Any]) -> Iterator[sa.Connection]:
    """A new file beside the database's, which takes its name where all went well and nobody has the old one open."""
    path = Path(sa.make_url(config.database_url).database or "").resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    with _old_file(path, replace):
        _remove(part)
        # Nobody can see this file before it is whole: a journal would only write everything twice.
        engine = sa.create_engine(f"sqlite:///{part}", module=sqlite, connect_args={"isolation_level": None})
        try:
            with engine.connect() as conn:
                for word in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-65536", "BEGIN"):
                    conn.exec_driver_sql(word)
                yield conn
                conn.exec_driver_sql("COMMIT")
            engine.dispose()
            sync(part)
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            part.rename(path)
            sync(path.parent)
        finally:
            engine.dispose()
            _remove(part)


@contextmanager
def _old_file(path: Path, replace: str | None) -> Iterator[None]:
    """Holds the old file, so that nobody opens it meanwhile; whoever has it open keeps us out."""
    if not path.exists() or path.stat().st_size == 0:
        yield
        return
    old = sqlite.connect(str(path), timeout=1, isolation_level=None)
    try:
        try:
            # Leaving WAL needs that nobody else has the file open, and puts everything into the one file.
            old.execute("PRAGMA locking_mode=EXCLUSIVE").close()
            old.execute("PRAGMA journal_mode=DELETE").close()
            old.execute("BEGIN EXCLUSIVE").close()
        except sqlite.OperationalError as busy:
            raise NotRestored(f"{path} is in use ({busy}). Stop the service and its engine first.") from busy
        except sqlite.DatabaseError as damaged:
            # A damaged database is what a restore is for; but that it is replaced must be said.
            _must_be_told(replace, path.name, damaged)
        else:
            names = [row[0] for row in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
            if any(_has_rows(old.execute, name) for name in names):
                _must_be_told(replace, path.name)
        yield
    finally:
        old.close()


@contextmanager
def _postgres(config: Any, replace: str | None, manifest: dict[str, Any]) -> Iterator[sa.Connection]:
    """One transaction in which the old tables go and the new ones come."""
    engine = databases.open_database(config.database_url, lock_timeout_s=config.lock_timeout_s, pool_size=1)
    try:
        with databases.writing(engine) as conn:
            conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
            conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            name = str(engine.url.database)
            _must_be_alone(conn, name)
            ours = {*schema.metadata().tables, *(table["name"] for table in manifest["tables"]), "alembic_version"}
            there = [table for table in sa.inspect(conn).get_table_names() if table in ours]
            if any(_has_rows(conn.exec_driver_sql, table) for table in there if table != "alembic_version"):
                _must_be_told(replace, name)
            for table in there:
                conn.exec_driver_sql(f'DROP TABLE "{table}" CASCADE')
            for function in re.findall(r"CREATE FUNCTION (\w+)\(", " ".join(schema.triggers("postgresql"))):
                conn.exec_driver_sql(f"DROP FUNCTION IF EXISTS {function}() CASCADE")
            yield conn
    finally:
        engine.dispose()


def _must_be_alone(conn: sa.Connection, name: str) -> None:
    """A connection that was closed is still listed for a moment: its process has to notice."""
    until = time.monotonic() + LEAVING_S
    while others := conn.exec_driver_sql(OTHERS).scalar_one():
        if time.monotonic() < until:
            time.sleep(0.05)
            conn.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
            continue
        raise NotRestored(f"The database {name} is in use by {others} connections of Gridtrail. Stop the service and its engine first.")


def _has_rows(execute: Callable[[str], Any], table: str) -> bool:
    return table != "alembic_version" and execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone() is not None


def _must_be_told(replace: str | None, name: str, why: Exception | None = None) -> None:
    if replace != name:
        raise NotEmpty(name) from why


def _remove(part: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        part.with_name(part.name + end).unlink(missing_ok=True)


# ---- rows


def _make_tables(conn: sa.Connection, migration: str) -> None:
    """The tables as they were when the backup was made: what came later is migrated afterwards."""
    command.upgrade(schema.alembic_config(conn), migration)


def _load(conn: sa.Connection, source: Path, manifest: dict[str, Any], begin: Begin) -> None:
    seen = begin(sum(table["rows"] for table in manifest["tables"]))
    for table in manifest["tables"]:
        load_table(conn, source, table, seen)


def load_table(conn: sa.Connection, source: Path, table: dict[str, Any], seen: Seen = lambda _: None) -> None:
    """One table's rows through the driver's own bulk path."""
    columns = [column for column, _ in table["columns"]]
    rows = rows_of(source, table)
    driver: Any = conn.connection.driver_connection
    names = ", ".join(f'"{column}"' for column in columns)
    if is_sqlite(conn):
        statement = f'INSERT INTO "{table["name"]}" ({names}) VALUES ({",".join("?" * len(columns))})'
        while some := list(islice(rows, BATCH)):
            driver.executemany(statement, some)
            seen(len(some))
        return
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table["name"]}" ({names}) FROM STDIN') as copy:
        for number, row in enumerate(rows, 1):
            copy.write_row(row)
            if number % BATCH == 0:
                seen(BATCH)


def _check_loaded(conn: sa.Connection, manifest: dict[str, Any], begin: Begin) -> None:
    """What stands in the database now: as many rows, and every tree from its lines. NotRestored where that is not the backup."""
    for table in manifest["tables"]:
        count = conn.exec_driver_sql(f'SELECT count(*) FROM "{table["name"]}"').scalar_one()
        if count != table["rows"]:
            raise NotRestored(f"{table['name']} has {count} rows in the database and {table['rows']} in the backup.")
    stated = [(each["ledger"], each["size"], base64.b64decode(each["root"]), HEAD) for each in manifest["ledgers"]]
    trees = Trees({log: {size} for log, size, _, _ in stated})
    ledgers = Ledgers(conn.engine)
    seen = begin(sum(size for _, size, _, _ in stated))
    for log, size, _, _ in stated:
        for start in range(0, size, BATCH):
            (lines,) = ledgers.stretches(conn, [(log, start, min(start + BATCH, size))])
            for position, line in enumerate(lines, start):
                if not says(line, log, position):
                    trees.faults.append(f"The line at {position} of {log} says that it stands elsewhere.")
                trees.add(log, position, line)
            seen(len(lines))
    if faults := faults_of(trees, stated):
        raise NotRestored(f"What was restored is not what was backed up: {' '.join(faults[:5])}")


# ---- held


def _hold(conn: sa.Connection, manifest: dict[str, Any], now: str) -> list[str]:
    """Notes of each ledger, and of the root log, that more may have been signed under its name than is here. Gives the names."""
    origin, made_at = manifest["origin"], manifest["made_at"]
    logs = [*manifest["ledgers"], *([manifest["root_log"]] if manifest.get("root_log") else [])]
    rows = [
        {
            "ledger": each["ledger"],
            "origin": log_origin(origin, each["ledger"], each["incarnation"]),
            "size": each["size"],
            "root": base64.b64decode(each["root"]),
            "made_at": made_at,
            "restored_at": now,
        }
        for each in logs
    ]
    conn.execute(sa.delete(held_ledgers))
    if rows:
        conn.execute(sa.insert(held_ledgers), rows)
    return [str(row["ledger"]) for row in rows]


# ---- photos


def restore_photos(source: Path, store: PhotoStore, seen: Seen = lambda _: None) -> int:
    """Puts the photos of a backup into the store, those that it has not. Gives how many. BadBackup where one is not what its name says."""
    count = 0
    for path in sorted((source / "photos").glob("??/*")):
        if not store.has(path.name):
            if sha256_of(path)[0] != path.name:
                raise BadBackup(f"{path} is damaged: its name is not its SHA-256.")
            store.put(path.name, path.read_bytes())
            count += 1
        seen(1)
    return count
