"""The journal of what was signed, in a file outside of the database: lines ``origin size root``, appended by every process that signs.

What makes it work with several writers and readers, after crashes too:

- A line is appended by one write to a file opened with O_APPEND, and read back before the signature that it speaks of may leave. So of two
  roots for one size the first line wins, and whoever wrote the second learns it in time.
- A line that was torn (no room, no power) spoils at most the one that follows it on the same line; its writer misses it and writes again.
- Compaction writes ``moved`` at the end of the old file, then a short file in its place. What stands behind ``moved`` does not count; its
  writer sees the word when it reads back, and writes again into the new file. If the compactor died in between, the next one finishes.
"""

import base64
import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from service.durable import make_folder, sync, write_whole

log = logging.getLogger(__name__)

MOVED = b"moved"
HALT = b"-"
"""Stands for the root where the history was found to be another than the one that was signed."""
LONG = 4 * 1024 * 1024
"""Bytes from which a journal is made short again: about 40,000 lines."""
MOST_SEEN = 20_000
"""Sizes whose roots a process remembers beside the highest of each origin."""
ATTEMPTS = 8
LOOK_S = 1.0
"""How often a process looks whether the file's name still leads to the file that it has open."""

Line = tuple[bytes, int, bytes]
"""Origin, size and root."""


class JournalRefused(RuntimeError):
    """The journal cannot be written. Nothing may be signed then; what is recorded stays, and its receipt is given when it is sent again."""


class TwoRoots(Exception):
    """The journal has another root for that size of that origin already. The signature must not leave."""

    def __init__(self, origin: str, size: int) -> None:
        self.origin, self.size = origin, size
        super().__init__(f"another root was signed for {origin} at size {size}")


