"""Nothing is lost, nothing is recorded twice: lost answers, parallel sends, gaps, crashes, restored backups."""

import base64
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from service.audit.continuing import Continuing
from service.database import CommitUnknown, open_database
from service.ledger.tree import Frontier, leaf_hash
from service.sync import upload
from service.tablet_client import Tablet, Unreachable
from service.wiring import make_app
from tests.check import check_everything
from tests.sync.town import A1, SUB_A, Town, person


class Crash(BaseException):
    """The tablet died."""


def visit(tablet: Tablet, number: int) -> None:
    tablet.record("visit.made", str(uuid4()), A1, {"household": f"H-{number}", "outcome": "met"})


def test_an_answer_that_was_lost_is_found_again_by_sequence(town: Town) -> None:
    hand = town.hand("li")
    lines = [hand.entry(0), hand.entry(1, kind="no.such"), hand.entry(2)]
    first = hand.post(hand.body(lines)).json
    again = hand.post(hand.body(lines)).json
    assert [each["outcome"] for each in first["outcomes"]] == ["recorded", "refused", "recorded"]
    assert [each["outcome"] for each in again["outcomes"]] == ["duplicate"] * 3
    assert [each["first_outcome"] for each in again["outcomes"]] == ["recorded", "refused", "recorded"]
    for before, after in zip(first["outcomes"], again["outcomes"], strict=True):
        assert (before["ledger"], before["position"], before.get("code")) == (after["ledger"], after["position"], after.get("code"))
    assert (first["size"], first["root"]) == (again["size"], again["root"])
    assert len(town.uploaded()) == 2
    check_everything(town.gridtrail)


def test_a_batch_may_begin_with_entries_that_are_known(town: Town) -> None:
    hand = town.hand("li")
    lines = [hand.entry(seq) for seq in range(5)]
    assert hand.post(hand.body(lines[:3])).status_code == 200
    base = Frontier()
    base.extend(leaf_hash(line) for line in lines[:1])
    receipt = hand.post(hand.body(lines[1:], base=base)).json
    assert [each["outcome"] for each in receipt["outcomes"]] == ["duplicate", "duplicate", "recorded", "recorded"]
    older = hand.post(hand.body(lines[:2])).json
    assert ([each["outcome"] for each in older["outcomes"]], older["size"]) == (["duplicate"] * 2, 5)
    check_everything(town.gridtrail)


def test_the_same_batch_to_five_processes_at_once_is_recorded_once(town: Town) -> None:
    hand = town.hand("li")
    processes = [make_app(town.gridtrail) for _ in range(5)]
    for round_ in range(3):
        lines = [hand.entry(4 * round_ + number) for number in range(4)]
        body = hand.body(lines)
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda process: hand.post(body, process=process), processes))  # noqa: B023
        assert {answer.status_code for answer in answers} == {200}
        outcomes = [[each["outcome"] for each in answer.json["outcomes"]] for answer in answers]
        assert sorted(outcomes) == [["duplicate"] * 4] * 4 + [["recorded"] * 4]
        hand.frontier.extend(leaf_hash(line) for line in lines)
    assert len(town.uploaded()) == 12
    check_everything(town.gridtrail)


def test_the_same_batch_five_times_at_once_to_one_process_is_taken_once_and_the_others_come_again(town: Town) -> None:
    hand = town.hand("li")
    body = hand.body([hand.entry(number) for number in range(4)])
    with ThreadPoolExecutor(5) as pool:
        statuses = [answer.status_code for answer in pool.map(lambda _: hand.post(body), range(5))]
    assert statuses.count(200) >= 1
    assert set(statuses) <= {200, 429}
    assert [each["outcome"] for each in hand.post(body).json["outcomes"]] == ["duplicate"] * 4
    assert len(town.uploaded()) == 4
    check_everything(town.gridtrail)


@pytest.mark.parametrize("happened", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up_before_anything_is_written_again(
    town: Town, monkeypatch: pytest.MonkeyPatch, happened: bool
) -> None:
    hand, lost = town.hand("li"), []
    record = upload.recording

    def loses(engine: sa.Engine, work: Any) -> Any:
        if lost:
            return record(engine, work)
        lost.append(record(engine, work) if happened else None)
        raise CommitUnknown("the answer is lost")

    monkeypatch.setattr(upload, "recording", loses)
    answer = hand.send([hand.entry(0), hand.entry(1)])
    assert (answer.status_code, answer.json["size"]) == (200, 2)
    assert [each["outcome"] for each in answer.json["outcomes"]] == ["duplicate" if happened else "recorded"] * 2
    assert len(town.uploaded()) == 2
    check_everything(town.gridtrail)


@pytest.mark.parametrize(("breaks", "status"), [(1, 200), (2, 503)])
def test_a_connection_that_breaks_before_the_commit_is_replaced_once(
    town: Town, monkeypatch: pytest.MonkeyPatch, breaks: int, status: int
) -> None:
    hand, broken = town.hand("li"), []
    record = upload.recording

    def cut(engine: sa.Engine, work: Any) -> Any:
        if len(broken) < breaks:
            broken.append(1)
            raise sa.exc.OperationalError("a batch", None, OSError("gone"), connection_invalidated=True)
        return record(engine, work)

    monkeypatch.setattr(upload, "recording", cut)
    assert hand.send([hand.entry(0)]).status_code == status
    assert len(town.uploaded()) == (1 if status == 200 else 0)


def test_tablets_that_write_to_one_patrol_at_once_are_all_recorded(town: Town) -> None:
    patrol = str(uuid4())
    tablets = [town.hand("li") for _ in range(4)]
    tablets[0].send([tablets[0].entry(0, "patrol.started", id=patrol, data={})])

    def passes(number: int) -> list[str]:
        hand = tablets[number]
        first = hand.frontier.size
        passed = [{"checkpoint": f"{number}-{each}"} for each in range(3)]
        lines = [hand.entry(seq, "patrol.checkpoint_passed", id=patrol, data=data) for seq, data in enumerate(passed, first)]
        return [each["outcome"] for each in hand.send(lines).json["outcomes"]]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(passes, range(4))) == [["recorded"] * 3] * 4
    versions = sorted(each["version"] for each in town.uploaded())
    assert versions == list(range(1, 14))
    check_everything(town.gridtrail)


