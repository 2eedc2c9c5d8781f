"""A backup is one moment of everything, is read again before it counts, and goes into either database whole or not at all."""

import errno
import gzip
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from service.audit import backup, backup_files, restoring
from service.audit.backup import NotBackedUp, back_up
from service.audit.backup_checking import check
from service.audit.backup_files import BadBackup, bytes_in, bytes_out
from service.audit.restoring import NotEmpty, NotRestored, restore, restore_photos
from service.config import Config
from service.database import open_database
from service.ledger import schema
from service.sync.photos import FilePhotos
from service.wiring import Gridtrail
from tests.audit.backups import PHOTO, changed, everything, more, rewritten, rows_at, told_town
from tests.check import check_everything
from tests.conftest import empty_postgres_database
from tests.sync.town import Town


@pytest.fixture
def town(database: sa.Engine, tmp_path: Path) -> Town:
    """A town with a morning's work, on each store."""
    return told_town(database, tmp_path)


@pytest.fixture
def sqlite_town(sqlite_url: str, tmp_path: Path) -> Iterator[Town]:
    """The same on SQLite, for what does not depend on the store."""
    engine = open_database(sqlite_url)
    yield told_town(engine, tmp_path)
    engine.dispose()


@pytest.fixture
def saved(sqlite_town: Town, tmp_path: Path) -> Path:
    """A backup of it."""
    return back_up(sqlite_town.gridtrail, tmp_path / "backup").folder


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database that has nothing in it, not even tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/restored.db"
        return
    with empty_postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url


def put_back(town: Town, source: Path, url: str, **options: Any) -> restoring.Restored:
    return restore(Config(database_url=url), source, clock=town.clock, **options)


def beside(town: Town, database: sa.Engine) -> Gridtrail:
    return Gridtrail(town.gridtrail.config, clock=town.clock, database=database)


def without_holds(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: each for name, each in rows.items() if name != "held_ledgers"}


def test_what_is_restored_into_either_database_is_what_was_backed_up(town: Town, empty_url: str, tmp_path: Path) -> None:
    made = back_up(town.gridtrail, tmp_path / "backup")
    before = everything(town.gridtrail.database)
    more(town)
    done = put_back(town, made.folder, empty_url)
    assert without_holds(rows_at(empty_url)) == without_holds(before)
    assert done.held == [row[0] for row in before["ledgers"]] == [row[0] for row in rows_at(empty_url)["held_ledgers"]]
    database = open_database(empty_url)
    try:
        assert check_everything(beside(town, database)) == sum(each["size"] for each in made.manifest["ledgers"])
    finally:
        database.dispose()


def test_a_backup_of_the_restored_database_has_the_same_files(town: Town, empty_url: str, tmp_path: Path) -> None:
    first = back_up(town.gridtrail, tmp_path / "first")
    put_back(town, first.folder, empty_url, held=False)
    database = open_database(empty_url)
    try:
        second = back_up(beside(town, database), tmp_path / "second")
    finally:
        database.dispose()
    assert first.manifest["tables"] == second.manifest["tables"]


def test_uploads_go_on_while_a_backup_is_written_and_it_is_one_moment_of_all_ledgers(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, uploads = everything(town.gridtrail.database), []

    def begin(_: int) -> Callable[[int], None]:
        def seen(count: int) -> None:
            if count and len(uploads) < 5:
                uploads.append(count)
                more(town)

        return seen

    monkeypatch.setattr(backup, "ROWS", 3)
    made = back_up(town.gridtrail, tmp_path / "backup", begin=begin)
    assert len(uploads) == 5
    sizes = {each["ledger"]: each["size"] for each in made.manifest["ledgers"]}
    assert sizes == {row[0]: row[1] for row in before["ledgers"]}
    assert {table["name"]: table["rows"] for table in made.manifest["tables"]} == {name: len(rows) for name, rows in before.items()}
    assert check_everything(town.gridtrail) == sum(sizes.values()) + 5 * 3


def test_other_tools_can_check_the_digests(saved: Path) -> None:
    told = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=saved, capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (0, b"")


def test_the_manifest_says_what_a_whole_service_needs_besides(saved: Path) -> None:
    manifest = orjson.loads((saved / "manifest.json").read_bytes())
    assert {each["what"] for each in manifest["not_inside"]} >= {"signing key", "watermark journal", "vault keys", "photos"}
    assert manifest["delete_by"] == "2026-12-21T01:00:00.000Z"
    assert "PRIVATE" not in (saved / "manifest.json").read_text()


@pytest.mark.parametrize("plain", [b"", b"u", b"{}", "\u5783\u573e\0\n".encode(), b"\xff\xfe", bytes(range(256))])
def test_bytes_come_back_as_they_were(plain: bytes) -> None:
    assert bytes_in(orjson.loads(orjson.dumps(bytes_out(plain)))) == plain


def test_what_is_no_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="u or b"):
        bytes_in("")


