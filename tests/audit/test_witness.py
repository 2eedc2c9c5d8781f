"""The witness replays the cases of the protocol, persists before it answers, and never cosigns two histories of one log."""

import base64
import hashlib
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit import witness as witnesses
from service.audit.witness import Cosigner, Witness
from service.audit.witness_server import MOST_BYTES, WitnessServer
from service.cli import main
from service.ledger.keys import KeyRefused
from service.ledger.note import Checkpoint, Verifier, open_note, split_note
from service.ledger.tree import consistency_proof, leaf_hash, root_of

LOG = "city.example/root/aa"
KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(40)]
OTHERS = [leaf_hash(b"other %d" % number) for number in range(40)]


def note(size: int, leaves: list[bytes] = LEAVES, key: Ed25519PrivateKey = KEY, origin: str = LOG) -> str:
    return Checkpoint(origin, size, root_of(leaves[:size])).sign(key)


def body(old: int, size: int, leaves: list[bytes] = LEAVES, proof: list[bytes] | None = None, signed: str | None = None) -> bytes:
    if proof is None:
        proof = consistency_proof(leaves[:size], old) if 0 < old < size else []
    lines = "".join(base64.b64encode(each).decode() + "\n" for each in proof)
    return f"old {old}\n{lines}\n{signed or note(size, leaves)}".encode()


def verifier(key: Ed25519PrivateKey = KEY) -> Verifier:
    return Verifier(LOG, key.public_key().public_bytes_raw())


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(Cosigner("witness.example/1", Ed25519PrivateKey.generate()), tmp_path / "state", [verifier()], lambda: 1_700_000_000.9)


def seen(witness: Witness) -> Checkpoint | None:
    stored = witness.latest(hashlib.sha256(LOG.encode()).hexdigest())
    return None if stored is None else Checkpoint.parse(split_note(stored)[0])


def test_the_first_checkpoint_and_its_extension_are_cosigned_at_the_witnesss_time(witness: Witness) -> None:
    for old, size in ((0, 5), (5, 5), (5, 17), (17, 32), (32, 33)):
        reply = witness.add_checkpoint(body(old, size))
        assert reply.status == 200, reply
        text = split_note(note(size))[0]
        assert open_note(f"{text}\n{reply.body}", witness.cosigner.verifier) == text
        ((name, _, signature),) = split_note(f"{text}\n{reply.body}")[1]
        assert (name, int.from_bytes(signature[:8], "big")) == ("witness.example/1", 1_700_000_000)
        assert seen(witness) == Checkpoint(LOG, size, root_of(LEAVES[:size]))


def test_what_it_serves_is_the_checkpoint_with_the_logs_signature_and_its_own(witness: Witness) -> None:
    witness.add_checkpoint(body(0, 5, signed=note(5) + "— a.stranger AAAAAAAA\n"))
    stored = witness.latest(hashlib.sha256(LOG.encode()).hexdigest())
    assert open_note(stored, verifier()) == open_note(stored, witness.cosigner.verifier)
    assert "stranger" not in stored


