"""Tablets whose batches are sealed beforehand, in a file. Read by driving, whose processes need nothing else of the service.

A file holds frames (four bytes of length, then the bytes): for each tablet one of JSON that says who it is and how many batches follow,
one with its disclosures, and then its batches. A file of receipts holds the answers in the same way.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Sealed:
    """A tablet ready to send: its batches in order, and the size and root of its tree after the last."""

    tablet: UUID
    token: str
    size: int
    root: bytes
    bodies: list[bytes]
    disclosures: bytes = b""
    """The body of ``PUT /v1/sync/disclosures`` that goes before the batches; empty where nothing is disclosed."""

    def entries(self) -> Iterator[bytes]:
        """The bytes of all its entries, in order."""
        for body in self.bodies:
            yield from body.split(b"\n")[:-2]


def write_sealed(path: Path, tablets: Iterable[Sealed]) -> None:
    """Writes a file of sealed tablets."""
    with path.open("wb") as file:
        for each in tablets:
            facts = {"tablet": str(each.tablet), "token": each.token, "size": each.size, "root": each.root.hex()}
            write_frame(file, orjson.dumps({**facts, "batches": len(each.bodies)}))
            write_frame(file, each.disclosures)
            for body in each.bodies:
                write_frame(file, body)


def read_sealed(path: Path) -> Iterator[Sealed]:
    """The tablets of a file, one after another."""
    with path.open("rb") as file:
        while (frame := read_frame(file)) is not None:
            facts: dict[str, Any] = orjson.loads(frame)
            disclosures = read_frame(file) or b""
            bodies = [read_frame(file) or b"" for _ in range(facts["batches"])]
            yield Sealed(UUID(facts["tablet"]), facts["token"], facts["size"], bytes.fromhex(facts["root"]), bodies, disclosures)


def write_frame(file: BinaryIO, content: bytes) -> None:
    """One frame. A frame is one write, so that threads under one lock never mix theirs."""
    file.write(len(content).to_bytes(4, "big") + content)


def read_frame(file: BinaryIO) -> bytes | None:
    """The next frame, or None at the end."""
    length = file.read(4)
    return file.read(int.from_bytes(length, "big")) if length else None
