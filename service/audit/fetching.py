"""Copies logs over C2SP tlog-tiles into a folder of the same layout, and verifies while it copies. Read by ``gridtrail audit fetch``.

Full tiles and full bundles never change, so what is there is kept; partial ones are fetched again. The checkpoint is written last: a folder
is at any moment a whole copy of what its checkpoint says, whatever interrupted the copying. Every entry is hashed, and the tree that
they make must be the one that was signed, before and now: a log that was cut back, or tells another story, is reported, and both of its
checkpoints are kept as evidence. The statements by which the signing key was handed on (``/log/keys``) are copied first and followed
from the auditor's key; those that are no chain, or not that of before, are kept as evidence and not believed.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

from service.audit.downloading import CannotFetch, Downloads
from service.audit.verifying.checkpoints import Followed, Keys
from service.audit.verifying.folders import (
    LARGEST_BUNDLE,
    LARGEST_NOTE,
    LARGEST_STATEMENTS,
    LEDGER,
    BrokenBundle,
    entries_of,
    path_of,
    statements_of,
)
from service.audit.verifying.sources import ROOT_LOG, BadStatements
from service.audit.verifying.trees import WIDTH, TileTree
from service.durable import write_whole
from service.ledger.note import BadNote, Checkpoint
from service.ledger.tree import leaf_hashes

TILE_BYTES = WIDTH * 32
LARGEST_LIST = 1 << 22
EVIDENCE = "evidence"
KEYS = "keys"


class Contradiction(Exception):
    """A log tells another history than before. Both checkpoints are kept; the sentence says where."""


class BadCopy(Exception):
    """What the server gives does not lead to what it signed; the sentence says where."""


@dataclass(slots=True)
class Fetched:
    """What was done for one log. wrong: the sentence of what was found, None where all is well."""

    log: str
    size: int = 0
    new: int = 0
    files: int = 0
    wrong: str | None = None


@dataclass
class Fetching:
    """Copies the logs of one server. keys: those that may sign; without any, no signature is checked, and that is said."""

    downloads: Downloads
    folder: Path
    keys: Keys
    parallel: int = 8
    on_entries: Callable[[int], object] = lambda _: None
    notes: list[str] = field(default_factory=list)
    wrong_chain: str | None = None
    followed: Followed = field(default_factory=Followed)

    def fetch(self, logs: Iterable[str] = ()) -> Iterator[Fetched]:
        """Copies each log, the root log first: what it says of a ledger is then never ahead of that ledger's copy."""
        if not self.keys:
            self.notes.append("no key was given: the checkpoints' signatures were not checked; give --key")
        self.follow()
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="fetch") as pool:
            wanted = list(logs) or self.listed()
            for log in sorted(wanted, key=lambda name: (name != ROOT_LOG, name)):
                yield self._fetch_one(log, pool)
        if self.wrong_chain is not None:
            yield Fetched(KEYS, wrong=self.wrong_chain)
        else:
            self.notes += self.followed.notes

    def listed(self) -> list[str]:
        """The logs that the server shows."""
        try:
            items = json.loads(self.downloads.get("/log", LARGEST_LIST))["items"]
            names = [str(each["log"]) for each in items]
        except (ValueError, KeyError, TypeError) as wrong:
            raise CannotFetch(f"/log: the list of logs cannot be read: {wrong!r}") from wrong
        if any(name != ROOT_LOG and not LEDGER.fullmatch(name) for name in names):
            raise CannotFetch("/log: a log has a name that no ledger has")
        return names

    def follow(self) -> None:
        """Copies the statements that the key was handed on, and goes on along them from the given keys. What is wrong is told last."""
        path = self.folder / "log" / KEYS
        before = _kept_statements(path)
        plain = self.downloads.get(f"/log/{KEYS}", LARGEST_STATEMENTS)
        try:
            told = statements_of(plain)
            self.followed = self.keys.follow(told)
            wrong = self.followed.wrong
            if not wrong and told[: len(before)] != before:
                wrong = [f"of the {len(before)} statements that were fetched before, some are not told any more"]
        except BadStatements as unreadable:
            wrong = [str(unreadable)]
        if not wrong:
            self.wrong_chain = None
            write_whole(path, plain)
            return
        self.keys.follow(before)
        kept = self.folder / EVIDENCE / f"{KEYS}-{sha256(plain).hexdigest()[:16]}"
        write_whole(kept, plain)
        self.wrong_chain = f"{KEYS}: key_chain_wrong: {'; '.join(wrong[:3])}; see {kept}"

    def _fetch_one(self, log: str, pool: ThreadPoolExecutor) -> Fetched:
        copy = LogCopy(self, log, self.folder / "log" / log, pool)
        try:
            copy.run()
        except (Contradiction, BadCopy) as wrong:
            copy.done.wrong = str(wrong)
        return copy.done


