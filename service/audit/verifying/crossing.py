"""What one ledger alone cannot tell of a tablet: entries that lie in other ledgers than the tablet's own. Read by the walks and the run.

Each walk writes what it must leave open into a file of its own; when all ledgers were read, the files are put together and judged, tablet
after tablet, in the order of the entries' numbers. Nothing of it is held in memory but one tablet's uploads.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from service.audit.verifying.faults import Findings
from service.ledger.tree import Frontier

SCHEMA = """
CREATE TABLE leaves (tablet TEXT, seq INT, leaf BLOB, ledger TEXT, position INT, refused INT, stream TEXT, version INT, numbered INT);
CREATE TABLE uploads (tablet TEXT, ledger TEXT, position INT, first INT, size INT, recorded INT, refused INT, root BLOB);
CREATE TABLE starts (tablet TEXT, ledger TEXT, frontier BLOB);
CREATE TABLE reapplied (ledger TEXT, stream TEXT, version INT, tablet TEXT, seq INT, leaf BLOB, by_ledger TEXT, by_position INT);
"""
TABLES = {"leaves": 9, "uploads": 8, "starts": 3, "reapplied": 8}
TOGETHER = 5000


class Leaf(NamedTuple):
    """An entry's leaf, and where the event stands that holds it. numbered: whether its row has the number; None where there is no row."""

    tablet: str
    seq: int
    leaf: bytes
    ledger: str
    position: int
    refused: bool
    stream: str
    version: int
    numbered: bool | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload said, and the root that was sealed (None where the seal cannot be read)."""

    tablet: str
    ledger: str
    position: int
    first: int
    size: int
    recorded: int
    refused: int
    root: bytes | None


class Crossing:
    """Collects, in a file that is made when the first row comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
        self._count = 0

    def leaf(self, leaf: Leaf) -> None:
        """A leaf that waits for its tablet."""
        self._add("leaves", tuple(leaf))

    def upload(self, upload: Upload) -> None:
        """An upload that could not be judged."""
        self._add("uploads", astuple(upload))

    def start(self, tablet: str, ledger: str, frontier: bytes) -> None:
        """From where on a tablet's tree has to be told here."""
        self._add("starts", (tablet, ledger, frontier))

    def reapplied(self, ledger: str, stream: str, version: int, kept: Leaf, position: int) -> None:
        """A re-application that names an event of another ledger."""
        self._add("reapplied", (ledger, stream, version, kept.tablet, kept.seq, kept.leaf, kept.ledger, position))

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        self._rows[table].append(row)
        self._count += 1
        if self._count >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Writes what was collected."""
        if not self._count:
            return
        conn = _open(self.path)
        try:
            conn.execute("BEGIN")
            for table, rows in self._rows.items():
                conn.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * TABLES[table])})", rows)
                rows.clear()
            conn.execute("COMMIT")
        finally:
            conn.close()
        self._count = 0


def _open(path: Path) -> sqlite3.Connection:
    new = not path.exists()
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=OFF").close()
    conn.execute("PRAGMA synchronous=OFF").close()
    if new:
        conn.executescript(SCHEMA)
    return conn


def judge_crossing(paths: Iterable[Path], whole: Path, findings: Findings, walked: frozenset[str]) -> None:
    """Puts the walks' files together and judges what they left open. walked: the ledgers that were read; no entry of others can be seen."""
    there = [path for path in paths if path.exists()]
    if not there:
        return
    conn = _open(whole)
    try:
        for path in there:
            conn.execute("ATTACH ? AS other", (str(path),))
            for table in TABLES:
                conn.execute(f"INSERT INTO {table} SELECT * FROM other.{table}")
            conn.execute("DETACH other")
        conn.execute("CREATE INDEX by_seq ON leaves (tablet, seq)")
        conn.execute("CREATE INDEX by_event ON leaves (ledger, stream, version)")
        conn.execute("CREATE INDEX by_tablet ON uploads (tablet, position)")
        _match_reapplied(conn, findings, walked)
        _judge_tablets(conn, findings)
        for row in conn.execute("SELECT * FROM leaves ORDER BY ledger, position"):
            leaf = Leaf(*row)
            findings.add("entry_unsealed", leaf.ledger, leaf.position, f"entry {leaf.seq} of tablet {leaf.tablet}")
    finally:
        conn.close()


