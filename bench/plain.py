"""The web application without what proves its history: no tree, no journal, no signature. Read by bench.ingest, to compare with.

    gunicorn bench.plain:app

For measurements only: nothing that it records can be proved, and no other part of Gridtrail reads what it leaves as trees.
"""

from collections.abc import Iterable, Sequence

import service.ledger.store
import service.wiring
from service import create_app
from service.audit.watermark import Watermark
from service.ledger.store import Appended, Head
from service.ledger.tree import EMPTY_ROOT, Frontier


class NoTree(Frontier):
    """Counts leaves and hashes none."""

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Counts them."""
        self.size += sum(1 for _ in leaves)
        self.roots = [EMPTY_ROOT] * self.size.bit_count()

    def root(self) -> bytes:
        """Always the same."""
        return EMPTY_ROOT


class Unwatched(Watermark):
    """Lets everything pass, writes no journal and signs nothing."""

    def must_go_on(self, ledger: str, incarnation: str, size: int, stored: bytes) -> None:
        """Never refuses."""

    def wrote(self, appended: Appended, stored: bytes) -> None:
        """Remembers nothing."""

    def sign(self, heads: Sequence[Head | Appended], *, durably: bool = False) -> list[str]:
        """No checkpoints."""
        return [""] * len(heads)


service.ledger.store.Frontier = NoTree  # type: ignore[misc]
service.ledger.store.leaf_hashes = lambda entries: list(entries)
service.wiring.Watermark = Unwatched  # type: ignore[misc]
app = create_app()
