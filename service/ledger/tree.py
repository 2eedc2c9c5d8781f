"""Merkle trees of RFC 6962 (SHA-256): the ledgers' and the tablets'. Read by the store, the upload path, the tablet client and auditors."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import Self

HASH_BYTES = 32
TOGETHER = 4096
"""Leaves that are hashed at once; more would only take memory."""
EMPTY_ROOT = sha256(b"").digest()


class BadProof(ValueError):
    """A proof that does not prove what it was shown for."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Hashes of many entries; the same as leaf_hash for each."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append to it and to know its root, in at most 64 hashes.

    ``roots`` are the roots of the perfect subtrees that the size is made of, the largest first.
    """

    __slots__ = ("roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self.roots = list(roots)
        if size < 0 or len(self.roots) != size.bit_count() or any(len(root) != HASH_BYTES for root in self.roots):
            raise ValueError(f"a tree of {size} leaves has no frontier of {len(self.roots)} hashes")

    def append(self, *leaves: bytes) -> None:
        """Adds leaf hashes at the end."""
        self.extend(leaves)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Adds many leaf hashes at the end."""
        rest = iter(leaves)
        while some := list(islice(rest, TOGETHER)):
            self._add(some)

    def _add(self, hashes: list[bytes]) -> None:
        """Level by level: what is there joins the root that stands alone at the level, and what is odd stays alone."""
        bits = self.size
        alone: list[bytes] = []
        self.size += len(hashes)
        while hashes:
            if bits & 1:
                hashes.insert(0, self.roots.pop())
            if len(hashes) & 1:
                alone.append(hashes.pop())
            pairs = iter(hashes)
            hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            bits >>= 1
        self.roots += reversed(alone)

    def root(self) -> bytes:
        """The tree's root."""
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> Self:
        """Another frontier of the same tree, to try leaves on."""
        return type(self)(self.size, self.roots)

    def to_bytes(self) -> bytes:
        """Eight bytes of size, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.roots)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """The frontier that to_bytes wrote. ValueError where the bytes are none."""
        size, hashes = int.from_bytes(stored[:8], "big"), stored[8:]
        if len(stored) < 8 or len(hashes) % HASH_BYTES:
            raise ValueError("these bytes are no frontier")
        return cls(size, (hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree with these leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below size: where RFC 6962 divides a tree of more than one leaf."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Which leaves start..stop-1 each hash of an inclusion proof is the root of, from the leaf's sibling up (RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(first: int, size: int) -> list[tuple[int, int]]:
    """Which leaves start..stop-1 each hash of a consistency proof is the root of (RFC 6962 section 2.1.2)."""
    if not 0 < first <= size:
        raise ValueError(f"a tree of {size} has no earlier tree of {first} to be consistent with")
    ranges: list[tuple[int, int]] = []
    start, stop, whole = 0, size, True
    while first != stop:
        middle = start + _split(stop - start)
        if first <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, stop))
    return ranges[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Proof that the leaf at index is in the tree with these leaf hashes, from its sibling up."""
    return [root_of(leaves[start:stop]) for start, stop in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Proof that the tree with these leaf hashes extends the tree of its first leaves."""
    return [root_of(leaves[start:stop]) for start, stop in consistency_ranges(first, len(leaves))]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2. BadProof unless the leaf hash stands at index in the tree of that size and root."""
    _check_lengths(leaf, root, *proof)
    if not 0 <= index < size:
        raise BadProof(f"no leaf {index} in a tree of {size}")
    here, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof is longer than the tree is high")
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    if last != 0 or found != root:
        raise BadProof("the leaf does not lead to the root")


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2. BadProof unless the second tree begins with the first. A first size of 0 proves nothing and is refused."""
    if not 0 < first <= second:
        raise BadProof(f"a tree of {second} cannot be shown to extend a tree of {first}")
    if first == second:
        if proof or first_root != second_root:
            raise BadProof("two trees of one size differ")
        return
    _check_lengths(first_root, second_root, *proof)
    old, new, left = _fold_consistency(first, second, [first_root, *proof] if first.bit_count() == 1 else list(proof))
    # Without the look at what is left over, a proof for another second size would pass.
    if left != 0 or old != first_root or new != second_root:
        raise BadProof("the trees do not lead to one another")


def _fold_consistency(first: int, second: int, path: list[bytes]) -> tuple[bytes, bytes, int]:
    """The two roots that the path leads to, and what is left of the second size."""
    if not path:
        raise BadProof("the proof is empty")
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProof("the proof is longer than the tree is high")
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return old, new, last


def _check_lengths(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise BadProof(f"every hash has {HASH_BYTES} bytes")
