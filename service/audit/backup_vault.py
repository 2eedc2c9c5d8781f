"""The vault's keys, apart from everything else and for a short time only: a key in a backup outlives the erasure that destroyed it.

The keys stand in the backup as they stand in the key store, wrapped: it opens nothing without GRIDTRAIL_VAULT_KEY_FILE, which is in no
backup of ours. Whoever was erased after it was made comes back with it, so a restore adds keys that are missing and never takes a tombstone
away, and ``gridtrail restore`` applies every erasure again.
"""

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from domain.clock import utc_text
from service.audit.backup import NotBackedUp, moment_of, part_of, write_tables
from service.audit.backup_files import VAULT_FORMAT, check_sums, read_manifest, rows_of, write_manifest
from service.audit.restoring import NotRestored
from service.database import writing
from service.durable import sync
from service.personal.tables import KEYS, VERSION, subject_keys


def back_up_vault(gridtrail: Any, target: Path) -> dict[str, Any]:
    """Writes the key store's tables into a new folder of their own and reads them again. Gives the manifest. NotBackedUp."""
    store = gridtrail.vault.keystore
    made_at = gridtrail.clock()
    keep = min(gridtrail.config.vault_backup_keep_days, gridtrail.config.backup_keep_days)
    with part_of(target) as part:
        with moment_of(store.engine) as conn:
            manifest = {
                "format": VAULT_FORMAT,
                "id": str(uuid4()),
                "made_at": utc_text(made_at),
                "release": version("gridtrail"),
                "version": VERSION,
                "tables": write_tables(conn, KEYS.sorted_tables, part, lambda _: None),
                "not_inside": [
                    {
                        "what": "key of the vault's keys",
                        "where": "GRIDTRAIL_VAULT_KEY" if gridtrail.config.vault_key else gridtrail.config.vault_key_file,
                        "how": "Copy it once to a sealed place, never beside this backup: together they open every value.",
                    }
                ],
                "delete_by": utc_text(made_at + timedelta(days=keep)),
            }
        write_manifest(part, manifest)
        check_vault(part)
        part.rename(target)
        sync(target.parent)
    return manifest


def must_be_apart(target: Path, vault: Path) -> None:
    """NotBackedUp where the keys would lie with what they open."""
    one, other = target.resolve(), vault.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise NotBackedUp(f"{vault} lies with {target}: keys that lie with what they open protect nothing. Name a folder on another disk.")


def check_vault(folder: Path) -> dict[str, Any]:
    """Reads a backup of the vault whole. Gives its manifest. BadBackup says what is wrong."""
    manifest = read_manifest(folder, VAULT_FORMAT)
    check_sums(folder)
    for table in manifest["tables"]:
        for _ in rows_of(folder, table):
            pass
    return manifest


def restore_vault(gridtrail: Any, source: Path) -> int:
    """Puts the keys back that the key store lacks, all or none. Gives how many. Tombstones stay.

    NotRestored where a subject has another key meanwhile, under which new values may lie: that must be looked into by hand.
    """
    manifest = check_vault(source)
    if manifest["version"] > VERSION:
        raise NotRestored(f"{source} was made by release {manifest['release']}, whose key store this release does not know.")
    (table,) = [table for table in manifest["tables"] if table["name"] == subject_keys.name]
    columns = [column for column, _ in table["columns"]]
    count = 0
    with writing(gridtrail.vault.keystore.engine) as conn:
        present = {row.subject: row for row in conn.execute(sa.select(subject_keys))}
        for values in rows_of(source, table):
            row = dict(zip(columns, values, strict=True))
            row["subject"], row["kid"] = UUID(row["subject"]), UUID(row["kid"])
            there = present.get(row["subject"])
            if there is None:
                if row["wrapped"] is not None:
                    gridtrail.vault.keystore.keks.get(row["kek"])  # KeyRefused where it could never be opened.
                conn.execute(sa.insert(subject_keys), row)
                count += 1
            elif there.kid != row["kid"] and there.wrapped is not None and row["wrapped"] is not None:
                raise NotRestored(f"The subject {row['subject']} has another key by now, {there.kid}; the backup's is {row['kid']}.")
            elif there.wrapped is not None and row["destroyed_at"]:
                # A tombstone wins wherever it comes from.
                gone = {name: row[name] for name in ("kek", "closed_at", "destroyed_at")}
                conn.execute(sa.update(subject_keys).where(subject_keys.c.subject == row["subject"]).values(wrapped=None, **gone))
    return count
