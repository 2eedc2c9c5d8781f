"""The whole drill: a backup, more work, the database lost, restored, refused, continued; and nothing is lost or doubled in the end."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa

from domain.refusals import ReasonNeeded
from service.audit.backup import back_up
from service.audit.continuing import Continuing, NobodyApproved
from service.audit.held import held_origins
from service.audit.restoring import restore
from service.audit.tables import ROOT, checkpoints, published, root_head
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Wanted, open_source
from service.database import open_database, reading
from service.ledger import schema
from service.ledger.note import Verifier, open_checkpoint
from service.ledger.store import HistoryBehind, Ledgers
from service.ledger.tree import leaf_hash, root_of
from service.sync.facts import b64
from service.sync.tables import photos
from service.tablet_client import Refused, Tablet, Unreachable
from service.wiring import Gridtrail, make_app
from tests.audit.backups import PHOTO
from tests.check import all_lines, check_everything
from tests.sync.town import A1, A2, B1, Town, person
from tests.sync.town import ROOT as SYSTEM

WHY = "The disk broke; the backup of the night was restored."


class Crash(BaseException):
    """The machine stops."""


class Drill:
    """A town whose database can be lost."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        database = open_database(url)
        schema.stamp(database)
        self.town = Town(database, folder, root_log_s=0)
        self.wang = self.town.tablet("li")
        self.qian = self.town.tablet("qian")
        self.hand = self.town.hand("wang")

    @property
    def gridtrail(self) -> Gridtrail:
        return self.town.gridtrail

    def visits(self, tablet: Tablet, area: str, count: int) -> None:
        """Work that is recorded on a tablet and uploaded."""
        for _ in range(count):
            tablet.record("visit.made", str(uuid4()), area, {"household": "H-1", "outcome": "met"})
        self.town.clock.forward(minutes=1)
        tablet.sync()

    def work(self, count: int) -> None:
        """Both tablets work, and what they did is published."""
        self.visits(self.wang, A1, count)
        self.visits(self.qian, B1, count)
        self.gridtrail.publisher.turn()
        self.proved = [tablet.prove() for tablet in (self.wang, self.qian)]

    def lose(self, source: Path, *, journal: bool = True, held: bool = True) -> None:
        """The database is lost, perhaps with the machine; the backup is restored, and the service starts again on it."""
        self.gridtrail.database.dispose()
        self.gridtrail.forget()
        if not journal:
            (self.folder / "signed.journal").unlink()
        name = Path(str(sa.make_url(self.url).database)).name
        restore(self.gridtrail.config.__class__(database_url=self.url), source, clock=self.town.clock, replace=name, held=held)
        self.start()

    def start(self) -> None:
        """A new process of the service."""
        town = self.town
        town.gridtrail = Gridtrail(town.gridtrail.config, clock=town.clock, database=open_database(self.url))
        town.app = make_app(town.gridtrail)
        town.gridtrail.watermark.check_all()

    def lines(self) -> dict[str, list[bytes]]:
        with reading(self.gridtrail.database) as conn:
            return {name: all_lines(conn, self.gridtrail.ledgers, name) for name in self.gridtrail.ledgers.ledgers(conn)}

    def entries(self) -> list[tuple[str, int]]:
        """Tablet and number of each entry that stands in the ledgers."""
        return sorted((each["state"]["tablet"], each["state"]["entry"]["seq"]) for each in self.town.uploaded())

    def go_on(self, **options: Any) -> list[Any]:
        case = Continuing(self.gridtrail)
        return [case.go_on(each, WHY, person("chen")) for each in case.waiting(**options)]


@pytest.fixture
def drill(database_url: str, tmp_path: Path) -> Iterator[Drill]:
    """On each store."""
    made = Drill(database_url, tmp_path)
    yield made
    made.gridtrail.database.dispose()


@pytest.fixture
def quick(sqlite_url: str, tmp_path: Path) -> Iterator[Drill]:
    """On SQLite, for what does not depend on the store."""
    made = Drill(sqlite_url, tmp_path)
    yield made
    made.gridtrail.database.dispose()


