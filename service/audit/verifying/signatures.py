"""Which sizes and roots were signed of each ledger, by whom, and where that stands. Read by the run before the walks.

The root log is walked first: its entries are the ledgers' checkpoints, and its own checkpoint is what witnesses cosign. What it says of a
ledger is written to a file for that ledger's walk, since a year of it does not fit in memory.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.audit.verifying.checkpoints import Keys, Signed, StolenKey, parts_of
from service.audit.verifying.faults import Findings
from service.audit.verifying.knowledge import Knowledge
from service.audit.verifying.sources import ROOT_LOG, BadStatements, Source, Wanted
from service.audit.verifying.trees import TileTree
from service.ledger.note import COSIGNATURE, BadNote, Checkpoint, Verifier, open_note, split_note, unbase64
from service.ledger.tree import leaf_hashes

RECORD = struct.Struct(">Q32sqH")
NOWHERE = -1
CHAIN = "keys"
"""What stands for a log in faults of the chain of keys."""
SOURCES = (
    "the published checkpoint",
    "a checkpoint kept as evidence",
    "a checkpoint that the auditor has",
    "the root log",
    "what the ledger says of its restore",
)


class SignedFile:
    """What was signed of one ledger, packed: size, root, position in the root log, origin and where it was found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origins: list[str] = []
        self.last: dict[str, int] = {}
        self.count = 0
        self._rows: list[bytes] = []

    def add(self, checkpoint: Checkpoint, source: int, place: int = NOWHERE) -> None:
        """One more."""
        if checkpoint.origin not in self.origins:
            self.origins.append(checkpoint.origin)
        number = self.origins.index(checkpoint.origin) * len(SOURCES) + source
        self._rows.append(RECORD.pack(checkpoint.size, checkpoint.root, place, number))
        self.count += 1
        if len(self._rows) >= 10_000:
            self.flush()

    def flush(self) -> None:
        """Writes what was added."""
        with self.path.open("ab") as file:
            file.write(b"".join(self._rows))
        self._rows.clear()

    def read(self) -> Iterator[Signed]:
        """All of them by size."""
        plain = self.path.read_bytes() if self.path.exists() else b""
        for row in sorted(plain[at : at + RECORD.size] for at in range(0, len(plain), RECORD.size)):
            size, root, place, number = RECORD.unpack(row)
            origin, source = divmod(number, len(SOURCES))
            at = None if place == NOWHERE else place
            yield Signed(self.origins[origin], size, root, SOURCES[source] + ("" if at is None else f" at {at}"), at)


def gather_signed(
    source: Source, wanted: Wanted, logs: Mapping[str, int], knowledge: Knowledge, folder: Path, findings: Findings
) -> dict[str, SignedFile]:
    """The checkpoints of every ledger that the given key signed, from wherever they are kept. Those that cannot be read are faults."""
    keys = Keys(wanted.keys)
    found: dict[str, SignedFile] = {}
    if not keys:
        findings.notes.append("no key was given: no signature of the service, and no root log, was checked")
        return found
    _follow(source, keys, knowledge, findings)
    if keys.limits and source.has_root_log():
        _place_in_root_log(source, wanted, keys, logs)
    found = {ledger: SignedFile(folder / f"{ledger}.signed") for ledger in logs}
    for ledger, file in found.items():
        _own(source, wanted, ledger, keys, file, findings)
        for event in knowledge.continued.get(ledger, ()):
            file.add(Checkpoint(event["old_origin"], event["size"], unbase64(event["root"])), 4)
    if source.has_root_log():
        _walk_root_log(source, wanted, keys, found, knowledge, findings)
    elif wanted.witnesses:
        findings.add("not_witnessed", ROOT_LOG, None, "there is no root log")
    for file in found.values():
        file.flush()
    return found


def _follow(source: Source, keys: Keys, knowledge: Knowledge, findings: Findings) -> None:
    """Follows the statements from the given keys. What the ledgers record counts before what is kept beside them."""
    beside: list[str] = []
    try:
        beside = source.statements()
    except BadStatements as wrong:
        findings.add("key_chain_wrong", CHAIN, None, str(wrong))
    recorded = knowledge.statements
    alone = [each for each in beside if each not in recorded]
    followed = keys.follow([*recorded, *alone])
    for sentence in followed.wrong:
        findings.add("key_chain_wrong", CHAIN, None, sentence)
    findings.notes += followed.notes
    findings.checked["statements that the key was handed on"] += followed.count
    if alone:
        findings.notes.append(f"{len(alone)} statements of log/keys stand in no ledger here")


