"""Whether a batch goes on with the history that we hold of a tablet. Pure comparison of trees; read by the upload path.

Four answers: it goes on (some entries may be known already), it leaves a gap, its body was damaged on the way, or the tablet tells
another history than before (a fork). A fork is only said on the tablet's own signature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import orjson

from projections.recorded import entry_of, read_line
from service.ledger.note import unbase64
from service.ledger.tree import Frontier, leaf_hash, leaf_hashes
from service.sync.batch import Batch, Line


class Gap(Exception):
    """Entries between ours and the batch's are missing."""


class Damaged(Exception):
    """The entries are not those that the seal was made for; the tablet's history agrees with ours."""


class Fork(Exception):
    """The tablet signed a history that contradicts the one recorded. ``lines`` are the entries that contradict it."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Continued:
    """A batch that goes on: fresh entries, and the frontier after them. known is how many entries at its beginning we had."""

    known: int
    fresh: list[Line]
    frontier: Frontier


def leaf_of(line: bytes) -> bytes:
    """The leaf hash of the entry that a recorded line came from: of its bytes, or as the kept refusal says it."""
    entry = entry_of(line)
    return leaf_hash(entry) if entry is not None else unbase64(read_line(line).state["leaf"])


def compare(ours: Frontier, batch: Batch, recorded: Callable[[int, int], Sequence[bytes]]) -> Continued:
    """How the batch stands to our frontier. recorded(first, last) gives the leaf hashes of entries that we hold.

    The usual batch begins where we are and costs one hash an entry. Only a contradiction re-hashes the tablet's history.
    """
    seal, lines = batch.seal, batch.lines
    if seal.base_size > ours.size:
        raise Gap
    known = min(ours.size - seal.base_size, len(lines))
    held = recorded(seal.base_size, seal.base_size + known - 1) if known else []
    other = [line for line, leaf in zip(lines, held, strict=False) if leaf_hash(line.raw) != leaf]
    same = not other and len(held) == known
    if same and seal.checkpoint.size >= ours.size:
        frontier = ours.copy()
        frontier.extend(leaf_hashes([line.raw for line in lines[known:]]))
        if frontier.root() == seal.checkpoint.root:
            return Continued(known, lines[known:], frontier)
    _judge(ours, batch, recorded, same, other + lines[known:])
    return Continued(known, [], ours)


def agreed(ours: Frontier, batch: Batch, recorded: Callable[[int, int], Sequence[bytes]]) -> int:
    """How many of the tablet's first entries are ours too, as far as a batch tells; 0 where its base already is not on our history."""
    size = batch.seal.base_size
    if size > ours.size or _frontier_at(size, ours, recorded).root() != batch.seal.base_root:
        return 0
    known = min(ours.size - size, len(batch.lines))
    held = recorded(size, size + known - 1) if known else []
    same = (leaf_hash(line.raw) == leaf for line, leaf in zip(batch.lines, held, strict=False))
    return size + sum(takewhile(bool, same))


def _judge(ours: Frontier, batch: Batch, recorded: Callable[[int, int], Sequence[bytes]], same: bool, other: list[Line]) -> None:
    """Tells a damaged body from a fork. Returns where the batch is only old: all of it is known, and its seal is right."""
    base = _frontier_at(batch.seal.base_size, ours, recorded)
    if base.root() != batch.seal.base_root:
        raise Fork(other)
    base.extend(leaf_hashes([line.raw for line in batch.lines]))
    if base.root() != batch.seal.checkpoint.root:
        raise Damaged
    if not same:
        raise Fork(other)


def _frontier_at(size: int, ours: Frontier, recorded: Callable[[int, int], Sequence[bytes]]) -> Frontier:
    """Our frontier after the first entries, which is hashed again unless it is the present one."""
    if size == ours.size:
        return ours.copy()
    frontier = Frontier()
    frontier.extend(recorded(0, size - 1) if size else [])
    return frontier


def facts_of(line: bytes) -> dict[str, Any]:
    """What a recorded refusal says beside the entry."""
    state: dict[str, Any] = orjson.loads(line)["state"]
    return state
