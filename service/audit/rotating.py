"""Hands the signing key on: a new key, a statement signed by both, and the fact in the city's ledger. Read by ``gridtrail keys rotate``.

Each step is on disk before the next: the new key beside the old one, the statement, the new key in the old one's place, the fact. Whoever
dies in between runs the command again: it finishes what was begun, and hands nothing on twice.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from domain.clock import utc_text
from domain.signing_key import SigningKey, must_be_a_reason
from service.audit.tables import ROOT, published
from service.database import reading
from service.durable import sync, write_whole
from service.imports.recording import terminal_actor
from service.ledger.keys import KeyRefused, load_key, load_signer, new_key
from service.ledger.note import Signer
from service.ledger.rotation import Rotation

STREAMS = UUID("5a0c3a52-6c55-5d0e-9a8f-0d7f6a7f9e13")


def statements_file(config: Any) -> Path:
    """Where the statements are kept, beside the key's file: one JSON string on each line, oldest first."""
    return Path(f"{config.signing_key_file}.rotations")


def read_statements(config: Any) -> list[str]:
    """Every statement of this deployment, oldest first."""
    try:
        lines = statements_file(config).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


class Rotating:
    """The use case."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.config = gridtrail.config
        self.path = Path(gridtrail.config.signing_key_file)
        self.next = self.path.with_name(self.path.name + ".next")

    def rotate(self, reason: str, *, stolen: bool, last_valid: int | None = None) -> list[Rotation]:
        """Hands the key on, or finishes a rotation that was begun. Gives what is on record now that was not before.

        stolen: the old key is not to be believed beyond last_valid, the root log's size; the published one where it is not given.
        KeyRefused: the key is not in a file, or its file is missing.
        """
        if self.config.signing_key:
            raise KeyRefused("The key is given by GRIDTRAIL_SIGNING_KEY; put it into the file of GRIDTRAIL_SIGNING_KEY_FILE first.")
        must_be_a_reason(reason)
        with self._alone():
            if not self._finish():
                self._begin(reason, self._last_valid(last_valid) if stolen else None)
                self._finish()
        return self.record()

    def record(self) -> list[Rotation]:
        """Records every statement that is not in the city's ledger yet."""
        return [rotation for each in read_statements(self.config) if (rotation := self._recorded(each))]

    def _begin(self, reason: str, last_valid: int | None) -> None:
        origin, now = self.config.origin, utc_text(self.gridtrail.clock())
        old = load_signer("", self.path, origin, self.gridtrail.watermark.has_signed)
        self.next.unlink(missing_ok=True)
        new = Signer(origin, new_key(self.next))
        rotation = Rotation(origin, old.verifier, new.verifier, now, last_valid, reason)
        self._keep([*read_statements(self.config), rotation.sign(old, new)])

    def _finish(self) -> bool:
        """Puts the next key in its place, if a statement names it; False where nothing was begun."""
        if not self.next.exists():
            return False
        statements = read_statements(self.config)
        key = load_key(self.next).public_key().public_bytes_raw()
        if not statements or Rotation.read(statements[-1]).new.public != key:
            # It never was announced: nobody knows it.
            self.next.unlink()
            return False
        self.next.replace(self.path)
        sync(self.path.parent)
        return True

    def _keep(self, statements: list[str]) -> None:
        text = "".join(json.dumps(each) + "\n" for each in statements)
        write_whole(statements_file(self.config), text.encode())

    def _recorded(self, statement: str) -> Rotation | None:
        rotation, inspection = Rotation.read(statement), self.gridtrail.inspection
        stream = uuid5(STREAMS, statement)

        def decide(known: SigningKey | None, books: Any) -> SigningKey:
            if known is not None:
                return known
            act = inspection.act_for(terminal_actor(self.config), "administrator")
            found = {"old_key": str(rotation.old), "new_key": str(rotation.new), "statement": statement}
            return SigningKey.rotate(act, books, stream, reason=rotation.reason, last_valid=rotation.last_valid, **found)

        saved, _ = inspection.change(self.config.city, stream, decide)
        return rotation if saved.position >= 0 else None

    def _last_valid(self, given: int | None) -> int:
        with reading(self.gridtrail.database) as conn:
            root = published(conn, ROOT)
        size = root.size if root else 0
        if given is not None and given > size:
            raise KeyRefused(f"The root log has {size} entries; its last valid size cannot be {given}.")
        return size if given is None else given

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
