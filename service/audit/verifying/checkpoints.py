"""Signed checkpoints: whose they are, and whether they are those of the entries. Read by the run and the walks.

The auditor gives the service's key, as a C2SP verifier key or as the base64 that tablets get. Each log is signed by that key under the
log's own origin, which begins with the service's. Keys that the service was handed on to are told by the statements that it keeps: they
are followed from the auditor's key, and a key that was stolen counts up to the size of the root log that its statement names.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.audit.verifying.knowledge import Knowledge, log_of
from service.audit.verifying.sources import ROOT_LOG
from service.ledger.note import BadNote, Checkpoint, Verifier, open_note, unbase64
from service.ledger.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Signed:
    """A size and a root that somebody signed for a log. source: where it was found, in words."""

    origin: str
    size: int
    root: bytes
    source: str
    place: int | None = None


class StolenKey(BadNote):
    """A checkpoint that a stolen key signed, beyond what that key counts for."""


@dataclass(slots=True)
class Followed:
    """What following a chain of statements told. wrong: why it does not hold, a sentence for each statement that is at fault."""

    count: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Keys:
    """The public keys that may have signed this service's logs.

    rooted: at which place of the root log a ledger's checkpoint stands, for those that a stolen key signed: it counts where it stands there
    before that key stopped counting.
    """

    def __init__(self, given: Iterable[str]) -> None:
        self.keys: list[tuple[str | None, bytes]] = []
        self.limits: dict[bytes, int] = {}
        self.rooted: dict[str, int] = {}
        for text in given:
            self.add(text)
        self.given = tuple(self.keys)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def add(self, text: str) -> None:
        """One more key: ``<name>+<id>+<base64>``, or base64 of 32 bytes. BadNote where it is neither."""
        if "+" in text and text.count("+") >= 2 and " " not in text:
            try:
                verifier = Verifier.parse(text)
            except BadNote:
                if len(text) != 44:
                    raise
            else:
                self.keys.append((verifier.name, verifier.public))
                return
        public = unbase64(text)
        if len(public) != 32:
            raise BadNote("a key is a verifier key <name>+<id>+<base64>, or base64 of 32 bytes")
        self.keys.append((None, public))

    def follow(self, statements: Sequence[str]) -> Followed:
        """Goes on from the given keys, statement by statement, oldest first. What an earlier call followed is forgotten.

        One that both its keys did not sign, that does not begin with the key before it, or that hands a key on a second time, is wrong. A
        theft limits the stolen key and those before it, as ``service.audit.rotating`` has it.
        """
        self.keys, self.limits = list(self.given), {}
        found = Followed()
        before: bytes | None = None
        gone: set[bytes] = set()
        ancestors: dict[bytes, tuple[bytes, ...]] = {}
        for number, statement in enumerate(statements, 1):
            try:
                rotation = Rotation.read(statement)
            except ValueError as wrong:
                found.wrong.append(f"statement {number} that the key was handed on is not signed by the old key and the new: {wrong}")
                continue
            old, new = rotation.old.public, rotation.new.public
            if old in gone or new in gone or new in ancestors:
                found.wrong.append(f"statement {number} hands a key on that was handed on before: {_told(rotation)}")
                continue
            if before is not None and before != old:
                found.wrong.append(f"statement {number} does not begin with the key that the one before it names: {_told(rotation)}")
            before = new
            gone.add(old)
            ancestors[new] = (*ancestors.get(old, ()), old)
            self._take(rotation, ancestors[new], found)
        return found

    def _take(self, rotation: Rotation, ancestors: tuple[bytes, ...], found: Followed) -> None:
        """Believes the new key where the old one is believed, and limits what was stolen."""
        scopes = {_scope(name, rotation.origin) for name, public in self.keys if public == rotation.old.public} - {""}
        if not scopes:
            return
        found.count += 1
        found.notes.append(f"the key {_told(rotation)}")
        self.keys += [(scope, rotation.new.public) for scope in sorted(scopes)]
        if rotation.last_valid is not None:
            for each in ancestors:
                self.limits[each] = min(self.limits.get(each, rotation.last_valid), rotation.last_valid)

    def open(self, note: str, place: int | None = None) -> Checkpoint:
        """The checkpoint that one of the keys signed under the name of its own log. BadNote otherwise, StolenKey where it counts no more.

        place: where in the root log it stands, for its entries.
        """
        checkpoint = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
        known = [Verifier(checkpoint.origin, public) for name, public in self.keys if _covers(name, checkpoint.origin)]
        if not known:
            raise BadNote(f"no key is known for {checkpoint.origin}")
        believed = [each for each in known if self._counts(each.public, checkpoint, note, place)]
        try:
            open_note(note, believed)
        except BadNote:
            for each in known:
                if each not in believed and _signed_by(note, each):
                    raise StolenKey(_stolen(checkpoint, self.limits[each.public])) from None
            raise
        return checkpoint

    def _counts(self, public: bytes, checkpoint: Checkpoint, note: str, place: int | None) -> bool:
        limit = self.limits.get(public)
        if limit is None:
            return True
        if place is None and log_of(checkpoint.origin) == ROOT_LOG:
            return checkpoint.size <= limit
        place = self.rooted.get(note) if place is None else place
        return place is not None and place < limit


def _signed_by(note: str, verifier: Verifier) -> bool:
    with suppress(BadNote):
        open_note(note, verifier)
        return True
    return False


def _stolen(checkpoint: Checkpoint, limit: int) -> str:
    return f"{checkpoint.origin} at {checkpoint.size} is signed by a stolen key, which counts for the first {limit} entries of the root log"


def _told(rotation: Rotation) -> str:
    until = "" if rotation.last_valid is None else f", stolen, and counts up to {rotation.last_valid} entries of the root log"
    return f"{rotation.old.id.hex()} was handed on to {rotation.new.id.hex()} at {rotation.at}{until}: {rotation.reason}"


def _scope(name: str | None, origin: str) -> str:
    """The name under which a successor is believed: never more than its predecessor was. Empty where the statement is another service's."""
    if _covers(name, origin):
        return origin
    return name if name is not None and name.startswith(f"{origin}/") else ""


