"""Logs are copied whole, resumably and bounded; tampering with the copy, or by the server, is found at its place and by its kind."""

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.audit.downloading import Answer, CannotFetch, Downloads
from service.audit.fetching import Fetched, Fetching
from service.audit.publishing import Publisher
from service.audit.tables import checkpoints
from service.audit.verifying.checkpoints import Keys
from service.audit.verifying.faults import Findings
from service.audit.verifying.folders import entries_of, path_of
from service.audit.verifying.run import verify
from service.audit.verifying.sources import Wanted, open_source
from service.audit.verifying.trees import TileTree
from service.database import open_database
from service.ledger.tree import leaf_hashes
from service.wiring import Gridtrail, make_app
from tests.audit.history import SUB_A, WITNESS_KEY, Copy, cosigned, key_of, make_sqlite

LOG = f"log/{SUB_A}"


class App:
    """The service as a transport. ``spoil`` may change an answer or raise; ``asked`` are the paths of all requests."""

    def __init__(self, copy: Copy) -> None:
        self.gridtrail = Gridtrail(copy.config(open_logs=True), database=copy.engine)
        self.client = make_app(self.gridtrail)
        self.spoil: Callable[[str, Answer], Answer] = lambda path, answer: answer
        self.asked: list[str] = []

    def get(self, url: str, headers: dict[str, str], limit: int) -> Answer:
        path = url.removeprefix("http://town")
        self.asked.append(path)
        got = self.client.test_client().get(path, headers=headers)
        told = {name.lower(): value for name, value in got.headers.items()}
        return self.spoil(path, Answer(got.status_code, told, got.data[: limit + 1]))


