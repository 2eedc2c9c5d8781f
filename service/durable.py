"""Files that outlive a power cut.

POSIX promises nothing of what was not asked for: ``fsync`` of a file makes its bytes durable, and only ``fsync`` of the folder that holds
its name makes the name so (fsync(2), rename(2)).
"""

import os
from pathlib import Path
from uuid import uuid4


def sync(path: str | Path) -> None:
    """Makes the bytes of a file durable, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder with all above it that are missing; the new names are durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def write_whole(path: str | Path, content: bytes, *, new: bool = False, private: bool = False) -> None:
    """Writes a file that is durably there, whole, when this returns, and in part never: neither for other processes nor after a crash.

    new: FileExistsError where there is one already, also where another process made it meanwhile. private: only its owner can read it.
    """
    path = Path(path)
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if new:
            os.link(beside, path)
        else:
            os.replace(beside, path)
        sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)