def _covers(name: str | None, origin: str) -> bool:
    return name is None or origin == name or origin.startswith(f"{name}/")


def parts_of(origin: str, ledger: str) -> tuple[str, str] | None:
    """The service's origin and the incarnation in the origin of a ledger's log, None where it is another log's."""
    before, found, incarnation = origin.partition(f"/ledger/{ledger}/")
    return (before, incarnation) if found and incarnation and "/" not in incarnation else None


class Signatures:
    """Compares a ledger's tree, as it grows, with every size and root that was signed of it.

    After a restore a ledger goes on under another origin, and says so in its own history (``ledger.continued``). What the old origin signed
    beyond the restored size is of entries that were lost; it must not go further than the ledger itself admits.
    """

    def __init__(self, ledger: str, knowledge: Knowledge, file: Any, report: Callable[..., None]) -> None:
        self.ledger = ledger
        self.report = report
        self.continued = {event["old_origin"]: event for event in knowledge.continued.get(ledger, ())}
        self.names = [event["origin"] for event in knowledge.continued.get(ledger, ())]
        self.origins: set[str] = set()
        self.known = file is not None
        self._left: Iterator[Signed] = file.read() if file is not None else iter(())
        self._next = next(self._left, None)
        self._sound = 0
        self._before: Signed | None = None

    def next_size(self) -> int | None:
        """The size at which the tree is to be compared next; None where nothing more was signed."""
        return self._next.size if self._next is not None else None

    def compare(self, root: bytes) -> int:
        """Compares what was signed of the size that the tree has now. Gives how many were compared."""
        signed = self._take()
        if signed is None or self._is_lost(signed):
            return 0
        if signed.root == root:
            self._sound = signed.size
        else:
            last = max(signed.size - 1, 0)
            what = f"the root that was signed for {signed.size} entries ({signed.source}) is not that of the entries"
            self.report("root_wrong", min(self._sound, last), what, last)
        return 1

    def _take(self) -> Signed | None:
        signed, self._next = self._next, next(self._left, None)
        if signed is None:
            return None
        self.origins.add(signed.origin)
        before, self._before = self._before, signed
        if before is not None and (before.origin, before.size) == (signed.origin, signed.size) and before.root != signed.root:
            what = f"{before.source} and {signed.source} name two roots for {signed.size} entries of {signed.origin}"
            self.report("two_roots", max(signed.size - 1, 0), what)
        return signed

    def _is_lost(self, signed: Signed) -> bool:
        """Whether it was signed of entries that a restore lost."""
        event = self.continued.get(signed.origin)
        if event is None or signed.size <= event["size"]:
            return False
        admitted = event.get("signed_size")
        if admitted is not None and signed.size > admitted:
            what = f"{signed.source}: {signed.origin} signed {signed.size} entries, and the ledger says that it was {admitted}"
            self.report("incarnation_wrong", event.position, what)
        return True

    def close(self, size: int, incarnation: str | None) -> None:
        """At the end of the entries. incarnation: what the head says, None where there is no head."""
        while self._next is not None:
            signed = self._take()
            if signed is not None and not self._is_lost(signed):
                what = f"{signed.source} is for {signed.size} entries, of which {size} are there"
                self.report("tail_missing", size, what, signed.size - 1)
        known = {*self.continued, *self.names}
        if known:
            for origin in sorted(self.origins - known):
                self.report("incarnation_wrong", None, f"{origin} is not one of the origins that the ledger records")
        elif len(self.origins) > 1:
            self.report("incarnation_wrong", None, f"it was signed as {', '.join(sorted(self.origins))}, and records no restore")
        latest = self.names[-1] if self.names else next(iter(self.origins), None)
        if incarnation is not None and latest is not None and not latest.endswith(f"/{incarnation}"):
            self.report("incarnation_wrong", None, f"the head says {incarnation}, and the ledger goes on as {latest}")