# ---- photos


def test_photos_go_along_where_they_are_asked_for(sqlite_town: Town, tmp_path: Path) -> None:
    made = back_up(sqlite_town.gridtrail, tmp_path / "backup", photos=True)
    assert made.manifest["photos"] == {"included": True, "known": 1, "kept": 1, "missing": []}
    other = FilePhotos(str(tmp_path / "other"))
    assert [restore_photos(made.folder, other) for _ in range(2)] == [1, 0]
    (path,) = (made.folder / "photos").glob("??/*")
    assert other.get(path.name) == PHOTO
    path.write_bytes(PHOTO + b"!")
    with pytest.raises(BadBackup, match="damaged"):
        check(made.folder)
    with pytest.raises(BadBackup, match="damaged"):
        restore_photos(made.folder, FilePhotos(str(tmp_path / "third")))


def test_a_photo_that_the_store_lost_is_told(sqlite_town: Town, tmp_path: Path) -> None:
    (path,) = (tmp_path / "photos").glob("??/*")
    path.unlink()
    made = back_up(sqlite_town.gridtrail, tmp_path / "backup", photos=True)
    assert made.manifest["photos"] == {"included": True, "known": 1, "kept": 0, "missing": [path.name]}


# ---- what is no backup


def test_every_file_that_is_cut_short_or_has_one_bit_changed_is_found(saved: Path) -> None:
    for path in sorted(each for each in saved.rglob("*") if each.is_file()):
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for damaged in (whole[: len(whole) // 2], bytes(flipped), b""):
            path.write_bytes(damaged)
            with pytest.raises(BadBackup):
                check(saved)
        path.unlink()
        with pytest.raises(BadBackup):
            check(saved)
        path.write_bytes(whole)
    check(saved)


def doubled(rows: list[bytes]) -> list[bytes]:
    return [*rows, rows[-1]]


def swapped(rows: list[bytes]) -> list[bytes]:
    return [*rows[:-2], rows[-1], rows[-2]]


def another(rows: list[bytes]) -> list[bytes]:
    return [row.replace(b"worker", b"wurker") for row in rows]


def moved(rows: list[bytes]) -> list[bytes]:
    first = orjson.loads(rows[0])
    return [orjson.dumps([first[0], first[1], *first[2:-1], first[-1].replace('"position":0', '"position":1')]), *rows[1:]]


@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows[1:], doubled, swapped, another, moved])
def test_lines_that_were_changed_with_all_digests_made_right_again_are_found_by_their_trees(
    saved: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    rewritten(saved, "events", change)
    with pytest.raises(BadBackup, match=r"4115"):
        check(saved)


@pytest.mark.parametrize("row", [b"[]", b"{}", b"nothing", b"[" + b"1," * 9 + b"2]", b'["4115",0,"x",1,"t","r",null,null,null,"x"]'])
def test_rows_that_are_none_are_found(saved: Path, row: bytes) -> None:
    rewritten(saved, "events", lambda rows: [row, *rows[1:]])
    with pytest.raises(BadBackup, match=r"events\.jsonl\.gz is damaged behind row"):
        check(saved)


def test_a_head_that_says_something_else_than_the_lines_is_found(saved: Path) -> None:
    rewritten(saved, "ledgers", lambda rows: rows[1:])
    with pytest.raises(BadBackup, match="no head"):
        check(saved)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format":"gridtrail-backup/2"}'])
def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(BadBackup, match="no backup"):
        check(tmp_path)


# ---- a backup that fails


def test_a_database_whose_tree_does_not_hold_gives_no_backup(town: Town, tmp_path: Path) -> None:
    with town.gridtrail.database.begin() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("DROP TRIGGER events_refuse_update")
        else:
            conn.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
        events = schema.metadata().tables["events"]
        conn.execute(sa.update(events).where(events.c.position == 1).values(line=b"{}"))
    with pytest.raises(NotBackedUp, match="does not verify"):
        back_up(town.gridtrail, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert (tmp_path / "backup.bad" / "manifest.json").exists()


def test_a_disk_that_runs_full_leaves_nothing_behind(sqlite_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = backup_files._Digested.write, [2000]

    def runs_full(file: Any, data: bytes) -> int:
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(backup_files._Digested, "write", runs_full)
    with pytest.raises(NotBackedUp, match="No space left on device"):
        back_up(sqlite_town.gridtrail, tmp_path / "backup")
    assert not list(tmp_path.glob("*backup*"))
    monkeypatch.undo()
    back_up(sqlite_town.gridtrail, tmp_path / "backup")


def test_a_disk_without_room_is_told_before_anything_is_written(sqlite_town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "free_bytes", lambda _: 1 << 20)
    with pytest.raises(NotBackedUp, match="has 1 MB free"):
        back_up(sqlite_town.gridtrail, tmp_path / "backup")


def test_a_backup_that_was_cut_off_is_in_nobodys_way(sqlite_town: Town, tmp_path: Path) -> None:
    (tmp_path / "backup.part" / "tables").mkdir(parents=True)
    back_up(sqlite_town.gridtrail, tmp_path / "backup")
    assert not (tmp_path / "backup.part").exists()
    with pytest.raises(NotBackedUp, match="exists"):
        back_up(sqlite_town.gridtrail, tmp_path / "backup")


def test_two_backups_into_one_folder_at_once_are_one(sqlite_town: Town, tmp_path: Path) -> None:
    def begin(_: int) -> Callable[[int], None]:
        with pytest.raises(NotBackedUp, match="Another process"):
            back_up(sqlite_town.gridtrail, tmp_path / "backup")
        return lambda _: None

    back_up(sqlite_town.gridtrail, tmp_path / "backup", begin=begin)
    check(tmp_path / "backup")


def test_a_database_of_another_migration_is_not_backed_up(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(NotBackedUp, match="gridtrail db upgrade"):
        back_up(Gridtrail(Config(database_url=sqlite_url)), tmp_path / "backup")


# ---- a restore that fails


class Crash(BaseException):
    """The machine stops."""


@pytest.mark.parametrize("step", ["load_table", "_check_loaded", "_hold"])
def test_a_crash_in_the_middle_of_a_restore_leaves_what_was_there(
    town: Town, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made = back_up(town.gridtrail, tmp_path / "backup")
    more(town)
    town.gridtrail.database.dispose()
    before, name = rows_at(database_url), Path(str(sa.make_url(database_url).database)).name
    steps = []

    def dies(*_: Any) -> None:
        steps.append(1)
        if step != "load_table" or len(steps) > 10:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(restoring, step, dies)
        with pytest.raises(Crash):
            put_back(town, made.folder, database_url, replace=name)
    assert rows_at(database_url) == before
    put_back(town, made.folder, database_url, replace=name)
    assert len(rows_at(database_url)["events"]) == len(before["events"]) - 3


def test_what_a_restore_left_that_was_killed_is_in_nobodys_way(sqlite_town: Town, saved: Path, tmp_path: Path) -> None:
    for end in ("", "-journal", "-wal"):
        (tmp_path / f"new.db.restoring{end}").write_bytes(b"half a database")
    put_back(sqlite_town, saved, f"sqlite:///{tmp_path}/new.db")
    assert not list(tmp_path.glob("new.db.restoring*"))


def test_a_database_that_is_not_empty_is_replaced_only_by_its_name(town: Town, database_url: str, tmp_path: Path) -> None:
    made = back_up(town.gridtrail, tmp_path / "backup")
    more(town)
    town.gridtrail.database.dispose()
    before, name = rows_at(database_url), Path(str(sa.make_url(database_url).database)).name
    for said in (None, "", "another"):
        with pytest.raises(NotEmpty, match=name):
            put_back(town, made.folder, database_url, replace=said)
    assert rows_at(database_url) == before
    put_back(town, made.folder, database_url, replace=name)
    assert len(rows_at(database_url)["events"]) == len(before["events"]) - 3


def test_a_database_that_somebody_uses_is_not_replaced(
    town: Town, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "LEAVING_S", 0.1)
    made = back_up(town.gridtrail, tmp_path / "backup")
    name = Path(str(sa.make_url(database_url).database)).name
    with pytest.raises(NotRestored, match="Stop the service"):
        put_back(town, made.folder, database_url, replace=name)
    more(town)
    check_everything(town.gridtrail)


def test_a_file_that_is_no_database_any_more_is_replaced(sqlite_town: Town, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
    with pytest.raises(NotEmpty):
        put_back(sqlite_town, saved, f"sqlite:///{path}")
    put_back(sqlite_town, saved, f"sqlite:///{path}", replace="broken.db")
    assert rows_at(f"sqlite:///{path}")["events"]


def test_a_backup_of_a_newer_release_is_refused_with_its_name(sqlite_town: Town, saved: Path, empty_url: str) -> None:
    changed(saved, lambda manifest: manifest.update(migration="9999", release="7.0.0"))
    with pytest.raises(NotRestored, match=r"release 7\.0\.0 at migration 9999"):
        put_back(sqlite_town, saved, empty_url)


def test_a_backup_of_an_older_release_is_restored_and_migrated(sqlite_town: Town, saved: Path, empty_url: str, tmp_path: Path) -> None:
    old = open_database(f"sqlite:///{tmp_path}/old.db")
    schema.upgrade(old, "0001")
    columns = {name: {each["name"] for each in sa.inspect(old).get_columns(name)} for name in sa.inspect(old).get_table_names()}
    old.dispose()

    def older(manifest: dict[str, Any]) -> None:
        """Only the tables and columns that the first migration has."""
        manifest["migration"] = "0001"
        manifest["tables"] = [table for table in manifest["tables"] if table["name"] in FIRST]
        for table in manifest["tables"]:
            kept = [at for at, (column, _) in enumerate(table["columns"]) if column in columns[table["name"]]]
            table["columns"] = [table["columns"][at] for at in kept]
            path = saved / table["file"]
            rows = [orjson.loads(row) for row in gzip.decompress(path.read_bytes()).splitlines()]
            path.write_bytes(gzip.compress(b"".join(orjson.dumps([row[at] for at in kept]) + b"\n" for row in rows)))

    changed(saved, older)
    before = everything(sqlite_town.gridtrail.database)
    put_back(sqlite_town, saved, empty_url, held=False)
    after = rows_at(empty_url)
    assert {name: after[name] for name in ("events", "ledgers")} == {name: before[name] for name in ("events", "ledgers")}
    assert {name: len(after[name]) for name in FIRST} == {name: len(before[name]) for name in FIRST}
    database = open_database(empty_url)
    with database.connect() as conn:
        assert schema.revision_of(conn) == schema.head()
    database.dispose()


def test_damage_is_found_before_the_database_is_touched(sqlite_town: Town, saved: Path, empty_url: str, tmp_path: Path) -> None:
    path = saved / "tables" / "events.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadBackup):
        put_back(sqlite_town, saved, empty_url)
    assert not (tmp_path / "restored.db").exists()


def test_what_the_database_did_not_take_as_it_was_is_not_restored(
    sqlite_town: Town, saved: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = restoring.load_table

    def loses(conn: sa.Connection, source: Path, table: dict[str, Any], *rest: Any) -> None:
        if table["name"] != "events":
            load(conn, source, table, *rest)

    monkeypatch.setattr(restoring, "load_table", loses)
    with pytest.raises(NotRestored, match="events has 0 rows in the database"):
        put_back(sqlite_town, saved, empty_url)


FIRST = {"accounts", "enrolment_codes", "events", "ledgers", "photo_uses", "photos", "tablet_states", "tokens"}
"""Tables of migration 0001 that no read model makes again."""