@pytest.mark.parametrize("journal", [True, False], ids=["the journal is there", "the journal is lost too"])
def test_after_a_restore_nothing_is_lost_and_nothing_is_doubled(drill: Drill, tmp_path: Path, journal: bool) -> None:
    drill.work(3)
    saved = back_up(drill.gridtrail, tmp_path / "saved").folder
    before = drill.lines()
    drill.work(4)
    expected, tails = drill.entries(), {name: lines[len(before[name]) :] for name, lines in drill.lines().items()}
    with reading(drill.gridtrail.database) as conn:
        old = {name: published(conn, name) for name in (*before, ROOT)}
    drill.lose(saved, journal=journal)

    # The service refuses to write, and says why; reads go on.
    answer = drill.hand.send([drill.hand.entry(0, area=A2)])
    assert (answer.status_code, answer.json["code"]) == (503, "history_behind")
    assert "gridtrail ledger continue --new-incarnation" in answer.json["detail"]
    drill.wang.record("visit.made", str(uuid4()), A1, {"household": "H-9", "outcome": "met"})
    for tablet in (drill.wang, drill.qian):
        with pytest.raises(Unreachable):
            tablet.sync()
    with pytest.raises(HistoryBehind):
        drill.gridtrail.inspection.register_area(SYSTEM, {"code": A1, "name": "renamed", "effective_from": "2026-11-21"})
    drill.gridtrail.publisher.turn()
    assert drill.lines() == before
    assert drill.town.app.test_client().get("/health/ready").json["status"] == "degraded"
    assert drill.wang.download() >= 0

    done = drill.go_on()
    assert {each.was.head.ledger for each in done} == {*before, ROOT}
    assert drill.go_on() == []
    for name, lines in drill.lines().items():
        assert lines[: len(before[name])] == before[name]
        _says_so(orjson.loads(lines[len(before[name])]), old[name], len(before[name]), tails[name], journal)

    # Tablets see the new name, and send again what was lost.
    assert (drill.wang.sync().recorded, drill.qian.sync().recorded) == (4 + 1, 4)
    assert drill.hand.send([drill.hand.entry(0, area=A2)]).status_code == 200
    drill.work(1)
    assert [(each.begun_anew, each.waiting) for each in drill.proved] == [(1, 0), (1, 0)]
    again = drill.entries()
    assert len(again) == len(set(again)) == len(expected) + 4
    assert set(expected) <= set(again)
    check_everything(drill.gridtrail)
    for tablet in (drill.wang, drill.qian):
        assert all(each["outcome"]["outcome"] == "recorded" for each in tablet.outbox.entries())
    _old_checkpoints_still_verify(drill, old, before)
    audited = verify(open_source(drill.url), Wanted(keys=(str(drill.gridtrail.signer.verifier),), rules=False))
    assert audited.findings.faults == []


def _says_so(told: dict[str, Any], old: Any, size: int, tail: list[bytes], journal: bool) -> None:
    """The first entry under the new name."""
    state = told["state"]
    assert (told["topic"], told["position"], state["size"]) == ("ledger.continued", size, size)
    assert (state["data"]["reason"], state["data"]["approved_by"]) == (WHY, person("chen"))
    assert state["old_origin"] == old.origin
    assert state["origin"] != old.origin
    if journal:
        assert (state["signed_size"], state["signed_root"]) == (size + len(tail), b64(old.root))
    else:
        assert "signed_size" not in state


def _old_checkpoints_still_verify(drill: Drill, old: dict[str, Any], before: dict[str, list[bytes]]) -> None:
    """What was published before the backup is a prefix of what stands now, under its old name and the same key."""
    key = drill.gridtrail.signer.verifier.public
    with reading(drill.gridtrail.database) as conn:
        kept = conn.execute(sa.select(checkpoints).where(checkpoints.c.ledger.in_(list(before)))).all()
        assert {row.origin for row in kept} > {each.origin for name, each in old.items() if name != ROOT}
        lines = {name: all_lines(conn, drill.gridtrail.ledgers, name) for name in before}
        for row in kept:
            checkpoint = open_checkpoint(row.note, Verifier(row.origin, key))
            assert checkpoint.root == root_of(map(leaf_hash, lines[row.ledger][: checkpoint.size]))
        head = root_head(conn)
        assert head is not None
        assert published(conn, ROOT).size == head.size
        assert not held_origins(conn)


def test_photos_that_the_backup_lacks_are_sent_again(quick: Drill, tmp_path: Path) -> None:
    saved = back_up(quick.gridtrail, tmp_path / "saved").folder
    name = quick.wang.add_photo(PHOTO)
    quick.wang.record("visit.made", str(uuid4()), A1, {"household": "H-1", "outcome": "met", "photos": [name]})
    assert quick.wang.sync().photos == 1
    quick.lose(saved)
    quick.go_on()
    assert quick.wang.sync().photos == 1
    assert quick.wang.sync().photos == 0
    with reading(quick.gridtrail.database) as conn:
        assert conn.scalars(sa.select(photos.c.sha256)).all() == [name]


def test_a_tablet_that_the_backup_does_not_know_enrols_again_and_sends_everything(quick: Drill, tmp_path: Path) -> None:
    saved = back_up(quick.gridtrail, tmp_path / "saved").folder
    late = quick.town.tablet("moved", "late.db")
    quick.visits(late, B1, 3)
    with pytest.raises(Refused, match="knows this tablet"):
        late.enrol_again(quick.town.code("moved"))
    quick.lose(saved)
    quick.go_on()
    with pytest.raises(Refused) as no:
        late.sync()
    assert no.value.status == 401
    late.enrol_again(quick.town.code("moved"))
    assert late.sync().recorded == 3
    assert quick.entries() == [(late.id, 0), (late.id, 1), (late.id, 2)]
    check_everything(quick.gridtrail)


