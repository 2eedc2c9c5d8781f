"""A tablet's durable memory: its key, its numbered entries with their exact bytes, receipts, photos, and what it downloaded.

Disclosures, and personal values that were asked for, lie here as they are, beside the private key and the token that opens the service's:
whoever has this file has both. A tablet app keeps all three in the platform's key store, on an encrypted disk; this client does not.
Disclosures are forgotten as soon as the service has them, values with the task that they were asked for.

Read by the reference client only. An entry is stored, hashed into the tablet's tree and flushed to disk before anybody hears of it;
nothing is forgotten before the service has confirmed it and thirty more days have passed.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from service.ledger.tree import Frontier, leaf_hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, frontier BLOB NOT NULL, confirmed_at REAL, outcome TEXT
);
CREATE TABLE IF NOT EXISTS other_history (seq INTEGER NOT NULL, bytes BLOB NOT NULL, outcome TEXT);
CREATE TABLE IF NOT EXISTS receipts (at REAL NOT NULL, receipt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS heads (
    ledger TEXT, incarnation TEXT, size INTEGER, root TEXT, checkpoint TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (ledger, incarnation, size, root)
);
CREATE TABLE IF NOT EXISTS proved (seq INTEGER PRIMARY KEY, place TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items (ledger TEXT, kind TEXT, id TEXT, data TEXT NOT NULL, PRIMARY KEY (ledger, kind, id));
CREATE TABLE IF NOT EXISTS photos (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL, sent INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS refused_photos (sha256 TEXT PRIMARY KEY, code TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS disclosures (
    digest TEXT PRIMARY KEY, subject TEXT NOT NULL, area TEXT NOT NULL, disclosure TEXT NOT NULL, at REAL NOT NULL, refused TEXT
);
CREATE TABLE IF NOT EXISTS subjects (name TEXT PRIMARY KEY, subject TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gone_subjects (subject TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS personal (kind TEXT, id TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, id));
"""

KEEP_S = 30 * 24 * 3600
LONGEST_STEP_S = 7 * 24 * 3600
"""What a receipt can tell at most of how much time went by since the one before: a service with a wrong clock makes nothing be forgotten
at once, and its next right receipt takes it back. A tablet that was away for longer keeps for longer."""
TIMED = (("entries", "confirmed_at"), ("receipts", "at"), ("heads", "at"), ("disclosures", "at"))
"""What is forgotten by age."""


class LostHistory(Exception):
    """The service asks for entries that this tablet has forgotten already. An officer must look into it."""


class OtherHistory(Exception):
    """The service holds another history of this tablet. An officer must look into it."""