class Journal:
    """One process's view of the journal. Every call keeps up with what other processes wrote."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.floors: dict[bytes, tuple[int, bytes]] = {}
        """The highest size signed of each origin, and its root."""
        self.halted: dict[bytes, int] = {}
        """Origins whose history was found to be another, with the size at which that was seen."""
        self._seen: dict[tuple[bytes, int], bytes] = {}
        self._lock = threading.RLock()
        self._file = -1
        self._at = 0
        self._look_at = 0.0
        self._moved = False

    def keep_up(self) -> None:
        """Reads what was appended since the last look. A fraction of a microsecond where there is nothing."""
        with self._lock:
            if time.monotonic() > self._look_at:
                self._look()
            while os.lseek(self._file, 0, os.SEEK_END) != self._at and self._read():
                if self._moved:
                    self._follow()

    def floor(self, origin: bytes) -> tuple[int, bytes] | None:
        """The highest size that was signed of an origin, and its root."""
        self.keep_up()
        return self.floors.get(origin)

    def record(self, lines: Sequence[Line], *, durably: bool = False) -> None:
        """Makes sure that the lines stand in the journal. TwoRoots where one says otherwise than a line before it; JournalRefused.

        durably: also after the machine loses its power. Without it a line survives the end of the process.
        """
        with self._lock:
            self.keep_up()
            for _ in range(ATTEMPTS):
                missing = [line for line in lines if not self._stands(line)]
                if missing:
                    self._append(b"%b %d %b\n" % (origin, size, base64.b64encode(root)) for origin, size, root in missing)
                    self.keep_up()
                else:
                    if durably:
                        self.sync()
                    return
            raise JournalRefused(f"{self.path} does not keep what is written to it.")

    def halt(self, origin: bytes, size: int) -> None:
        """Tells every process that the history of an origin is not the one that was signed."""
        with self._lock:
            self.keep_up()
            if origin not in self.halted:
                self._append([b"%b %d %b\n" % (origin, size, HALT)])
                self.keep_up()

    def resume(self, origin: bytes) -> None:
        """Takes a halt back: the history that was signed is there again."""
        with self._lock:
            self.keep_up()
            floor = self.floors.get(origin)
            if origin in self.halted and floor is not None:
                self._append([b"%b %d %b\n" % (origin, floor[0], base64.b64encode(floor[1]))])
                self.keep_up()

    def sync(self) -> None:
        """Brings what was appended to the disk."""
        try:
            os.fdatasync(self._file)
        except OSError as failed:
            raise JournalRefused(f"{self.path} cannot be written: {failed.strerror}") from failed

    def tend(self) -> None:
        """What one process does from time to time for all: brings it to the disk, and makes a long file short."""
        with self._lock:
            self._look_at = 0.0
            self.keep_up()
            self.sync()
            if self._at > LONG:
                with self._only_one():
                    if self._is_named():
                        self._compact()
                self.keep_up()

    def close(self) -> None:
        """Lets go of the file; the next call opens it again."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file, self._at, self._look_at = -1, 0, 0.0

    # ---- reading

    def _stands(self, line: Line) -> bool:
        origin, size, root = line
        known = self._seen.get((origin, size))
        if known is not None and known != root:
            raise TwoRoots(origin.decode(), size)
        return known is not None

    def _look(self) -> None:
        """Opens the file, or opens it again where its name leads to another one: it was compacted, or removed."""
        if self._file < 0 or not self._is_named():
            lost = self._file >= 0 and not self.path.exists()
            self._open()
            if lost:
                log.error("the journal %s was removed; it is made again from memory", self.path)
                self._append(_written(self.floors, self.halted))
        self._look_at = time.monotonic() + LOOK_S

    def _open(self) -> None:
        self.close()
        try:
            make_folder(self.path.parent)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if not os.fstat(self._file).st_size:
                sync(self.path.parent)
        except OSError as failed:
            raise JournalRefused(f"{self.path} cannot be opened: {failed.strerror}") from failed
        self._moved = False
        self._look_at = time.monotonic() + LOOK_S

    def _read(self) -> bool:
        """Takes the whole lines that are new; False where there are none. A last line without its end is left until it has one."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end < self._at:
            log.error("the journal %s was cut short from %d to %d bytes; what it said is kept in mind", self.path, self._at, end)
            self._at = 0
            self._append(_written(self.floors, self.halted))
            end = os.lseek(self._file, 0, os.SEEK_END)
        new = os.pread(self._file, end - self._at, self._at)
        whole = new.rfind(b"\n") + 1
        for line in new[: whole - 1].split(b"\n") if whole else ():
            if line == MOVED:
                self._moved = True
                break
            self._take(line)
        self._at += whole
        if len(self._seen) > 2 * MOST_SEEN:
            self._forget()
        return whole > 0

    def _take(self, line: bytes) -> None:
        """One line. One that is damaged says nothing."""
        parts = line.split(b" ")
        if len(parts) != 3 or not parts[1].isdigit() or len(parts[1]) > 19:
            return
        origin, size = parts[0], int(parts[1])
        if parts[2] == HALT:
            self.halted[origin] = size
            return
        try:
            root = base64.b64decode(parts[2], validate=True)
        except ValueError:
            return
        if len(root) != 32 or self._seen.setdefault((origin, size), root) != root:
            return
        floor = self.floors.get(origin)
        if floor is None or size > floor[0]:
            self.floors[origin] = (size, root)
        elif size == floor[0]:
            self.halted.pop(origin, None)

    def _forget(self) -> None:
        newest = list(self._seen.items())[-MOST_SEEN:]
        self._seen = {**{(origin, size): root for origin, (size, root) in self.floors.items()}, **dict(newest)}

    # ---- writing

    def _append(self, lines: Iterable[bytes]) -> None:
        text = b"".join(lines)
        try:
            os.write(self._file, text)
        except OSError as failed:
            raise JournalRefused(f"{self.path} cannot be written: {failed.strerror}") from failed

    def _follow(self) -> None:
        """The file was left for another: waits for whoever makes it, makes it where they died, and goes on there."""
        with self._only_one():
            if self._is_named():
                self._compact()
        self._open()

    def _compact(self) -> None:
        """Puts a short file in this one's place. Only while nobody else does, on the file that the name leads to."""
        while not self._moved:
            # Again where the word was spoiled by a torn line before it.
            self._append([MOVED + b"\n"])
            while not self._moved and self._read():
                pass
        write_whole(self.path, b"".join(_written(self.floors, self.halted)), private=True)
        self._open()

    def _is_named(self) -> bool:
        try:
            named, ours = os.stat(self.path), os.fstat(self._file)
        except FileNotFoundError:
            return False
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _written(floors: dict[bytes, tuple[int, bytes]], halted: dict[bytes, int]) -> list[bytes]:
    lines = [b"%b %d %b\n" % (origin, size, base64.b64encode(root)) for origin, (size, root) in floors.items()]
    return lines + [b"%b %d %b\n" % (origin, size, HALT) for origin, size in halted.items()]
