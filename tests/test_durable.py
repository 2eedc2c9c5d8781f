"""Files that outlive a power cut: what is made durable, and in which order."""

import os
import stat
from pathlib import Path

import pytest

from service import durable


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What was flushed, in order: the path, and the names that the folder of the test had then."""
    seen, flush = [], os.fsync

    def look(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}") if Path("/proc/self/fd").exists() else "")
        beside = path.parent if path.is_file() else path
        seen.append((path.name, sorted(each.name for each in beside.iterdir())))
        flush(handle)

    monkeypatch.setattr(durable.os, "fsync", look)
    return seen


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at /proc")


@needs_proc
@pytest.mark.parametrize("new", [True, False])
def test_the_bytes_are_durable_before_the_name_and_the_name_before_the_end(tmp_path: Path, flushed: list[tuple[str, list[str]]], new: bool):
    durable.write_whole(tmp_path / "key", b"secret", new=new, private=True)
    (part, before), (folder, after) = flushed
    assert part.endswith(".part")
    assert before == [part], "whoever looks now sees no key, not even a part of one"
    assert folder == tmp_path.name
    assert "key" in after
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@needs_proc
def test_new_folders_have_durable_names_too(tmp_path: Path, flushed: list[tuple[str, list[str]]]):
    durable.make_folder(tmp_path / "var" / "photos")
    assert flushed == [(tmp_path.name, ["var"]), ("var", ["photos"])]
    durable.make_folder(tmp_path / "var" / "photos")
    assert len(flushed) == 2, "what is there costs nothing"


def test_a_file_that_is_to_be_new_is_never_written_over(tmp_path: Path):
    durable.write_whole(tmp_path / "key", b"first", new=True)
    with pytest.raises(FileExistsError):
        durable.write_whole(tmp_path / "key", b"second", new=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"first")]


def test_another_file_takes_the_place_whole(tmp_path: Path):
    durable.write_whole(tmp_path / "note", b"a longer first")
    durable.write_whole(tmp_path / "note", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("note", b"second")]


def test_only_its_owner_reads_a_private_file(tmp_path: Path):
    before = os.umask(0)
    try:
        durable.write_whole(tmp_path / "key", b"secret", private=True)
        durable.write_whole(tmp_path / "note", b"public")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("key", "note")] == [0o600, 0o666]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    durable.write_whole(tmp_path / "note", b"first")
    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write_whole(tmp_path / "note", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("note", b"first")]
