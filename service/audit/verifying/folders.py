"""A history in a folder, laid out as the URLs of c2sp.org/tlog-tiles: what ``gridtrail audit fetch`` makes. Read by open_source.

log/<log>/checkpoint                       the latest signed checkpoint
log/<log>/tile/entries/<N>[.p/<W>]         entries, each with its length in two bytes before it
log/<log>/tile/<L>/<N>[.p/<W>]             hashes
log/<log>/evidence/<size>-<root>           checkpoints that contradicted others, or were kept
log/keys                                   the statements by which the signing key was handed on, as GET /log/keys gives them
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.audit.verifying.faults import Findings
from service.audit.verifying.sources import ROOT_LOG, BadStatements, Page, StoredHead, StoredTile
from service.audit.verifying.trees import WIDTH
from service.ledger.rotation import MOST_STATEMENTS

LEDGER = re.compile(r"[0-9]{4,9}")
LARGEST_BUNDLE = WIDTH * (65_535 + 2)
LARGEST_NOTE = 65_536
LARGEST_STATEMENTS = 1 << 22
PARTIAL = re.compile(r"([0-9]{3})\.p")


class BrokenBundle(ValueError):
    """A file that is no bundle of entries."""


def path_of(number: int) -> str:
    """A tile's number as c2sp.org/tlog-tiles writes it: 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def entries_of(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. BrokenBundle where its lengths do not add up."""
    found, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise BrokenBundle("it ends in the middle of an entry")
        found.append(bundle[at + 2 : end])
        at = end
    return found


class FolderSource:
    """The logs of a folder."""

    has_columns = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def logs(self) -> dict[str, int]:
        return {each.name: _size_of(each) for each in sorted((self.folder / "log").iterdir()) if LEDGER.fullmatch(each.name)}

    def has_root_log(self) -> bool:
        return (self.folder / "log" / ROOT_LOG).is_dir()

    @contextmanager
    def open(self, log: str) -> Iterator["FolderLog"]:
        yield FolderLog(self.folder / "log" / log)

    def checkpoint(self, log: str) -> str | None:
        return _note(self.folder / "log" / log / "checkpoint")

    def earlier(self, log: str) -> list[str]:
        kept = self.folder / "log" / log / "evidence"
        notes = (_note(path) for path in sorted(kept.iterdir())) if kept.is_dir() else ()
        return [note for note in notes if note is not None]

    def statements(self) -> list[str]:
        path = self.folder / "log" / "keys"
        if not path.exists():
            return []
        if not path.is_file() or path.stat().st_size > LARGEST_STATEMENTS:
            raise BadStatements(f"log/keys is longer than the {LARGEST_STATEMENTS} bytes that it can be, or no file")
        return statements_of(path.read_bytes())


def statements_of(plain: bytes) -> list[str]:
    """The statements in what GET /log/keys gives. BadStatements where it is something else."""
    try:
        found = json.loads(plain)["rotations"]
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise BadStatements(f"/log/keys cannot be read: {type(wrong).__name__}") from wrong
    if not isinstance(found, list) or len(found) > MOST_STATEMENTS or not all(isinstance(each, str) for each in found):
        raise BadStatements(f"/log/keys is no list of at most {MOST_STATEMENTS} statements")
    return found


def _note(path: Path) -> str | None:
    """A small text file; None where there is none."""
    if not path.is_file() or path.stat().st_size > LARGEST_NOTE:
        return None
    return path.read_bytes().decode("utf-8", "replace")


def _size_of(folder: Path) -> int:
    """The size that the checkpoint says: how much there is to do, and no more than that."""
    lines = (_note(folder / "checkpoint") or "").split("\n")
    return int(lines[1]) if len(lines) > 1 and lines[1].isascii() and lines[1].isdigit() and len(lines[1]) < 20 else 0


class FolderLog:
    """One log of a folder."""

    connection: Any = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tiles = folder / "tile"
        self.findings: Findings | None = None

    def pages(self, start: int = 0) -> Iterator[Page]:
        for number, bundle in self._bundles(start // WIDTH):
            places = range(number * WIDTH, number * WIDTH + len(bundle))
            if places and places[-1] >= start:
                skip = max(0, start - places[0])
                yield Page(places[skip:], bundle[skip:])

    def _bundles(self, number: int) -> Iterator[tuple[int, list[bytes]]]:
        """Bundles in order. One that is not there is passed over while any comes after it."""
        last = self._last_bundle()
        while number <= last:
            whole = self.bundle(number)
            if whole is not None:
                yield number, whole
            number += 1

    def _last_bundle(self) -> int:
        """The number of the last bundle that there is, -1 where there is none."""
        here, number = self.tiles / "entries", 0
        if not here.is_dir():
            return -1
        while True:
            names = [each.name for each in here.iterdir()]
            groups = sorted(int(name[1:]) for name in names if re.fullmatch(r"x[0-9]{3}", name))
            ends = sorted({int(name[:3]) for name in names if re.fullmatch(r"[0-9]{3}(\.p)?", name)})
            if groups:
                number, here = number * 1000 + groups[-1], here / f"x{groups[-1]:03d}"
            elif ends:
                return number * 1000 + ends[-1]
            else:
                return -1

    def bundle(self, number: int) -> list[bytes] | None:
        """The entries of a bundle: the full one, or the widest partial one; None where there is neither."""
        path = self._widest(self.tiles / "entries", number)
        if path is None or path.stat().st_size > LARGEST_BUNDLE:
            return None
        try:
            return entries_of(path.read_bytes())
        except BrokenBundle:
            # What can be read of it is read; what is behind is then missing.
            return _readable(path.read_bytes())

    def _widest(self, folder: Path, number: int) -> Path | None:
        whole = folder / path_of(number)
        if whole.is_file():
            return whole
        part = whole.with_name(f"{whole.name}.p")
        widths = [int(each.name) for each in part.iterdir() if each.name.isdigit()] if part.is_dir() else []
        return part / str(max(widths)) if widths else None

    def lines_at(self, positions: Sequence[int]) -> list[bytes]:
        bundles: dict[int, list[bytes] | None] = {}
        found = []
        for position in positions:
            number, at = divmod(position, WIDTH)
            if number not in bundles:
                bundles[number] = self.bundle(number)
            bundle = bundles[number]
            if bundle is not None and at < len(bundle):
                found.append(bundle[at])
        return found

    def about(self, topics: frozenset[str]) -> Iterator[bytes]:
        wanted = re.compile(b'"topic":"(?:' + b"|".join(re.escape(topic.encode()) for topic in sorted(topics)) + b')"')
        for page in self.pages():
            for line in page.lines:
                if wanted.search(line, 0, 400):
                    yield line

    def tile(self, level: int, number: int) -> tuple[bytes, bytes | None] | None:
        path = self.tiles / str(level) / path_of(number)
        return (path.read_bytes(), None) if path.is_file() and path.stat().st_size <= WIDTH * 64 else None

    def partial_tiles(self) -> Iterator[StoredTile]:
        for level in range(64):
            folder = self.tiles / str(level)
            if not folder.is_dir():
                return
            for part in sorted(folder.glob("**/*.p")):
                number = int("".join(re.findall(r"[0-9]+", str(part.relative_to(folder)))))
                for path in sorted(part.iterdir()):
                    if path.name.isdigit() and path.stat().st_size <= WIDTH * 64:
                        yield StoredTile(level, number, path.read_bytes())

    def head(self) -> StoredHead | None:
        return None


def _readable(bundle: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 2 <= len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle):
            break
        found.append(bundle[at + 2 : end])
        at = end
    return found