def _match_reapplied(conn: sqlite3.Connection, findings: Findings, walked: frozenset[str]) -> None:
    for ledger, stream, version, tablet, seq, leaf, by, position in conn.execute("SELECT * FROM reapplied").fetchall():
        event = (ledger, stream, version)
        row = conn.execute("SELECT * FROM leaves WHERE ledger = ? AND stream = ? AND version = ?", event).fetchone()
        if row is None:
            if ledger in walked:
                findings.add("reapplied_wrong", by, position, f"no event {version} of {stream} in {ledger} repeats the refused entry")
            continue
        found = Leaf(*row)
        if (found.tablet, found.seq, found.leaf) != (tablet, seq, leaf):
            findings.add("reapplied_wrong", by, position, f"the event at {found.position} of {ledger} is not the entry that was refused")
        if found.numbered:
            findings.add("column_wrong", ledger, found.position, f"seq is {found.seq}, and a re-applied entry has none there")
        conn.execute("DELETE FROM leaves WHERE ledger = ? AND stream = ? AND version = ?", event)


def _judge_tablets(conn: sqlite3.Connection, findings: Findings) -> None:
    for tablet, _, stored in conn.execute("SELECT * FROM starts ORDER BY tablet").fetchall():
        tree = Frontier.from_bytes(stored)
        for row in conn.execute("SELECT * FROM uploads WHERE tablet = ? ORDER BY position", (tablet,)).fetchall():
            if not _judge_upload(conn, findings, tree, Upload(*row)):
                # What comes after an entry that is not there, or is another, cannot be judged by its seal.
                conn.execute("DELETE FROM leaves WHERE tablet = ?", (tablet,))
                break


def _judge_upload(conn: sqlite3.Connection, findings: Findings, tree: Frontier, upload: Upload) -> bool:
    """Whether the tablet's tree goes on as it sealed it."""
    tablet, ledger, position = upload.tablet, upload.ledger, upload.position
    if upload.first != tree.size or upload.size < upload.first:
        what = f"tablet {tablet} had {tree.size} entries; this says {upload.first} to {upload.size}"
        findings.add("upload_wrong", ledger, position, what)
    rows = conn.execute(
        "SELECT * FROM leaves WHERE tablet = ? AND seq BETWEEN ? AND ? ORDER BY seq, refused DESC, ledger, position",
        (tablet, tree.size, upload.size - 1),
    )
    found: dict[int, Leaf] = {}
    for leaf in (Leaf(*row) for row in rows.fetchall()):
        if leaf.seq in found:
            other = found[leaf.seq]
            what = f"entry {leaf.seq} of tablet {tablet} stands at {other.position} of {other.ledger} too"
            findings.add("entry_twice", leaf.ledger, leaf.position, what)
        found.setdefault(leaf.seq, leaf)
        if leaf.numbered == 0:
            findings.add("column_wrong", leaf.ledger, leaf.position, f"seq is None, and the line says {leaf.seq!r}")
    conn.execute("DELETE FROM leaves WHERE tablet = ? AND seq < ?", (tablet, upload.size))
    missing = [seq for seq in range(tree.size, upload.size) if seq not in found]
    if missing:
        what = f"tablet {tablet} sealed {upload.size} entries, and {len(missing)} of them are nowhere, the first of them {missing[0]}"
        findings.add("sequence_missing", ledger, position, what)
    leaves = [found.get(seq, Leaf("", 0, bytes(32), "", 0, False, "", 0)).leaf for seq in range(tree.size, upload.size)]
    tree.extend(leaves)
    findings.checked["sealed entries"] += len(leaves) - len(missing)
    if missing:
        return False
    refused = sum(leaf.refused for leaf in found.values())
    if (upload.recorded, upload.refused) != (len(found) - refused, refused):
        what = f"{len(found) - refused} recorded and {refused} refused entries of tablet {tablet} came"
        findings.add("upload_wrong", ledger, position, what)
    if upload.root is not None and tree.root() != upload.root:
        what = f"the entries {upload.first} to {upload.size - 1} of tablet {tablet} do not lead to the root that it sealed"
        findings.add("seal_root", ledger, position, what)
        return False
    return True
