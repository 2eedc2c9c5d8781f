"""Checkpoints are published of committed heads only, move forward only, and are the same whoever publishes them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.audit.publishing import Publisher
from service.audit.tables import ROOT, checkpoints, published, root_entries
from service.database import reading, writing
from service.ledger.keys import log_origin, new_key
from service.ledger.note import Verifier, open_checkpoint
from service.ledger.tree import leaf_hashes, root_of
from service.wiring import Gridtrail
from tests.ledger.cast import append, drafts
from tests.sync.town import CITY, SUB_A, Town


class Undone(Exception):
    """Ends a transaction that shall not have been."""


def stand(town: Town, log: str):
    with reading(town.gridtrail.database) as conn:
        return published(conn, log)


def head(town: Town, log: str):
    with reading(town.gridtrail.database) as conn:
        return town.gridtrail.ledgers.head(conn, log)


def verifier(town: Town, origin: str) -> Verifier:
    return Verifier(origin, town.gridtrail.signer.private_key.public_key().public_bytes_raw())


def root_leaves(town: Town) -> list[bytes]:
    with reading(town.gridtrail.database) as conn:
        return list(conn.scalars(sa.select(root_entries.c.entry).order_by(root_entries.c.position)))


def test_every_ledger_is_published_at_its_committed_head(town: Town) -> None:
    town.gridtrail.publisher.turn()
    for log in (CITY, SUB_A):
        last, now = stand(town, log), head(town, log)
        assert (last.size, last.root) == (now.size, now.root)
        checkpoint = open_checkpoint(last.note, verifier(town, log_origin("gridtrail.test", log, now.incarnation)))
        assert (checkpoint.size, checkpoint.root) == (now.size, now.root)


def test_what_did_not_grow_is_not_signed_again(town: Town) -> None:
    assert town.gridtrail.publisher.turn() > 0
    before = stand(town, SUB_A)
    town.clock.forward(seconds=3)
    assert town.gridtrail.publisher.turn() == 0
    assert stand(town, SUB_A) == before
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    assert town.gridtrail.publisher.turn() == 1
    assert stand(town, SUB_A).size == before.size + 1


def test_what_is_not_committed_is_not_signed(town: Town) -> None:
    town.gridtrail.publisher.turn()
    before = stand(town, SUB_A)
    with ThreadPoolExecutor(1) as elsewhere, suppress(Undone), writing(town.gridtrail.database) as conn:
        town.gridtrail.ledgers.append(conn, SUB_A, drafts(3))
        assert elsewhere.submit(town.gridtrail.publisher.turn).result() == 0
        raise Undone
    assert town.gridtrail.publisher.turn() == 0
    assert stand(town, SUB_A) == before


def test_the_root_log_holds_the_checkpoints_verbatim_and_is_signed_under_its_own_name(town: Town) -> None:
    town.gridtrail.publisher.turn()
    root, leaves = stand(town, ROOT), root_leaves(town)
    names = [name for name in (CITY, "411502", SUB_A, "411502002") if head(town, name)]
    assert leaves == [stand(town, log).note.encode() for log in sorted(names)]
    assert root.origin == log_origin("gridtrail.test", ROOT, root.incarnation)
    checkpoint = open_checkpoint(root.note, verifier(town, root.origin))
    assert (checkpoint.size, checkpoint.root) == (len(leaves), root_of(leaf_hashes(leaves)))
    with reading(town.gridtrail.database) as conn:
        assert town.gridtrail.tiles.root(conn, ROOT, root.size) == root.root


def test_the_root_log_grows_at_most_every_so_many_seconds_and_only_where_something_grew(town: Town) -> None:
    publisher = town.gridtrail.publisher
    publisher.turn()
    first = stand(town, ROOT).size
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    town.clock.forward(seconds=59)
    publisher.turn()
    assert stand(town, ROOT).size == first
    town.clock.forward(seconds=1)
    publisher.turn()
    assert stand(town, ROOT).size == first + 1
    assert root_leaves(town)[-1] == stand(town, SUB_A).note.encode()
    town.clock.forward(hours=1)
    assert publisher.turn() == 0
    assert stand(town, ROOT).size == first + 1


def test_a_publisher_that_died_between_the_root_logs_growth_and_its_signature_loses_nothing(town: Town, monkeypatch) -> None:
    publisher, grow = town.gridtrail.publisher, Publisher._grow_root

    def die() -> None:
        raise OSError("died")

    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "_grow_root", lambda self: grow(self) and die())
        with pytest.raises(OSError, match="died"):
            publisher.turn()
    assert stand(town, ROOT) is None
    assert publisher.turn() == 1
    assert stand(town, ROOT).size == len(root_leaves(town))


def test_publishers_that_race_never_publish_two_roots_for_one_size_nor_go_back(town: Town) -> None:
    seen: list[tuple[str, int, bytes]] = []
    stop = threading.Event()

    def publish() -> None:
        own = Gridtrail(town.gridtrail.config, clock=town.clock, database=town.gridtrail.database)
        while not stop.is_set():
            own.publisher.turn()
            with reading(own.database) as conn:
                seen.extend(conn.execute(sa.select(checkpoints.c.origin, checkpoints.c.size, checkpoints.c.root)))

    with ThreadPoolExecutor(4) as pool:
        racing = [pool.submit(publish) for _ in range(3)]
        for number in range(2000):
            append(town.gridtrail.ledgers, SUB_A, drafts(2))
            town.clock.forward(seconds=61)
            if number >= 25:
                # On a slow machine the publishers need longer to race: the writer goes on until there was something to see.
                if len(seen) > 20:
                    break
                time.sleep(0.005)
        stop.set()
        for each in racing:
            each.result()
    roots: dict[tuple[str, int], bytes] = {}
    assert len(seen) > 20
    assert all(roots.setdefault((origin, size), root) == root for origin, size, root in seen)
    town.gridtrail.publisher.turn()
    assert stand(town, SUB_A).size == head(town, SUB_A).size
    leaves = root_leaves(town)
    assert len(leaves) == len(set(leaves)), "a checkpoint entered the root log twice"


def test_of_two_that_read_the_same_only_one_moves_the_checkpoint(town: Town) -> None:
    """Compare-and-swap: the slower one finds that another checkpoint stands there than the one it read."""
    slow, quick = (Gridtrail(town.gridtrail.config, clock=town.clock, database=town.gridtrail.database).publisher for _ in range(2))
    slow.turn()
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    due = slow._due(slow._heads())
    append(town.gridtrail.ledgers, SUB_A, drafts(1))
    quick.turn()
    newest = stand(town, SUB_A)
    assert slow._publish(due) == 0
    assert stand(town, SUB_A) == newest


def test_a_head_that_contradicts_what_is_published_is_left_alone(town: Town, caplog) -> None:
    town.gridtrail.publisher.turn()
    before = stand(town, SUB_A)
    with town.gridtrail.database.begin() as conn:
        conn.execute(sa.text("UPDATE ledgers SET root = :root WHERE ledger = :ledger"), {"root": bytes(32), "ledger": SUB_A})
    town.gridtrail.publisher.turn()
    assert stand(town, SUB_A) == before
    assert f"log {SUB_A} is not what was published of it" in caplog.text


def test_another_key_signs_all_logs_anew_at_the_same_size(town: Town, tmp_path) -> None:
    town.gridtrail.publisher.turn()
    before = {log: stand(town, log) for log in (CITY, SUB_A, ROOT)}
    new_key(tmp_path / "other.key")
    config = replace(town.gridtrail.config, signing_key_file=str(tmp_path / "other.key"))
    anew = Gridtrail(config, clock=town.clock, database=town.gridtrail.database)
    town.clock.forward(seconds=60)
    anew.publisher.turn()
    for log in (CITY, SUB_A):
        last = stand(town, log)
        assert (last.size, last.root, last.origin) == (before[log].size, before[log].root, before[log].origin)
        open_checkpoint(last.note, Verifier(last.origin, anew.signer.private_key.public_key().public_bytes_raw()))
        assert last.note.encode() in root_leaves(town)
    assert stand(town, ROOT).size > before[ROOT].size
