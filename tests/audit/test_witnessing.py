"""The service collects cosignatures, whatever the witness does, and never waits for one to publish."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.tables import ROOT, cosignatures, published
from service.audit.witness import Cosigner, Witness
from service.audit.witness_server import WitnessServer
from service.config import BadConfiguration, Config
from service.database import reading
from service.ledger.note import BadNote, open_note, split_note
from service.ledger.tree import EMPTY_ROOT, Frontier
from service.wiring import Gridtrail
from tests.ledger.cast import append, drafts
from tests.sync.town import SUB_A, Town


class Stand:
    """A town whose root log some witnesses watch, without a network between."""

    def __init__(self, town: Town, names: list[str]) -> None:
        self.town = town
        self.keys = {name: Cosigner(name, Ed25519PrivateKey.generate()) for name in names}
        items = " ".join(f"{key.verifier}@http://{name}" for name, key in self.keys.items())
        config = replace(town.gridtrail.config, witnesses=items)
        self.pieces = Gridtrail(config, clock=town.clock, database=town.gridtrail.database)
        self.publisher = self.pieces.publisher
        self.publisher.publish()
        self.publisher.witnesses.post = self.post
        self.moment = 0.0
        self.publisher.witnesses.now = lambda: self.moment
        self.away: set[str] = set()
        self.asked: list[tuple[str, bytes]] = []
        self.witnesses = {name: self.witness(name) for name in names}

    def witness(self, name: str) -> Witness:
        root = self.root()
        verifier = self.pieces.watermark.signer(ROOT, root.incarnation).verifier
        return Witness(self.keys[name], self.town.folder / name, [verifier], lambda: self.town.clock.now.timestamp())

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        name = url.removeprefix("http://").removesuffix("/add-checkpoint")
        self.asked.append((name, body))
        if name in self.away:
            raise OSError("no route to host")
        reply = self.witnesses[name].add_checkpoint(body)
        return reply.status, reply.body.encode()

    def root(self):
        with reading(self.pieces.database) as conn:
            return published(conn, ROOT)

    def shown(self):
        """The root log's checkpoint as it is served."""
        with reading(self.pieces.database) as conn:
            return self.publisher.witnesses.shown(conn, self.root())

    def grow(self) -> None:
        append(self.pieces.ledgers, SUB_A, drafts(1))
        self.town.clock.forward(seconds=61)

    def signed_by(self, name: str) -> bool:
        try:
            return bool(open_note(self.root().note, self.keys[name].verifier))
        except BadNote:
            return False


@pytest.fixture
def stand(town: Town) -> Stand:
    return Stand(town, ["w1.example", "w2.example"])


def kept(stand: Stand) -> dict[str, tuple[int, str]]:
    with reading(stand.pieces.database) as conn:
        return {row.witness.split("+")[0]: (row.size, row.note) for row in conn.execute(sa.select(cosignatures))}


def test_the_published_root_checkpoint_bears_the_cosignatures_of_all_witnesses(stand: Stand) -> None:
    for _ in range(3):
        stand.publisher.turn()
        assert stand.signed_by("w1.example")
        assert stand.signed_by("w2.example")
        open_note(stand.root().note, stand.pieces.watermark.signer(ROOT, stand.root().incarnation).verifier)
        assert {name: size for name, (size, _) in kept(stand).items()} == dict.fromkeys(stand.keys, stand.root().size)
        stand.grow()


def test_a_newer_root_checkpoint_is_served_when_it_is_cosigned_or_all_witnesses_have_been_away_for_long(stand: Stand) -> None:
    stand.publisher.witnesses.turn()
    first = stand.shown()
    assert len(split_note(first.note)[1]) == 3
    stand.grow()
    stand.publisher.publish()
    assert stand.root().size > first.size
    assert (stand.shown().size, set(split_note(stand.shown().note)[1])) == (first.size, set(split_note(first.note)[1]))
    stand.town.clock.forward(minutes=11)
    assert stand.shown() == stand.root()
    stand.publisher.witnesses.turn()
    assert stand.shown() == stand.root()
    assert len(split_note(stand.shown().note)[1]) == 3


def test_who_has_cosigned_is_not_asked_again(stand: Stand) -> None:
    stand.publisher.turn()
    asked = len(stand.asked)
    stand.publisher.turn()
    assert len(stand.asked) == asked == 2


def test_a_witness_that_knows_another_size_gets_the_right_proof(stand: Stand) -> None:
    """Our own record of what it cosigned was lost, or another process of ours was faster."""
    stand.publisher.turn()
    with stand.pieces.database.begin() as conn:
        conn.execute(sa.delete(cosignatures))
    stand.grow()
    stand.publisher.turn()
    assert stand.signed_by("w1.example")
    assert next(body.split(b"\n")[0] for name, body in stand.asked[2:] if name == "w1.example") == b"old 0"
    assert len([name for name, _ in stand.asked[2:] if name == "w1.example"]) == 2


