"""Rebuilding all read models in one pass: the same rows as folding and as rebuilding each, whatever stood there before."""

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from projections import READ_MODELS, case_history, open_cases, visit_log, workload
from projections.engine import Follower, digest_of_rows, fold_lines
from projections.rebuilding import LedgerRebuild, RebuildParked
from projections.rebuilt import Rebuilt
from projections.tables import PROGRESS
from service.database import reading, writing
from tests.projections.telling import LEDGER, History

OTHER, THIRD = "411502002", "411502003"


def digests(follower: Follower, ledger: str = LEDGER) -> dict[str, str]:
    with reading(follower.database) as conn:
        return {name: follower.digest(conn, name, ledger) for name in follower.targets}


def from_history(history: History) -> dict[str, str]:
    return {name: digest_of_rows(fold_lines(name, history.lines)) for name in READ_MODELS}


def spoil(database: sa.Engine) -> None:
    """Some rows wrong, some missing, some too many: all three in read models of each kind."""
    with writing(database) as conn:
        conn.execute(sa.update(workload.TABLE).values(patrols=99))
        conn.execute(sa.delete(open_cases.TABLE))
        row = dict(conn.execute(sa.select(visit_log.TABLE)).mappings().first())
        conn.execute(sa.insert(visit_log.TABLE).values({**row, "visit_id": "no such visit"}))
        conn.execute(sa.update(case_history.TABLE).where(case_history.C.version == 2).values(step="gossip"))