@pytest.fixture(scope="module")
def story(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's file."""
    return make_sqlite(sqlite_template, tmp_path_factory.mktemp("story"))


@pytest.fixture
def copy(story: Path, tmp_path: Path) -> Iterator[Copy]:
    """A copy of the story."""
    shutil.copyfile(story, tmp_path / "copy.db")
    made = Copy(f"sqlite:///{tmp_path / 'copy.db'}", tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def app(copy: Copy) -> App:
    """The service on the copy."""
    return App(copy)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the auditor keeps the logs."""
    return tmp_path / "fetched"


def fetch(app: App, folder: Path, *logs: str, keys: tuple[str, ...] = (), notes: list[str] | None = None) -> dict[str, Fetched]:
    """Copies logs with the service's key."""
    downloads = Downloads("http://town", None, app, sleep=lambda _: None)
    fetching = Fetching(downloads, folder, Keys(keys or (key_of(),)), 4)
    done = {each.log: each for each in fetching.fetch(logs)}
    if notes is not None:
        notes += fetching.notes
    return done


def audit(folder: Path, **wanted: Any) -> Findings:
    """What an auditor finds in the copy."""
    return verify(open_source(str(folder)), Wanted(**{"keys": (key_of(),), **wanted})).findings


def places(findings: Findings, kind: str) -> list[int | None]:
    """Where a kind of fault was found."""
    return [each.position for each in findings.faults if (each.kind, each.ledger) == (kind, SUB_A)]


# ---- copying


def test_what_was_fetched_is_whole_and_verifies(app: App, folder: Path) -> None:
    done = fetch(app, folder)
    assert {log: each.wrong for log, each in done.items()} == dict.fromkeys(["root", "4115", "411502001", "411502002", "411502"])
    findings = audit(folder)
    assert [str(fault) for fault in findings.faults] == []
    assert findings.checked["entries"] == findings.checked["events judged by the rules"] > 320
    assert findings.checked["signed roots"] >= 8
    assert findings.checked["tiles"] > 5


def test_the_layout_is_that_of_the_urls(app: App, folder: Path) -> None:
    fetch(app, folder, SUB_A)
    for path in (file for file in folder.rglob("*") if file.is_file()):
        got = app.client.test_client().get("/" + str(path.relative_to(folder)))
        assert got.data == path.read_bytes()


def test_fetching_again_reads_only_what_is_partial_and_new(app: App, copy: Copy, folder: Path) -> None:
    fetch(app, folder, SUB_A)
    app.asked.clear()
    assert fetch(app, folder, SUB_A)[SUB_A].new == 0
    assert not any("entries/000" in path and ".p" not in path for path in app.asked)
    grow(copy, app)
    app.asked.clear()
    assert fetch(app, folder, SUB_A)[SUB_A].new == 1
    assert f"/{LOG}/tile/entries/000" not in app.asked
    widths = {int(path.name) for path in (folder / LOG / "tile").rglob("*.p/*")}
    assert widths == {1, len(copy.lines(SUB_A)) % 256}
    assert not audit(folder, logs=(SUB_A,)).counts["root_wrong"]


def grow(copy: Copy, app: App) -> None:
    """One more event, published."""
    pieces = app.gridtrail
    from service.imports.recording import terminal_actor

    said = {"code": f"{SUB_A}001009", "name": "new grid", "effective_from": "2026-01-01"}
    pieces.inspection.register_area(terminal_actor(pieces.config), said)
    Publisher(pieces).turn()


def test_an_interrupted_copy_goes_on_where_it_stopped(app: App, folder: Path) -> None:
    def cut(path: str, answer: Answer) -> Answer:
        if path.endswith("/tile/0/000"):
            raise KeyboardInterrupt
        return answer

    app.spoil = cut
    with pytest.raises(KeyboardInterrupt):
        fetch(app, folder, SUB_A)
    assert not (folder / LOG / "checkpoint").exists()
    assert (folder / LOG / "tile/entries/000").exists()
    app.spoil = lambda path, answer: answer
    app.asked.clear()
    assert fetch(app, folder, SUB_A)[SUB_A].wrong is None
    assert f"/{LOG}/tile/entries/000" not in app.asked


def test_what_an_interruption_damaged_is_fetched_once_more(app: App, folder: Path) -> None:
    fetch(app, folder, SUB_A)
    (folder / LOG / "checkpoint").unlink()
    bundle = folder / LOG / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes()[:-1])
    assert fetch(app, folder, SUB_A)[SUB_A].wrong is None
    assert not audit(folder, logs=(SUB_A,)).counts["root_wrong"]


def test_what_fails_for_a_moment_is_tried_again(app: App, folder: Path) -> None:
    fails = iter([OSError("lost"), Answer(503, {"retry-after": "1"}, b""), Answer(429, {}, b"")])

    def spoil(path: str, answer: Answer) -> Answer:
        failed = next(fails, answer)
        if isinstance(failed, OSError):
            raise failed
        return failed

    app.spoil = spoil
    assert fetch(app, folder, SUB_A)[SUB_A].wrong is None


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(404, {}, b""), "no such log"),
        (Answer(401, {}, b""), "GRIDTRAIL_AUDIT_TOKEN"),
        (Answer(503, {}, b""), "8 times"),
        (Answer(200, {}, b"x" * 70_000), "longer than"),
        (Answer(200, {"content-encoding": "gzip"}, gzip.compress(b"x" * 10_000_000)), "longer than"),
        (Answer(200, {"content-encoding": "gzip"}, gzip.compress(b"x")[:-4]), "cut short"),
        (Answer(200, {"content-encoding": "gzip"}, b"no gzip"), "damaged"),
    ],
)
def test_what_the_server_does_not_give_ends_in_a_sentence(app: App, folder: Path, answer: Answer, sentence: str) -> None:
    app.spoil = lambda path, _: answer
    with pytest.raises(CannotFetch, match=sentence):
        fetch(app, folder, SUB_A)


def test_a_list_of_logs_with_a_foreign_name_is_not_followed(app: App, folder: Path) -> None:
    app.spoil = lambda path, _: Answer(200, {}, b'{"items":[{"log":"../../etc"}]}')
    with pytest.raises(CannotFetch, match="a name that no ledger has"):
        fetch(app, folder)


# ---- what the server might try


