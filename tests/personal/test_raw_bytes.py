"""What was erased is not in the files any more: every file is read as raw bytes, before and after."""

import hashlib
import io
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from service.database import reading, writing
from service.personal.tables import disclosures, subject_keys
from service.wiring import Gridtrail
from tests.personal.cast import SUB_A, WU, ZHOU, keep, kept, order, visit

JPEG = b"\xff\xd8\xff\xe0" + b"the face of grandmother Zhou" * 40


class Traces:
    """The byte strings that give a person away, by what they are."""

    def __init__(self, gridtrail: Gridtrail) -> None:
        with reading(gridtrail.vault.keystore.engine) as conn:
            wrapped = conn.scalar(sa.select(subject_keys.c.wrapped).where(subject_keys.c.subject == ZHOU))
        secret = gridtrail.vault.keystore.keys([ZHOU])[ZHOU].secret
        assert wrapped is not None
        assert secret is not None
        with reading(gridtrail.database) as conn:
            mine = sa.select(disclosures.c.digest, disclosures.c.ciphertext).where(disclosures.c.subject == ZHOU)
            values = {row.digest: bytes(row.ciphertext) for row in conn.execute(mine)}
            texts = gridtrail.vault.open(conn, values)
        self.wrapped = {wrapped[12:]}
        self.secret = {secret}
        self.ciphertexts = set(values.values())
        self.plain = {"高血压".encode(), *(str(text).encode() for text in texts.values()), JPEG}

    def never(self) -> set[bytes]:
        """What must never have been in a database at all."""
        return self.secret | {each for each in self.plain if each != JPEG}

    def all(self) -> set[bytes]:
        return self.wrapped | self.secret | self.ciphertexts | self.plain


def files_with(folder: Path, traces: set[bytes]) -> dict[str, int]:
    """How many of the byte strings stand in each file below a folder; files without any are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            count = sum(trace in content for trace in traces)
            if count:
                found[path.name] = count
    return found


def many_lives(gridtrail: Gridtrail, rounds: int = 12) -> None:
    """Values of many people among hers, kept and removed in mixed order, so that pages are split and merged."""
    people = [uuid4() for _ in range(40)]
    for number in range(rounds):
        items = [kept(who, "health_note", f"{number} {who} " + "x" * (number * 31 % 400)) for who in people]
        hers = [kept(ZHOU, "health_note", f"高血压 {number} " + "y" * (number * 17 % 300)), kept(ZHOU, "resident_phone", "13800000001")]
        keep(gridtrail, *items[:20], *hers, *items[20:])
        visit(gridtrail, *hers)
        with writing(gridtrail.database) as conn:
            conn.execute(sa.delete(disclosures).where(disclosures.c.subject.in_(people[number::7])))
        with writing(gridtrail.vault.keystore.engine) as conn:
            conn.execute(sa.delete(subject_keys).where(subject_keys.c.subject.in_(people[number::9])))
    sha = hashlib.sha256(JPEG).hexdigest()
    gridtrail.photos.put(SUB_A, str(uuid4()), sha, io.BytesIO(JPEG), len(JPEG))
    photo = kept(ZHOU, "photo", sha)
    keep(gridtrail, photo)
    visit(gridtrail, photo)
    gridtrail.follower.catch_up()


def test_no_file_of_sqlite_holds_a_trace_after_the_erasure(all_sqlite: Gridtrail, tmp_path: Path) -> None:
    many_lives(all_sqlite)
    traces = Traces(all_sqlite)
    before = files_with(tmp_path, traces.all())
    assert files_with(tmp_path, traces.never()) == {}
    assert {"gridtrail.db-wal", "vault.db-wal"} <= before.keys()
    assert hashlib.sha256(JPEG).hexdigest() in before
    assert sum(before.values()) > len(traces.ciphertexts)
    # An open reader from another process keeps the -wal and -shm files there, as in a running service.
    other = Gridtrail(all_sqlite.config, clock=all_sqlite.clock)
    with other.database.connect() as idle:
        idle.exec_driver_sql("SELECT count(*) FROM events").scalar()
        idle.rollback()
        all_sqlite.erasure.erase(ZHOU, order(all_sqlite))
        names = {path.name for path in tmp_path.iterdir()}
        assert {"gridtrail.db-wal", "gridtrail.db-shm", "vault.db-wal", "vault.db-shm"} <= names
        assert files_with(tmp_path, traces.all()) == {}
    other.forget()


def test_deleting_alone_would_leave_traces_in_the_files(all_sqlite: Gridtrail, tmp_path: Path) -> None:
    """So that the test above cannot pass by not looking: the same without the cleaning."""
    many_lives(all_sqlite)
    traces = Traces(all_sqlite)
    all_sqlite.erasure._record_erased(SUB_A, ZHOU, order(all_sqlite))
    all_sqlite.erasure._destroy(ZHOU)
    assert files_with(tmp_path, traces.ciphertexts | traces.wrapped)


def test_what_remains_of_others_still_opens_after_the_tables_were_written_anew(all_sqlite: Gridtrail) -> None:
    others = [kept(WU, "health_note", str(number)) for number in range(30)]
    keep(all_sqlite, *others)
    many_lives(all_sqlite, 3)
    all_sqlite.erasure.erase(ZHOU, order(all_sqlite))
    with reading(all_sqlite.database) as conn:
        assert len({text for text in all_sqlite.vault.open(conn, [item.digest for item in others]).values() if isinstance(text, str)}) == 30
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_no_table_file_of_postgres_holds_a_trace_after_the_erasure(all_postgres: Gridtrail) -> None:
    """The tables' own files. What the write-ahead log and backups keep for a while is said in docs/audit.md."""
    many_lives(all_postgres, 4)
    traces = Traces(all_postgres)
    urls = [all_postgres.config.database_url, all_postgres.config.vault_url]
    before = [folder_of(url) for url in urls]
    assert sum(sum(files_with(folder, traces.ciphertexts | traces.wrapped).values()) for folder in before) > len(traces.ciphertexts)
    all_postgres.erasure.erase(ZHOU, order(all_postgres))
    for url in urls:
        assert files_with(folder_of(url), traces.all()) == {}


def folder_of(url: str) -> Path:
    """Where a database's table files are, with everything in memory written to them."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        found = conn.execute("SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()").fetchone()
        folder = Path(found[0]) / "base" / str(found[1])  # type: ignore[index]
    if not folder.is_dir():
        pytest.skip("the server's files are not on this machine")
    return folder
