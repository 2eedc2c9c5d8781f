"""A history with something of everything, made once and copied for each test, and hands to tamper with a copy behind the service's back."""

import base64
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from projections.recorded import write_line
from service.audit.publishing import Publisher
from service.audit.tables import checkpoints, cosignatures, published, root_entries, root_logs
from service.audit.tiles import tiles
from service.config import Config
from service.database import open_database, reading
from service.imports.recording import terminal_actor
from service.ledger.keys import parse_key, seed_of
from service.ledger.mapper import SYSTEM
from service.ledger.note import COSIGNATURE, Verifier, split_note
from service.ledger.tables import events, ledgers
from service.ledger.tree import Frontier, leaf_hashes
from service.scope import Actor, Grant
from service.wiring import Gridtrail
from tests.conftest import empty_postgres_database
from tests.sync import town as towns
from tests.sync.town import A1, A2, B1, CATEGORY, CITY, COUNTY, SUB_A, SUB_B, Town, person

SEED = seed_of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
WITNESS_KEY = Verifier("audit-office.example", WITNESS.public_key().public_bytes_raw(), COSIGNATURE)
SYSTEMS = Actor(SYSTEM, (Grant("administrator", CITY), Grant("officer", CITY)))


class Story(Town):
    """The town, in which whoever acts has the right to it, and a week's worth of everything happens."""

    def __init__(self, database: sa.Engine, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            # The town of the sync tests is made by somebody who was never registered; verification would rightly say so.
            patch.setattr(towns, "ROOT", terminal_actor(Config()))
            super().__init__(database, folder, signing_key=SEED)
            self.tell()

    def tell(self) -> None:
        """Visits, patrols, a case from report to close, a refused entry that is re-applied, one dismissed, a fork, a revoked tablet."""
        li, wang, qian = self.hand("li"), self.hand("wang", "p256"), self.hand("qian")
        moved = self.hand("moved")
        for hand, area, count in ((li, A1, 130), (wang, A2, 130), (qian, B1, 12)):
            for first in range(0, count, 65):
                self.clock.forward(minutes=7)
                hand.send([hand.entry(seq, area=area) for seq in range(first, min(first + 65, count))])
        self._patrol(li, 130)
        self._case(li)
        self._refusals(wang, qian)
        # A tablet whose worker moved: its entries lie in two ledgers, its seals in one.
        self.clock.forward(hours=1)
        moved.send([moved.entry(0, area=B1), moved.entry(1, area=B1, occurred_at="2026-11-15T09:00:00+08:00")])
        other = [qian.entry(seq, area=B1, data={"household": "H-other", "outcome": "met"}) for seq in range(3)]
        qian.post(qian.body(other, base=Frontier()))
        self.gridtrail.inspection.change_tablet(SYSTEMS, wang.ledger, wang.id, "revoke", {"last_valid": 131, "reason": "lost"})
        wang.send([wang.entry(wang.frontier.size, area=A2)])
        self.gridtrail.follower.catch_up()

    def _patrol(self, li: Any, seq: int) -> None:
        patrol = str(uuid4())
        said = [("patrol.started", {}), ("patrol.checkpoint_passed", {"checkpoint": "gate"}), ("patrol.finished", {})]
        li.send([li.entry(seq + at, kind, A1, data, id=patrol) for at, (kind, data) in enumerate(said)])

    def _case(self, li: Any) -> None:
        case, chen = str(uuid4()), Actor(person("chen"), (Grant("officer", SUB_A),))
        said = {"category": CATEGORY, "summary": "rubbish at the gate", "level": "subdistrict"}
        li.send([li.entry(li.frontier.size, "case.reported", A1, said, id=case)])
        for verb, told in (("accept", {}), ("register", {}), ("handle", {"result": "taken away"})):
            self.clock.forward(minutes=5)
            self.gridtrail.inspection.act_on_case(chen, UUID(case), SUB_A, verb, told)

    def _refusals(self, wang: Any, qian: Any) -> None:
        self.clock.forward(hours=1)
        wang.send([wang.entry(130, area=B1), wang.entry(131, area=B1)])
        self.clock.forward(minutes=5)
        self.hire_again("wang", B1)
        self.clock.forward(minutes=5)
        kept = [each for each in self.events("refused.kept") if each["state"]["code"] == "out_of_scope"]
        self.gridtrail.inspection.reapply_refused(SYSTEMS, kept[0]["ledger"], kept[0]["stream"], "assigned late")
        self.gridtrail.inspection.dismiss_refused(SYSTEMS, kept[1]["ledger"], kept[1]["stream"], "by mistake")


def publish(gridtrail: Gridtrail) -> None:
    """Publishes all logs, and lets the witness cosign the root log."""
    Publisher(gridtrail).turn()
    with reading(gridtrail.database) as conn:
        latest = published(conn, "root")
    assert latest is not None
    with gridtrail.database.begin() as conn:
        conn.execute(sa.delete(cosignatures))
        conn.execute(
            sa.insert(cosignatures).values(
                ledger="root", incarnation=latest.incarnation, witness=str(WITNESS_KEY), size=latest.size,
                note=cosigned(latest.note), cosigned_at="2026-11-21T00:00:00.000Z",
            )
        )  # fmt: skip


def cosigned(note: str) -> str:
    """The note with the witness's cosignature."""
    text, _ = split_note(note)
    signature = WITNESS.sign(f"cosignature/v1\ntime {1_795_000_000}\n".encode() + text.encode())
    whole = base64.b64encode(WITNESS_KEY.id + (1_795_000_000).to_bytes(8, "big") + signature).decode()
    return f"{note}— {WITNESS_KEY.name} {whole}\n"


@dataclass
class Copy:
    """A copy of the history that may be spoiled."""

    url: str
    folder: Path
    vault: Path | None = None

    def __post_init__(self) -> None:
        self.engine = open_database(self.url)

    def gridtrail(self) -> Gridtrail:
        """The service's pieces on this copy."""
        return Gridtrail(self.config(), database=self.engine)

    def config(self, **settings: Any) -> Config:
        """Settings for this copy. What was signed before is on a machine that whoever spoils it can write to as well."""
        journal = str(self.folder / f"{uuid4().hex}.journal")
        given = {"database_url": self.url, "origin": "gridtrail.test", "signing_key": SEED, "watermark_file": journal, **settings}
        vault = self.vault or self.folder
        keys = {"vault_url": f"sqlite:///{vault}/vault.db", "vault_key_file": str(vault / "vault.key")}
        return Config(photos_url=str(self.folder / "photos"), log_format="text", **{**keys, **given})

    @contextmanager
    def behind_the_back(self) -> Iterator[sa.Connection]:
        """A transaction of somebody who has the whole database: the triggers are gone."""
        with self.engine.begin() as conn:
            if conn.dialect.name == "sqlite":
                for act in ("update", "delete"):
                    conn.exec_driver_sql(f"DROP TRIGGER IF EXISTS events_refuse_{act}")
            else:
                conn.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
            yield conn

    def lines(self, ledger: str) -> list[bytes]:
        """All lines of a ledger."""
        with reading(self.engine) as conn:
            return [
                bytes(line) for line in conn.scalars(sa.select(events.c.line).where(events.c.ledger == ledger).order_by(events.c.position))
            ]

    def place_of(self, ledger: str, topic: str, number: int = 0, **state: Any) -> int:
        """The position of an event of a topic."""
        found = [each for each in map(orjson.loads, self.lines(ledger)) if each["topic"] == topic]
        wanted = [each for each in found if all(each["state"].get(name) == value for name, value in state.items())]
        return int(wanted[number]["position"])

    def set_line(self, ledger: str, position: int, line: bytes, conn: sa.Connection | None = None) -> None:
        """Puts another line at a position; the columns stay."""
        mine = (events.c.ledger == ledger) & (events.c.position == position)
        with self.behind_the_back() as own:
            (conn or own).execute(sa.update(events).where(mine).values(line=line))

    def rewrite(self, ledger: str, lines: Iterable[bytes]) -> None:
        """Puts a whole other history in the place of a ledger's: columns, head and tiles follow from the lines."""
        whole = list(lines)
        frontier = Frontier()
        frontier.extend(leaf_hashes(whole))
        head = {"size": frontier.size, "root": frontier.root(), "frontier": frontier.to_bytes()}
        with self.behind_the_back() as conn:
            conn.execute(sa.delete(events).where(events.c.ledger == ledger))
            conn.execute(sa.delete(tiles).where(tiles.c.ledger == ledger))
            conn.execute(sa.insert(events), [row_of(line) for line in whole])
            head["recorded_at"] = orjson.loads(whole[-1])["recorded_at"]
            conn.execute(sa.update(ledgers).where(ledgers.c.ledger == ledger).values(head))
        self.gridtrail().tiles.keep_up(ledger, frontier.size)

    def forget_what_was_signed(self) -> None:
        """Takes every checkpoint, the root log and what was cosigned away, as if nothing had been signed yet."""
        with self.engine.begin() as conn:
            for table in (checkpoints, root_entries, root_logs, cosignatures):
                conn.execute(sa.delete(table))


def row_of(line: bytes) -> dict[str, Any]:
    """The columns of a line, as the service fills them."""
    whole = orjson.loads(line)
    state, entry = whole["state"], whole["state"].get("entry")
    seq = state.get("seq", entry["seq"] if entry else None)
    return {
        **{name: whole[name] for name in ("ledger", "position", "version", "topic", "recorded_at")},
        "stream": UUID(whole["stream"]),
        "by_person": None if state["by"] == SYSTEM else UUID(state["by"]),
        "tablet": UUID(state["tablet"]) if state.get("tablet") else None,
        "seq": None if state.get("code") == "forked" else seq,
        "line": line,
    }


def renumbered(lines: Iterable[bytes]) -> list[bytes]:
    """The lines as they would read had they stood so from the beginning."""
    found = []
    for position, line in enumerate(lines):
        was = orjson.loads(line)["position"]
        found.append(line.replace(b'"position":%d,' % was, b'"position":%d,' % position, 1))
    return found


def line_like(line: bytes, position: int, state: Callable[[dict[str, Any]], dict[str, Any]] = lambda told: told, **members: Any) -> bytes:
    """A line made from another in the recorded format, with other members and state."""
    whole = {**orjson.loads(line), "position": position, **members}
    told = state(whole["state"])
    return write_line(
        whole["ledger"], position, UUID(whole["stream"]), whole["version"], whole["topic"], whole["recorded_at"], orjson.dumps(told)
    )


def key_of() -> str:
    """The service's verifier key."""
    return str(Verifier("gridtrail.test", parse_key(SEED).public_key().public_bytes_raw()))


def make_sqlite(template: Path, folder: Path) -> Path:
    """The story on SQLite: one file that tests copy."""
    path = folder / "story.db"
    shutil.copyfile(template, path)
    engine = open_database(f"sqlite:///{path}")
    publish(Story(engine, folder).gridtrail)
    with engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@contextmanager
def made_on_postgres(server: str, template: str, folder: Path) -> Iterator[str]:
    """The story on PostgreSQL: the name of a database that tests copy."""
    with empty_postgres_database(server, template) as url:
        engine = open_database(url)
        publish(Story(engine, folder).gridtrail)
        engine.dispose()
        yield str(sa.make_url(url).database)


__all__ = ["COUNTY", "SUB_A", "SUB_B"]