class LogCopy:
    """The copy of one log."""

    def __init__(self, fetching: Fetching, log: str, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.fetching = fetching
        self.get = fetching.downloads.get
        self.log = log
        self.folder = folder
        self.pool = pool
        self.done = Fetched(log)

    def run(self) -> None:
        """Brings the copy up to the server's latest checkpoint."""
        note = self.get(f"/log/{self.log}/checkpoint", LARGEST_NOTE).decode("utf-8", "replace")
        new, old_note = self._opened(note), self._kept_note()
        old = _parsed(old_note) if old_note is not None else None
        if old is not None and old.origin != new.origin:
            self._begin_anew(old, old_note or "")
            old = None
        if old is not None:
            self._must_go_on(old, old_note or "", new, note)
        tree = self._from(old)
        before = tree.size
        try:
            self._extend(tree, new, note, Files(self))
        except BadCopy:
            tree = TileTree()
        if tree.root() != new.root:
            # What an interrupted copy left may be damaged: those files alone are fetched once more.
            tree = self._from(old)
            self._extend(tree, new, note, Files(self, again=True))
        if tree.root() != new.root:
            self._keep_evidence(note, *([old_note] if old_note else []))
            raise BadCopy(f"{self.log}: the entries do not lead to the root that was signed for {new.size}; see {self.folder / EVIDENCE}")
        self._finish(tree, new, note)
        self.done.size, self.done.new = new.size, new.size - before

    # ---- checkpoints

    def _opened(self, note: str) -> Checkpoint:
        if not self.fetching.keys:
            return self._must_be_one(note, _parsed)
        try:
            return self.fetching.keys.open(note)
        except BadNote:
            # The key may have been handed on since the statements were read.
            self.fetching.follow()
            return self._must_be_one(note, self.fetching.keys.open)

    def _must_be_one(self, note: str, opened: Callable[[str], Checkpoint]) -> Checkpoint:
        try:
            return opened(note)
        except BadNote as wrong:
            self._keep_evidence(note)
            raise BadCopy(f"{self.log}: the checkpoint is not signed by the key: {wrong}; see {self.folder / EVIDENCE}") from wrong

    def _kept_note(self) -> str | None:
        path = self.folder / "checkpoint"
        return path.read_text("utf-8") if path.exists() else None

    def _must_go_on(self, old: Checkpoint, old_note: str, new: Checkpoint, note: str) -> None:
        """Contradiction where the log was cut back, or has another root at the size that was fetched before."""
        if new.size < old.size:
            self._keep_evidence(old_note, note)
            raise Contradiction(f"{self.log}: it was signed with {old.size} entries, and now with {new.size}; see {self.folder / EVIDENCE}")
        if new.size == old.size and new.root != old.root:
            self._keep_evidence(old_note, note)
            raise Contradiction(f"{self.log}: two roots are signed for {new.size} entries; see {self.folder / EVIDENCE}")

    def _keep_evidence(self, *notes: str) -> None:
        for note in notes:
            try:
                checkpoint = _parsed(note)
                name = f"{checkpoint.size}-{checkpoint.root.hex()[:16]}"
            except BadNote:
                name = "unreadable"
            write_whole(self.folder / EVIDENCE / name, note.encode())

    def _begin_anew(self, old: Checkpoint, note: str) -> None:
        """The log has another origin, as after a restored backup: the old copy is set aside, and its checkpoint goes with the new one."""
        aside = self.fetching.folder / "earlier" / self.log / old.origin.rpartition("/")[2]
        number = next(number for number in range(1000) if not aside.with_name(f"{aside.name}-{number}").exists())
        aside = aside.with_name(f"{aside.name}-{number}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        self.folder.rename(aside)
        self._keep_evidence(note)
        self.fetching.notes.append(f"{self.log} goes on under another origin; the copy of {old.origin} was moved to {aside}")

    # ---- entries and tiles

    def _from(self, old: Checkpoint | None) -> TileTree:
        """The tree as the folder has it, from its last tiles; from nothing where there is no copy, or it is damaged."""
        tree = TileTree()
        if old is None or not old.size:
            return tree
        levels: list[list[bytes]] = []
        size = old.size
        try:
            while size:
                full, width = divmod(size, WIDTH)
                name = f"{path_of(full)}.p/{width}"
                plain = (self.folder / "tile" / str(len(levels)) / name).read_bytes() if width else b""
                levels.append([plain[at : at + 32] for at in range(0, len(plain), 32)])
                size = full
        except OSError:
            return tree
        tree.levels, tree.size = levels, old.size
        if tree.root() != old.root:
            self.fetching.notes.append(f"{self.log}: the copy's own tiles are damaged; all entries are read again")
            return TileTree()
        return tree

    def _extend(self, tree: TileTree, new: Checkpoint, note: str, files: "Files") -> None:
        """Adds the entries up to the new size, each bundle as it comes, and compares the tiles that they make with those served."""
        old, old_note = self._before(), self._kept_note() or ""
        tree.on_tile = files.compare
        first, last = tree.size // WIDTH, -(-new.size // WIDTH)
        for number, bundle in zip(range(first, last), self._bundles(range(first, last), new.size, files), strict=True):
            entries = _entries(self.log, number, bundle, min(WIDTH, new.size - number * WIDTH))
            leaves = leaf_hashes(entries)[tree.size - number * WIDTH :]
            if old is not None and tree.size < old.size <= tree.size + len(leaves):
                middle = old.size - tree.size
                tree.extend(leaves[:middle])
                leaves = leaves[middle:]
                if tree.root() != old.root:
                    self._keep_evidence(old_note, note)
                    raise Contradiction(f"{self.log}: its first {old.size} entries are not those of before; see {self.folder / EVIDENCE}")
            tree.extend(leaves)
            self.fetching.on_entries(len(leaves))

    def _before(self) -> Checkpoint | None:
        note = self._kept_note()
        return _parsed(note) if note is not None else None

    def _bundles(self, numbers: range, size: int, files: "Files") -> Iterator[bytes]:
        """The bundles in order, fetched a few at a time."""
        waiting = iter(numbers)
        futures = [self.pool.submit(files.bundle, number, size) for number in islice(waiting, self.fetching.parallel * 2)]
        while futures:
            bundle = futures.pop(0).result()
            futures += [self.pool.submit(files.bundle, number, size) for number in islice(waiting, 1)]
            yield bundle

    def _finish(self, tree: TileTree, new: Checkpoint, note: str) -> None:
        """Writes what is partial at the new size, then the checkpoint, then removes what was partial before."""
        for (level, number), hashes in tree.partial_tiles().items():
            name = f"{path_of(number)}.p/{len(hashes) // 32}"
            served = self.get(f"/log/{self.log}/tile/{level}/{name}", TILE_BYTES)
            if served != hashes:
                raise BadCopy(f"{self.log}: tile {level}/{name} is not that of the entries")
            write_whole(self.folder / "tile" / str(level) / name, served)
        write_whole(self.folder / "vkey", self.get(f"/log/{self.log}/vkey", LARGEST_NOTE))
        write_whole(self.folder / "checkpoint", note.encode())
        for part in list((self.folder / "tile").glob("**/*.p")):
            _remove_outgrown(part, self.folder / "tile", new.size)


class Files:
    """The files of one log, kept or fetched. again: those that no checkpoint of the folder covers are fetched even where they are there."""

    def __init__(self, copy: LogCopy, *, again: bool = False) -> None:
        self.copy = copy
        self.again = again
        self.sound = copy._before()

    def bundle(self, number: int, size: int) -> bytes:
        """A bundle within a size; kept full ones are not fetched."""
        width = min(WIDTH, size - number * WIDTH)
        return self._file("entries", number, width, LARGEST_BUNDLE)

    def compare(self, level: int, number: int, hashes: bytes, root: bytes) -> None:
        """A full tile as the server has it must be the one that the entries make."""
        if self._file(str(level), number, WIDTH, TILE_BYTES) != hashes:
            raise BadCopy(f"{self.copy.log}: tile {level}/{path_of(number)} is not that of the entries")

    def _file(self, level: str, number: int, width: int, limit: int) -> bytes:
        name = path_of(number) if width == WIDTH else f"{path_of(number)}.p/{width}"
        path = self.copy.folder / "tile" / level / name
        covered = self.sound is not None and (number + 1) * WIDTH <= self.sound.size
        if width == WIDTH and path.exists() and (covered or not self.again):
            return path.read_bytes()
        plain = self.copy.get(f"/log/{self.copy.log}/tile/{level}/{name}", limit)
        write_whole(path, plain)
        self.copy.done.files += 1
        return plain


def _entries(log: str, number: int, bundle: bytes, count: int) -> list[bytes]:
    try:
        entries = entries_of(bundle)
    except BrokenBundle as wrong:
        raise BadCopy(f"{log}: bundle {path_of(number)}: {wrong}") from wrong
    if len(entries) != count:
        raise BadCopy(f"{log}: bundle {path_of(number)} has {len(entries)} entries, and must have {count}")
    return entries


def _kept_statements(path: Path) -> list[str]:
    """The statements that were fetched before; none where there are none, or what is there is damaged."""
    try:
        found = statements_of(path.read_bytes())
    except (OSError, BadStatements):
        return []
    return found if not Keys(()).follow(found).wrong else []


def _parsed(note: str) -> Checkpoint:
    return Checkpoint.parse(note.partition("\n\n")[0] + "\n")


def _remove_outgrown(part: Path, tiles: Path, size: int) -> None:
    """Removes partial tiles of other widths than the checkpoint has, now that it is written."""
    level, *groups = part.relative_to(tiles).parts
    number = int("".join(groups).replace("x", "").removesuffix(".p"))
    height = 0 if level == "entries" else int(level)
    width = (size // WIDTH**height) % WIDTH if number == size // WIDTH ** (height + 1) else 0
    for path in list(part.iterdir()):
        if path.name != str(width):
            path.unlink()
    if not any(part.iterdir()):
        part.rmdir()