def _place_in_root_log(source: Source, wanted: Wanted, keys: Keys, logs: Mapping[str, int]) -> None:
    """Looks up where in the root log the ledgers' checkpoints stand, as far as a stolen key counts there."""
    notes = {note for ledger in logs for note in [source.checkpoint(ledger), *source.earlier(ledger)] if note}
    asked = {note.encode(): note for note in notes.union(wanted.checkpoints)}
    last = max(keys.limits.values())
    with source.open(ROOT_LOG) as log:
        for page in log.pages():
            if page.places and page.places[0] >= last:
                return
            for place, line in zip(page.places, page.lines, strict=True):
                note = asked.get(bytes(line))
                if note is not None:
                    keys.rooted.setdefault(note, place)


def _unsigned(wrong: BadNote, kind: str) -> str:
    """The kind of fault that a checkpoint is whose signature does not count."""
    return "key_stolen" if isinstance(wrong, StolenKey) else kind


def _own(source: Source, wanted: Wanted, ledger: str, keys: Keys, file: SignedFile, findings: Findings) -> None:
    latest = source.checkpoint(ledger)
    notes = [(0, latest)] if latest else []
    notes += [(1, note) for note in source.earlier(ledger)]
    notes += [(2, note) for note in wanted.checkpoints if f"/ledger/{ledger}/" in note.partition("\n")[0]]
    for where, note in notes:
        try:
            checkpoint = keys.open(note)
        except BadNote as wrong:
            findings.add(_unsigned(wrong, "no_checkpoint"), ledger, None, f"{SOURCES[where]}: {wrong}")
            continue
        if parts_of(checkpoint.origin, ledger) is None:
            findings.add("checkpoint_unreadable", ledger, None, f"{SOURCES[where]} is of {checkpoint.origin}")
            continue
        findings.checked["checkpoints"] += 1
        file.add(checkpoint, where)
    if latest is None:
        findings.add("no_checkpoint", ledger, None, "none is published")


# ---- the root log


def _walk_root_log(
    source: Source, wanted: Wanted, keys: Keys, found: Mapping[str, SignedFile], knowledge: Knowledge, findings: Findings
) -> None:
    # What an origin signed beyond the size from which the log goes on under another was lost with a restore, and is on record as that.
    restored = {event["old_origin"]: event["size"] for event in knowledge.continued.get(ROOT_LOG, ())}
    signed = [each for each in _signed_roots(source, wanted, keys, findings) if each[0].size <= restored.get(each[0].origin, each[0].size)]
    signed.sort(key=lambda each: each[0].size)
    tree, sound = TileTree(), 0
    with source.open(ROOT_LOG) as log:
        for page in log.pages():
            leaves, start = leaf_hashes([bytes(line) for line in page.lines]), 0
            base = tree.size
            while signed and signed[0][0].size <= base + len(leaves):
                checkpoint, where = signed.pop(0)
                end = max(checkpoint.size - base, start)
                tree.extend(leaves[start:end])
                start = end
                findings.checked["signed roots"] += 1
                if tree.root() == checkpoint.root:
                    sound = checkpoint.size
                else:
                    _wrong_root(findings, checkpoint, where, sound)
            tree.extend(leaves[start:])
            for place, line in zip(page.places, page.lines, strict=True):
                _entry(place, bytes(line), keys, found, findings)
        _compare_root_head(log.head(), tree, findings)
    for checkpoint, where in signed:
        what = f"{where} is for {checkpoint.size} entries, of which {tree.size} are there"
        findings.add("tail_missing", ROOT_LOG, tree.size, what, checkpoint.size - 1)
    findings.checked["root log entries"] += tree.size


def _wrong_root(findings: Findings, checkpoint: Checkpoint, where: str, sound: int) -> None:
    last = max(checkpoint.size - 1, 0)
    findings.add("root_wrong", ROOT_LOG, min(sound, last), f"{where} for {checkpoint.size} entries has another root", last)


