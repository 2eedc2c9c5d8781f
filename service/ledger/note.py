"""Signed notes and checkpoints of C2SP (signed-note, tlog-checkpoint, tlog-cosignature): how a tree's size and root are signed.

Read by the upload path (tablets' seals), the receipts (ledgers' checkpoints), the tablet client and auditors.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from service.ledger import p256

ED25519 = 0x01
COSIGNATURE = 0x04
P256 = 0xFF
"""Of tablets only. C2SP leaves 0xff to types that it does not assign; its own 0x02 is ECDSA with DER signatures and ids without a name."""
TYPES = {ED25519: b"\x01", COSIGNATURE: b"\x04", P256: b"\xffgridtrail-p256"}
ALGORITHMS = {"ed25519": ED25519, "p256": P256}
"""What tablets sign with, by the name that stands in their enrolment."""
KEY_BYTES = 32
SIGNATURE_BYTES = {ED25519: 64, COSIGNATURE: 72, P256: p256.SIGNATURE_BYTES}
MOST_SIGNATURES = 100
SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

WEAK_KEYS = frozenset(
    bytes.fromhex(encoded)
    for encoded in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)
"""The encodings of small-order points. Such a "public key" verifies signatures that nobody made."""


class BadNote(ValueError):
    """A text that is no signed note, or whose signature is wrong or from nobody we know."""


class WeakKey(ValueError):
    """A public key that anybody can sign for."""


def refuse_weak_key(public: bytes) -> None:
    """WeakKey where the bytes are no Ed25519 public key or one of small order."""
    if len(public) != KEY_BYTES:
        raise WeakKey(f"An Ed25519 public key has {KEY_BYTES} bytes, not {len(public)}.")
    if public in WEAK_KEYS:
        raise WeakKey("This public key is of small order: anybody could sign for it.")


def key_id(name: str, public: bytes, algorithm: int = ED25519) -> bytes:
    """The four bytes by which a signature line names its key."""
    return sha256(name.encode() + b"\n" + TYPES[algorithm] + public).digest()[:4]


def unbase64(text: str) -> bytes:
    """Strict standard base64: what does not encode back to the same text is a BadNote."""
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise BadNote(f"{text[:80]!r} is not base64") from wrong
    if base64.b64encode(plain).decode() != text:
        raise BadNote(f"{text[:80]!r} is not canonical base64")
    return plain


@dataclass(frozen=True)
class Verifier:
    """A named public key that signatures are checked with."""

    name: str
    public: bytes
    algorithm: int = ED25519
    id: bytes = field(init=False)
    _key: Ed25519PublicKey | p256.PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+]", self.name):
            raise BadNote(f"{self.name!r} is not a key's name: it has no spaces and no plus sign")
        if self.algorithm not in SIGNATURE_BYTES:
            raise BadNote(f"algorithm {self.algorithm:#04x} is none of those that notes are signed with")
        object.__setattr__(self, "id", key_id(self.name, self.public, self.algorithm))
        object.__setattr__(self, "_key", _public_key(self.public, self.algorithm))

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """The verifier of ``<name>+<8 hex digits>+<base64>``. The base64 may hold plus signs."""
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise BadNote("a verifier key is <name>+<id>+<key>")
        name, identifier, coded = parts
        key = unbase64(coded)
        if key[:1] == TYPES[P256][:1]:
            raise BadNote("only a tablet signs with P-256, and its key stands in its enrolment")
        verifier = cls(name, key[1:], key[0] if key else 0)
        if verifier.id.hex() != identifier:
            raise BadNote(f"the key of {name} has id {verifier.id.hex()}, not {identifier}")
        return verifier

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(TYPES[self.algorithm] + self.public).decode()}"

    def check(self, text: str, signature: bytes) -> None:
        """BadNote unless this key signed the text."""
        if len(signature) != SIGNATURE_BYTES[self.algorithm]:
            raise BadNote(f"the signature of {self.name} has {len(signature)} bytes")
        message = text.encode()
        if self.algorithm == COSIGNATURE:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise BadNote(f"the signature of {self.name} is wrong") from None


def verifier_of_tablet(origin: str, public: bytes, algorithm: str) -> Verifier:
    """What opens the seals of a tablet: its key, and the algorithm that its enrolment bound it to. BadNote for any other."""
    if algorithm not in ALGORITHMS:
        raise BadNote(f"{algorithm!r} is not an algorithm that tablets sign with")
    return Verifier(origin, public, ALGORITHMS[algorithm])


def _public_key(public: bytes, algorithm: int) -> Ed25519PublicKey | p256.PublicKey:
    """The key that verifies. BadNote where the bytes are none of the algorithm."""
    if algorithm == P256:
        try:
            return p256.PublicKey(public)
        except p256.BadPoint as wrong:
            raise BadNote(str(wrong)) from wrong
    if len(public) != KEY_BYTES:
        raise BadNote(f"an Ed25519 public key has {KEY_BYTES} bytes")
    return Ed25519PublicKey.from_public_bytes(public)


PrivateKey = Ed25519PrivateKey | p256.PrivateKey


class Signer:
    """A named private key. The name is the origin of what it signs."""

    def __init__(self, name: str, private_key: PrivateKey) -> None:
        self.private_key = private_key
        algorithm = P256 if isinstance(private_key, p256.PrivateKey) else ED25519
        self.verifier = Verifier(name, private_key.public_key().public_bytes_raw(), algorithm)

    @property
    def name(self) -> str:
        return self.verifier.name

    def sign(self, text: str) -> str:
        """The signature line for the text."""
        signature = base64.b64encode(self.verifier.id + self.private_key.sign(text.encode())).decode()
        return f"— {self.name} {signature}\n"


def sign_note(text: str, *signers: Signer) -> str:
    """The text, a blank line, and a signature line of each signer."""
    check_text(text)
    return text + "\n" + "".join(signer.sign(text) for signer in signers)


def check_text(text: str) -> None:
    """BadNote where the text cannot be signed: it is not closed by a line feed, or has control characters."""
    if not text.endswith("\n") or CONTROL.search(text):
        raise BadNote("a note's text ends with a line feed and has no other control characters")
    try:
        text.encode()
    except UnicodeEncodeError as surrogate:
        raise BadNote("a note's text is UTF-8") from surrogate


def open_note(note: str, verifiers: Verifier | Iterable[Verifier]) -> str:
    """The note's text, if at least one of the verifiers signed it and none of their signatures is wrong. BadNote otherwise.

    Signatures of keys that are not given are passed over, as the format says.
    """
    text, lines = split_note(note)
    known = {(each.name, each.id): each for each in ([verifiers] if isinstance(verifiers, Verifier) else verifiers)}
    verified = False
    for name, identifier, signature in lines:
        verifier = known.get((name, identifier))
        if verifier is not None:
            verifier.check(text, signature)
            verified = True
    if not verified:
        raise BadNote("the note is not signed by a key that is known here")
    return text


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note and its signatures as (name, key id, signature), not yet verified."""
    body, blank, tail = note.rpartition("\n\n")
    text = body + "\n"
    check_text(text)
    if not blank or not tail.endswith("\n"):
        raise BadNote("a note has a text, a blank line and signature lines")
    found = []
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote(f"a note has at most {MOST_SIGNATURES} signatures")
    for line in lines:
        match = SIGNATURE_LINE.fullmatch(line)
        signature = unbase64(match[2]) if match else b""
        if match is None or len(signature) < 5:
            raise BadNote("a signature line is an em dash, a name and base64")
        found.append((match[1], signature[:4], signature[4:]))
    return text, found


@dataclass(frozen=True)
class Checkpoint:
    """What a tree's keeper signs: the tree's name, its size and its root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text to sign."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint of a note's text. BadNote where it is none; extension lines are passed over."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise BadNote("a checkpoint has three lines: origin, size and root")
        origin, size, root = lines[:3]
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
            raise BadNote(f"{size[:40]!r} is not the size of a tree")
        plain = unbase64(root)
        if len(plain) != 32:
            raise BadNote("a root has 32 bytes")
        return cls(origin, int(size), plain)

    def sign(self, private_key: PrivateKey) -> str:
        """The signed checkpoint, under the key that bears the origin's name."""
        return sign_note(self.text(), Signer(self.origin, private_key))


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint that the verifier's key signed under its own name. BadNote otherwise."""
    checkpoint = Checkpoint.parse(open_note(note, verifier))
    if checkpoint.origin != verifier.name:
        raise BadNote(f"this checkpoint is of {checkpoint.origin}, not of {verifier.name}")
    return checkpoint
