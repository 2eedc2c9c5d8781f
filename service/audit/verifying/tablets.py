"""Each tablet's own tree, hashed again from the ledger: every entry sealed, every seal signed, no number missing. Read by the walk.

A tablet's entries lie in the ledger of their areas; nearly always that is the tablet's own. Where it is not, the tablet's tree can only be
told once all ledgers were read: such leaves and seals are handed to ``crossing``.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.clock import parse_utc, utc_text
from projections.recorded import Recorded
from service.audit.verifying.crossing import Crossing, Leaf, Upload
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.ledger.note import BadNote, Checkpoint, Verifier, open_checkpoint, verifier_of_tablet
from service.ledger.tree import Frontier
from service.sync.clocks import FIRST, TRUSTED_SKEW_MS

FORKED = "forked"
ZERO, ONE_MS = timedelta(), timedelta(milliseconds=1)

Pending = tuple[Recorded, bytes, bool, bool | None]
"""A leaf that waits for its seal: its event, its hash, whether the event is a kept refusal, and whether its row has the number."""


@dataclass(slots=True)
class Tablet:
    """One tablet that was enrolled in this ledger, as far as it was read. crosses: its tree is left to the crossing.

    lost: its entries are not those that it sealed, so that every later seal would only say the same again.
    """

    tablet: str
    person: str
    verifier: Verifier | None
    tree: Frontier = field(default_factory=Frontier)
    pending: dict[int, Pending] = field(default_factory=dict)
    last_valid: int | None = None
    set_aside: bool = False
    crosses: bool = False
    lost: bool = False


class Tablets:
    """All tablets whose entries or facts stand in one ledger."""

    def __init__(self, ledger: str, knowledge: Knowledge, tolerance_s: float, crossing: Crossing, findings: Findings) -> None:
        self.ledger = ledger
        self.knowledge = knowledge
        self.tolerance = timedelta(seconds=tolerance_s)
        self.crossing = crossing
        self.report = findings.at(ledger)
        self.checked = findings.checked
        self.mine: dict[str, Tablet] = {}
        self.again: dict[tuple[str, int], Leaf] = {}

    # ---- entries

    def leaf(self, event: Recorded, tablet: str, seq: Any, leaf: bytes, refused: bool, numbered: bool | None = None) -> bool | None:
        """Takes an entry's leaf in. True where the entry stands in the tablet's tree already, so that this must be its re-application."""
        mine = self.mine.get(tablet)
        if type(seq) is not int or seq < 0:
            self.report("entry_unsealed", event.position, f"an entry of tablet {tablet} with the number {seq!r}")
            return None
        if mine is None or mine.crosses:
            self._elsewhere(event, tablet, seq, leaf, refused, numbered)
            return None
        if seq < mine.tree.size:
            if refused:
                self.report("entry_twice", event.position, f"entry {seq} of tablet {tablet} is kept as refused, and stands sealed before")
            else:
                self.again[event.stream, event.version] = self._leaf(event, tablet, seq, leaf, refused, numbered)
            return True
        if seq in mine.pending:
            other = mine.pending[seq][0].position
            self.report("entry_twice", event.position, f"entry {seq} of tablet {tablet} stands at {other} too")
            return False
        mine.pending[seq] = (event, leaf, refused, numbered)
        if not refused and mine.last_valid is not None and seq > mine.last_valid:
            self.report("not_allowed", event.position, f"tablet_revoked: entry {seq} of tablet {tablet}, valid up to {mine.last_valid}")
        return False

    def _leaf(self, event: Recorded, tablet: str, seq: int, leaf: bytes, refused: bool, numbered: bool | None) -> Leaf:
        return Leaf(tablet, seq, leaf, self.ledger, event.position, refused, event.stream, event.version, numbered)

    def _elsewhere(self, event: Recorded, tablet: str, seq: int, leaf: bytes, refused: bool, numbered: bool | None) -> None:
        """An entry whose tablet's tree this ledger alone cannot tell."""
        if tablet not in self.knowledge.tablets:
            self.report("tablet_unknown", event.position, f"tablet {tablet}")
            return
        self.crossing.leaf(self._leaf(event, tablet, seq, leaf, refused, numbered))
        self._must_count(event, tablet, seq, refused)

    def _must_count(self, event: Recorded, tablet: str, seq: int, refused: bool) -> None:
        """As above for a tablet of another ledger: by the times of recording."""
        timeline = self.knowledge.last_valid.get(tablet)
        if timeline is None or refused:
            return
        try:
            moment = parse_utc(event.recorded_at)
        except ValueError:
            return
        known = [timeline.at(utc_text(moment + by), None) for by in (-self.tolerance, self.tolerance)]
        if all(last is not None and seq > last for last in known):
            self.report("not_allowed", event.position, f"tablet_revoked: entry {seq} of tablet {tablet}")

    def reapplied(self, event: Recorded, kept: Leaf | None) -> None:
        """A refusal became an event after all: the one that it names repeats the refused entry, and nothing else does."""
        told = event.state
        target = (told.get("stream"), told.get("version"))
        if kept is None:
            self.report("reapplied_wrong", event.position, "nothing was kept as refused in this stream")
        elif told.get("ledger") != self.ledger or target not in self.again:
            self.crossing.reapplied(str(told.get("ledger")), str(target[0]), int(target[1] or 0), kept, event.position)
        else:
            found = self.again.pop(target)
            if (found.tablet, found.seq, found.leaf) != (kept.tablet, kept.seq, kept.leaf):
                self.report("reapplied_wrong", event.position, f"the event at {found.position} is not the entry that was refused")

    # ---- facts of a tablet

    def enrolled(self, event: Recorded) -> None:
        """Takes in the key of a tablet."""
        try:
            verifier = verifier_of_tablet(event["origin"], base64.b64decode(event["public_key"], validate=True), event["algorithm"])
        except (BadNote, ValueError, TypeError) as wrong:
            verifier = None
            self.report("seal_wrong", event.position, f"the enrolled key of tablet {event.stream} is none: {wrong}")
        self.mine[event.stream] = Tablet(event.stream, event["person"], verifier)

    def fact(self, event: Recorded) -> None:
        """Any later fact of a tablet."""
        mine = self.mine.get(event.stream)
        if mine is None:
            self.report("tablet_unknown", event.position, f"tablet {event.stream}")
        elif event.topic == "tablet.uploaded":
            self._uploaded(event, mine)
        elif event.topic == "tablet.forked":
            self._forked(event, mine)
        elif event.topic == "tablet.revoked":
            mine.last_valid = event["last_valid"]
        elif event.topic == "tablet.reinstated":
            mine.last_valid, mine.set_aside = None, False

    def _uploaded(self, event: Recorded, mine: Tablet) -> None:
        told = event.state
        first, size = told["first"], told["size"]
        seal = self._opened(event, mine, told["seal"])
        if seal is not None and seal.size != size:
            self.report("seal_wrong", event.position, f"the seal is for {seal.size} entries of tablet {mine.tablet}, not for {size}")
        self._judge_act(event, mine)
        if mine.set_aside:
            self.report("upload_wrong", event.position, f"tablet {mine.tablet} was set aside")
        if mine.crosses:
            self.crossing.upload(self._upload(event, mine, _root(seal)))
            return
        if first != mine.tree.size or size < first:
            self.report("upload_wrong", event.position, f"tablet {mine.tablet} had {mine.tree.size} entries; this says {first} to {size}")
        wanted = range(mine.tree.size, size)
        if any(seq not in mine.pending for seq in wanted):
            self._leave_to_crossing(event, mine, _root(seal))
            return
        came = [mine.pending.pop(seq) for seq in wanted]
        mine.tree.extend([leaf for _, leaf, _, _ in came])
        self.checked["sealed entries"] += len(came)
        refused = sum([refused for _, _, refused, _ in came])
        if (told["recorded"], told["refused"]) != (len(came) - refused, refused):
            counted = f"{len(came) - refused} recorded and {refused} refused"
            self.report("upload_wrong", event.position, f"{counted} entries came, not {told['recorded']} and {told['refused']}")
        if seal is not None and seal.size == size and not mine.lost and mine.tree.root() != seal.root:
            mine.lost = True
            places = [each.position for each, *_ in came] or [event.position]
            what = f"the entries {first} to {size - 1} of tablet {mine.tablet} do not lead to the root that it sealed at {event.position}"
            self.report("seal_root", min(places), what, max(places))
        self._judge_times(event, wanted.start, came)

    def _opened(self, event: Recorded, mine: Tablet, note: Any) -> Checkpoint | None:
        self.checked["seals"] += 1
        if mine.verifier is None:
            return None
        try:
            return open_checkpoint(note, mine.verifier)
        except (BadNote, AttributeError, TypeError) as wrong:
            self.report("seal_wrong", event.position, f"tablet {mine.tablet}: {wrong}")
            return None

    def _judge_act(self, event: Recorded, mine: Tablet) -> None:
        told = event.state
        if (told["by"], told["role"], told.get("tablet")) != (mine.person, "system", mine.tablet):
            self.report("derived_wrong", event.position, f"{event.topic} of {mine.tablet}: by, role or tablet")
        try:
            skew = round((parse_utc(told["happened_at"]) - parse_utc(told["sent_at"])).total_seconds() * 1000)
        except (ValueError, OverflowError, TypeError, KeyError):
            skew = None
        said = told.get("skew_ms")
        if (said is None) != (skew is None) or (said is not None and skew is not None and abs(said - skew) > 1):
            self.report("derived_wrong", event.position, f"{event.topic} of {mine.tablet}: skew_ms is {said}, and should be {skew}")

    def _judge_times(self, event: Recorded, first: int, came: list[Pending]) -> None:
        """When each entry happened, from the clocks of the batch that brought it (service.sync.clocks)."""
        received, skew = event.state["happened_at"], event.state.get("skew_ms")
        trusted = skew is None or abs(skew) <= TRUSTED_SKEW_MS
        boots: set[Any] = set()
        for seq, (each, *_) in enumerate(came, first):
            entry, happened = each.state.get("entry"), each.state["happened_at"]
            if trusted and entry is not None and happened <= received and _is_then(happened, entry.get("occurred_at")):
                continue
            if not self._is_right(entry, happened, received, None if trusted else skew, boots):
                self.report("time_wrong", each.position, f"entry {seq} of tablet {event.stream} happened at {happened}")

    def _is_right(self, entry: dict[str, Any] | None, happened: str, received: str, skew: int | None, boots: set[Any]) -> bool:
        """Whether an entry may have happened so. skew: where the tablet's clock was not taken at its word."""
        claimed = _claimed(entry)
        if claimed is None:
            return happened <= received
        if skew is None:
            return happened == min(utc_text(max(claimed, FIRST)), received)
        if _near(happened, claimed + timedelta(milliseconds=skew), received):
            return True
        if entry is None:
            return False
        # The monotonic clock of one boot of the tablet, against the moment at which the batch came.
        boots.add((entry["boot"], _minus(received, happened) + entry["mono_ms"]))
        return _one_boot(boots)

    def _forked(self, event: Recorded, mine: Tablet) -> None:
        told = event.state
        seal = self._opened(event, mine, told["seal"])
        mine.set_aside = mine.last_valid is None
        if mine.crosses:
            return
        if (told["size"], told["root"]) != (mine.tree.size, base64.b64encode(mine.tree.root()).decode()):
            self.report("upload_wrong", event.position, f"tablet {mine.tablet} had {mine.tree.size} entries and another root then")
        if seal is not None and (seal.size, seal.root) == (mine.tree.size, mine.tree.root()):
            self.report("upload_wrong", event.position, f"the seal of tablet {mine.tablet} contradicts nothing")

    # ---- what another ledger must tell

    def _leave_to_crossing(self, event: Recorded, mine: Tablet, root: bytes | None) -> None:
        mine.crosses = True
        self.crossing.start(mine.tablet, self.ledger, mine.tree.to_bytes())
        for seq, (each, leaf, refused, numbered) in mine.pending.items():
            self.crossing.leaf(self._leaf(each, mine.tablet, seq, leaf, refused, numbered))
        mine.pending.clear()
        self.crossing.upload(self._upload(event, mine, root))

    def _upload(self, event: Recorded, mine: Tablet, root: bytes | None) -> Upload:
        told = event.state
        return Upload(mine.tablet, self.ledger, event.position, told["first"], told["size"], told["recorded"], told["refused"], root)

    def close(self) -> None:
        """What is left at the end of the ledger was never sealed, or repeats an entry without a re-application."""
        for mine in self.mine.values():
            for seq, (each, *_) in mine.pending.items():
                if not mine.crosses:
                    what = f"entry {seq} of tablet {mine.tablet}, which sealed {mine.tree.size} entries"
                    self.report("entry_unsealed", each.position, what)
        for leaf in self.again.values():
            self.crossing.leaf(leaf)

    def sizes(self) -> dict[str, tuple[int, bytes]]:
        """Size and frontier of each tablet's tree, as far as this ledger alone can tell."""
        return {name: (mine.tree.size, mine.tree.to_bytes()) for name, mine in self.mine.items() if not mine.crosses}


