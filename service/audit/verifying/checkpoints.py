"""Signed checkpoints: whose they are, and whether they are those of the entries. Read by the run and the walks.

The auditor gives the service's key, as a C2SP verifier key or as the base64 that tablets get. Each log is signed by that key under the
log's own origin, which begins with the service's. Keys that the service was handed on to are told by the statements that it keeps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.ledger.note import BadNote, Checkpoint, Verifier, open_note, unbase64


@dataclass(frozen=True, slots=True)
class Signed:
    """A size and a root that somebody signed for a log. source: where it was found, in words."""

    origin: str
    size: int
    root: bytes
    source: str
    place: int | None = None


class Keys:
    """The public keys that may have signed this service's logs."""

    def __init__(self, given: Iterable[str]) -> None:
        self.keys: list[tuple[str | None, bytes]] = []
        for text in given:
            self.add(text)

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

    def open(self, note: str) -> Checkpoint:
        """The checkpoint that one of the keys signed under the name of its own log. BadNote otherwise."""
        checkpoint = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
        verifiers = [Verifier(checkpoint.origin, public) for name, public in self.keys if _covers(name, checkpoint.origin)]
        if not verifiers:
            raise BadNote(f"no key is known for {checkpoint.origin}")
        open_note(note, verifiers)
        return checkpoint


def _covers(name: str | None, origin: str) -> bool:
    return name is None or origin == name or origin.startswith(f"{name}/")


def parts_of(origin: str, ledger: str) -> tuple[str, str] | None:
    """The service's origin and the incarnation in the origin of a ledger's log, None where it is another log's."""
    before, found, incarnation = origin.partition(f"/ledger/{ledger}/")
    return (before, incarnation) if found and incarnation and "/" not in incarnation else None


def in_order(signed: Iterable[Signed]) -> Sequence[Signed]:
    """By size, so that a walk meets them as the tree grows."""
    return sorted(signed, key=lambda each: each.size)
