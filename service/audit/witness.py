"""A small witness of the C2SP tlog-witness protocol: another body runs it on its own machine, with its own key and folder.

It cosigns a log's checkpoint only if the log proves that it extends the last one that this witness cosigned. So nobody who holds the log's
database and key can show a shorter or another history to one part of the world. (c2sp.org/tlog-witness, tlog-cosignature)
"""

import base64
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.durable import make_folder, write_whole
from service.ledger.keys import KeyRefused, private_text
from service.ledger.note import COSIGNATURE, BadNote, Checkpoint, Verifier, open_note, split_note, unbase64
from service.ledger.tree import EMPTY_ROOT, BadProof, verify_consistency

MOST_HASHES = 63
OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: str = ""
    kind: str = PLAIN


class Cosigner:
    """A witness's named private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.verifier = Verifier(name, key.public_key().public_bytes_raw(), COSIGNATURE)
        self._key = key

    def cosign(self, text: str, moment: int) -> str:
        """The cosignature/v1 line over a checkpoint's text, at a time in seconds since 1970."""
        signature = self._key.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
        coded = base64.b64encode(self.verifier.id + moment.to_bytes(8, "big") + signature).decode()
        return f"— {self.verifier.name} {coded}\n"


def new_key(path: Path, name: str) -> Cosigner:
    """Makes a witness's key in a new file that only its owner can read. FileExistsError, BadNote (the name cannot be one)."""
    key = Ed25519PrivateKey.generate()
    cosigner = Cosigner(name, key)
    coded = base64.b64encode(bytes([COSIGNATURE]) + key.private_bytes_raw()).decode()
    write_whole(path, f"PRIVATE+KEY+{name}+{cosigner.verifier.id.hex()}+{coded}\n".encode(), new=True, private=True)
    return cosigner


def load_key(path: Path) -> Cosigner:
    """The key that new_key wrote. KeyRefused where it is none, or can be read by others."""
    parts = private_text(path).strip().split("+", 4)
    try:
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise BadNote("not a key file")
        plain = unbase64(parts[4])
        if plain[:1] != bytes([COSIGNATURE]):
            raise BadNote("not a witness's key")
        cosigner = Cosigner(parts[2], Ed25519PrivateKey.from_private_bytes(plain[1:]))
    except (BadNote, ValueError):
        raise KeyRefused(f"{path} holds no witness's key; make one with: gridtrail witness new-key") from None
    if cosigner.verifier.id.hex() != parts[3]:
        raise KeyRefused(f"{path} is damaged: its key is not the one that it names.")
    return cosigner


@dataclass(frozen=True, slots=True)
class Submission:
    """The body of add-checkpoint."""

    old: int
    hashes: tuple[bytes, ...]
    note: str
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> "Submission":
        """Strictly as the protocol says. BadNote where it is not."""
        try:
            head, blank, note = body.decode().partition("\n\n")
        except UnicodeDecodeError:
            raise BadNote("the body is not UTF-8") from None
        first, *lines = head.split("\n")
        old = OLD.fullmatch(first)
        if not blank or old is None:
            raise BadNote("the body begins with the line old <size>, proof lines and an empty line")
        if len(lines) > MOST_HASHES:
            raise BadNote(f"a proof has at most {MOST_HASHES} hashes")
        hashes = tuple(unbase64(line) for line in lines)
        if any(len(each) != 32 for each in hashes):
            raise BadNote("a hash has 32 bytes")
        return cls(int(old[1]), hashes, note, Checkpoint.parse(split_note(note)[0]))


class Witness:
    """Cosigns checkpoints of the logs that it was told to watch. Its state is a folder, written before any answer."""

    def __init__(self, cosigner: Cosigner, folder: Path, logs: Iterable[Verifier], clock: Callable[[], float] = time.time) -> None:
        self.cosigner, self.folder, self.clock = cosigner, folder, clock
        self.logs: dict[str, list[Verifier]] = {}
        for each in logs:
            self.logs.setdefault(each.name, []).append(each)

    def add_checkpoint(self, body: bytes) -> Reply:
        """POST add-checkpoint."""
        try:
            sent = Submission.parse(body)
        except BadNote as wrong:
            return Reply(400, f"{wrong}\n")
        trusted = self.logs.get(sent.checkpoint.origin)
        if trusted is None:
            return Reply(404, "This log is not known here.\n")
        try:
            open_note(sent.note, trusted)
        except BadNote as wrong:
            return Reply(403, f"{wrong}\n")
        if sent.old > sent.checkpoint.size:
            return Reply(400, "The old size is greater than the checkpoint's.\n")
        with self._alone_with(sent.checkpoint.origin) as state:
            return self._extend(state, sent)

    def latest(self, name: str) -> str | None:
        """The checkpoint cosigned last of the log whose origin has this SHA-256 (hexadecimal), None where there is none."""
        if re.fullmatch(r"[0-9a-f]{64}", name) is None:
            return None
        try:
            return (self.folder / name / "checkpoint").read_text("utf-8")
        except FileNotFoundError:
            return None

    def _extend(self, state: Path, sent: Submission) -> Reply:
        stored, new = self._stored(state), sent.checkpoint
        size = stored.size if stored else 0
        if sent.old != size or (stored and new.size == size and new.root != stored.root):
            return Reply(409, f"{size}\n", SIZE)
        try:
            _must_extend(stored, new, sent.hashes)
        except BadProof as wrong:
            return Reply(422, f"{wrong}\n")
        text, line = _signed_by_the_log(sent.note, self.logs[new.origin])
        cosignature = self.cosigner.cosign(text, int(self.clock()))
        # On disk, whole, before anybody hears of it.
        write_whole(state / "checkpoint", f"{text}\n{line}{cosignature}".encode())
        return Reply(200, cosignature)

    def _stored(self, state: Path) -> Checkpoint | None:
        note = self.latest(state.name)
        return None if note is None else Checkpoint.parse(split_note(note)[0])

    @contextmanager
    def _alone_with(self, origin: str) -> Iterator[Path]:
        """The log's folder, while no other request of this log is under way, in whatever process: comparing and storing are one step."""
        state = self.folder / hashlib.sha256(origin.encode()).hexdigest()
        make_folder(state)
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield state
        finally:
            os.close(lock)


def _must_extend(stored: Checkpoint | None, new: Checkpoint, hashes: Sequence[bytes]) -> None:
    if stored is None or stored.size == 0:
        if hashes:
            raise BadProof("a proof from nothing is empty")
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise BadProof("this is not the root of an empty tree")
        return
    verify_consistency(stored.size, new.size, hashes, stored.root, new.root)


def _signed_by_the_log(note: str, trusted: Sequence[Verifier]) -> tuple[str, str]:
    """The text of a note, and the signature lines of the log's own keys in it: what others put there is not kept."""
    text, signatures = split_note(note)
    known = {(each.name, each.id) for each in trusted}
    kept = [f"— {name} {base64.b64encode(key + signature).decode()}\n" for name, key, signature in signatures if (name, key) in known]
    return text, "".join(kept)