def _compare_root_head(head: object, tree: TileTree, findings: Findings) -> None:
    size, root = getattr(head, "size", None), getattr(head, "root", None)
    if head is not None and (size, root) != (tree.size, tree.root()):
        findings.add("head_wrong", ROOT_LOG, None, f"the head counts {size} entries, {tree.size} are there, or their root is another")


def _entry(place: int, line: bytes, keys: Keys, found: Mapping[str, SignedFile], findings: Findings) -> None:
    try:
        checkpoint = keys.open(line.decode("utf-8"), place)
    except StolenKey as stolen:
        findings.add("key_stolen", ROOT_LOG, place, str(stolen))
        return
    except (BadNote, UnicodeDecodeError) as wrong:
        findings.add("root_log_entry", ROOT_LOG, place, str(wrong))
        return
    ledger = checkpoint.origin.rpartition("/ledger/")[2].partition("/")[0]
    file = found.get(ledger)
    if file is None:
        return
    if checkpoint.size < file.last.get(checkpoint.origin, 0):
        what = f"{checkpoint.origin} has {checkpoint.size} entries here, and had {file.last[checkpoint.origin]} before"
        findings.add("root_log_order", ROOT_LOG, place, what)
    file.last[checkpoint.origin] = max(checkpoint.size, file.last.get(checkpoint.origin, 0))
    file.add(checkpoint, 3, place)


def _signed_roots(source: Source, wanted: Wanted, keys: Keys, findings: Findings) -> list[tuple[Checkpoint, str]]:
    """The checkpoints of the root log that count, and whether enough witnesses cosigned one."""
    latest = source.checkpoint(ROOT_LOG)
    mine = [note for note in wanted.checkpoints if "/root/" in note.partition("\n")[0]]
    notes = [("the root log's checkpoint", note) for note in [latest] if note]
    notes += [("a root log's checkpoint kept as evidence", note) for note in source.earlier(ROOT_LOG)]
    notes += [("a root log's checkpoint that the auditor has", note) for note in mine]
    found: list[tuple[Checkpoint, str]] = []
    if latest is None:
        findings.add("no_checkpoint", ROOT_LOG, None, "none is published")
    for where, note in notes:
        try:
            found.append((keys.open(note), where))
        except StolenKey as stolen:
            findings.add("key_stolen", ROOT_LOG, None, f"{where}: {stolen}")
        except BadNote:
            findings.add("no_checkpoint", ROOT_LOG, None, f"{where} is not signed by the key")
    witnesses = [Verifier.parse(each) for each in wanted.witnesses]
    if witnesses:
        _judge_witnesses(witnesses, wanted.quorum or len(witnesses), [note for _, note in notes], keys, found, findings)
    return found


def _judge_witnesses(
    witnesses: list[Verifier], quorum: int, notes: list[str], keys: Keys, found: list[tuple[Checkpoint, str]], findings: Findings
) -> None:
    cosigned: dict[str, Checkpoint] = {}
    for note in notes:
        for witness in witnesses:
            checkpoint = _cosigned(note, witness, keys, findings)
            if checkpoint is not None:
                findings.checked["cosignatures"] += 1
                found.append((checkpoint, f"what {witness.name} cosigned"))
                if witness.name not in cosigned or cosigned[witness.name].size < checkpoint.size:
                    cosigned[witness.name] = checkpoint
    if len(cosigned) < quorum:
        missing = ", ".join(sorted(each.name for each in witnesses if each.name not in cosigned))
        findings.add("not_witnessed", ROOT_LOG, None, f"{len(cosigned)} of {quorum} cosigned a checkpoint of the root log; not {missing}")
    for name, checkpoint in sorted(cosigned.items()):
        findings.notes.append(f"{name} cosigned the root log up to {checkpoint.size} entries")


def _cosigned(note: str, witness: Verifier, keys: Keys, findings: Findings) -> Checkpoint | None:
    try:
        checkpoint = keys.open(note)
        names = {(name, key) for name, key, _ in split_note(note)[1]}
    except BadNote:
        return None
    if witness.algorithm != COSIGNATURE or (witness.name, witness.id) not in names:
        return None
    try:
        open_note(note, witness)
    except BadNote as wrong:
        findings.add("not_witnessed", ROOT_LOG, None, str(wrong))
        return None
    return checkpoint