def test_a_crash_between_two_ledgers_is_gone_on_from(drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill.work(2)
    saved = back_up(drill.gridtrail, tmp_path / "saved").folder
    drill.work(1)
    drill.lose(saved)
    append, done = Ledgers.append, []

    def dies(ledgers: Ledgers, conn: sa.Connection, ledger: str, drafts: Any) -> Any:
        done.append(append(ledgers, conn, ledger, drafts))
        if len(done) == 2:
            raise Crash
        return done[-1]

    monkeypatch.setattr(Ledgers, "append", dies)
    with pytest.raises(Crash):
        drill.go_on()
    monkeypatch.undo()
    drill.start()
    before = len(drill.town.events("ledger.continued"))
    assert before == 1
    drill.go_on()
    continued = [each["ledger"] for each in drill.town.events("ledger.continued")]
    assert sorted(continued) == sorted([*drill.lines(), drill.gridtrail.config.city])
    drill.work(1)
    check_everything(drill.gridtrail)


def test_only_those_that_are_behind_go_on_unless_all_are_asked_for(drill: Drill) -> None:
    drill.work(1)
    assert drill.go_on() == []
    (one,) = drill.go_on(names=["411502001"])
    assert (one.ledger, one.was.missing, one.was.signed[0]) == ("411502001", 0, one.was.head.size)
    others = {each.ledger for each in drill.go_on(every=True)}
    assert others == {*drill.lines()} - {"411502001"}
    drill.work(1)
    check_everything(drill.gridtrail)


def test_a_ledger_that_was_continued_meanwhile_is_left_alone(quick: Drill) -> None:
    quick.work(1)
    case = Continuing(quick.gridtrail)
    waiting = case.waiting(every=True)
    assert len([each for each in waiting if case.go_on(each, WHY, person("chen"))]) == len(waiting)
    assert [case.go_on(each, WHY, person("chen")) for each in waiting] == [None] * len(waiting)


def test_whoever_approves_is_registered_and_says_why(quick: Drill) -> None:
    case = Continuing(quick.gridtrail)
    for nobody in ("", "Zhang San", str(uuid4())):
        with pytest.raises(NobodyApproved):
            case.approver(nobody)
    assert case.approver(person("chen")) == person("chen")
    (one,) = case.waiting(["411502001"])
    for reason in ("", " ", "x" * 501, "\0"):
        with pytest.raises(ReasonNeeded):
            case.go_on(one, reason, person("chen"))


def test_a_restore_after_a_restore_goes_on_under_a_third_name(quick: Drill, tmp_path: Path) -> None:
    quick.work(2)
    first = back_up(quick.gridtrail, tmp_path / "first").folder
    quick.work(2)
    quick.lose(first)
    quick.go_on()
    quick.work(1)
    second = back_up(quick.gridtrail, tmp_path / "second").folder
    quick.work(3)
    expected = quick.entries()
    quick.lose(second)
    quick.go_on()
    quick.work(1)
    assert set(expected) < set(quick.entries())
    told = [each["state"] for each in quick.town.events("ledger.continued") if each["ledger"] == "411502001"]
    assert told[1]["old_origin"] == told[0]["origin"]
    check_everything(quick.gridtrail)


# ---- the same database, after a crash


def test_whoever_is_killed_in_the_middle_of_uploads_raises_no_alarm(drill: Drill, tmp_path: Path) -> None:
    """Processes that work and are killed without warning: what was signed is never ahead of what was recorded."""
    path = str(tmp_path / "worked.db")
    drill.town.tablet("wang", "worked.db").outbox.close()
    drill.gridtrail.database.dispose()
    drill.gridtrail.forget()
    for _ in range(3):
        signed = _size(tmp_path / "signed.journal")
        child = os.fork()
        if child == 0:
            _work_for_ever(drill, path)
        try:
            deadline = time.monotonic() + 60
            while _size(tmp_path / "signed.journal") < signed + 2000:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        drill.start()
        assert drill.gridtrail.watermark.check_all() == []
        assert drill.go_on() == []
        drill.gridtrail.publisher.turn()
        drill.gridtrail.database.dispose()
        drill.gridtrail.forget()
    drill.start()
    tablet = Tablet(path, **drill.town.options())
    tablet.sync()
    assert [seq for owner, seq in drill.entries() if owner == tablet.id] == list(range(tablet.outbox.size))
    check_everything(drill.gridtrail)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _work_for_ever(drill: Drill, path: str) -> Never:
    """A process of the service with a tablet that never rests."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        drill.start()
        tablet = Tablet(path, **drill.town.options())
        while True:
            tablet.record("visit.made", str(uuid4()), A2, {"household": "H-1", "outcome": "met"})
            tablet.sync()
            drill.gridtrail.publisher.turn()
    finally:
        os._exit(1)
