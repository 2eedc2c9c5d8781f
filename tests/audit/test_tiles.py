"""Tiles, roots and proofs of any size, on both stores, against the plain tree over all leaves and against a published log."""

import json
import random
import threading
from base64 import b64decode
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.audit import tiles as module
from service.audit.tiles import WIDTH, NotRecorded, Tiles, View, tiles
from service.config import Config
from service.database import open_database, reading, writing
from service.ledger import tree
from service.ledger.note import Checkpoint, Verifier, open_checkpoint
from service.wiring import Gridtrail
from tests.audit.cast import LOG, OTHER, entry, fill, put

VECTORS = Path(__file__).parents[1] / "vectors"
TESSERA = json.loads((VECTORS / "tessera_log.json").read_text("utf-8"))
KNOWN = json.loads((VECTORS / "known_answers.json").read_text("utf-8"))
LEAVES = tree.leaf_hashes(map(entry, range(70_000)))
SIZES = [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 1000]


def tiles_of(database: sa.Engine) -> Tiles:
    return Gridtrail(Config(), database=database).tiles


def perfect(level: int, index: int) -> bytes:
    """Root of the index-th run of 256^level leaves."""
    span = WIDTH**level
    return tree.root_of(LEAVES[index * span : (index + 1) * span])


def stored(conn: sa.Connection, log: str = LOG) -> list[tuple[int, int]]:
    query = sa.select(tiles.c.level, tiles.c.number).where(tiles.c.ledger == log).order_by(*tiles.primary_key)
    return [tuple(row) for row in conn.execute(query)]