def test_a_log_that_was_cut_back_is_reported_and_both_checkpoints_are_kept(app: App, copy: Copy, folder: Path) -> None:
    fetch(app, folder, SUB_A)
    before = (folder / LOG / "checkpoint").read_text()
    copy.rewrite(SUB_A, copy.lines(SUB_A)[:-2])
    with copy.engine.begin() as conn:
        conn.execute(sa.delete(checkpoints))
    Publisher(copy.gridtrail()).turn()
    done = fetch(app, folder, SUB_A)[SUB_A]
    assert "and now with" in str(done.wrong)
    assert (folder / LOG / "checkpoint").read_text() == before
    kept = [path.read_text() for path in (folder / LOG / "evidence").iterdir()]
    assert len(kept) == 2
    assert before in kept
    assert audit(folder, rules=False).counts.keys() == set(), "the copy itself is the longer history, and holds"


def test_a_log_that_tells_another_story_is_reported(app: App, copy: Copy, folder: Path) -> None:
    fetch(app, folder, SUB_A)
    lines = copy.lines(SUB_A)
    copy.rewrite(SUB_A, [*lines[:-2], lines[-2].replace(b'"role"', b'"rule"'), lines[-1]])
    with copy.engine.begin() as conn:
        conn.execute(sa.delete(checkpoints))
    Publisher(copy.gridtrail()).turn()
    assert "two roots" in str(fetch(app, folder, SUB_A)[SUB_A].wrong)
    grow(copy, app)
    assert "are not those of before" in str(fetch(app, folder, SUB_A)[SUB_A].wrong) or "do not lead" in str(
        fetch(app, folder, SUB_A)[SUB_A].wrong
    )
    assert len(list((folder / LOG / "evidence").iterdir())) == 3


def test_a_checkpoint_by_another_key_is_reported(app: App, folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from service.ledger.note import Verifier

    other = str(Verifier("gridtrail.test", Ed25519PrivateKey.generate().public_key().public_bytes_raw()))
    assert "not signed by the key" in str(fetch(app, folder, SUB_A, keys=(other,))[SUB_A].wrong)
    assert not (folder / LOG / "checkpoint").exists()


def test_entries_that_do_not_lead_to_the_signed_root_are_not_taken(app: App, folder: Path) -> None:
    def forge(path: str, answer: Answer) -> Answer:
        return Answer(200, {}, gunzipped(answer).replace(b'"H-1"', b'"H-2"', 1)) if "entries/000" in path else answer

    app.spoil = forge
    done = fetch(app, folder, SUB_A)[SUB_A]
    assert "tile 0/000 is not that of the entries" in str(done.wrong)
    assert not (folder / LOG / "checkpoint").exists()


def test_a_forged_tile_beside_a_forged_entry_is_found(app: App, folder: Path) -> None:
    """CVE-2026-56865: a reader that compares entries with their tile alone, and not the tile with what stands above it, sees nothing."""
    fetch(app, folder)
    forge_with_tile(folder)
    findings = audit(folder)
    assert findings.counts["root_wrong"] >= 2
    above = [fault for fault in findings.faults if fault.kind == "tile_wrong"]
    assert [(fault.ledger, fault.position, fault.last) for fault in above] == [(SUB_A, 0, 255)]


def forge_with_tile(folder: Path) -> None:
    """Changes entry 99 and makes its tile anew."""
    bundle = folder / LOG / "tile/entries/000"
    entries = entries_of(bundle.read_bytes())
    entries[99] = entries[99].replace(b"2026", b"2025")
    write_bundle(bundle, entries)
    tree = TileTree(lambda level, number, hashes, root: (folder / LOG / "tile/0/000").write_bytes(hashes) if level == 0 else None)
    tree.extend(leaf_hashes(entries))


# ---- tampering with the copy


def write_bundle(path: Path, entries: list[bytes]) -> None:
    """Writes a bundle of entries."""
    path.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))


def gunzipped(answer: Answer) -> bytes:
    """The body as it was meant."""
    return gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body


def changed(entries: list[bytes]) -> list[bytes]:
    return [*entries[:99], entries[99].replace(b'"H-1"', b'"H-2"'), *entries[100:]]


def swapped(entries: list[bytes]) -> list[bytes]:
    return [*entries[:99], entries[120], *entries[100:120], entries[99], *entries[121:]]


