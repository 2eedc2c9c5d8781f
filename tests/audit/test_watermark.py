"""A database that is older than what was signed, or another one, records nothing: found at the start, under way and by the publisher."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from service.audit.tables import ROOT, published, root_entries
from service.audit.tiles import tiles
from service.audit.watermark import Behind
from service.database import Busy, is_sqlite, open_database, reading, writing
from service.ledger.keys import KeyRefused
from service.ledger.store import HistoryBehind, Ledgers
from service.ledger.tables import TRIGGERS, events, ledgers
from service.ledger.tree import Frontier, leaf_hashes
from service.wiring import Gridtrail
from tests.ledger.cast import append, drafts
from tests.sync.town import SUB_A, SUB_B, Town


def heads(town: Town) -> dict:
    with reading(town.gridtrail.database) as conn:
        return {head.ledger: head for head in town.gridtrail.ledgers.heads(conn)}


def cut_tail(town: Town, ledger: str, size: int) -> None:
    """What somebody with the database does: the last events are gone, and the head says so."""
    with reading(town.gridtrail.database) as conn:
        lines = town.gridtrail.ledgers.lines(conn, ledger, 0, size)
    frontier = Frontier()
    frontier.extend(leaf_hashes(lines))
    with writing(town.gridtrail.database) as conn:
        drop_triggers(conn)
        conn.execute(sa.delete(events).where(events.c.ledger == ledger, events.c.position >= size))
        here = sa.update(ledgers).where(ledgers.c.ledger == ledger)
        conn.execute(here.values(size=size, root=frontier.root(), frontier=frontier.to_bytes()))


def drop_triggers(conn: sa.Connection) -> None:
    for statement in TRIGGERS[conn.dialect.name]:
        words = statement.split()
        if words[1] == "TRIGGER":
            conn.exec_driver_sql(f"DROP TRIGGER IF EXISTS {words[2]}" + ("" if is_sqlite(conn) else " ON events"))


def rewrite(town: Town, ledger: str) -> None:
    """Another history of the same size: every line is changed by a byte, and the whole tree is computed anew."""
    with reading(town.gridtrail.database) as conn:
        lines = town.gridtrail.ledgers.lines(conn, ledger, 0, 10_000)
    others = [bytes(line).replace(b'"version"', b'"Version"') for line in lines]
    frontier = Frontier()
    frontier.extend(leaf_hashes(others))
    with town.gridtrail.database.begin() as conn:
        drop_triggers(conn)
        conn.execute(sa.delete(tiles).where(tiles.c.ledger == ledger))
        for position, line in enumerate(others):
            conn.execute(sa.update(events).where(events.c.ledger == ledger, events.c.position == position).values(line=line))
        here = sa.update(ledgers).where(ledgers.c.ledger == ledger)
        conn.execute(here.values(root=frontier.root(), frontier=frontier.to_bytes()))


def another_process(town: Town) -> Gridtrail:
    return Gridtrail(town.gridtrail.config, clock=town.clock, database=town.gridtrail.database)


def sync(town: Town, count: int = 3):
    tablet = town.hand("li")
    answer = tablet.send([tablet.entry(seq) for seq in range(count)])
    assert answer.status_code == 200, answer.json
    return tablet


def test_a_receipt_is_in_the_journal_before_it_leaves(town: Town, monkeypatch) -> None:
    sync(town)
    head = heads(town)[SUB_A]
    assert Gridtrail(town.gridtrail.config).watermark.floor(SUB_A, head.incarnation) == (head.size, head.root)


@pytest.mark.parametrize("lost", ["nothing else", "the journal too", "the database too"])
def test_a_signing_key_that_is_missing_is_never_made_anew(town: Town, tmp_path: Path, sqlite_template: Path, lost: str) -> None:
    """A process that starts without the file, perhaps on another machine, signs nothing and journals nothing until it is back."""
    sync(town)
    town.gridtrail.publisher.turn()
    key, moved, journal = (Path(tmp_path, name) for name in ("signing.key", "moved.key", "signed.journal"))
    key.rename(moved)
    database = town.gridtrail.database
    if lost == "the journal too":
        journal.unlink()
    elif lost == "the database too":
        database = open_database(f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'empty.db')}")
    before = journal.read_bytes() if journal.exists() else b""
    started = Gridtrail(town.gridtrail.config, clock=town.clock, database=database)
    for asked in (lambda: started.signer, lambda: started.watermark.sign(heads(town).values())):
        with pytest.raises(KeyRefused, match="this deployment has signed before"):
            asked()
    assert not key.exists()
    assert journal.read_bytes() == before
    moved.rename(key)
    assert started.signer.verifier == town.gridtrail.signer.verifier
    if database is not town.gridtrail.database:
        database.dispose()


def test_an_upload_without_the_signing_key_gets_its_receipt_when_the_key_is_back(town: Town, tmp_path: Path) -> None:
    tablet = sync(town)
    (tmp_path / "signing.key").rename(tmp_path / "moved.key")
    town.gridtrail.__dict__.pop("signing_key")
    batch = [tablet.entry(3)]
    answer = tablet.send(batch)
    assert (answer.status_code, answer.json["code"]) == (503, "key_store_unavailable")
    (tmp_path / "moved.key").rename(tmp_path / "signing.key")
    assert tablet.send(batch).status_code == 200


def test_a_first_signature_makes_its_key_before_the_journal_speaks_of_it(town: Town, tmp_path: Path) -> None:
    assert not (tmp_path / "signing.key").exists()
    (note,) = town.gridtrail.watermark.sign([heads(town)[SUB_A]])
    assert (tmp_path / "signing.key").exists()
    assert another_process(town).watermark.sign([heads(town)[SUB_A]]) == [note]


def test_no_journal_no_receipt_and_the_same_batch_gets_it_later(town: Town, monkeypatch) -> None:
    tablet = sync(town)
    lines = [tablet.entry(3)]
    body = tablet.body(lines)
    with monkeypatch.context() as no_room:
        no_room.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        answer = tablet.post(body)
    assert (answer.status_code, answer.json["code"]) == (503, "journal_unwritable")
    answer = tablet.post(body)
    assert answer.status_code == 200
    assert [each["outcome"] for each in answer.json["outcomes"]] == ["duplicate"]


def test_a_tail_that_is_cut_behind_the_services_back_stops_the_writing_not_the_reading(town: Town) -> None:
    tablet = sync(town)
    before = heads(town)[SUB_A]
    cut_tail(town, SUB_A, before.size - 2)
    answer = tablet.post(tablet.body([tablet.entry(3)]))
    assert (answer.status_code, answer.json["code"]) == (503, "history_behind")
    assert answer.headers["Retry-After"]
    assert (answer.json["ledger"], answer.json["signed"], answer.json["held"]) == (SUB_A, before.size, before.size - 2)
    assert "gridtrail ledger continue --new-incarnation" in answer.json["detail"]
    assert heads(town)[SUB_A].size == before.size - 2
    ready = town.app.test_client().get("/ready").status_code, town.app.test_client().get("/health/live").status_code
    assert ready[1] == 200
    assert append(town.gridtrail.ledgers, SUB_B, drafts(1)).ledger == SUB_B
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        assert published(conn, SUB_A) is None


def test_another_process_that_never_signed_anything_refuses_too(town: Town) -> None:
    sync(town)
    other = another_process(town)
    other.watermark.journal.keep_up()
    sync(town)
    size = heads(town)[SUB_A].size
    cut_tail(town, SUB_A, size - 1)
    with pytest.raises(HistoryBehind):
        append(other.ledgers, SUB_A, drafts(1))
    assert heads(town)[SUB_A].size == size - 1


def test_another_history_of_the_same_size_records_nothing(town: Town) -> None:
    """Swapped while the service runs: the sizes agree, the roots do not."""
    sync(town)
    rewrite(town, SUB_A)
    size = heads(town)[SUB_A].size
    with pytest.raises(HistoryBehind):
        append(town.gridtrail.ledgers, SUB_A, drafts(1))
    assert heads(town)[SUB_A].size == size


def test_another_history_that_is_longer_is_found_at_the_start_and_stops_every_process(town: Town) -> None:
    sync(town)
    unwatched = Ledgers(town.gridtrail.database, clock=town.clock)
    append(unwatched, SUB_A, drafts(2))
    rewrite(town, SUB_A)
    append(unwatched, SUB_A, drafts(2))
    head, starting = heads(town)[SUB_A], another_process(town)
    (found,) = starting.watermark.check_all()
    assert (found.ledger, found.held) == (SUB_A, head.size)
    assert found.signed < found.held
    for process in (town.gridtrail, starting, another_process(town)):
        with pytest.raises(HistoryBehind):
            append(process.ledgers, SUB_A, drafts(1))
    assert starting.watermark.behind([head]) == [Behind(SUB_A, found.signed, head.size)]


def test_the_publisher_finds_the_same_under_way(town: Town) -> None:
    sync(town)
    town.gridtrail.publisher.turn()
    unwatched = Ledgers(town.gridtrail.database, clock=town.clock)
    append(unwatched, SUB_A, drafts(1))
    rewrite(town, SUB_A)
    with reading(town.gridtrail.database) as conn:
        before = published(conn, SUB_A)
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        assert published(conn, SUB_A) == before
    with pytest.raises(HistoryBehind):
        append(town.gridtrail.ledgers, SUB_A, drafts(1))


def test_the_right_database_brought_back_is_recorded_in_again(town: Town) -> None:
    sync(town)
    head = heads(town)[SUB_A]
    origin = town.gridtrail.watermark._origin(SUB_A, head.incarnation)
    town.gridtrail.watermark.journal.halt(origin, head.size)
    with pytest.raises(HistoryBehind):
        append(town.gridtrail.ledgers, SUB_A, drafts(1))
    assert another_process(town).watermark.check_all() == []
    assert append(town.gridtrail.ledgers, SUB_A, drafts(1)).first == head.size


def test_a_byte_changed_in_an_entry_is_not_signed_over(town: Town, caplog) -> None:
    town.gridtrail.publisher.turn()
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    size = heads(town)[SUB_A].size
    with town.gridtrail.database.begin() as conn:
        drop_triggers(conn)
        here = sa.update(events).where(events.c.ledger == SUB_A, events.c.position == size - 1)
        conn.execute(here.values(line=b"{}"))
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        assert published(conn, SUB_A).size == size - 1
    assert "do not make the root of its head" in caplog.text


def test_a_root_log_that_is_behind_does_not_grow(town: Town) -> None:
    town.gridtrail.publisher.turn()
    with reading(town.gridtrail.database) as conn:
        root = published(conn, ROOT)
    with town.gridtrail.database.begin() as conn:
        conn.execute(sa.delete(root_entries))
        conn.exec_driver_sql("UPDATE root_logs SET size = 0")
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    town.clock.forward(seconds=61)
    assert town.gridtrail.publisher.turn() == 1
    with reading(town.gridtrail.database) as conn:
        assert conn.scalar(sa.select(sa.func.count()).select_from(root_entries)) == 0
        assert published(conn, ROOT) == root


def test_a_new_incarnation_is_another_origin_and_goes_on(town: Town) -> None:
    sync(town)
    cut_tail(town, SUB_A, heads(town)[SUB_A].size - 2)
    with writing(town.gridtrail.database) as conn:
        town.gridtrail.ledgers.begin_incarnation(conn, SUB_A)
    assert append(town.gridtrail.ledgers, SUB_A, drafts(1)).ledger == SUB_A


def test_a_file_that_is_swapped_under_a_running_service_is_noticed_by_the_next_write(tmp_path: Path, sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    database = open_database(sqlite_url)
    town = Town(database, tmp_path)
    sync(town)
    with database.connect() as conn:
        conn.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    shutil.copyfile(path, f"{path}.backup")
    sync(town)
    database.dispose()
    for end in ("-wal", "-shm"):
        Path(path + end).unlink(missing_ok=True)
    shutil.copyfile(f"{path}.backup", path)
    before = heads(town)
    with pytest.raises(HistoryBehind):
        append(town.gridtrail.ledgers, SUB_A, drafts(1))
    assert heads(town) == before
    database.dispose()


def test_whatever_is_raced_never_two_roots_for_one_size_are_signed(town: Town) -> None:
    """Several processes append and sign, publish, and one by one find the tail cut: there is one root for every size."""
    processes = [another_process(town) for _ in range(4)]
    signed: list[tuple[str, bytes]] = []
    half = threading.Barrier(len(processes))

    def work(number: int) -> None:
        for turn in range(12):
            if turn == 6:
                half.wait(60)
            try:
                appended = append(processes[number].ledgers, SUB_A, drafts(1, uuid4()))
                note = processes[number].watermark.sign([appended])[0]
                signed.append(("\n".join(note.split("\n")[:2]), appended.root))
                if turn % 4 == number:
                    processes[number].publisher.turn()
                if number == 0 and turn == 6:
                    cut_tail(town, SUB_A, heads(town)[SUB_A].size - 1)
            except (HistoryBehind, Busy, sa.exc.DBAPIError):
                # What the cut leaves behind may break the database's own rules; only what was signed counts here.
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    roots: dict[str, bytes] = {}
    assert len(signed) > 10
    assert all(roots.setdefault(name, root) == root for name, root in signed)