def test_a_witness_that_is_away_is_left_alone_longer_and_longer_and_nobody_waits_for_it(stand: Stand, caplog) -> None:
    stand.away = {"w1.example"}
    stand.publisher.turn()
    assert stand.signed_by("w2.example")
    assert not stand.signed_by("w1.example")
    assert "witness w1.example did not cosign" in caplog.text
    tries = []
    for moment in range(0, 300, 5):
        stand.moment = float(moment)
        before = len(stand.asked)
        stand.publisher.turn()
        tries += [moment] * (len(stand.asked) - before)
    assert tries == [10, 30, 70, 150]
    stand.away, stand.moment = set(), 10_000.0
    stand.publisher.turn()
    assert stand.signed_by("w1.example")
    assert stand.signed_by("w2.example")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"", "no cosignature"),
        (200, b"\xff", "no cosignature"),
        (200, "— w1.example AAAAAAAAAAA=\n".encode(), "no cosignature"),
        (409, b"999999\n", "lost what was published"),
        (409, b"0\n", "another root for size 0"),
        (409, b"what?", "another root"),
        (404, b"This log is not known here.\n", "status 404"),
        (422, b"", "status 422"),
        (500, b"<html>", "status 500"),
    ],
)
def test_whatever_it_answers_the_note_holds_only_what_verifies(stand: Stand, caplog, status: int, body: bytes, said: str) -> None:
    stand.publisher.witnesses.post = lambda url, sent: (status, body) if "w1" in url else stand.post(url, sent)
    stand.publisher.turn()
    assert not stand.signed_by("w1.example")
    assert stand.signed_by("w2.example")
    assert said in caplog.text


def test_a_cosignature_of_another_size_or_another_key_is_not_taken(stand: Stand) -> None:
    stand.publisher.turn()
    with reading(stand.pieces.database) as conn:
        old = conn.scalar(sa.select(cosignatures.c.note).where(cosignatures.c.witness == str(stand.keys["w1.example"].verifier)))
    stand.grow()
    line = old.split("\n")[-2] + "\n"
    stand.publisher.witnesses.post = lambda url, sent: (200, line.encode())
    stand.publisher.turn()
    assert not stand.signed_by("w1.example")
    assert not stand.signed_by("w2.example")
    assert kept(stand)["w1.example"][1] == old


def test_while_it_is_asked_the_root_log_may_grow_and_what_it_said_is_kept_all_the_same(stand: Stand) -> None:
    def slow(url: str, body: bytes) -> tuple[int, bytes]:
        answer = stand.post(url, body)
        if "w1" in url:
            stand.grow()
            stand.publisher.publish()
        return answer

    size = stand.root().size
    stand.publisher.witnesses.post = slow
    stand.publisher.turn()
    assert stand.root().size > size
    assert kept(stand)["w1.example"][0] == size
    assert not stand.signed_by("w1.example")
    open_note(kept(stand)["w1.example"][1], stand.keys["w1.example"].verifier)


def test_somebody_with_database_and_key_but_without_the_witness_cannot_have_another_history_cosigned(stand: Stand, caplog) -> None:
    """The whole root log is rewritten and signed with the right key, and the journal is gone: the witness says no."""
    stand.publisher.turn()
    with stand.pieces.database.begin() as conn:
        conn.exec_driver_sql("DELETE FROM root_entries")
        conn.exec_driver_sql("DELETE FROM cosignatures")
        conn.exec_driver_sql("DELETE FROM checkpoints")
        conn.execute(
            sa.text("UPDATE root_logs SET size = 0, recorded_at = '', frontier = :empty, root = :root"),
            {"empty": Frontier().to_bytes(), "root": EMPTY_ROOT},
        )
    Path(stand.pieces.config.watermark_file).unlink()
    forged = Gridtrail(stand.pieces.config, clock=stand.town.clock, database=stand.pieces.database)
    append(forged.ledgers, SUB_A, drafts(1))
    forged.publisher.witnesses.post = stand.post
    forged.publisher.turn()
    assert stand.root().size > 0
    assert not stand.signed_by("w1.example")
    assert "did not cosign" in caplog.text


def test_it_works_over_http_beside_the_publisher(stand: Stand, town: Town) -> None:
    server = WitnessServer(stand.witnesses["w1.example"], "127.0.0.1", 0)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    item = f"{stand.keys['w1.example'].verifier}@http://127.0.0.1:{server.server_port}"
    config = replace(stand.pieces.config, witnesses=item, publish_s=0.1)
    own, stop = Gridtrail(config, clock=town.clock, database=stand.pieces.database), threading.Event()
    running = threading.Thread(target=own.publisher.run, args=(stop,))
    running.start()
    until = time.monotonic() + 120
    while not stand.signed_by("w1.example") and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    running.join()
    server.shutdown()
    serving.join()
    server.server_close()
    assert stand.signed_by("w1.example")


def test_a_wrong_setting_is_refused_with_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("GRIDTRAIL_WITNESSES", "witness.example https://witness.example")
    with pytest.raises(BadConfiguration, match="GRIDTRAIL_WITNESSES"):
        Config.from_environment()
