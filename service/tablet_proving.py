"""The tablet as a witness: what it was told is kept is kept, and every checkpoint that it was shown lies on one history.

Read by the reference client. It asks POST /v1/sync/proofs (docs/sync-protocol.md) and believes nothing but the key of its enrolment.
Where something does not hold, the signed checkpoints that contradict each other stay in the outbox as evidence.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, NoReturn

from projections.recorded import entry_of, read_line
from service.ledger.note import BadNote, Checkpoint, split_note, unbase64
from service.ledger.tree import BadProof, leaf_hash, verify_consistency, verify_inclusion
from service.tablet_outbox import OtherHistory

if TYPE_CHECKING:
    from service.tablet_client import Tablet

MOST_POSITIONS = 500
MOST_HEADS = 50
"""Signed checkpoints that one round links to the newest; what is left is linked in the next."""
INCARNATION = r"(?P<incarnation>[0-9A-Za-z]{1,32})"
ENTRIES = (
    "SELECT e.seq, e.bytes, e.outcome, p.place FROM entries e LEFT JOIN proved p USING (seq) WHERE e.outcome IS NOT NULL ORDER BY e.seq"
)


@dataclass(frozen=True, slots=True)
class Proved:
    """What one round showed.

    entries      own entries whose inclusion was verified
    checkpoints  signed checkpoints of receipts that lie on the history of the newest
    waiting      own entries that no published checkpoint reaches yet
    begun_anew   ledgers that have another incarnation than before: a backup was restored
    """

    entries: int = 0
    checkpoints: int = 0
    waiting: int = 0
    begun_anew: int = 0


@dataclass(frozen=True, slots=True)
class Mine:
    """An own entry that a receipt said is kept: its bytes, and the position."""

    seq: int
    position: int
    raw: bytes


def prove(tablet: "Tablet") -> Proved:
    """One round over every ledger that there is something to verify of. OtherHistory where the service does not keep what it promised."""
    rounds = [_Ledger(tablet, ledger).prove() for ledger in _ledgers(tablet)]
    return Proved(*(sum(getattr(each, name) for each in rounds) for name in Proved.__slots__))


def _ledgers(tablet: "Tablet") -> list[str]:
    db = tablet.outbox.db
    named = {ledger for (ledger,) in db.execute("SELECT DISTINCT ledger FROM heads")}
    return sorted(named | {json.loads(outcome)["ledger"] for _, _, outcome, _ in db.execute(ENTRIES)})


class _Ledger:
    """One ledger as this tablet knows it. ``anchor`` is the newest checkpoint that was verified, as (incarnation, size, root, note)."""

    def __init__(self, tablet: "Tablet", ledger: str) -> None:
        self.tablet, self.ledger, self.outbox = tablet, ledger, tablet.outbox
        self.anchor: dict[str, Any] | None = self.outbox.fact("verified", {}).get(ledger)
        self.begun_anew = 0

    def prove(self) -> Proved:
        """One round."""
        mine = self._unproved()
        entries = checkpoints = 0
        left = {each.position: each for each in mine}
        for chunk, head in zip_longest(_chunks(list(left)), self._heads()):
            if chunk:
                entries += self._prove_entries(chunk, left)
            if head:
                checkpoints += self._link(head)
        return Proved(entries, checkpoints, len(mine) - entries, self.begun_anew)

    # ---- what there is to show

    def _unproved(self) -> list[Mine]:
        """Own entries that receipts named in this ledger and that were not shown under its present incarnation."""
        rows = self.outbox.db.execute(ENTRIES).fetchall()
        told = [(seq, raw, json.loads(outcome), place) for seq, raw, outcome, place in rows]
        return [
            Mine(seq, outcome["position"], raw)
            for seq, raw, outcome, place in told
            if outcome["ledger"] == self.ledger and place != self._place(outcome["position"])
        ]

    def _place(self, position: int) -> str:
        incarnation = self.anchor["incarnation"] if self.anchor else ""
        return f"{self.ledger}/{incarnation}/{position}"

    def _heads(self) -> list[dict[str, Any]]:
        """Checkpoints of receipts that are not linked yet, the smallest first."""
        names = ("incarnation", "size", "root", "checkpoint")
        query = f"SELECT {', '.join(names)} FROM heads WHERE ledger = ? ORDER BY size, root LIMIT ?"
        return [dict(zip(names, row, strict=True)) for row in self.outbox.db.execute(query, (self.ledger, MOST_HEADS))]

    # ---- asking

    def _prove_entries(self, positions: Sequence[int], left: dict[int, Mine]) -> int:
        """Verifies entries at positions; gives how many. Those that the service leaves out are asked for again while it gives any."""
        proved, wanted = 0, list(positions)
        while wanted:
            told = self._ask(wanted, self.anchor)
            if told is None or not told["entries"]:
                break
            point = self._advance(told)
            found = [self._verify_entry(each, point, wanted, left) for each in told["entries"]]
            shown = {each.position: (each.seq, self._place(each.position)) for each in found}
            with self.outbox.changing():
                self.outbox.db.executemany("INSERT OR REPLACE INTO proved VALUES (?, ?)", shown.values())
            proved += len(shown)
            wanted = [position for position in wanted if position not in shown]
        return proved

    def _link(self, head: dict[str, Any]) -> int:
        """Shows that a checkpoint which a receipt brought lies on the history of the newest; 1 where it does, 0 where it is too new yet."""
        told = self._ask([], head)
        if told is None:
            return 0
        point = self._open(told["checkpoint"])
        if point.incarnation != head["incarnation"]:
            return self._set_apart(head)
        if told["consistency"] is None:
            return 0
        self._verify_growth(head, told, point)
        newest = self._newest(point)
        with self.outbox.changing():
            self._forget(head)
            if (newest.size, newest.root) != (point.size, point.root):
                # It grew between the two questions: what the head was linked to is itself still to be linked.
                self.outbox.see([point.as_head(self.ledger)])
        return 1

    def _newest(self, point: "_Point") -> "_Point":
        """The anchor, moved on where the point is not it."""
        if self.anchor is None or self.anchor["incarnation"] != point.incarnation:
            with self.outbox.changing():
                self._keep(point)
            return point
        if (point.size, point.root) == (self.anchor["size"], self.anchor["root"]):
            return point
        told = self._ask([], self.anchor)
        return self._advance(told) if told else point

    def _ask(self, positions: Sequence[int], seen: dict[str, Any] | None) -> dict[str, Any] | None:
        """The service's answer, or None where nothing is published yet, or the service lost entries, which the next sync finds out.

        OtherHistory where it does not know what its receipts named.
        """
        from service.tablet_client import Refused

        asked: dict[str, Any] = {"ledger": self.ledger, "positions": list(positions)}
        if seen is not None:
            asked["seen"] = {"size": seen["size"], "root": seen["root"]}
        try:
            return self.tablet._told("POST", "/v1/sync/proofs", json.dumps(asked).encode(), {"Content-Type": "application/json"})
        except Refused as no:
            if no.code == "not_published":
                return None
            if no.code == "not_found":
                if self._has_lost():
                    return None
                raise OtherHistory(f"The service does not know entries of ledger {self.ledger} that its receipts named.") from no
            raise

    def _has_lost(self) -> bool:
        """Whether the service has fewer entries of this tablet than it confirmed: it was restored from a backup since the last sync."""
        standing = self.tablet._told("GET", "/v1/sync/standing", None, {})
        return bool(standing["size"] < self.outbox.confirmed)

    # ---- verifying

    def _open(self, note: str) -> "_Point":
        """A signed checkpoint of this ledger, of whatever incarnation. OtherHistory where our key did not sign it under such a name."""
        form = self.outbox.fact("ledger_origin").replace("<ledger>", self.ledger)
        pattern = re.escape(form).replace(re.escape("<incarnation>"), INCARNATION)
        try:
            origin = Checkpoint.parse(split_note(note)[0]).origin
            match = re.fullmatch(pattern, origin)
            if match is None:
                raise BadNote(f"{origin} is no checkpoint of ledger {self.ledger}")
            point = self.tablet.open_signed(note, origin)
        except BadNote as wrong:
            raise OtherHistory(f"The service showed a checkpoint that does not hold: {wrong}.") from wrong
        return _Point(match["incarnation"], point.size, base64.b64encode(point.root).decode(), note)

    def _advance(self, told: dict[str, Any]) -> "_Point":
        """The checkpoint of an answer, shown to extend the anchor, in whose place it is kept."""
        point, old = self._open(told["checkpoint"]), self.anchor
        if old is not None and old["incarnation"] == point.incarnation:
            if point.size < old["size"]:
                self._contradicted(old, point, f"it has gone back from {old['size']} entries to {point.size}")
            self._verify_growth(old, told, point)
        with self.outbox.changing():
            self._keep(point)
        return point

    def _verify_growth(self, old: dict[str, Any], told: dict[str, Any], point: "_Point") -> None:
        try:
            proof = [unbase64(each) for each in told["consistency"] or ()]
            verify_consistency(old["size"], point.size, proof, unbase64(old["root"]), unbase64(point.root))
        except (ValueError, TypeError) as wrong:
            self._contradicted(old, point, str(wrong))

    def _verify_entry(self, each: dict[str, Any], point: "_Point", wanted: Sequence[int], left: dict[int, Mine]) -> Mine:
        """The own entry that a line keeps: its bytes stand inside, the line says where it stands, and it is in the signed tree."""
        if each.get("position") not in wanted:
            raise OtherHistory(f"The service shows an entry of ledger {self.ledger} that nobody asked for.")
        mine = left[each["position"]]
        try:
            line = each["line"].encode()
            recorded = read_line(line)
            entry = entry_of(line)
            same = entry == mine.raw if entry is not None else unbase64(recorded.state["leaf"]) == leaf_hash(mine.raw)
            if (recorded.ledger, recorded.position) != (self.ledger, mine.position) or not same:
                raise BadProof("the line does not keep this tablet's entry")
            verify_inclusion(leaf_hash(line), mine.position, point.size, [unbase64(one) for one in each["proof"]], unbase64(point.root))
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise OtherHistory(f"Entry {mine.seq} is not kept at position {mine.position} of ledger {self.ledger}: {wrong}.") from wrong
        return mine

    def _contradicted(self, old: dict[str, Any], point: "_Point", how: str) -> NoReturn:
        """Keeps both signed checkpoints, and says so."""
        with self.outbox.changing():
            pair = {"ledger": self.ledger, "seen": old["checkpoint"], "told": point.note, "how": how}
            self.outbox.remember(contradictions=[*self.outbox.fact("contradictions", []), pair])
        raise OtherHistory(f"Ledger {self.ledger} is not what the service signed before: {how}. Both checkpoints are kept.")

    # ---- keeping; inside ``changing``

    def _keep(self, point: "_Point") -> None:
        """The newest verified checkpoint. After a restore, which is on record in the ledger itself, the one before stays as evidence."""
        if self.anchor is not None and self.anchor["incarnation"] != point.incarnation:
            self.outbox.remember(former=[*self.outbox.fact("former", []), self.anchor])
            self.begun_anew += 1
        self.anchor = point.as_head(self.ledger)
        self.outbox.remember(verified={**self.outbox.fact("verified", {}), self.ledger: self.anchor})

    def _forget(self, head: dict[str, Any]) -> None:
        key = (self.ledger, head["incarnation"], head["size"], head["root"])
        self.outbox.db.execute("DELETE FROM heads WHERE ledger = ? AND incarnation = ? AND size = ? AND root = ?", key)

    def _set_apart(self, head: dict[str, Any]) -> int:
        """A checkpoint of a former incarnation: nothing can be shown of it any more. Kept with what was verified before the restore."""
        with self.outbox.changing():
            self.outbox.remember(former=[*self.outbox.fact("former", []), {"ledger": self.ledger, **head}])
            self._forget(head)
        return 0


@dataclass(frozen=True, slots=True)
class _Point:
    """A verified checkpoint of a ledger; root in base64."""

    incarnation: str
    size: int
    root: str
    note: str

    def as_head(self, ledger: str) -> dict[str, Any]:
        """As receipts tell it."""
        return {"ledger": ledger, "incarnation": self.incarnation, "size": self.size, "root": self.root, "checkpoint": self.note}


def _chunks(positions: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(sorted(positions))
    while chunk := list(islice(rest, MOST_POSITIONS)):
        yield chunk
