"""Trees made again from entries alone, as they pass by, and compared with what heads and checkpoints say. Read by backup and restore."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.ledger.tree import Frontier, leaf_hash


@dataclass
class Trees:
    """Entries of many logs, each log's in order, one log after another. wanted: log → sizes whose roots somebody signed or stored."""

    wanted: Mapping[str, Iterable[int]]
    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _log: str | None = None
    _frontier: Frontier = field(default_factory=Frontier)
    _stops: frozenset[int] = frozenset()

    def add(self, log: str, position: int, entry: bytes) -> None:
        """The next entry."""
        if log != self._log:
            self.end()
            self._log, self._frontier = log, Frontier()
            self._stops = frozenset(self.wanted.get(log, ()))
        if position != self._frontier.size:
            self.faults.append(f"{log} has no entry {self._frontier.size}; {position} follows.")
            self._frontier.size = position  # Only to name the next gap too: the root is wrong from here on.
            self._frontier.roots = [b"\0" * 32] * position.bit_count()
        self._frontier.append(leaf_hash(entry))
        if self._frontier.size in self._stops:
            self.roots[log, self._frontier.size] = self._frontier.root()

    def end(self) -> None:
        """The log that was at hand is over."""
        if self._log is not None:
            if self._log in self.sizes:
                self.faults.append(f"The entries of {self._log} do not stand together.")
            self.sizes[self._log] = self._frontier.size
        self._log = None

    def compare(self, log: str, size: int, root: bytes, what: str) -> None:
        """Notes a fault where the log's entries do not lead to that root at that size."""
        if size > self.sizes.get(log, 0):
            self.faults.append(f"{what} of {log} speaks of {size} entries; there are {self.sizes.get(log, 0)}.")
        elif self.roots.get((log, size), Frontier().root()) != root:
            self.faults.append(f"{what} of {log} is not the root of its first {size} entries.")
