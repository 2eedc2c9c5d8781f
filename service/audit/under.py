"""The signed tree that an export or a dossier stands under: one checkpoint, and proofs that lead to it. Read by both.

Proofs are made from the lines by passing over them once; memory does not grow with the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from service.audit.manifests import BadExport, Edge
from service.database import reading
from service.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash

PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Under:
    """One signed checkpoint of a ledger."""

    ledger: str
    size: int
    root: bytes
    note: str

    def consistency(self, gridtrail: Any, tree: Frontier) -> list[bytes]:
        """Proof that a tree of the ledger's first lines is a beginning of this one. BadExport where it is not."""
        if tree.size == self.size:
            if tree.root() != self.root:
                raise BadExport(f"The lines of {self.ledger} do not lead to its signed root. Run gridtrail audit verify.")
            return []
        return consistency_proof(Leaves(gridtrail, self.ledger, self.size), tree.size)

    def inclusion(self, gridtrail: Any, position: int) -> list[bytes]:
        """Proof that the line at a position is in this tree."""
        return inclusion_proof(Leaves(gridtrail, self.ledger, self.size), position)


def under(gridtrail: Any, ledger: str) -> Under:
    """The ledger's signed checkpoint. BadExport where there is no such ledger."""
    with reading(gridtrail.database) as conn:
        head = gridtrail.ledgers.head(conn, ledger)
    if head is None or head.size == 0:
        raise BadExport(f"There is no ledger {ledger}; gridtrail ledger list shows what there is.")
    (note,) = gridtrail.watermark.sign([head])
    return Under(ledger, head.size, head.root, note)


def edge_at(gridtrail: Any, ledger: str, size: int) -> Edge:
    """The right edge that the ledger's tree had at a size."""
    tree = Frontier()
    tree.extend(Leaves(gridtrail, ledger, size)[0:size])
    return Edge.of(tree)


class Leaves(Sequence[bytes]):
    """The leaf hashes of a ledger's first lines, read when they are asked for; slices are walked, never held."""

    def __init__(self, gridtrail: Any, ledger: str, size: int) -> None:
        self.gridtrail, self.ledger, self.size = gridtrail, ledger, size

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, wanted: int) -> bytes: ...

    @overload
    def __getitem__(self, wanted: slice) -> Sequence[bytes]: ...

    def __getitem__(self, wanted: Any) -> Any:
        start, stop, _ = wanted.indices(self.size)
        return self._walk(start, stop)

    def _walk(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            with reading(self.gridtrail.database) as conn:
                page = self.gridtrail.ledgers.lines(conn, self.ledger, start, min(PAGE, stop - start))
            if not page:
                raise BadExport(f"Ledger {self.ledger} has no line at position {start}: it has a hole. Run gridtrail audit verify.")
            yield from map(leaf_hash, page)
            start += len(page)
