"""The engine: exactly once, nobody stops anybody, and every way to the rows leads to the same rows."""

import threading
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from projections import READ_MODELS, open_cases, tablet_changes, workload
from projections.case_lists import list_cases
from projections.engine import digest_of_rows, fold_lines
from projections.paging import Row
from projections.rebuilding import LedgerRebuild, RebuildParked
from projections.rows import table_rows
from projections.sight import EVERYTHING
from projections.tables import METADATA, PROGRESS
from projections.turn import decode, set_for_a_turn
from service.database import reading, writing
from tests.projections.telling import LEDGER, History

OTHER = "411502002"


def digests(follower, database, ledger=LEDGER) -> dict[str, str]:
    with reading(database) as conn:
        return {name: follower.digest(conn, name, ledger) for name in follower.targets}


def from_history(history: History) -> dict[str, str]:
    return {name: digest_of_rows(fold_lines(name, history.lines)) for name in READ_MODELS}


def refusing(model, poison: set[int]) -> SimpleNamespace:
    """The read model, with a fold that cannot take the events at some positions until they are taken out of the set."""

    def fold(key, row, event):
        if event.position in poison:
            raise ValueError(f"cannot fold {event.topic}")
        return model.fold(key, row, event)

    spread = getattr(model, "spread", None)
    more = {"spread": spread} if spread else {}
    appends = getattr(model, "APPENDS", False)
    return SimpleNamespace(NAME=model.NAME, TABLE=model.TABLE, TOPICS=model.TOPICS, keys=model.keys, fold=fold, APPENDS=appends, **more)


def position_of(database, model: str, ledger: str = LEDGER) -> int:
    with reading(database) as conn:
        return conn.scalar(sa.select(PROGRESS.c.position).where(PROGRESS.c.read_model == model, PROGRESS.c.ledger == ledger))


@pytest.mark.parametrize("turn", [1, 7, 2000])
def test_live_rows_are_those_of_a_fold_of_the_history_whatever_the_turn(follow, database, turn):
    history = History().a_bit_of_everything(4)
    follower = follow(history, turn=turn)
    assert follower.catch_up() == len(history.lines)
    assert digests(follower, database) == from_history(history)
    assert follower.catch_up() == 0


def test_every_store_holds_the_same_rows(follow, database):
    follower = follow(History().a_bit_of_everything(9))
    follower.catch_up()
    with reading(database) as conn:
        for name, model in READ_MODELS.items():
            rows = conn.execute(sa.select(model.TABLE).order_by(*model.TABLE.primary_key.columns)).mappings()
            assert [dict(row) for row in rows] == fold_lines(name, History().a_bit_of_everything(9).lines)


def test_replay_as_of_a_position_is_what_the_live_table_was_then(follow, database):
    history = History().a_bit_of_everything(3)
    follower = follow(history)
    whole, history.lines = history.lines, history.lines[:20]
    follower.catch_up()
    then = digests(follower, database)
    history.lines = whole
    follower.catch_up()
    assert then == {name: digest_of_rows(fold_lines(name, whole[:20])) for name in READ_MODELS}


