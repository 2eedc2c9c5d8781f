"""Whether all that a fleet holds is recorded once and where it was told: tablets' files and receipts against the ledgers' lines.

Both sides are made into sums that do not depend on the order: for each ledger the number of entries and the sum of the hashes of
(tablet, number, position, outcome, the entry's leaf). Equal sums mean that every entry stands where its receipt says, and no other does.
Beside that every ledger's tree is hashed again, and every tablet's root is compared. Read by ``simulate`` and the bench.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.tablet import Refused
from service.config import Config
from service.database import reading
from service.fleet.driving import receipts_of
from service.fleet.processes import side_by_side
from service.fleet.sealed import read_frame, read_sealed
from service.ledger.tables import events
from service.ledger.tree import Frontier, leaf_hash
from service.sync.history import leaf_of
from service.sync.tables import tablet_states
from service.tablet_outbox import Outbox
from service.wiring import Gridtrail

PAGE, PROCESSES = 5000, 2
WORTH = 2 << 20
"""Bytes of files from which a second process is worth its start."""
OUTBOX = ".outbox"
WHOLE = 1 << 256
PLACE = Struct(">16sqq?")
RECORDED = "recorded"
LINES = (
    sa.select(events.c.position, events.c.tablet, events.c.seq, events.c.topic, events.c.line)
    .where(events.c.ledger == sa.bindparam("ledger"), events.c.position >= sa.bindparam("start"))
    .order_by(events.c.position)
    .limit(PAGE)
)


@dataclass
class Sums:
    """Entries of some tablets in one ledger: how many, and the sum of their digests."""

    count: int = 0
    digest: int = 0

    def add(self, tablet: bytes, seq: int, position: int, recorded: bool, leaf: bytes) -> None:
        """Adds one entry."""
        self.count += 1
        self.digest = (self.digest + int.from_bytes(sha256(PLACE.pack(tablet, seq, position, recorded) + leaf).digest(), "big")) % WHOLE

    def join(self, other: "Sums") -> None:
        """Adds the entries of another share."""
        self.count += other.count
        self.digest = (self.digest + other.digest) % WHOLE


@dataclass
class Held:
    """What tablets hold: sums by ledger, the root and size of each tablet's tree, outcomes, and what their receipts contradict."""

    sums: dict[str, Sums] = field(default_factory=dict)
    trees: dict[UUID, tuple[int, bytes]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def join(self, other: "Held") -> None:
        """Adds other tablets."""
        for ledger, sums in other.sums.items():
            self.sums.setdefault(ledger, Sums()).join(sums)
        self.trees |= other.trees
        self.outcomes += other.outcomes
        self.wrong += other.wrong


@dataclass
class Checked:
    """What the comparison came to. wrong: a sentence for each ledger or tablet where the two sides differ."""

    entries: int
    ledgers: int
    tablets: int
    outcomes: Counter[str]
    wrong: list[str]

    def __str__(self) -> str:
        found = ", ".join(f"{outcome} {count}" for outcome, count in sorted(self.outcomes.items())) or "nothing"
        verdict = "nothing lost, nothing doubled" if not self.wrong else f"{len(self.wrong)} CONTRADICTIONS"
        return f"Checked {self.entries} entries of {self.tablets} tablets in {self.ledgers} ledgers ({found}): {verdict}."


def check(pieces: Gridtrail, files: Sequence[Path]) -> Checked:
    """Compares the fleet of these files, sealed tablets or outboxes, with the ledgers of the database; two at a time."""
    held = Held()
    with side_by_side(PROCESSES, sum(path.stat().st_size for path in files) >= WORTH) as work:
        for part in work(held_of, files, chunksize=max(1, len(files) // PROCESSES)):
            held.join(part)
        with reading(pieces.database) as conn:
            ledgers = sorted(pieces.ledgers.ledgers(conn))
        wrong = [*held.wrong, *_wrong_trees(pieces, held)]
        look = partial(ledgers_differ, pieces.config, held.sums, frozenset(held.trees))
        for some in work(look, [ledgers[at::PROCESSES] for at in range(PROCESSES)]):
            wrong += some
    return Checked(sum(each.count for each in held.sums.values()), len(ledgers), len(held.trees), held.outcomes, wrong)


# ---- the tablets' side


def held_of(path: Path) -> Held:
    """What the tablets of a file hold: their entries, and where their receipts say that each one stands."""
    if path.suffix == OUTBOX:
        return held_of_outbox(path)
    told: dict[UUID, list[dict[str, Any]]] = {}
    roots: dict[UUID, tuple[int, bytes]] = {}
    for receipt in _receipts(path):
        tablet = UUID(receipt["tablet"])
        told.setdefault(tablet, []).extend(receipt["outcomes"])
        roots[tablet] = (receipt["size"], base64.b64decode(receipt["root"]))
    held = Held()
    for sealed in read_sealed(path):
        held.trees[sealed.tablet] = (sealed.size, sealed.root)
        if roots.get(sealed.tablet) != (sealed.size, sealed.root):
            held.wrong.append(f"tablet {sealed.tablet} has no receipt for the whole of its history")
        add_tablet(held, sealed.tablet, sealed.entries(), told.get(sealed.tablet, []))
    return held


def _receipts(path: Path) -> Iterator[dict[str, Any]]:
    with receipts_of(path).open("rb") as file:
        while (frame := read_frame(file)) is not None:
            yield orjson.loads(frame)


def held_of_outbox(path: Path) -> Held:
    """What a tablet's outbox holds, as far as it is confirmed."""
    held, outbox = Held(), Outbox(str(path))
    try:
        tablet, size = UUID(outbox.fact("tablet")), outbox.confirmed
        held.trees[tablet] = (size, outbox.frontier_at(size).root())
        rows = outbox.db.execute("SELECT bytes, outcome FROM entries WHERE seq < ? ORDER BY seq", (size,))
        entries, outcomes = zip(*rows, strict=True) if size else ((), ())
        add_tablet(held, tablet, entries, [orjson.loads(told) for told in outcomes])
    finally:
        outbox.close()
    return held


def add_tablet(held: Held, tablet: UUID, entries: Iterable[bytes], outcomes: Sequence[dict[str, Any]]) -> None:
    """Adds what one tablet holds: its entries in order, and the outcome of each."""
    for entry, outcome in zip(entries, outcomes, strict=False):
        first = outcome.get("first_outcome") or outcome["outcome"]
        held.outcomes[first] += 1
        sums = held.sums.setdefault(outcome["ledger"], Sums())
        sums.add(tablet.bytes, outcome["seq"], outcome["position"], first == RECORDED, leaf_hash(entry))


# ---- the ledgers' side


def _wrong_trees(pieces: Gridtrail, held: Held) -> Iterator[str]:
    """Tablets whose tree is not what the service holds of it."""
    left = dict(held.trees)
    with reading(pieces.database) as conn:
        for tablet, frontier in conn.execute(sa.select(tablet_states.c.tablet, tablet_states.c.frontier)):
            expected = left.pop(tablet, None)
            ours = Frontier.from_bytes(frontier)
            if expected is not None and (ours.size, ours.root()) != expected:
                yield f"the service holds {ours.size} entries of tablet {tablet} under another root than the tablet's {expected[0]}"
    yield from (f"the service does not know tablet {tablet}" for tablet in left)


def ledgers_differ(config: Config, expected: dict[str, Sums], tablets: frozenset[UUID], ledgers: Sequence[str]) -> list[str]:
    """A sentence for each of these ledgers that does not hold exactly what the tablets hold, or whose tree is not that of its lines."""
    pieces, wrong = Gridtrail(config), []
    for ledger in ledgers:
        found, tree = _sums_in(pieces, ledger, tablets)
        with reading(pieces.database) as conn:
            head = pieces.ledgers.head(conn, ledger)
        if head is None or (tree.size, tree.root()) != (head.size, head.root):
            wrong.append(f"the tree of ledger {ledger} is not that of its {tree.size} lines")
        told = expected.get(ledger, Sums())
        if found != told:
            others = ", and not the same" if found.count == told.count else ""
            wrong.append(f"ledger {ledger} holds {found.count} entries of the tablets, which were told of {told.count}{others}")
    pieces.database.dispose()
    return wrong


def _sums_in(pieces: Gridtrail, ledger: str, tablets: frozenset[UUID]) -> tuple[Sums, Frontier]:
    """The tablets' entries as the ledger's lines hold them, and the tree of all its lines."""
    sums, tree = Sums(), Frontier()
    while True:
        with reading(pieces.database) as conn:
            rows = conn.execute(LINES, {"ledger": ledger, "start": tree.size}).all()
        tree.extend(leaf_hash(row.line) for row in rows)
        for position, tablet, seq, topic, line in rows:
            if seq is not None and tablet in tablets:
                kept = topic == Refused.Kept.TOPIC
                sums.add(tablet.bytes, seq, position, not kept, leaf_of(line))
        if len(rows) < PAGE:
            return sums, tree