def test_a_gap_is_refused_with_all_that_a_tablet_needs_to_find_its_place(town: Town) -> None:
    hand = town.hand("li")
    assert hand.send([hand.entry(0)]).status_code == 200
    ahead = hand.frontier.copy()
    ahead.append(leaf_hash(b"lost"))
    answer = hand.post(hand.body([hand.entry(2)], base=ahead))
    assert (answer.status_code, answer.json["code"], answer.json["size"]) == (409, "sequence_gap", 1)
    assert answer.json["root"] == base64.b64encode(hand.frontier.root()).decode()
    assert answer.json["incarnation"]
    assert answer.content_type == "application/problem+json"
    assert len(town.uploaded()) == 1


def test_an_empty_batch_records_nothing(town: Town) -> None:
    hand = town.hand("li")
    before = len(town.events())
    answer = hand.send([])
    assert (answer.status_code, answer.json["outcomes"], answer.json["size"]) == (200, [], 0)
    assert len(town.events()) == before


@pytest.mark.parametrize("step", ["recording", "recorded", "sending", "sent", "confirmed"])
def test_a_tablet_that_dies_at_any_step_goes_on_from_its_outbox(town: Town, step: str) -> None:
    dead = []

    def dies(here: str) -> None:
        if here == step and not dead:
            dead.append(here)
            raise Crash

    tablet = town.tablet("li", "one.db")
    visit(tablet, 0)
    tablet.at = dies
    try:
        visit(tablet, 1)
        tablet.sync()
    except Crash:
        tablet.outbox.db.close()
    assert dead
    again = Tablet(str(town.folder / "one.db"), **town.options())
    visit(again, 2)
    again.sync()
    numbers = [each["state"]["entry"]["seq"] for each in town.uploaded()]
    assert numbers == list(range(len(again.outbox.entries())))
    assert all(each["outcome"] for each in again.outbox.entries())
    assert len(numbers) == (2 if step == "recording" else 3)
    check_everything(town.gridtrail)


def test_a_tablet_that_dies_while_enrolling_goes_on_with_the_same_key(town: Town) -> None:
    def dies(here: str) -> None:
        if here == "enrolled":
            raise Crash

    code = town.code("li")
    with pytest.raises(Crash):
        Tablet.enrol("http://town", code, str(town.folder / "one.db"), **town.options(), at=dies)
    tablet = Tablet.enrol("http://town", code, str(town.folder / "one.db"), **town.options())
    visit(tablet, 0)
    assert tablet.sync().recorded == 1
    assert len(town.events("tablet.enrolled")) == 1


def test_requests_and_answers_that_get_lost_lose_nothing(town: Town) -> None:
    tablet = town.tablet("li", batch_entries=2)
    losses = iter([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0] * 5)

    def loses() -> None:
        if next(losses):
            raise OSError("the network is gone")

    town.network.before = town.network.after = loses
    for number in range(7):
        visit(tablet, number)
    synced = tablet.sync()
    assert synced.recorded + synced.duplicate == 7
    assert len(town.uploaded()) == 7
    check_everything(town.gridtrail)


def test_a_service_that_never_answers_leaves_everything_in_the_outbox(town: Town) -> None:
    tablet = town.tablet("li")
    visit(tablet, 0)
    pauses: list[float] = []
    tablet.sleep = pauses.append

    def loses() -> None:
        raise OSError("the network is gone")

    town.network.before = loses
    with pytest.raises(Unreachable):
        tablet.sync()
    assert tablet.waiting() == 1
    assert pauses == [0.25 * 2**attempt for attempt in range(7)]


def test_after_an_older_backup_is_restored_the_tablet_sends_again_what_was_lost(sqlite_url: str, tmp_path: Path) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    database = open_database(sqlite_url)
    town = Town(database, tmp_path)
    tablet = town.tablet("li", "one.db")
    visit(tablet, 0)
    tablet.sync()
    with database.connect() as conn:
        conn.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    database.dispose()
    shutil.copyfile(path, f"{path}.backup")
    for number in range(1, 4):
        visit(tablet, number)
    tablet.sync()
    assert tablet.waiting() == 0
    _restore(database, path)
    with pytest.raises(Unreachable):
        tablet.sync()
    assert {status for _, _, status in town.network.sent[-3:]} == {503}
    case = Continuing(town.gridtrail)
    assert [case.go_on(each, "a backup was restored", person("chen")).ledger for each in case.waiting()] == [SUB_A]
    synced = tablet.sync()
    assert (synced.rewound, synced.recorded) == (0, 3)
    assert [each["state"]["entry"]["seq"] for each in town.uploaded()] == [0, 1, 2, 3]
    check_everything(town.gridtrail)


def _restore(database: sa.Engine, path: str) -> None:
    database.dispose()
    for end in ("-wal", "-shm"):
        Path(path + end).unlink(missing_ok=True)
    shutil.copyfile(f"{path}.backup", path)