def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is."""


def in_the_scratch_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuilt.MOST_ROWS", 10)
    monkeypatch.setattr("projections.rebuilding.PIECE", 7)


def written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuilt.MOST_WRONG", 0)


def out_of_room_and_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_scratch_file(monkeypatch)
    written_whole(monkeypatch)


WAYS = [in_memory, in_the_scratch_file, written_whole, out_of_room_and_written_whole]


@pytest.mark.parametrize("way", WAYS)
def test_rebuilding_all_gives_the_rows_of_the_history_whatever_stood_there(follow, database, monkeypatch, way: Callable):
    way(monkeypatch)
    histories = [History().a_bit_of_everything(9), History(OTHER).a_bit_of_everything(3)]
    follower = follow(*histories)
    follower.catch_up()
    spoil(database)
    assert follower.rebuild_all() == sum(len(history.lines) for history in histories)
    for history in histories:
        assert digests(follower, history.ledger) == from_history(history)
    assert not any(each.behind for each in follower.status())


def test_rebuilding_all_equals_rebuilding_each(follow, database):
    history = History().a_bit_of_everything(6)
    follower = follow(history)
    for name in READ_MODELS:
        follower.rebuild(name)
    each = digests(follower)
    spoil(database)
    follower.rebuild_all()
    assert digests(follower) == each == from_history(history)


def test_what_is_right_is_not_written_again(follow, database, monkeypatch):
    follower = follow(History().a_bit_of_everything(4))
    follower.catch_up()
    with writing(database) as conn:
        conn.execute(sa.update(workload.TABLE).values(patrols=99))
    written = {}
    write = Rebuilt.write
    monkeypatch.setattr(Rebuilt, "write", lambda part, conn: (written.update({part.target.name: part.wrong}), write(part, conn)))
    follower.rebuild_all()
    assert {name for name, wrong in written.items() if wrong} == {"workload"}


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_in_the_middle_leaves_the_live_rows_as_they_were(follow, database, monkeypatch, way: Callable):
    way(monkeypatch)
    follower = follow(History().a_bit_of_everything(6))
    follower.catch_up()
    spoil(database)
    before = digests(follower)
    swap = LedgerRebuild._swap

    def crash(rebuild, conn):
        swap(rebuild, conn)
        raise KeyboardInterrupt

    monkeypatch.setattr(LedgerRebuild, "_swap", crash)
    with pytest.raises(KeyboardInterrupt):
        follower.rebuild_all()
    assert digests(follower) == before
    monkeypatch.setattr(LedgerRebuild, "_swap", swap)
    follower.rebuild_all()
    assert digests(follower) == from_history(follower.reader.histories[LEDGER])


@pytest.mark.parametrize("way", WAYS)
def test_what_the_engine_folds_meanwhile_is_in_the_rebuilt_rows_once(follow, database, monkeypatch, way: Callable):
    way(monkeypatch)
    monkeypatch.setattr("projections.rebuilding.STRETCH", 10)
    monkeypatch.setattr("projections.rebuilding.CLOSE", 5)
    history = History().a_bit_of_everything(8)
    follower = follow(history)
    follower.catch_up()
    spoil(database)
    left = LedgerRebuild._left

    def meanwhile(rebuild):
        if len(history.lines) < 150:
            history.patrol_walked(f"late {len(history.lines)}")
            history.case_reported(f"late {len(history.lines)}")
            history.case_handled("case 0")
            follower.catch_up()
        return left(rebuild)

    monkeypatch.setattr(LedgerRebuild, "_left", meanwhile)
    follower.rebuild_all()
    monkeypatch.undo()
    follower.catch_up()
    assert digests(follower) == from_history(history)


def cannot_fold(model, topic: str) -> SimpleNamespace:
    def fold(key, row, event):
        if event.topic == topic:
            raise ValueError(f"cannot fold {topic}")
        return model.fold(key, row, event)

    return SimpleNamespace(NAME=model.NAME, TABLE=model.TABLE, TOPICS=model.TOPICS, keys=model.keys, fold=fold)


def test_a_read_model_that_cannot_be_rebuilt_stops_no_other(follow, database):
    history, other = History().a_bit_of_everything(3), History(OTHER)
    other.visit_made("visit", "house")
    follow(history, other).catch_up()
    spoil(database)
    follower = follow(history, other, models={**READ_MODELS, "workload": cannot_fold(workload, "case.handled")})
    before = digests(follower)["workload"]
    position = next(number for number, line in enumerate(history.lines) if b"case.handled" in line)
    with pytest.raises(RebuildParked, match=f"workload .* in ledger {LEDGER}: .*cannot fold case.handled at position {position}$"):
        follower.rebuild_all()
    assert digests(follower) == {**from_history(history), "workload": before}
    assert digests(follower, OTHER) == from_history(other)


def test_rows_that_the_database_refuses_leave_that_read_model_alone(follow, database):
    history = History().a_bit_of_everything(2)
    follower = follow(history)
    follower.catch_up()
    before = digests(follower)
    history.case_reported("odd", category={"not": "a text"})
    with pytest.raises(RebuildParked, match=r"open_cases cannot be rebuilt .*: TypeError: cases\.category takes no dict"):
        follower.rebuild_all()
    follower.catch_up()
    parked = [each.read_model for each in follower.status() if each.parked_position is not None]
    assert parked == ["open_cases"]
    assert digests(follower)["open_cases"] == before["open_cases"]


def test_a_rebuild_lets_a_parked_read_model_go_on(follow, database):
    history = History().a_bit_of_everything(2)
    follow(history, models={**READ_MODELS, "open_cases": cannot_fold(open_cases, "case.handled")}).catch_up()
    follower = follow(history)
    assert [each.read_model for each in follower.status() if each.parked_position is not None] == ["open_cases"]
    follower.rebuild_all()
    assert not any(each.behind or each.parked_position is not None for each in follower.status())
    assert digests(follower) == from_history(history)


def test_many_ledgers_with_little_each_are_folded_in_one_turn(follow, database, monkeypatch):
    histories = [History(f"411502{number:03d}").a_bit_of_everything(1) for number in range(1, 31)]
    follower = follow(*histories)
    turns = []
    take_turn = follower._take_turn
    monkeypatch.setattr(follower, "_take_turn", lambda *given, **how: turns.append(given) or take_turn(*given, **how))
    follower.catch_up()
    assert len(turns) == 1
    for history in histories:
        history.patrol_walked("more")
    follower.catch_up()
    assert len(turns) == 2
    for history in histories:
        assert digests(follower, history.ledger) == from_history(history)


def test_a_poison_event_among_many_ledgers_parks_one_read_model_in_one_of_them(follow, database):
    histories = [History(ledger).a_bit_of_everything(2) for ledger in (LEDGER, OTHER, THIRD)]
    position = len(histories[1].lines)
    histories[1].case_reported("odd", category=["not", "a", "text"])
    for history in histories:
        history.visit_made("last", "house")
    follower = follow(*histories)
    follower.catch_up()
    parked = [(each.ledger, each.read_model, each.position) for each in follower.status() if each.parked_position is not None]
    assert parked == [(OTHER, "open_cases", position)]
    assert {(each.ledger, each.read_model) for each in follower.status() if each.behind} == {(OTHER, "open_cases")}


def test_a_key_too_long_for_an_index_parks_and_does_not_stop_the_engine(follow, database):
    if database.dialect.name == "sqlite":
        pytest.skip("SQLite's indexes take keys of any length")
    history = History().a_bit_of_everything(1)
    # Random text, which PostgreSQL cannot compress under its limit.
    history.visit_made("long", random.Random(1).randbytes(20_000).hex())
    follower = follow(history)
    follower.catch_up()
    assert "visit_log" in {each.read_model for each in follower.status() if each.parked_position is not None}


def test_a_read_model_that_is_far_behind_holds_no_other_up(follow, database):
    history = History().a_bit_of_everything(10)
    follower = follow(history, turn=10)
    follower.catch_up()
    with writing(database) as conn:
        conn.execute(sa.update(PROGRESS).where(PROGRESS.c.read_model == "visit_log").values(position=0))
    history.patrol_walked("new")
    (behind,) = follower._behind(follower.targets)
    follower._take_turn([behind], follower.targets, wait=False)
    left = {each.read_model: each.behind for each in follower.status() if each.behind}
    assert left == {"visit_log": len(history.lines) - 10}
    follower.catch_up()
    assert digests(follower) == from_history(history)