class Outbox:
    """One SQLite file. Every change is one transaction, flushed before it returns."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("PRAGMA secure_delete=ON")
        self.db.executescript(SCHEMA)

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    # ---- facts

    def fact(self, name: str, default: Any = None) -> Any:
        """A remembered value."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def remember(self, **facts: Any) -> None:
        """Remembers values."""
        self.db.executemany(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [(name, json.dumps(value)) for name, value in facts.items()],
        )

    # ---- time

    @property
    def now(self) -> float:
        """Seconds by the service's clock, as receipts tell them; 0 before the first. The tablet's own clock may be years wrong."""
        return float(self.fact("clock", {}).get("now", 0.0))

    def _hear(self, receipt: dict[str, Any]) -> float:
        """The time after a receipt; inside ``changing``."""
        heard = datetime.fromisoformat(receipt["received_at"]).timestamp()
        clock = self.fact("clock")
        if clock is None:
            # An older release timed by the tablet's own clock: what it kept is kept for thirty days from now on.
            for table, column in TIMED:
                self.db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} IS NOT NULL", (heard,))
            clock = {"now": heard, "heard": heard}
        now: float = clock["now"] + max(-LONGEST_STEP_S, min(LONGEST_STEP_S, heard - clock["heard"]))
        self.remember(clock={"now": now, "heard": heard})
        return now

    # ---- the tablet's own tree

    @property
    def confirmed(self) -> int:
        """How many entries the service has, as far as this tablet knows."""
        return int(self.fact("confirmed", 0))

    def frontier_at(self, size: int) -> Frontier:
        """The tree's frontier at a size. LostHistory where it was forgotten."""
        floor = Frontier.from_bytes(bytes.fromhex(self.fact("floor", Frontier().to_bytes().hex())))
        if size == floor.size:
            return floor
        row = self.db.execute("SELECT frontier FROM entries WHERE seq = ?", (size - 1,)).fetchone()
        if row is None:
            raise LostHistory(f"This tablet does not remember entry {size - 1}.")
        return Frontier.from_bytes(row[0])

    @property
    def size(self) -> int:
        """How many entries were made."""
        last = self.db.execute("SELECT max(seq) FROM entries").fetchone()[0]
        return int(last) + 1 if last is not None else max(self.confirmed, self._floor_size())

    def _floor_size(self) -> int:
        return Frontier.from_bytes(bytes.fromhex(self.fact("floor", Frontier().to_bytes().hex()))).size

    def append(self, raw: bytes) -> None:
        """Adds the next entry; inside ``changing``."""
        seq = self.size
        frontier = self.frontier_at(seq)
        frontier.append(leaf_hash(raw))
        self.db.execute("INSERT INTO entries (seq, bytes, frontier) VALUES (?, ?, ?)", (seq, raw, frontier.to_bytes()))

    def entries_from(self, seq: int, most: int, most_bytes: int) -> list[bytes]:
        """The next entries from a number on, within limits; at least one where there is one."""
        found: list[bytes] = []
        room = most_bytes
        for (raw,) in self.db.execute("SELECT bytes FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?", (seq, most)):
            room -= len(raw) + 1
            if found and room < 0:
                break
            found.append(raw)
        return found

    def entries(self) -> list[dict[str, Any]]:
        """All entries that are remembered: seq, entry, and the outcome or None while the service has not confirmed it."""
        rows = self.db.execute("SELECT seq, bytes, outcome FROM entries ORDER BY seq")
        return [{"seq": seq, "entry": json.loads(raw), "outcome": json.loads(told) if told else None} for seq, raw, told in rows]

    # ---- personal values

    def subject_of(self, *names: str) -> str:
        """Whom disclosures are about: as remembered or downloaded under one of the names (household, case, visit), or a new random id.

        Inside ``changing``. It is remembered under all of the names.
        """
        found = None
        for name in names:
            row = self.db.execute("SELECT subject FROM subjects WHERE name = ?", (name,)).fetchone()
            found = row[0] if row else self._subject_in(name)
            if found and not self.db.execute("SELECT 1 FROM gone_subjects WHERE subject = ?", (found,)).fetchone():
                break
            found = None
        found = found or str(uuid.uuid4())
        self.db.executemany("INSERT OR REPLACE INTO subjects VALUES (?, ?)", [(name, found) for name in names])
        return found

    def _subject_in(self, name: str) -> str | None:
        query = "SELECT data FROM items WHERE kind IN ('case', 'visit') AND id = ?"
        return next((subject for (data,) in self.db.execute(query, (name,)) if (subject := json.loads(data).get("subject"))), None)

    def keep_disclosures(self, subject: str, area: str, disclosures: dict[str, str]) -> None:
        """Keeps disclosures, by their digests, until the service has them; inside ``changing``."""
        self.db.executemany(
            "INSERT OR IGNORE INTO disclosures (digest, subject, area, disclosure, at) VALUES (?, ?, ?, ?, ?)",
            [(digest, subject, area, disclosure, self.now) for digest, disclosure in disclosures.items()],
        )

    def disclosures(self, most: int) -> list[dict[str, str]]:
        """The next disclosures that the service has not confirmed, as they are sent."""
        rows = self.db.execute("SELECT subject, area, disclosure FROM disclosures WHERE refused IS NULL ORDER BY rowid LIMIT ?", (most,))
        return [dict(zip(("subject", "area", "disclosure"), row, strict=True)) for row in rows]

    def try_disclosures_again(self, codes: Iterable[str]) -> None:
        """Takes up again what was refused for a reason that may have passed."""
        with self.changing():
            self.db.executemany("UPDATE disclosures SET refused = NULL WHERE refused = ?", [(code,) for code in codes])

    def settle_disclosures(self, outcomes: list[dict[str, Any]]) -> None:
        """Forgets what the service has; what it refused is kept with the code, and not sent again.

        Who was erased takes nothing new: what is said of them later is said under another id.
        """
        with self.changing():
            for each in outcomes:
                if each["outcome"] == "erased":
                    theirs = "INSERT OR IGNORE INTO gone_subjects SELECT subject FROM disclosures WHERE digest = ?"
                    self.db.execute(theirs, (each["digest"],))
                if each["outcome"] == "refused":
                    self.db.execute("UPDATE disclosures SET refused = ? WHERE digest = ?", (each.get("code", ""), each["digest"]))
                else:
                    self.db.execute("DELETE FROM disclosures WHERE digest = ?", (each["digest"],))

    def keep_personal(self, kind: str, name: str, told: Any) -> None:
        """Keeps values that were asked for a task: they go when the task leaves the tablet's scope."""
        with self.changing():
            self.db.execute("INSERT OR REPLACE INTO personal VALUES (?, ?, ?)", (kind, name, json.dumps(told)))

    def personal(self, kind: str, name: str) -> Any:
        """Values that were asked for, or None."""
        row = self.db.execute("SELECT value FROM personal WHERE kind = ? AND id = ?", (kind, name)).fetchone()
        return json.loads(row[0]) if row else None

    # ---- what the service confirmed

    def confirm(self, size: int, receipt: dict[str, Any]) -> None:
        """Keeps a receipt: entries up to a size are confirmed, each with its outcome."""
        with self.changing():
            now = self._hear(receipt)
            self.db.executemany(
                "UPDATE entries SET confirmed_at = ?, outcome = ? WHERE seq = ?",
                [(now, json.dumps(each), each["seq"]) for each in receipt["outcomes"]],
            )
            if receipt["outcomes"]:
                self.db.execute("INSERT INTO receipts VALUES (?, ?)", (now, json.dumps(receipt)))
            self.see(receipt["ledgers"])
            before, told = self.fact("incarnations", {}), incarnations_of(receipt)
            if any(before.get(ledger, name) != name for ledger, name in told.items()):
                # A backup was restored: which photos it lacks, nobody says. Those that are there are only looked at again.
                self.db.execute("UPDATE photos SET sent = 0")
            self.remember(confirmed=size, incarnations={**before, **told})

    def see(self, heads: Iterable[dict[str, Any]]) -> None:
        """Keeps signed checkpoints until it is shown that they belong to one history; inside ``changing``."""
        names = ("ledger", "incarnation", "size", "root", "checkpoint")
        rows = [(*(each[name] for name in names), self.now) for each in heads if each["size"]]
        self.db.executemany("INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?, ?, ?)", rows)

    def rewind(self, size: int, root: bytes) -> None:
        """The service lost entries (a backup was restored): from size on they are sent again. OtherHistory where the roots differ."""
        if size > self.size or self.frontier_at(size).root() != root:
            raise OtherHistory(f"The service's first {size} entries are not this tablet's.")
        with self.changing():
            self.db.execute("UPDATE entries SET confirmed_at = NULL, outcome = NULL WHERE seq >= ?", (size,))
            self.remember(confirmed=size)

    def forget(self) -> None:
        """Forgets entries and receipts that were confirmed thirty days ago, oldest first, keeping the tree's frontier."""
        before = self.now - KEEP_S
        row = self.db.execute("SELECT min(seq) FROM entries WHERE confirmed_at IS NULL OR confirmed_at >= ?", (before,)).fetchone()
        keep_from = row[0] if row[0] is not None else self.size
        last = self.db.execute("SELECT seq, frontier FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT 1", (keep_from,)).fetchone()
        with self.changing():
            if last is not None:
                self.remember(floor=last[1].hex())
                self.db.execute("DELETE FROM entries WHERE seq <= ?", (last[0],))
            self.db.execute("DELETE FROM receipts WHERE at < ?", (before,))
            self.db.execute("DELETE FROM heads WHERE at < ?", (before,))
            self.db.execute("DELETE FROM proved WHERE seq < ?", (keep_from,))
            self.db.execute("DELETE FROM disclosures WHERE refused IS NOT NULL AND at < ?", (before,))

    def adopt(self, frontier: Frontier) -> int:
        """Goes on from the service's history instead of one's own: what it has not confirmed is numbered anew. Gives how many.

        A service that was restored from a backup meanwhile may have less than it confirmed.
        """
        first = min(self.confirmed, frontier.size)
        waiting = self.db.execute("SELECT bytes FROM entries WHERE seq >= ? ORDER BY seq", (first,)).fetchall()
        with self.changing():
            self.db.execute("INSERT INTO other_history SELECT seq, bytes, outcome FROM entries")
            self.db.execute("DELETE FROM entries")
            self.remember(floor=frontier.to_bytes().hex(), confirmed=frontier.size, agreed=None, forked=None)
            for number, (raw,) in enumerate(waiting, frontier.size):
                self.append(entry_bytes({**json.loads(raw), "seq": number}))
        return len(waiting)

    # ---- what was downloaded

    def take_page(self, page: dict[str, Any]) -> None:
        """Applies a page of changes and its cursor together."""
        with self.changing():
            if page["reset"]:
                self.db.execute("DELETE FROM items")
                self.db.execute("DELETE FROM personal")
            for item in page["items"]:
                key = (item["ledger"], item["kind"], item["id"])
                if item["gone"]:
                    self.db.execute("DELETE FROM items WHERE ledger = ? AND kind = ? AND id = ?", key)
                    self.db.execute("DELETE FROM personal WHERE kind = ? AND id = ?", key[1:])
                else:
                    self.db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", (*key, json.dumps(item["data"])))
            self.remember(cursor=page["next"])

    def items(self, kind: str) -> dict[str, Any]:
        """What is held of a kind, by id."""
        return {item: json.loads(data) for item, data in self.db.execute("SELECT id, data FROM items WHERE kind = ?", (kind,))}


def entry_bytes(entry: dict[str, Any]) -> bytes:
    """The bytes of an entry. ValueError for what no strict JSON can say."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def incarnations_of(receipt: dict[str, Any]) -> dict[str, str]:
    """Incarnation by ledger, as a receipt tells them."""
    return {each["ledger"]: each["incarnation"] for each in receipt["ledgers"]}
