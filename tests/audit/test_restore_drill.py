"""The whole drill: a backup, more work, the database lost, restored, refused, continued; and nothing is lost or doubled in the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa

from service.audit.backup import back_up
from service.audit.continuing import Continuing
from service.audit.held import held_origins
from service.audit.restoring import restore
from service.audit.tables import ROOT, checkpoints, published, root_head
from service.database import open_database, reading
from service.ledger import schema
from service.ledger.note import Verifier, open_checkpoint
from service.ledger.store import HistoryBehind
from service.ledger.tree import leaf_hash, root_of
from service.sync.facts import b64
from service.tablet_client import Tablet, Unreachable
from service.wiring import Gridtrail, make_app
from tests.check import all_lines, check_everything
from tests.sync.town import A1, A2, B1, Town, person
from tests.sync.town import ROOT as SYSTEM

WHY = "The disk broke; the backup of the night was restored."


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
        town.network.app = town.app
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
    again = drill.entries()
    assert len(again) == len(set(again)) == len(expected) + 4
    assert set(expected) <= set(again)
    check_everything(drill.gridtrail)
    for tablet in (drill.wang, drill.qian):
        assert all(each["outcome"]["outcome"] == "recorded" for each in tablet.outbox.entries())
    _old_checkpoints_still_verify(drill, old, before)


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