def removed(entries: list[bytes]) -> list[bytes]:
    return [*entries[:99], *entries[100:]]


def inserted(entries: list[bytes]) -> list[bytes]:
    return [*entries[:99], entries[5], *entries[99:]]


@pytest.mark.parametrize(
    ("tamper", "kind", "at"),
    [
        (changed, "tile_wrong", [99]),
        (swapped, "entry_misplaced", [99, 120]),
        (removed, "entries_shifted", [99]),
        (inserted, "entries_shifted", [100]),
    ],
)
def test_a_bundle_that_was_tampered_with(app: App, folder: Path, tamper: Callable[..., list[bytes]], kind: str, at: list[int]) -> None:
    fetch(app, folder)
    bundle = folder / LOG / "tile/entries/000"
    write_bundle(bundle, tamper(entries_of(bundle.read_bytes())))
    findings = audit(folder)
    assert set(at) <= set(places(findings, kind)) <= {0, *at}
    assert findings.counts["root_wrong"] + findings.counts["tail_missing"] >= 2


def test_the_last_bundle_removed(app: App, folder: Path) -> None:
    fetch(app, folder)
    shutil.rmtree(folder / LOG / "tile/entries" / f"{path_of(1)}.p")
    assert set(places(audit(folder), "tail_missing")) == {256}


def test_the_first_bundle_removed(app: App, folder: Path) -> None:
    fetch(app, folder)
    (folder / LOG / "tile/entries/000").unlink()
    assert places(audit(folder), "entry_missing") == [0]


def test_a_tile_of_the_copy_changed(app: App, folder: Path) -> None:
    fetch(app, folder)
    tile = folder / LOG / "tile/0/000"
    hashes = bytearray(tile.read_bytes())
    hashes[32 * 99] ^= 1
    tile.write_bytes(bytes(hashes))
    findings = audit(folder)
    assert [(fault.kind, fault.position) for fault in findings.faults] == [("tile_wrong", 99)]


def test_a_checkpoint_of_the_copy_changed(app: App, folder: Path) -> None:
    fetch(app, folder)
    note = folder / LOG / "checkpoint"
    size = note.read_text().split("\n")[1]
    note.write_text(note.read_text().replace(f"\n{size}\n", f"\n{int(size) - 1}\n", 1))
    findings = audit(folder)
    assert {fault.kind for fault in findings.faults} == {"no_checkpoint"}


def test_a_witness_is_asked_for_in_a_copy_too(app: App, folder: Path) -> None:
    fetch(app, folder)
    note = folder / "log/root/checkpoint"
    plain = note.read_text()
    plain = plain[: plain.index("— audit-office")] if "audit-office" in plain else plain
    note.write_text(plain)
    assert {fault.kind for fault in audit(folder, witnesses=(str(WITNESS_KEY),)).faults} == {"not_witnessed"}
    note.write_text(cosigned(plain))
    findings = audit(folder, witnesses=(str(WITNESS_KEY),))
    assert not findings.total
    assert findings.checked["cosignatures"] == 1


def test_a_whole_history_made_anew_with_the_key_contradicts_what_was_fetched(app: App, copy: Copy, folder: Path) -> None:
    fetch(app, folder)
    lines = copy.lines(SUB_A)
    place = copy.place_of(SUB_A, "case.handled")
    from tests.audit.history import renumbered

    copy.rewrite(SUB_A, renumbered([*lines[:place], *lines[place + 1 :]]))
    copy.forget_what_was_signed()
    pieces = copy.gridtrail()
    pieces.publisher.turn()
    done = fetch(app, folder)
    assert done[SUB_A].wrong is not None


def test_a_folder_that_is_none_and_a_database_that_is_away(tmp_path: Path) -> None:
    from service.audit.verifying.sources import NoSuchHistory

    with pytest.raises(NoSuchHistory, match="has no folder 'log'"):
        open_source(str(tmp_path))
    with pytest.raises(NoSuchHistory, match="neither a folder nor the URL"):
        open_source(str(tmp_path / "nothing"))


__all__ = ["open_database"]