def test_a_crash_between_fold_and_commit_leaves_rows_and_position_as_they_were(follow, database, monkeypatch):
    history = History().a_bit_of_everything(2)
    follower = follow(history)
    follower.catch_up()
    before = digests(follower, database)
    history.patrol_walked("one more")
    move_on = follower._move_on

    def crash(*args):
        move_on(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(follower, "_move_on", crash)
    with pytest.raises(KeyboardInterrupt):
        follower.catch_up()
    assert digests(follower, database) == before
    monkeypatch.undo()
    follower.catch_up()
    assert digests(follower, database) == from_history(history)


def test_two_engines_at_once_count_everything_once(follow, database):
    histories = [History().a_bit_of_everything(30), History(OTHER).a_bit_of_everything(30)]
    followers = [follow(*histories, turn=25) for _ in range(3)]
    threads = [threading.Thread(target=follower.catch_up) for follower in followers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    followers[0].catch_up()
    for history in histories:
        assert digests(followers[0], database, history.ledger) == from_history(history)


def test_an_engine_leaves_what_another_has_taken_and_goes_on_with_the_rest(follow, database):
    if database.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time: nothing can be taken meanwhile")
    follower = follow(History().a_bit_of_everything(1))
    follower.catch_up()
    follower.reader.histories[LEDGER].patrol_walked("more")
    with writing(database) as conn:
        conn.execute(sa.select(PROGRESS).where(PROGRESS.c.read_model == "workload").with_for_update())
        follower.catch_up()
        assert [each.read_model for each in follower.status() if each.behind] == ["workload"]
    follower.catch_up()
    assert not any(each.behind for each in follower.status())


def test_a_poison_event_parks_its_read_model_in_its_ledger_and_nothing_else(follow, database):
    history, other = History().a_bit_of_everything(2), History(OTHER).a_bit_of_everything(2)
    poison = {next(number for number, line in enumerate(history.lines) if b"case.registered" in line)}
    (position,) = poison
    models = {**READ_MODELS, "open_cases": refusing(open_cases, poison)}
    follower = follow(history, other, models=models)
    other.lines[position] = other.lines[position].replace(b"case.registered", b"case.forgotten")
    follower.catch_up()
    (parked,) = [each for each in follower.status() if each.parked_position is not None]
    assert (parked.ledger, parked.read_model, parked.position, parked.parked_position) == (LEDGER, "open_cases", position, position)
    assert parked.parked_error == "ValueError: cannot fold case.registered"
    assert parked.behind == len(history.lines) - position
    assert parked.waiting_since is not None
    with reading(database) as conn:
        assert follower.digest(conn, "open_cases", LEDGER) == digest_of_rows(fold_lines(open_cases, history.lines[:position]))
    assert [(each.ledger, each.read_model) for each in follower.status() if each.behind] == [(LEDGER, "open_cases")]
    assert not follower.wait_for(LEDGER, "open_cases", position, timeout_s=30)

    poison.clear()
    follower.catch_up()
    assert position_of(database, "open_cases") == position
    follower.resume("open_cases", LEDGER)
    follower.catch_up()
    assert digests(follower, database) == from_history(history)


def test_a_value_that_the_database_cannot_take_parks_too(follow, database):
    history = History().a_bit_of_everything(1)
    good = len(history.lines)
    history.visit_made("visit", "house")
    history.case_reported("odd", category={"not": "a text"})
    history.visit_made("last", "house")
    follower = follow(history)
    follower.catch_up()
    parked = {each.read_model: each.parked_position for each in follower.status() if each.parked_position is not None}
    assert parked == {"open_cases": good + 1}
    assert position_of(database, "visit_log") == good + 3


def test_a_line_that_is_no_event_parks_every_read_model_before_it(follow, database):
    history = History().a_bit_of_everything(1)
    history.lines[9] = b"{}"
    follower = follow(history)
    follower.catch_up()
    assert {(each.position, each.parked_position) for each in follower.status()} == {(9, 9)}


def test_a_line_at_the_wrong_position_stops_the_turn_and_is_never_skipped():
    history = History().a_bit_of_everything(1)
    with pytest.raises(RuntimeError, match="says that it is 3"):
        decode(LEDGER, 2, history.lines[3:])


def test_a_database_that_fails_parks_nothing(follow, database, monkeypatch):
    follower = follow(History().a_bit_of_everything(1))
    failed = sa.exc.OperationalError("SELECT 1", {}, Exception("the server went away"))
    monkeypatch.setattr("projections.turn.fold_into", lambda *_: (_ for _ in ()).throw(failed))
    with pytest.raises(sa.exc.OperationalError):
        follower.catch_up()
    monkeypatch.undo()
    follower.catch_up()
    assert not any(each.behind or each.parked_position is not None for each in follower.status())


def test_catching_up_some_read_models_leaves_the_others_where_they_are(follow, database):
    history = History().a_bit_of_everything(2)
    follower = follow(history)
    follower.catch_up(LEDGER, ["areas", "people"])
    assert {each.read_model for each in follower.status() if not each.behind} == {"areas", "people"}
    follower.catch_up()
    assert digests(follower, database) == from_history(history)


def test_a_reader_waits_until_its_write_is_folded_and_not_longer(follow, database):
    history = History().a_bit_of_everything(1)
    follower = follow(history)
    last = len(history.lines) - 1
    assert not follower.wait_for(LEDGER, "open_cases", last, timeout_s=0)
    stop = threading.Event()
    running = threading.Thread(target=follower.run, args=(stop, 0.01))
    running.start()
    try:
        assert follower.wait_for(LEDGER, "open_cases", last, timeout_s=30)
    finally:
        stop.set()
        running.join()


def test_the_engine_outlives_a_database_that_is_away(follow, database, monkeypatch):
    follower = follow(History().a_bit_of_everything(1))
    stop, calls = threading.Event(), []

    def away(_):
        calls.append(1)
        if len(calls) > 2:
            stop.set()
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("away"))

    monkeypatch.setattr(follower, "_go_round", away)
    monkeypatch.setattr(stop, "wait", lambda _: None)
    follower.run(stop, 0)
    assert len(calls) == 3


def test_a_rebuild_gives_the_same_rows_and_clears_away_its_table(follow, database):
    history = History().a_bit_of_everything(5)
    follower = follow(history)
    follower.catch_up()
    before = digests(follower, database)
    with writing(database) as conn:
        conn.execute(sa.update(workload.TABLE).values(patrols=99))
        conn.execute(sa.delete(open_cases.TABLE))
    for name in READ_MODELS:
        assert follower.rebuild(name) == len(history.lines)
    assert digests(follower, database) == before
    with reading(database) as conn:
        for name, table in METADATA.tables.items():
            if name.endswith("_rebuild"):
                assert conn.scalar(sa.select(sa.func.count()).select_from(table)) == 0
        assert not [name for name in conn.scalars(sa.select(PROGRESS.c.read_model)) if name.endswith("_rebuild")]


def test_a_rebuild_runs_beside_writers_and_followers_and_readers_see_rows_all_the_time(follow, database, monkeypatch):
    monkeypatch.setattr("projections.rebuilding.STRETCH", 10)
    monkeypatch.setattr("projections.rebuilding.CLOSE", 5)
    history = History().a_bit_of_everything(20)
    follower = follow(history)
    follower.catch_up()
    fold_up_to, seen = LedgerRebuild._fold_up_to, []

    def fold_while_more_is_recorded(rebuild, conn, end):
        fold_up_to(rebuild, conn, end)
        if len(history.lines) < 400:
            history.visit_made(f"late {len(history.lines)}", "house", minute=1)
        with reading(database) as other:
            seen.append(len(list_cases(other, EVERYTHING, limit=5)))

    monkeypatch.setattr(LedgerRebuild, "_fold_up_to", fold_while_more_is_recorded)
    follower.rebuild("open_cases", LEDGER)
    follower.rebuild("visit_log", LEDGER)
    monkeypatch.undo()
    assert set(seen) == {5}
    follower.catch_up()
    assert digests(follower, database) == from_history(history)


def test_a_rebuild_that_meets_a_poison_event_leaves_the_live_rows_alone(follow, database):
    history = History().a_bit_of_everything(2)
    poison: set[int] = set()
    follower = follow(history, models={**READ_MODELS, "workload": refusing(workload, poison)})
    follower.catch_up()
    before = digests(follower, database)
    poison.add(next(number for number, line in enumerate(history.lines) if b"visit.made" in line))
    with pytest.raises(RebuildParked, match=r"cannot fold visit\.made"):
        follower.rebuild("workload")
    assert digests(follower, database) == before
    poison.clear()
    follower.rebuild("workload")
    assert digests(follower, database) == before


def test_a_fold_may_remove_its_row(follow, database):
    def fold(key: tuple, row: Row | None, event) -> Row | None:
        return None if event.topic == "case.closed" else open_cases.fold(key, row, event)

    model = SimpleNamespace(NAME="open_cases", TABLE=open_cases.TABLE, TOPICS=open_cases.TOPICS, keys=open_cases.keys, fold=fold)
    history = History()
    history.case_reported("one")
    left = history.case_reported("two")
    history.case_registered("one")
    follower = follow(history, models={"open_cases": model})
    follower.catch_up()
    history.case_closed("one")
    follower.catch_up()
    with reading(database) as conn:
        assert [row["case_id"] for row in list_cases(conn, EVERYTHING)] == [left]


def test_a_turn_asks_for_rows_by_their_keys_even_where_the_database_knows_nothing_of_its_tables(follow, database):
    if database.dialect.name != "postgresql":
        pytest.skip("SQLite keeps the order of the loops that a statement says")
    history = History()
    for number in range(40):
        history.a_bit_of_everything(number)
    follow(history).catch_up()
    with writing(database) as conn:
        set_for_a_turn(conn)
        for model in READ_MODELS.values():
            asked = table_rows(model.TABLE.name, "postgresql").select.replace("%s", "$1")
            plan = "\n".join(row[0] for row in conn.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {asked}"))
            assert "Seq Scan" not in plan, plan
            assert " Join" not in plan, plan
            if model is tablet_changes:
                assert "using tablet_changes_pkey" in plan, plan
