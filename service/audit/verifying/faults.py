"""What verification can find wrong, each with a code that stays, and how findings are counted. Read by every check and the command line."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS: dict[str, str] = {
    # the tree
    "not_a_line": "What stands there is no recorded line.",
    "line_form": "The line says the same in other bytes than the recorded format writes.",
    "wrong_ledger": "The line says that it belongs to another ledger.",
    "entry_missing": "Nothing stands at this position.",
    "entry_misplaced": "The line says another position than the one at which it stands.",
    "entries_shifted": "From here on every line says another position than the one at which it stands: something was put in or taken out.",
    "time_went_back": "The line was recorded before the one that stands before it.",
    "tail_missing": "Entries that were signed for, or that the head counts, are not there.",
    "tile_wrong": "A stored tile is not the one that follows from the entries.",
    "tile_malformed": "A stored tile or bundle has no possible length.",
    "head_wrong": "The head of the ledger does not say what its entries say.",
    # what is signed
    "no_checkpoint": "There is no signed checkpoint, or none that the given key signed.",
    "key_chain_wrong": "The statements that the key was handed on cannot be read, are not signed by both keys, or are no chain.",
    "key_stolen": "A checkpoint is signed by a key that was stolen, beyond what that key still counts for.",
    "checkpoint_unreadable": "What stands for a checkpoint is none, or is signed for another log.",
    "root_wrong": "The signed root is not that of the entries.",
    "two_roots": "Two signed checkpoints of one log name one size and two roots.",
    "root_log_entry": "An entry of the root log is no checkpoint that the key signed.",
    "root_log_order": "The root log holds a smaller checkpoint of a log after a larger one.",
    "not_witnessed": "Fewer witnesses than asked for cosigned the root log's checkpoint.",
    "incarnation_wrong": "The incarnation is not the one that the ledger itself records.",
    # streams and columns
    "unknown_topic": "This release knows no event of this name.",
    "version_wrong": "The version does not follow the one before it in its stream.",
    "stream_wrong": "The stream's history cannot be replayed at this event.",
    "column_wrong": "A column beside the line says something else than the line.",
    "state_wrong": "A tablet's state does not say what the ledgers say.",
    # tablets
    "tablet_unknown": "The entry names a tablet that was never enrolled.",
    "seal_wrong": "A seal is not signed by the tablet's enrolled key, or not for this size.",
    "seal_root": "The entries are not those that the tablet sealed.",
    "upload_wrong": "An upload does not go on where the one before it ended, or miscounts its entries.",
    "sequence_missing": "An entry that the tablet sealed is not there.",
    "entry_unsealed": "An entry stands there that its tablet never sealed.",
    "entry_twice": "An entry of a tablet stands twice, and no re-application explains it.",
    "reapplied_wrong": "A re-application names no event, or one that is not the refused entry.",
    # the rules
    "actor_unknown": "Whoever did it had no right to it then, or is not known.",
    "not_allowed": "The rules that held then do not allow the event.",
    "derived_wrong": "The fields that the service added are not those that follow.",
    "refused_wrongly": "An entry was kept as refused, and deciding again does not refuse it so.",
    "time_wrong": "The time at which it happened, or its day, does not follow from the clocks.",
    # what is derived
    "row_wrong": "A row of a read model is not what a fresh fold gives.",
    "fold_failed": "A read model cannot fold this event.",
    "progress_wrong": "A read model says that it folded more than there is.",
    "summary_wrong": "A sealed roll-up does not follow from the entries that it names.",
    "value_missing": "A digest has neither a disclosure nor an erasure that explains it.",
    "value_not_destroyed": "A value is still there although its erasure was completed.",
    "value_unexplained": "The vault holds a value that no event names.",
    "value_of_another_field": "A disclosure opens, and is of another field than the event says.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding. position: where in the ledger; None where it is about the log as a whole. last: where only a stretch is known."""

    kind: str
    ledger: str
    position: int | None
    detail: str
    last: int | None = None

    def __str__(self) -> str:
        place = "" if self.position is None else f" {self.position}" if self.last is None else f" {self.position}..{self.last}"
        return f"{self.ledger}{place}: {self.kind}: {self.detail}"

    def told(self) -> dict[str, Any]:
        """As a JSON object, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Enough(Exception):
    """As many faults were found as were asked for; what comes after was not looked at."""


@dataclass
class Findings:
    """Faults found and things checked. All faults are counted; of each kind in each ledger, the first ``kept`` are kept whole."""

    stop_after: int | None = None
    kept: int = 100
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _of_kind: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, kind: str, ledger: str, position: int | None, detail: str, last: int | None = None) -> None:
        """Takes a finding in. Enough where it is the last that was asked for."""
        if kind not in KINDS:
            raise ValueError(f"{kind} is no kind of fault")
        self.counts[kind] += 1
        self._of_kind[ledger, kind] += 1
        if self._of_kind[ledger, kind] <= self.kept:
            self.faults.append(Fault(kind, ledger, position, detail, last))
        if self.stop_after is not None and self.total >= self.stop_after:
            raise Enough

    @property
    def total(self) -> int:
        """How many faults there are, kept or not."""
        return self.counts.total()

    def join(self, other: "Findings") -> None:
        """Takes in what another part of the work found."""
        self.faults += other.faults
        self.counts += other.counts
        self.checked += other.checked
        self.notes += other.notes

    def at(self, ledger: str) -> Callable[..., None]:
        """``add`` for one ledger."""
        return lambda kind, position, detail, last=None: self.add(kind, ledger, position, detail, last)
