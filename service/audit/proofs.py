"""Proofs as small text files that anybody can check: ``c2sp.org/tlog-proof@v1`` for one entry, and one of our own for two checkpoints.

Read by auditors, the command line, the tablet client and the routes. Needs no server, no database and no configuration.

    c2sp.org/tlog-proof@v1              gridtrail/tlog-consistency@v1
    extra <base64>      (optional)      old <size>
    index <position>                    new <size>
    <hash, base64>                      <hash, base64>
    …                                   …
    (an empty line)                     (an empty line, and the newer checkpoint verbatim, where the file brings it)
    <checkpoint, verbatim>
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.ledger.note import ED25519, BadNote, Checkpoint, Verifier, open_note, unbase64
from service.ledger.tree import BadProof, leaf_hash, verify_consistency, verify_inclusion

INCLUSION = "c2sp.org/tlog-proof@v1"
CONSISTENCY = "gridtrail/tlog-consistency@v1"
MOST_HASHES = 63
"""More than any proof in a tree of fewer than 2^63 entries has (RFC 9162; the same bound as C2SP tlog-witness)."""
MOST_CHARACTERS = 200_000
"""A proof and a checkpoint with a hundred signatures have far fewer."""
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof file holds, not yet verified. extra is not authenticated by anything."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class Growth:
    """What a consistency file holds, not yet verified. note is the newer checkpoint, empty where the file does not bring it."""

    old: int
    new: int
    hashes: tuple[bytes, ...]
    note: str = ""


def write_proof(index: int, hashes: Sequence[bytes], checkpoint_note: str, extra: bytes = b"") -> str:
    """The file that proves that an entry stands at index in the tree of a checkpoint (c2sp.org/tlog-proof@v1)."""
    opaque = [f"extra {_coded(extra)}"] if extra else []
    return _written([INCLUSION, *opaque, f"index {index}"], hashes) + "\n" + checkpoint_note


def read_proof(text: str) -> Proof:
    """The parts of a proof file. BadProof where it is none; nothing is verified here."""
    head, note = _halves(text)
    lines = _after(head, INCLUSION)
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _plain(lines.pop(0)[len("extra ") :])
        if not extra:
            raise BadProof("The line extra holds nothing; it is left out then.")
    index = _number(lines, "index")
    if not note:
        raise BadProof("The proof brings no checkpoint.")
    return Proof(index, _hashes(lines), note, extra)


def verify_proof(text: str, entry: bytes, verifiers: Verifier | Iterable[Verifier]) -> Checkpoint:
    """The checkpoint under which the file proves the entry. BadProof or BadNote where it does not, or is not signed as asked.

    verifiers: of the log, whose name is its origin, and of every witness whose cosignature is asked for. See open_signed.
    """
    proof = read_proof(text)
    checkpoint = open_signed(proof.note, verifiers)
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def write_consistency(old: int, new: int, hashes: Sequence[bytes], checkpoint_note: str = "") -> str:
    """The file that proves that a tree of the new size begins with that of the old; with the newer checkpoint where there is one."""
    head = _written([CONSISTENCY, f"old {old}", f"new {new}"], hashes)
    return f"{head}\n{checkpoint_note}" if checkpoint_note else head


def read_consistency(text: str) -> Growth:
    """The parts of a consistency file. BadProof where it is none; nothing is verified here."""
    head, note = _halves(text)
    lines = _after(head, CONSISTENCY)
    old, new = _number(lines, "old"), _number(lines, "new")
    return Growth(old, new, _hashes(lines), note)


def verify_consistency_file(
    text: str, old_note: str, verifiers: Verifier | Iterable[Verifier], new_note: str = ""
) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints between which the file proves that nothing was changed or removed. BadProof or BadNote where it does not.

    old_note: the checkpoint that the reader has kept. new_note: the newer one, where the file does not bring it.
    """
    growth = read_consistency(text)
    if not (new_note or growth.note):
        raise BadProof("The file brings no newer checkpoint: give it as well.")
    known = list(_each(verifiers))
    old, new = open_signed(old_note, known), open_signed(new_note or growth.note, known)
    if old.origin != new.origin:
        raise BadProof(f"The checkpoints are of two logs, {old.origin} and {new.origin}.")
    if (old.size, new.size) != (growth.old, growth.new):
        raise BadProof(f"The proof is for the sizes {growth.old} and {growth.new}, the checkpoints are of {old.size} and {new.size}.")
    verify_consistency(old.size, new.size, growth.hashes, old.root, new.root)
    return old, new


def open_signed(note: str, verifiers: Verifier | Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a note that is signed as asked: under every name that was given, by one of that name's keys. BadNote otherwise.

    One of the keys must be the log's own, an Ed25519 key whose name is the origin. Two keys of one name are those before and after a
    rotation. A wrong signature of any of the keys spoils the note.
    """
    known = list(_each(verifiers))
    checkpoint = Checkpoint.parse(open_note(note, known))
    names = {each.name for each in known}
    if not any(each.name == checkpoint.origin and each.algorithm == ED25519 for each in known):
        raise BadNote(f"The checkpoint is of {checkpoint.origin}; the keys given are of {', '.join(sorted(names)) or 'nobody'}.")
    for name in sorted(names):
        try:
            open_note(note, [each for each in known if each.name == name])
        except BadNote as missing:
            raise BadNote(f"The checkpoint bears no valid signature of {name}: {missing}.") from missing
    return checkpoint


# ---- the form of both files


def _each(verifiers: Verifier | Iterable[Verifier]) -> Iterable[Verifier]:
    return [verifiers] if isinstance(verifiers, Verifier) else verifiers


def _written(head: list[str], hashes: Sequence[bytes]) -> str:
    return "".join(f"{line}\n" for line in [*head, *map(_coded, hashes)])


def _coded(plain: bytes) -> str:
    return base64.b64encode(plain).decode()


def _plain(coded: str) -> bytes:
    try:
        return unbase64(coded)
    except BadNote as wrong:
        raise BadProof(f"A line of the proof cannot be read: {wrong}.") from wrong


def _halves(text: str) -> tuple[list[str], str]:
    """The lines of the proof itself, and the checkpoint behind the first empty line."""
    if len(text) > MOST_CHARACTERS:
        raise BadProof(f"A proof has at most {MOST_CHARACTERS} characters.")
    head, _, note = text.partition("\n\n")
    if not note and not text.endswith("\n"):
        raise BadProof("The file is cut short: its last line is not closed.")
    return head.removesuffix("\n").split("\n"), note


def _after(lines: list[str], header: str) -> list[str]:
    if lines[0] != header:
        raise BadProof(f"The first line is not {header}.")
    return lines[1:]


def _number(lines: list[str], name: str) -> int:
    """The number of the next line, which is taken away."""
    word, _, said = lines.pop(0).partition(" ") if lines else ("", "", "")
    if word != name or not NUMBER.fullmatch(said):
        raise BadProof(f"A line '{name} <number>' is missing.")
    return int(said)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise BadProof(f"A proof has at most {MOST_HASHES} hashes.")
    found = tuple(_plain(line) for line in lines)
    if any(len(each) != 32 for each in found):
        raise BadProof("Every hash of a proof has 32 bytes.")
    return found