CASES = {
    "unknown_origin": (404, body(5, 9, signed=note(9, origin="another.example"))),
    "no_trusted_signature": (403, body(5, 9, signed=note(9, key=STRANGER))),
    "a_wrong_signature": (403, body(5, 9, signed=note(9).replace("9\n", "8\n", 1))),
    "old_greater_than_the_checkpoint": (400, body(9, 7, proof=[])),
    "old_is_not_what_was_stored": (409, body(4, 9)),
    "old_is_zero_though_something_is_stored": (409, body(0, 9)),
    "a_shorter_tree": (409, body(3, 3)),
    "another_root_at_the_same_size": (409, body(5, 5, OTHERS)),
    "another_tree": (422, body(5, 9, OTHERS)),
    "a_proof_of_another_size": (422, body(5, 9, proof=consistency_proof(LEAVES[:10], 5))),
    "no_proof": (422, body(5, 9, proof=[])),
    "a_proof_for_the_same_size": (422, body(5, 5, proof=[bytes(32)])),
    "a_hash_too_many": (422, body(5, 9, proof=[*consistency_proof(LEAVES[:9], 5), bytes(32)])),
    "more_than_63_hashes": (400, body(5, 9, proof=[bytes(32)] * 64)),
    "a_short_hash": (400, body(5, 9, proof=[bytes(31)])),
    "no_old_line": (400, note(9).encode()),
    "a_leading_zero": (400, body(5, 9).replace(b"old 5", b"old 05")),
    "a_negative_size": (400, body(5, 9).replace(b"old 5", b"old -5")),
    "a_huge_size": (400, body(5, 9).replace(b"old 5", b"old " + b"9" * 30)),
    "no_base64": (400, body(5, 9).replace(b"old 5\n", b"old 5\n!!!!\n")),
    "not_utf8": (400, b"old 5\n\n\xff\xfe"),
    "nothing": (400, b""),
    "no_signature": (400, b"old 5\n\n" + note(9).split("\n\n")[0].encode() + b"\n"),
    "a_checkpoint_that_is_none": (400, b"old 5\n\nx\n\n" + note(9).split("\n\n")[1].encode()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_refused_as_the_protocol_says_and_changes_nothing(witness: Witness, case: str) -> None:
    witness.add_checkpoint(body(0, 5))
    before = seen(witness)
    status, sent = CASES[case]
    reply = witness.add_checkpoint(sent)
    assert reply.status == status, reply
    assert (reply.kind, reply.body) == ("text/x.tlog.size", "5\n") or status != 409
    assert "witness.example/1" not in reply.body
    assert seen(witness) == before


def test_a_proof_from_nothing_must_be_empty(witness: Witness) -> None:
    assert witness.add_checkpoint(body(0, 5, proof=[bytes(32)])).status == 422
    assert seen(witness) is None


def test_it_persists_before_it_answers(witness: Witness, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    witness.add_checkpoint(body(0, 5))
    with monkeypatch.context() as broken:
        broken.setattr(witnesses.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            witness.add_checkpoint(body(5, 9))
    assert seen(witness).size == 5
    assert witness.add_checkpoint(body(5, 9)).status == 200


def test_of_two_that_extend_the_same_checkpoint_one_is_cosigned(witness: Witness) -> None:
    witness.add_checkpoint(body(0, 5))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda size: witness.add_checkpoint(body(5, size)).status, range(10, 40)))
    assert sorted(replies) == [200] + [409] * 29


def test_a_witness_that_is_started_again_remembers(witness: Witness) -> None:
    witness.add_checkpoint(body(0, 9))
    again = Witness(witness.cosigner, witness.folder, [verifier()])
    assert again.add_checkpoint(body(0, 9)).status == 409
    assert again.add_checkpoint(body(9, 9, OTHERS)).status == 409
    assert again.add_checkpoint(body(9, 12)).status == 200


def test_after_a_rotation_either_key_of_the_log_will_do(witness: Witness) -> None:
    both = Witness(witness.cosigner, witness.folder, [verifier(), verifier(STRANGER)])
    assert both.add_checkpoint(body(0, 5)).status == 200
    assert both.add_checkpoint(body(5, 9, signed=note(9, key=STRANGER))).status == 200


# ---- over HTTP, and the command


@pytest.fixture
def address(witness: Witness):
    server = WitnessServer(witness, "127.0.0.1", 0, "/w")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def ask(address, method: str, path: str, sent: bytes | None = None, headers: dict[str, str] | None = None):
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request(method, path, sent, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return found


def test_it_serves_both_operations_under_its_prefix(witness: Witness, address) -> None:
    name = hashlib.sha256(LOG.encode()).hexdigest()
    assert ask(address, "GET", f"/w/{name}/checkpoint")[0] == 404
    status, _, line = ask(address, "POST", "/w/add-checkpoint", body(0, 5))
    assert (status, line[:3]) == (200, "—".encode())
    assert ask(address, "POST", "/w/add-checkpoint", body(0, 5)) == (409, "text/x.tlog.size", b"5\n")
    status, kind, stored = ask(address, "GET", f"/w/{name}/checkpoint")
    assert (status, kind, stored.decode()) == (200, "text/plain; charset=utf-8", witness.latest(name))


def test_its_limits(address) -> None:
    assert ask(address, "POST", "/w/add-checkpoint", b"x" * (MOST_BYTES + 1))[0] == 413
    assert ask(address, "POST", "/w/add-checkpoint", None, {"Transfer-Encoding": "chunked"})[0] == 411
    assert ask(address, "POST", "/w/add-checkpoint", None, {"Content-Length": "-1"})[0] == 411
    assert ask(address, "POST", "/add-checkpoint", body(0, 5))[0] == 404
    assert ask(address, "DELETE", "/w/add-checkpoint")[0] == 501
    for path in ("/w/../../etc/passwd/checkpoint", "/w/%2e%2e/checkpoint", "/w//checkpoint", "/w/checkpoint", "/"):
        assert ask(address, "GET", path)[0] == 404


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    made = CliRunner().invoke(main, ["witness", "new-key", str(path), "--name", "witness.example/1"])
    assert made.exit_code == 0, made.output
    assert Verifier.parse(made.output.strip()) == witnesses.load_key(path).verifier
    assert CliRunner().invoke(main, ["witness", "show-key", str(path)]).output == made.output
    assert "never written over" in CliRunner().invoke(main, ["witness", "new-key", str(path), "--name", "w"]).output
    assert CliRunner().invoke(main, ["witness", "new-key", str(tmp_path / "b"), "--name", "a b"]).exit_code == 1
    path.chmod(0o644)
    with pytest.raises(KeyRefused, match="chmod 600"):
        witnesses.load_key(path)
    path.chmod(0o600)
    path.write_text(path.read_text().replace("witness.example", "another.example"))
    with pytest.raises(KeyRefused, match="damaged"):
        witnesses.load_key(path)
