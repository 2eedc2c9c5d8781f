"""One ledger, from its first entry to its last, through every check that one ledger alone can answer. Read by the run.

Each line is parsed once and looked at once. What is held: the tree's edge, the streams (bounded), the tablets' edges, one batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from domain.entries import KINDS
from projections.recorded import Recorded, read_line
from service.audit.verifying.checkpoints import Signatures
from service.audit.verifying.columns import Columns
from service.audit.verifying.consoles import DEEDS, deed, enrolment
from service.audit.verifying.crossing import Crossing, Leaf
from service.audit.verifying.faults import Findings
from service.audit.verifying.judging import LOST, Judge
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.places import Places
from service.audit.verifying.reading import Line, Reading
from service.audit.verifying.refusals import kept
from service.audit.verifying.signatures import SignedFile
from service.audit.verifying.sources import Log, Page, StoredHead, StoredTile, Wanted
from service.audit.verifying.streams import Held, Streams
from service.audit.verifying.tablets import FORKED, Tablets, leaf_of
from service.audit.verifying.trees import WIDTH, TileTree
from service.ledger.mapper import CLASSES
from service.ledger.tree import Frontier, leaf_hash, leaf_hashes

JUDGED = "events judged by the rules"
FACTS_OF_TABLETS = frozenset({"tablet.uploaded", "tablet.forked"})
Tick = Callable[[int], None]


@dataclass
class Walked:
    """What a walk leaves behind for the checks over all ledgers."""

    ledger: str
    size: int = 0
    root: bytes = b""
    tablets: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    statuses: dict[str, tuple[str, int]] = field(default_factory=dict)
    last: str = ""


class Walk:
    """The walk over one ledger. until: positions from there on were recorded after the audit began; they are hashed and not judged."""

    def __init__(
        self,
        ledger: str,
        log: Log,
        knowledge: Knowledge,
        wanted: Wanted,
        crossing: Crossing,
        findings: Findings,
        signed: SignedFile | None = None,
        until: int | None = None,
        tick: Tick = lambda _: None,
    ) -> None:
        self.ledger = ledger
        self.log = log
        self.wanted = wanted
        self.crossing = crossing
        self.findings = findings
        self.report = findings.at(ledger)
        self.signatures = Signatures(ledger, knowledge, signed, self.report)
        self.until = until
        self.tick = tick
        self.tree = TileTree(self._compare_tile)
        self.places = Places(ledger, self.report)
        self.reading = Reading(self.report, self.places.lost)
        self.columns = Columns(self.report)
        self.tablets = Tablets(ledger, knowledge, wanted.tolerance_s, crossing, findings)
        self.streams = Streams()
        self.judge = Judge(ledger, log, self.streams, knowledge, ZoneInfo(wanted.zone), wanted.tolerance_s, findings)
        self.walked = Walked(ledger)
        self.last = ""
        self.judged = 0
        self.sealed: list[Recorded] = []

    def run(self) -> Walked:
        """Walks to the end."""
        with self.streams:
            for page in self.log.pages():
                self._page(page)
                self.tick(len(page.lines))
            self._finish()
        self.crossing.flush()
        return self.walked

    # ---- the tree

    def _page(self, page: Page) -> None:
        self._grow(leaf_hashes(page.lines))
        rows = page.rows if page.rows is not None else repeat(None)
        try:
            for place, event, row in zip(page.places, map(self.reading.read, page.places, page.lines), rows, strict=False):
                if event is not None:
                    self._entry(place, event, row)
        finally:
            if self.judged:
                self.findings.checked[JUDGED] += self.judged
                self.judged = 0

    def _grow(self, leaves: list[bytes]) -> None:
        """Lets the tree grow, and compares its roots at the sizes at which some were signed."""
        start = 0
        base = self.tree.size
        while (size := self.signatures.next_size()) is not None and size <= base + len(leaves):
            end = max(size - base, start)
            self.tree.extend(leaves[start:end])
            start = end
            self.findings.checked["signed roots"] += self.signatures.compare(self.tree.root())
        self.tree.extend(leaves[start:])

    def _compare_tile(self, level: int, number: int, hashes: bytes, root: bytes) -> None:
        stored = self.log.tile(level, number)
        if stored is None:
            return
        self._compare_hashes(StoredTile(level, number, stored[0]), hashes)
        if stored[1] is not None and stored[1] != root and stored[0] == hashes:
            width = WIDTH ** (level + 1)
            self.report("tile_wrong", number * width, f"the root beside tile {level}/{number}", (number + 1) * width - 1)

    def _compare_hashes(self, stored: StoredTile, hashes: bytes) -> None:
        self.findings.checked["tiles"] += 1
        if stored.hashes == hashes[: len(stored.hashes)] and stored.hashes:
            return
        if len(stored.hashes) % 32 or len(stored.hashes) > len(hashes) or not stored.hashes:
            what = f"tile {stored.level}/{stored.number} has {len(stored.hashes)} bytes"
            self.report("tile_malformed", stored.number * WIDTH ** (stored.level + 1), what)
            return
        wrong = next(at for at in range(0, len(stored.hashes), 32) if stored.hashes[at : at + 32] != hashes[at : at + 32]) // 32
        first = (stored.number * WIDTH + wrong) * WIDTH**stored.level
        what = f"hash {wrong} of tile {stored.level}/{stored.number} is not that of the entries"
        self.report("tile_wrong", first, what, first + WIDTH**stored.level - 1 if stored.level else None)

    # ---- one entry

    def _entry(self, place: int, event: Line, row: tuple[Any, ...] | None) -> None:
        if not self.places.stands(place, event, self.last):
            return
        event.position = place
        if event.recorded_at > self.last:
            self.last = event.recorded_at
        if self.until is not None and place >= self.until:
            return
        again = self._tablets_part(event, event.raw, row) if event.raw is not None else None
        if row is not None:
            self.columns.check(event, row, self._seq_column(event, again, row))
        self._stream_part(event)

    def _tablets_part(self, event: Line, raw: bytes, row: tuple[Any, ...] | None) -> bool | None:
        told, numbered = event.state, row[8] is not None if row is not None else None
        tablet = str(told.get("tablet"))
        if event.topic != "refused.kept":
            return self.tablets.leaf(event, tablet, told["entry"].get("seq"), leaf_hash(raw), False, numbered)
        leaf = leaf_of(event)
        if leaf is None or told.get("code") == FORKED:
            return None
        return self.tablets.leaf(event, tablet, told.get("seq"), leaf, True, numbered)

    def _seq_column(self, event: Line, again: bool | None, row: tuple[Any, ...]) -> Any:
        """The number that must stand beside the line. A re-applied entry has none; of a foreign tablet's, the crossing tells which are."""
        if event.topic == "refused.kept":
            return None if event.state.get("code") == FORKED else event.state.get("seq")
        if event.raw is None or again or (again is None and row[8] is None):
            return None
        return event.state["entry"].get("seq")

    # ---- the event in its stream

    def _stream_part(self, event: Line) -> None:
        held = self.streams.get(event.stream)
        before = held.version if held is not None else 0
        if event.version != before + 1:
            self.report("version_wrong", event.position, f"version {event.version} of {event.stream} follows {before}")
            self._lose(event, held)
            return
        if event.topic not in CLASSES:
            self.report("unknown_topic", event.position, repr(event.topic)[:100])
            self._lose(event, held)
            return
        try:
            if event.raw is None or event.topic not in KINDS:
                self._told_by_topic(event)
            if self.wanted.rules:
                self._judged(event, held)
            elif held is None:
                self.streams.put(event.stream, Held(None, event.version, [event.position] if event.topic == "refused.kept" else None))
            else:
                held.version = event.version
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as wrong:
            self.report("stream_wrong", event.position, f"{event.topic} of {event.stream}: {type(wrong).__name__}: {wrong}")
            self._lose(event, held)

    def _lose(self, event: Line, held: Held | None) -> None:
        if held is None:
            self.streams.put(event.stream, Held(LOST, event.version, []))
        else:
            held.aggregate, held.version = LOST, event.version

    def _told_by_topic(self, event: Line) -> None:
        """What tablets' facts and refusals say of the tablets' trees."""
        topic = event.topic
        if topic == "tablet.enrolled":
            self.tablets.enrolled(event)
        elif topic.startswith("tablet."):
            self.tablets.fact(event)
        elif topic == "refused.kept":
            leaf = leaf_of(event)
            if leaf is not None and event.state["code"] != FORKED:
                self.tablets.leaf(event, event.state["tablet"], event.state["seq"], leaf, True)
        elif topic == "refused.reapplied":
            self.tablets.reapplied(event, self._kept_leaf(event))
        elif topic == "summary.sealed":
            self.sealed.append(event)

    def _kept_leaf(self, event: Line) -> Leaf | None:
        """The leaf of the refusal that an event re-applies."""
        held = self.streams.get(event.stream)
        lines = self.log.lines_at(held.positions[:1]) if held is not None and held.positions else []
        if not lines:
            return None
        first = read_line(lines[0])
        leaf = leaf_of(first)
        if leaf is None:
            return None
        return Leaf(first.state["tablet"], first.state["seq"], leaf, self.ledger, first.position, True, event.stream, 1)

    def _judged(self, event: Line, held: Held | None) -> None:
        topic = event.topic
        self.judged += 1
        if event.raw is not None and topic in KINDS:
            self.judge.entry(event, held)
        elif topic == "refused.kept":
            kept(self.judge, event, self.wanted.refused(event))
            self.judge.replay(event, None)
        elif topic == "tablet.enrolled":
            enrolment(self.judge, event, held)
        elif event.raw is None and (topic in KINDS or topic in DEEDS):
            deed(self.judge, event, held, self.places.before)
        else:
            if topic not in FACTS_OF_TABLETS:
                self.judged -= 1
                self.findings.checked[f"events not judged: {topic}"] += 1
            self.judge.replay(event, None)

    # ---- the end

    def _finish(self) -> None:
        self.places.close()
        self.tablets.close()
        for tile in self.log.partial_tiles():
            self._compare_partial(tile)
        head = self.log.head()
        self.signatures.close(self.tree.size, head.incarnation if head is not None else None)
        if head is not None:
            self._compare_head(head)
        self.findings.checked["entries"] += self.tree.size
        self.findings.checked["ledgers"] += 1
        self.walked.size, self.walked.root, self.walked.last = self.tree.size, self.tree.root(), self.last
        self.walked.tablets = self.tablets.sizes()

    def _compare_partial(self, tile: StoredTile) -> None:
        hashes = self.tree.partial_tiles().get((tile.level, tile.number))
        if hashes is None:
            whole = self.log.tile(tile.level, tile.number)
            hashes = whole[0] if whole is not None else b""
        if hashes:
            self._compare_hashes(tile, hashes)
        else:
            self.report("tile_wrong", None, f"there is a tile {tile.level}/{tile.number} beyond the entries")

    def _compare_head(self, head: StoredHead) -> None:
        size, root = self.tree.size, self.tree.root()
        if head.size > size:
            self.report("tail_missing", size, f"the head counts {head.size} entries, {size} are there", head.size - 1)
        elif head.size < size:
            self.report("head_wrong", head.size, f"the head counts {head.size} entries, {size} are there", size - 1)
        elif head.root != root:
            self._narrow(head.frontier)
        if head.size == size and head.recorded_at != self.last:
            self.report("head_wrong", None, f"recorded_at is {head.recorded_at}, the last entry was recorded at {self.last}")
        if head.size == size and head.root == root and head.frontier != Frontier(size, self.tree.frontier()).to_bytes():
            self.report("head_wrong", None, "the frontier is not that of the entries")

    def _narrow(self, stored: bytes) -> None:
        """Where the head's root differs, its frontier tells in which perfect subtree."""
        try:
            theirs = Frontier.from_bytes(stored)
        except ValueError:
            theirs = Frontier()
        start = 0
        if theirs.size == self.tree.size:
            for mine, other in zip(self.tree.frontier(), theirs.roots, strict=True):
                width = 1 << ((self.tree.size - start).bit_length() - 1)
                if mine != other:
                    self.report("head_wrong", start, "the head's frontier is not that of these entries", start + width - 1)
                    return
                start += width
        self.report("head_wrong", 0, "the head's root is not that of the entries", max(self.tree.size - 1, 0))