@pytest.mark.parametrize("lag", ["all stored", "some stored", "nothing stored"])
def test_roots_and_proofs_of_every_size_are_those_of_the_plain_tree(database: sa.Engine, lag: str) -> None:
    made, chance = tiles_of(database), random.Random(4)
    fill(database, LOG, 1000)
    with writing(database) as conn:
        made.store_full(conn, LOG, {"all stored": 1000, "some stored": 300, "nothing stored": 0}[lag])
    with reading(database) as conn:
        assert made.root(conn, LOG, 0) == tree.EMPTY_ROOT
        for size in SIZES:
            assert made.root(conn, LOG, size) == tree.root_of(LEAVES[:size])
            for index in {0, size - 1, size // 2, *chance.sample(range(size), min(size, 6))}:
                assert made.inclusion(conn, LOG, index, size) == tree.inclusion_proof(LEAVES[:size], index)
                assert made.consistency(conn, LOG, index + 1, size) == tree.consistency_proof(LEAVES[:size], index + 1)


def test_a_log_of_70000_has_the_tiles_that_the_format_names_and_proofs_that_hold(database: sa.Engine) -> None:
    made, root = tiles_of(database), tree.root_of(LEAVES)
    named = {"level0": "273 full + 1 partial w112", "level1": "1 full + 1 partial w17", "level2": "1 partial w1"}
    assert KNOWN["tiles_for_size"]["70000"] == named
    fill(database, LOG, 70_000)
    with reading(database) as conn:
        assert made.root(conn, LOG, 70_000) == root, "without a stored tile"
    assert made.keep_up(LOG, 70_000) == 273 + 1
    with reading(database) as conn:
        assert stored(conn) == [*((0, number) for number in range(273)), (1, 0)]
        for level, number, width in [(0, 0, 256), (0, 272, 256), (0, 273, 112), (0, 9, 17), (1, 0, 256), (1, 1, 17), (1, 0, 3), (2, 0, 1)]:
            expected = b"".join(perfect(level, number * WIDTH + at) for at in range(width))
            assert made.tile(conn, LOG, level, number, width) == expected, (level, number, width)
        assert made.root(conn, LOG, 70_000) == root
        for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
            tree.verify_inclusion(LEAVES[index], index, 70_000, made.inclusion(conn, LOG, index, 70_000), root)
            earlier = tree.root_of(LEAVES[: index + 1])
            tree.verify_consistency(index + 1, 70_000, made.consistency(conn, LOG, index + 1, 70_000), earlier, root)


def test_a_proof_reads_a_few_tiles_and_less_than_256_entries(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked, entries, read = tiles_of(database), [], [], module.read_entries
    fill(database, LOG, 66_000)
    made.keep_up(LOG, 66_000)

    def counted(conn: sa.Connection, log: str, start: int, stop: int) -> list[bytes]:
        entries.append(stop - start)
        return read(conn, log, start, stop)

    monkeypatch.setattr(module, "read_entries", counted)
    with reading(database) as conn:
        sa.event.listen(database, "before_cursor_execute", lambda *said: asked.append(said[2]))
        for index, size in [(0, 66_000), (65_999, 66_000), (30_000, 65_791), (65_000, 65_535)]:
            asked.clear()
            entries.clear()
            made.inclusion(conn, LOG, index, size)
            assert len(asked) <= 5, asked
            assert sum(entries) <= 255


def test_many_proofs_of_one_size_share_what_was_read(database: sa.Engine) -> None:
    fill(database, LOG, 5_000)
    tiles_of(database).keep_up(LOG, 5_000)
    asked: list[str] = []
    with reading(database) as conn:
        view, wanted = View(conn, LOG, 5_000), range(0, 5_000, 10)
        sa.event.listen(database, "before_cursor_execute", lambda *said: asked.append(said[2]))
        view.expect(wanted)
        for index in wanted:
            tree.verify_inclusion(LEAVES[index], index, 5_000, view.inclusion(index), view.root())
    assert len(asked) <= 4


@pytest.mark.parametrize("size", [255, 256, 257, 600])
def test_tiles_are_stored_once_and_only_when_full(database: sa.Engine, size: int) -> None:
    made = tiles_of(database)
    fill(database, LOG, 600)
    with writing(database) as conn:
        assert made.store_full(conn, LOG, size) == size // 256
        assert made.store_full(conn, LOG, size) == 0
        assert stored(conn) == [(0, number) for number in range(size // 256)]
    with reading(database) as conn:
        for row in conn.execute(sa.select(tiles)).mappings():
            leaves = LEAVES[row["number"] * 256 : row["number"] * 256 + 256]
            assert (row["hashes"], row["root"]) == (b"".join(leaves), tree.root_of(leaves))


def test_a_tile_that_vanished_is_made_again_from_the_entries(database: sa.Engine) -> None:
    made = tiles_of(database)
    fill(database, LOG, 3_000)
    made.keep_up(LOG, 3_000)
    with writing(database) as conn:
        conn.execute(sa.delete(tiles).where(tiles.c.number.in_([0, 4])))
    with reading(database) as conn:
        assert made.root(conn, LOG, 3_000) == tree.root_of(LEAVES[:3_000])
        assert made.inclusion(conn, LOG, 1_030, 3_000) == tree.inclusion_proof(LEAVES[:3_000], 1_030)
        assert made.tile(conn, LOG, 1, 0, 11) == b"".join(perfect(1, at) for at in range(11))


def test_logs_do_not_mix(database: sa.Engine) -> None:
    made = tiles_of(database)
    fill(database, LOG, 600)
    put(database, OTHER, [b"another %d" % at for at in range(300)])
    made.keep_up(LOG, 600)
    made.keep_up(OTHER, 300)
    with reading(database) as conn:
        assert made.root(conn, OTHER, 300) == tree.root_of(tree.leaf_hashes(b"another %d" % at for at in range(300)))
        assert stored(conn, OTHER) == [(0, 0)]


def test_what_is_not_recorded_cannot_be_proved(database: sa.Engine) -> None:
    made = tiles_of(database)
    fill(database, LOG, 300)
    with reading(database) as conn:
        for ask in (
            lambda: made.root(conn, LOG, 301),
            lambda: made.inclusion(conn, LOG, 0, 400),
            lambda: made.consistency(conn, LOG, 100, 301),
            lambda: made.tile(conn, LOG, 0, 1, 45),
            lambda: made.tile(conn, LOG, 1, 0, 2),
            lambda: made.bundle(conn, LOG, 1, 45),
            lambda: made.root(conn, "411502009", 1),
        ):
            with pytest.raises(NotRecorded):
                ask()
        for ask in (
            lambda: made.inclusion(conn, LOG, 300, 300),
            lambda: made.inclusion(conn, LOG, -1, 300),
            lambda: made.consistency(conn, LOG, 0, 300),
            lambda: made.consistency(conn, LOG, 301, 300),
        ):
            with pytest.raises(ValueError, match="a tree of"):
                ask()


def test_proofs_hold_while_the_log_grows_and_two_publishers_store_its_tiles(database_url: str) -> None:
    database, done, wrong = open_database(database_url), threading.Event(), []
    fill(database, LOG, 100)

    def publish() -> None:
        own = open_database(database_url)
        try:
            while not done.is_set():
                with reading(own) as conn:
                    size = conn.scalar(sa.text("SELECT max(position) + 1 FROM events"))
                tiles_of(own).keep_up(LOG, size)
        except Exception as failed:
            wrong.append(failed)
        own.dispose()

    publishers = [threading.Thread(target=publish) for _ in range(2)]
    for each in publishers:
        each.start()
    made = tiles_of(database)
    for size in range(100, 2_050, 130):
        fill(database, LOG, size + 130, start=size)
        with reading(database) as conn:
            root, index = made.root(conn, LOG, size), size // 3
            assert root == tree.root_of(LEAVES[:size])
            tree.verify_inclusion(LEAVES[index], index, size, made.inclusion(conn, LOG, index, size), root)
    done.set()
    for each in publishers:
        each.join()
    assert wrong == []
    made.keep_up(LOG, 2_050)
    with reading(database) as conn:
        assert stored(conn) == [(0, number) for number in range(8)]
        assert [made.tile(conn, LOG, 0, n) for n in range(8)] == [b"".join(LEAVES[n * 256 : n * 256 + 256]) for n in range(8)]
    database.dispose()


# ---- the published log of Tessera


def entries_of(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


def test_the_published_log_is_reproduced_byte_for_byte_from_stored_entries(database: sa.Engine) -> None:
    put(database, LOG, entries_of(b64decode(TESSERA["entry_bundles"][-1])))
    made, verifier = tiles_of(database), Verifier.parse(TESSERA["vkey"])
    with reading(database) as conn:
        for size, note in enumerate(TESSERA["checkpoints"]):
            assert open_checkpoint(note, verifier) == Checkpoint(verifier.name, size, made.root(conn, LOG, size))
            if size:
                assert made.tile(conn, LOG, 0, 0, size) == b64decode(TESSERA["tiles"][size - 1])
                assert made.bundle(conn, LOG, 0, size) == b64decode(TESSERA["entry_bundles"][size - 1])


def test_every_two_published_checkpoints_are_consistent_by_our_proofs(database: sa.Engine) -> None:
    put(database, LOG, entries_of(b64decode(TESSERA["entry_bundles"][-1])))
    made, verifier = tiles_of(database), Verifier.parse(TESSERA["vkey"])
    points = [open_checkpoint(note, verifier) for note in TESSERA["checkpoints"]]
    with reading(database) as conn:
        for new in points[1:]:
            for old in points[1 : new.size + 1]:
                proof = made.consistency(conn, LOG, old.size, new.size)
                tree.verify_consistency(old.size, new.size, proof, old.root, new.root)


def test_the_reference_tree_of_certificate_transparency_has_its_roots(database: sa.Engine) -> None:
    reference = KNOWN["ct_reference_tree"]
    put(database, LOG, [bytes.fromhex(each) for each in reference["leaves_hex"]])
    with reading(database) as conn:
        for size, root in enumerate(reference["roots_hex_by_size_from_1"], 1):
            assert tiles_of(database).root(conn, LOG, size).hex() == root
