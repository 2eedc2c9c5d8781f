"""The journal of what was signed: many writers, torn lines, compaction in the middle, a file that is removed or cut short."""

import base64
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.audit import journal as journals
from service.audit.journal import Journal, JournalRefused, TwoRoots

LOG, OTHER = b"gridtrail.test/ledger/411502001/aa", b"gridtrail.test/ledger/411502002/bb"


def root(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signed.journal"


def test_the_highest_size_is_the_floor_and_another_process_sees_it(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    ours.record([(LOG, 5, root(5)), (OTHER, 2, root(2))])
    theirs.record([(LOG, 3, root(3))])
    for each in (ours, theirs, Journal(path)):
        assert (each.floor(LOG), each.floor(OTHER), each.floor(b"nobody")) == ((5, root(5)), (2, root(2)), None)


def test_what_stands_there_is_not_written_again(path: Path) -> None:
    for _ in range(3):
        Journal(path).record([(LOG, 5, root(5))])
    assert path.read_bytes().count(b"\n") == 1
    assert path.stat().st_mode & 0o077 == 0


def test_a_second_root_for_one_size_is_refused_whoever_wrote_the_first(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    ours.record([(LOG, 5, root(5)), (LOG, 6, root(6))])
    with pytest.raises(TwoRoots):
        theirs.record([(LOG, 5, root(99))])
    with pytest.raises(TwoRoots):
        ours.record([(LOG, 6, root(99))])
    assert Journal(path).floor(LOG) == (6, root(6))


def test_of_two_that_write_at_once_the_first_line_wins(path: Path, monkeypatch) -> None:
    """The other's line comes between our look and our append."""
    ours, theirs = Journal(path), Journal(path)
    append = Journal._append

    def late(self, lines) -> None:
        if self is ours:
            monkeypatch.setattr(Journal, "_append", append)
            theirs.record([(LOG, 5, root(1))])
        append(self, lines)

    monkeypatch.setattr(Journal, "_append", late)
    with pytest.raises(TwoRoots):
        ours.record([(LOG, 5, root(2))])
    assert Journal(path).floor(LOG) == (5, root(1))


@pytest.mark.parametrize("cut", [1, 12, 35, 37, 60, 80, 81])
def test_a_torn_line_costs_nothing_but_itself(path: Path, cut: int) -> None:
    whole = b"%b 7 %b\n" % (LOG, base64.b64encode(root(7)))
    ours = Journal(path)
    ours.record([(LOG, 5, root(5))])
    with path.open("ab") as torn:
        torn.write(whole[:cut])
    assert Journal(path).floor(LOG) == (5, root(5))
    ours.record([(LOG, 6, root(6))])
    assert Journal(path).floor(LOG) == (6, root(6))


def test_garbage_says_nothing(path: Path) -> None:
    lines = [b"", b"\x00" * 50, b"a b c d", LOG + b" -1 AAAA", LOG + b" 9 AAAA", LOG + b" %d %b" % (10**30, base64.b64encode(root(1)))]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert Journal(path).floor(LOG) is None


def test_no_room_signs_nothing(path: Path, monkeypatch) -> None:
    ours = Journal(path)
    ours.record([(LOG, 5, root(5))])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as no_room:
        no_room.setattr(os, "write", full)
        with pytest.raises(JournalRefused, match="No space left"):
            ours.record([(LOG, 6, root(6))])
    assert ours.floor(LOG) == (5, root(5))
    ours.record([(LOG, 6, root(6))])


def test_a_write_that_was_cut_short_is_made_again(path: Path, monkeypatch) -> None:
    ours, write = Journal(path), os.write
    ours.record([(LOG, 5, root(5))])

    def part(file: int, text: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        return write(file, text[:30])

    monkeypatch.setattr(os, "write", part)
    ours.record([(LOG, 6, root(6))])
    assert Journal(path).floor(LOG) == (6, root(6))


def test_a_long_journal_is_made_short_while_others_write(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "LONG", 2_000)
    writers = [Journal(path) for _ in range(3)]

    def write(number: int) -> None:
        for size in range(number, 300, 3):
            writers[number].record([(LOG, size + 1, root(size))])
            if size % 10 == 0:
                writers[number].tend()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    assert all(each.floor(LOG) == (300, root(299)) for each in [*writers, Journal(path)])
    Journal(path).tend()
    assert path.stat().st_size < 2_000


def test_who_had_the_old_file_open_goes_on_in_the_new_one(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "LONG", 0)
    ours, theirs = Journal(path), Journal(path)
    ours.record([(LOG, 5, root(5))])
    theirs.record([(LOG, 6, root(6))])
    ours.tend()
    theirs.record([(LOG, 7, root(7))])
    assert (ours.floor(LOG), Journal(path).floor(LOG)) == ((7, root(7)), (7, root(7)))


def test_a_compaction_that_died_is_finished_by_the_next(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "LONG", 0)
    ours, theirs = Journal(path), Journal(path)
    theirs.record([(LOG, 5, root(5)), (OTHER, 1, root(1))])
    ours.keep_up()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            ours.tend()
    assert b"moved" in path.read_bytes()
    theirs.record([(LOG, 6, root(6))])
    assert b"moved" not in path.read_bytes()
    fresh = Journal(path)
    assert (fresh.floor(LOG), fresh.floor(OTHER)) == ((6, root(6)), (1, root(1)))


def test_a_journal_that_is_removed_or_cut_short_is_made_again_from_memory(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "LOOK_S", 0.0)
    ours = Journal(path)
    ours.record([(LOG, 5, root(5))])
    path.unlink()
    assert ours.floor(LOG) == (5, root(5))
    assert Journal(path).floor(LOG) == (5, root(5))
    os.truncate(path, 0)
    assert ours.floor(LOG) == (5, root(5))
    assert Journal(path).floor(LOG) == (5, root(5))


def test_a_halt_is_seen_by_all_and_taken_back_only_by_the_history_that_was_signed(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    ours.record([(LOG, 5, root(5))])
    ours.halt(LOG, 5)
    assert theirs.floor(LOG)
    assert LOG in theirs.halted
    theirs.resume(LOG)
    assert ours.floor(LOG)
    assert not ours.halted


def write_many(path: str, number: int) -> None:
    mine = Journal(path)
    for size in range(1, 200):
        mine.record([(b"log/%d" % number, size, root(size)), (LOG, size, root(size))])


def test_several_processes_lose_no_line(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(str(path), number)) for number in range(3)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes] == [0, 0, 0]
    whole = Journal(path)
    assert [whole.floor(b"log/%d" % number) for number in range(3)] == [(199, root(199))] * 3
