"""The key-encryption keys of the key store: made once, kept in a file or given as a value, never in a database or a backup of one.

A file holds one key a line, base64 of 32 bytes, the newest first; older ones stand behind it only while ``gridtrail subject rewrap`` runs.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from service.durable import write_whole
from service.ledger.keys import KeyRefused

KEY_BYTES = 32
NAME_BYTES = 8


def name_of(key: bytes) -> str:
    """What a key-encryption key is called: 16 hexadecimal digits of a SHA-256 over it, which tell nothing of it."""
    return hashlib.sha256(b"gridtrail vault key-encryption key\0" + key).hexdigest()[: 2 * NAME_BYTES]


class KeyEncryptionKeys:
    """The keys that wrap the subjects' keys, by name. newest is the name of the one to wrap under."""

    def __init__(self, value: str, path: str | Path) -> None:
        self.value = value
        self.path = Path(path)
        self._keys: dict[str, bytes] = {}
        if value:
            self._keys = parse(value.replace(",", "\n"))

    @staticmethod
    def random() -> str:
        """The text of a new key."""
        return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()

    @property
    def where(self) -> str:
        """Where the keys are, for people."""
        return "GRIDTRAIL_VAULT_KEY" if self.value else str(self.path)

    def get(self, name: str) -> bytes:
        """The key of a name; the file is read again where it is not known yet. KeyRefused where it is not there."""
        if name not in self._keys:
            self.load()
        try:
            return self._keys[name]
        except KeyError:
            raise KeyRefused(f"The key store is wrapped under key {name}, which {self.where} does not hold. Bring that key back.") from None

    def newest(self, *, make: bool) -> str:
        """The name of the key to wrap under. make: a new one is made where there is no file yet."""
        if not self._keys:
            try:
                self.load()
            except KeyRefused:
                if not make or self.path.exists():
                    raise
                # Another process may have made it meanwhile.
                with suppress(FileExistsError):
                    self._write([secrets.token_bytes(KEY_BYTES)], new=True)
                self.load()
        return next(iter(self._keys))

    def load(self) -> None:
        """Reads the file. KeyRefused where it is absent, others can read it, or it holds no keys."""
        if self.value:
            return
        try:
            with self.path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise KeyRefused(f"{self.path} can be read by others; run: chmod 600 {self.path}")
                self._keys = parse(file.read().decode("ascii", "replace"))
        except FileNotFoundError:
            raise KeyRefused(f"The key-encryption key of the key store is missing: {self.path}. Bring the file back.") from None

    def add(self, key: bytes) -> None:
        """Puts a new key in front of the others, durably."""
        self.load()
        self._write([key, *self._keys.values()])
        self.load()

    def drop_old(self) -> None:
        """Leaves only the newest key in the file."""
        self.load()
        self._write([next(iter(self._keys.values()))])
        self.load()

    def _write(self, keys: list[bytes], *, new: bool = False) -> None:
        content = b"".join(base64.b64encode(key) + b"\n" for key in keys)
        write_whole(self.path, content, new=new, private=True)


def parse(text: str) -> dict[str, bytes]:
    """The keys of a text by name, in their order. KeyRefused where a line is no key; the text itself is not told on."""
    keys: dict[str, bytes] = {}
    for line in text.split():
        try:
            key = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyRefused("A key-encryption key is not base64 of 32 bytes.")
        keys[name_of(key)] = key
    if not keys:
        raise KeyRefused("There is no key-encryption key where one should be: an empty file or value.")
    return keys
