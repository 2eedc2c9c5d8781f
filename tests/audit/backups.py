"""Backups for the tests: taken of a town, damaged by hand, and compared."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from service.audit.backup_files import MANIFEST, SUMS, kind_of, write_manifest
from service.database import open_database, reading
from service.ledger import schema
from tests.sync.town import A1, Town

PHOTO = b"\xff\xd8\xff\xe0 a photo of a manhole"


def told_town(database: sa.Engine, folder: Path) -> Town:
    """A town with a morning's work: visits, a refused entry, a photo, an act at the console."""
    schema.stamp(database)
    town = Town(database, folder)
    hand = town.hand("li")
    photo = hashlib.sha256(PHOTO).hexdigest()
    reported = {"category": "gridtrail/1/A01", "summary": "Kehricht \u5783\u573e \u0001", "photos": [photo]}
    town.app.test_client().put(f"/v1/photos/{photo}", data=PHOTO, headers={"Authorization": f"Bearer {hand.token}"})
    lines = [hand.entry(0), hand.entry(1, kind="no.such"), hand.entry(2, "case.reported", data=reported), b"no JSON at all"]
    assert hand.send(lines).status_code == 200
    town.gridtrail.follower.catch_up()
    town.first = hand
    return town


def more(town: Town, count: int = 2) -> None:
    """The first tablet goes on."""
    hand = town.first
    first = hand.frontier.size
    assert hand.send([hand.entry(seq, area=A1) for seq in range(first, first + count)]).status_code == 200


def everything(database: sa.Engine) -> dict[str, list[Any]]:
    """Every row of every table, as the same values on each store."""
    found = {}
    with reading(database) as conn:
        for table in schema.metadata().sorted_tables:
            assert all(kind_of(column) for column in table.columns)
            found[table.name] = [tuple(row) for row in conn.execute(sa.select(table).order_by(*table.primary_key.columns))]
    return found


def rows_at(url: str) -> dict[str, list[Any]]:
    """The same of a database by its URL."""
    engine = open_database(url)
    try:
        return everything(engine)
    finally:
        engine.dispose()


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a manifest, and whatever files ``change`` rewrote, as somebody would who knows the format: all digests are right again."""
    manifest = orjson.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    for table in manifest["tables"]:
        content = (folder / table["file"]).read_bytes()
        table["sha256"], table["bytes"] = hashlib.sha256(content).hexdigest(), len(content)
    (folder / MANIFEST).unlink()
    (folder / SUMS).unlink()
    write_manifest(folder, manifest)


def rewritten(folder: Path, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Changes the rows of one table's file, and makes every digest right again."""
    path = folder / "tables" / f"{name}.jsonl.gz"
    rows = change(gzip.decompress(path.read_bytes()).splitlines())
    path.write_bytes(gzip.compress(b"".join(row + b"\n" for row in rows)))

    def count(manifest: dict[str, Any]) -> None:
        (table,) = [each for each in manifest["tables"] if each["name"] == name]
        table["rows"] = len(rows)

    changed(folder, count)
