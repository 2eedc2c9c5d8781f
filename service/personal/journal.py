"""The journal of erasures, outside of both databases: who was erased stays known when backups of both are restored. Read by the erasure.

One JSON object a line, appended and synced; random ids and codes only. ``{"subject", "ground", "reference", "requested_at", "at"}`` once a
subject's erasure is recorded, and ``{"subject", "photos", "photos_kept", "at"}`` once its photos are dealt with.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from service.durable import make_folder, sync


class Journal:
    """The file; made at the first erasure, for its owner only."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def note(self, line: dict[str, Any]) -> None:
        """Appends one line, durably. Several processes may append; each line goes in whole."""
        make_folder(self.path.parent)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            # A line that a crash cut short must not swallow the next one.
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + json.dumps(line, separators=(",", ":")).encode() + b"\n")
            os.fsync(handle)
            if not size:
                sync(self.path.parent)
        finally:
            os.close(handle)

    def erased(self) -> dict[UUID, dict[str, Any]]:
        """Every subject in the journal, with all that its lines say. A line that cannot be read is left out."""
        found: dict[UUID, dict[str, Any]] = {}
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        for text in lines:
            try:
                line = json.loads(text)
                found.setdefault(UUID(line["subject"]), {}).update(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return found