def _root(seal: Checkpoint | None) -> bytes | None:
    return seal.root if seal is not None else None


def _claimed(entry: dict[str, Any] | None) -> datetime | None:
    """The tablet's own time, None where it is none of this age: such an entry was refused for it."""
    try:
        moment = parse_utc(entry["occurred_at"])  # type: ignore[index]
        return moment if moment.year < 2101 else None
    except (ValueError, OverflowError, TypeError, KeyError):
        return None


def _is_then(happened: str, claimed: Any) -> bool:
    """Whether a recorded time is what a tablet's clock said, cut to milliseconds: the usual case, without bringing both to one zone."""
    try:
        cut = datetime.fromisoformat(claimed) - datetime.fromisoformat(happened)
    except (ValueError, TypeError, OverflowError):
        return False
    return ZERO <= cut < ONE_MS and "1970" <= happened < "2101" and happened[23:] == "Z"


def _near(happened: str, claimed: datetime, received: str) -> bool:
    try:
        return any(min(utc_text(max(claimed + by, FIRST)), received) == happened for by in (-ONE_MS, ZERO, ONE_MS))
    except OverflowError:
        return happened == received


def _minus(received: str, happened: str) -> int:
    return round((parse_utc(received) - parse_utc(happened)).total_seconds() * 1000)


def _one_boot(found: set[Any]) -> bool:
    """Whether these are one boot of one clock, to the millisecond."""
    return len({boot for boot, _ in found}) == 1 and max(at for _, at in found) - min(at for _, at in found) <= 2


def leaf_of(event: Recorded) -> bytes | None:
    """The leaf of the tablet's tree that a kept refusal says. None where there is none, or the event is something else."""
    if event.topic != "refused.kept":
        return None
    try:
        leaf = base64.b64decode(event.state["leaf"], validate=True)
        return leaf if len(leaf) == 32 else None
    except (KeyError, ValueError, TypeError):
        return None
