"""The key that signs the ledgers' checkpoints: made once, kept in a file or given as a value, never in the database."""

import base64
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from service.durable import write_whole
from service.ledger.note import BadNote, Checkpoint, Signer, unbase64
from service.ledger.store import Appended, Head


class KeyRefused(RuntimeError):
    """The signing key cannot be used; the sentence says what to change."""


def new_key(path: str | Path) -> Ed25519PrivateKey:
    """Makes a key and writes it as PEM into a new file that only its owner can read. FileExistsError where there is one already."""
    key = Ed25519PrivateKey.generate()
    write_whole(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), new=True, private=True)
    return key


def private_text(path: str | Path) -> str:
    """The text of a file that holds a key. KeyRefused where others can read the file too, or we cannot."""
    try:
        file = Path(path).open("rb")  # noqa: SIM115
    except FileNotFoundError:
        raise
    except OSError as failed:
        raise KeyRefused(f"{path} cannot be read: {failed.strerror}.") from failed
    with file:
        others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
        if others:
            raise KeyRefused(f"{path} can be read by others; run: chmod 600 {path}")
        return file.read().decode("ascii", "replace")


def load_key(path: str | Path) -> Ed25519PrivateKey:
    """The key in a file: PEM (PKCS 8), or base64 of the 32-byte seed. KeyRefused where others can read the file too."""
    return parse_key(private_text(path))


def parse_key(value: str) -> Ed25519PrivateKey:
    """The key of a text: PEM (PKCS 8), or base64 of the 32-byte seed."""
    value = value.strip()
    try:
        if value.startswith("-----BEGIN"):
            key = load_pem_private_key(value.encode(), password=None)
        else:
            key = Ed25519PrivateKey.from_private_bytes(unbase64(value))
    except (BadNote, ValueError, TypeError):
        # The text itself must not be told on: it may be most of a key.
        raise KeyRefused("The signing key is neither PEM nor base64 of an Ed25519 seed of 32 bytes.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused("The signing key is not an Ed25519 key.")
    return key


class SigningKey:
    """The service's key, looked at again each second where it is in a file: a rotation needs no restart."""

    LOOK_S = 1.0

    def __init__(self, value: str, path: str | Path, origin: str, signed_before: Callable[[], bool]) -> None:
        self.value, self.path, self.origin, self.signed_before = value, Path(path), origin, signed_before
        self._signer: Signer | None = None
        self._stood: tuple[int, int] | None = None
        self._look_at = 0.0

    def signer(self) -> Signer:
        """The present signer under the deployment's origin; made at the first start. KeyRefused."""
        if self._signer is None or (not self.value and time.monotonic() > self._look_at):
            self._look_at = time.monotonic() + self.LOOK_S
            stands = self._stands()
            if self._signer is None or stands != self._stood:
                self._signer = load_signer(self.value, self.path, self.origin, self.signed_before)
                # As it stood before it was read: a rotation in between is seen at the next look.
                self._stood = stands
        return self._signer

    def _stands(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            # A key that this process has goes on signing though its file is away.
            return self._stood
        return found.st_ino, found.st_mtime_ns


def seed_of(key: Ed25519PrivateKey) -> str:
    """The key as base64 of its seed, for an environment value."""
    return base64.b64encode(key.private_bytes_raw()).decode()


def load_signer(value: str, path: str | Path, origin: str, signed_before: Callable[[], bool]) -> Signer:
    """The service's signer under its origin: from the value if there is one, else from the file, which is made at the first start.

    KeyRefused where the file is missing and this deployment has signed before: nothing leads from the old key to one that is made silently.
    """
    if value:
        return Signer(origin, parse_key(value))
    with suppress(FileNotFoundError):
        return Signer(origin, load_key(path))
    if not signed_before():
        with suppress(FileExistsError):
            return Signer(origin, new_key(path))
    try:
        # Another process of the same first start was quicker, and may have signed already: a key is in its file before it signs.
        return Signer(origin, load_key(path))
    except FileNotFoundError:
        raise KeyRefused(
            f"The signing key {Path(path).absolute()} is missing, and this deployment has signed before. Bring the file back, or name the "
            "right one in GRIDTRAIL_SIGNING_KEY_FILE; only where it is lost for ever, do as docs/audit.md says of a lost key."
        ) from None


def ledger_origin(origin: str, ledger: str, incarnation: str) -> str:
    """The name under which one incarnation of a ledger is signed."""
    return f"{origin}/ledger/{ledger}/{incarnation}"


def log_origin(origin: str, log: str, incarnation: str) -> str:
    """The name of one incarnation of any log: a ledger, or the root log (``root``), whose entries are the ledgers' checkpoints."""
    return f"{origin}/root/{incarnation}" if log == "root" else ledger_origin(origin, log, incarnation)


def checkpoint_of(head: Head | Appended, origin: str, key: Ed25519PrivateKey) -> str:
    """The signed checkpoint of a ledger. Sign only what is committed: what is signed can never be taken back."""
    return Checkpoint(ledger_origin(origin, head.ledger, head.incarnation), head.size, head.root).sign(key)
