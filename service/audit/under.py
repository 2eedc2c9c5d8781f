"""The signed tree that an export stands under: the ledger's checkpoint, and proofs that lead to it."""

from dataclasses import dataclass
from typing import Any

from service.audit.manifests import BadExport, Edge
from service.database import reading
from service.ledger.tree import Frontier


@dataclass(frozen=True, slots=True)
class Under:
    """One signed checkpoint of a ledger."""

    ledger: str
    size: int
    root: bytes
    note: str

    def consistency(self, gridtrail: Any, tree: Frontier) -> list[bytes]:
        """Proof that a tree of the ledger's first lines is a beginning of this one. BadExport where it is not."""
        with reading(gridtrail.database) as conn:
            here = self.root if tree.size == self.size else gridtrail.tiles.root(conn, self.ledger, tree.size)
            if tree.root() != here:
                raise BadExport(f"What was exported is not what ledger {self.ledger} holds. Run gridtrail audit verify.")
            proof: list[bytes] = gridtrail.tiles.consistency(conn, self.ledger, tree.size, self.size)
        return proof


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
    if size == 0:
        return Edge.of(Frontier())
    with reading(gridtrail.database) as conn:
        return Edge.of(Frontier(size, gridtrail.tiles.view(conn, ledger, size).frontier()))
