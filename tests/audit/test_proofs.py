"""Proof files: what we write holds and reads back, and every damaged, swapped or foreign one is refused with a sentence."""

import json
import random
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit import proofs
from service.ledger import tree
from service.ledger.note import COSIGNATURE, BadNote, Checkpoint, Signer, Verifier, sign_note
from service.ledger.tree import BadProof

TESSERA = json.loads((Path(__file__).parents[1] / "vectors" / "tessera_log.json").read_text("utf-8"))
ORIGIN = "gridtrail.example/ledger/411502001/0011223344556677"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
LOG = Signer(ORIGIN, KEY).verifier
WITNESS = Verifier("witness.example", WITNESS_KEY.public_key().public_bytes_raw(), COSIGNATURE)
ENTRIES = [b"entry %d" % number for number in range(100)]
LEAVES = tree.leaf_hashes(ENTRIES)


def point(size: int, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    """The signed checkpoint of the first entries."""
    return Checkpoint(origin, size, tree.root_of(LEAVES[:size])).sign(key)


def cosigned(note: str, time: int = 1_795_000_000) -> str:
    text = note.rpartition("\n\n")[0] + "\n"
    signature = WITNESS_KEY.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    return f"{note}— {WITNESS.name} {b64encode(WITNESS.id + time.to_bytes(8, 'big') + signature).decode()}\n"


def proof(index: int, size: int = 100, **more: bytes) -> str:
    return proofs.write_proof(index, tree.inclusion_proof(LEAVES[:size], index), point(size), **more)


def growth(old: int, new: int, note: str = "") -> str:
    return proofs.write_consistency(old, new, tree.consistency_proof(LEAVES[:new], old), note)


def test_a_proof_file_has_the_lines_that_the_format_asks_for() -> None:
    lines = proof(0, 2, extra=b"?").split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra Pw==", "index 0"]
    assert lines[3:6] == [b64encode(LEAVES[1]).decode(), "", ORIGIN]
    assert proof(0, 1) == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{point(1)}"


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65, 100])
def test_every_entry_of_a_log_can_be_proved_by_a_file(size: int) -> None:
    for index in range(size):
        assert proofs.verify_proof(proof(index, size), ENTRIES[index], LOG) == Checkpoint(ORIGIN, size, tree.root_of(LEAVES[:size]))


def test_a_file_reads_back_as_it_was_written() -> None:
    read = proofs.read_proof(proof(7, extra=b"opaque"))
    assert (read.index, read.extra, read.note) == (7, b"opaque", point(100))
    assert list(read.hashes) == tree.inclusion_proof(LEAVES, 7)
    between = proofs.read_consistency(growth(10, 90, point(90)))
    assert (between.old, between.new, between.note) == (10, 90, point(90))
    assert list(between.hashes) == tree.consistency_proof(LEAVES[:90], 10)


def test_another_entry_and_another_place_are_refused() -> None:
    with pytest.raises(BadProof, match="does not lead to the root"):
        proofs.verify_proof(proof(7), ENTRIES[8], LOG)
    with pytest.raises(BadProof, match="does not lead to the root"):
        proofs.verify_proof(proof(7).replace("index 7\n", "index 6\n"), ENTRIES[7], LOG)
    with pytest.raises(BadProof, match="no leaf 100"):
        proofs.verify_proof(proof(7).replace("index 7\n", "index 100\n"), ENTRIES[7], LOG)


def test_a_proof_counts_only_under_the_keys_that_are_asked_for() -> None:
    stranger = Signer(ORIGIN, NEW_KEY).verifier
    with pytest.raises(BadNote, match="not signed by a key that is known"):
        proofs.verify_proof(proof(7), ENTRIES[7], stranger)
    with pytest.raises(BadNote, match="not signed by a key that is known"):
        proofs.verify_proof(proof(7), ENTRIES[7], [])
    other = Signer("gridtrail.example/ledger/411502002/0011223344556677", KEY)
    signed_by_another = sign_note(Checkpoint.parse(point(100).rpartition("\n\n")[0] + "\n").text(), other)
    forged = proofs.write_proof(7, tree.inclusion_proof(LEAVES, 7), signed_by_another)
    with pytest.raises(BadNote, match=r"is of .*411502001.*keys given are of .*411502002"):
        proofs.verify_proof(forged, ENTRIES[7], other.verifier)


def test_a_witness_that_is_asked_for_must_have_cosigned() -> None:
    with pytest.raises(BadNote, match=r"no valid signature of witness\.example"):
        proofs.verify_proof(proof(7), ENTRIES[7], [LOG, WITNESS])
    witnessed = proofs.write_proof(7, tree.inclusion_proof(LEAVES, 7), cosigned(point(100)))
    assert proofs.verify_proof(witnessed, ENTRIES[7], [LOG, WITNESS]).size == 100
    assert proofs.verify_proof(witnessed, ENTRIES[7], LOG).size == 100
    with pytest.raises(BadNote, match="keys given are of witness"):
        proofs.verify_proof(witnessed, ENTRIES[7], WITNESS)


def test_after_a_rotation_either_key_of_the_log_will_do() -> None:
    both = [LOG, Signer(ORIGIN, NEW_KEY).verifier]
    text = proofs.write_consistency(10, 90, tree.consistency_proof(LEAVES[:90], 10), point(90, NEW_KEY))
    old, new = proofs.verify_consistency_file(text, point(10), both)
    assert (old.size, new.size) == (10, 90)


@pytest.mark.parametrize(("old", "new"), [(1, 1), (1, 2), (3, 7), (64, 100), (99, 100), (100, 100)])
def test_consistency_holds_between_any_two_checkpoints(old: int, new: int) -> None:
    found = proofs.verify_consistency_file(growth(old, new, point(new)), point(old), LOG)
    assert tuple(each.size for each in found) == (old, new)
    assert proofs.verify_consistency_file(growth(old, new), point(old), LOG, point(new)) == found


def test_consistency_with_another_history_is_refused() -> None:
    rewritten = Checkpoint(ORIGIN, 10, tree.root_of([*LEAVES[:9], LEAVES[50]])).sign(KEY)
    with pytest.raises(BadProof, match="do not lead to one another"):
        proofs.verify_consistency_file(growth(10, 90, point(90)), rewritten, LOG)


@pytest.mark.parametrize(
    ("text", "old", "said"),
    [
        (growth(10, 90), point(10), "brings no newer checkpoint"),
        (growth(10, 90, point(90)), point(11), "the checkpoints are of 11 and 90"),
        (growth(10, 90, point(91)), point(10), "the checkpoints are of 10 and 91"),
        (growth(10, 90, point(90)).replace("old 10", "old 0"), point(10), "sizes 0 and 90"),
        (growth(10, 90, point(90)).replace("new 90", "new 9"), point(10), "sizes 10 and 9,"),
        (proof(7), point(10), "first line"),
    ],
)
def test_a_consistency_file_that_does_not_fit_is_refused(text: str, old: str, said: str) -> None:
    with pytest.raises(BadProof, match=said):
        proofs.verify_consistency_file(text, old, LOG)


def test_checkpoints_of_two_logs_are_never_consistent_though_one_body_keeps_both() -> None:
    signers = [Signer(ORIGIN, KEY), Signer("gridtrail.example/ledger/411502001/8899aabbccddeeff", KEY)]
    old, new = (
        sign_note(Checkpoint(signer.name, size, tree.root_of(LEAVES[:size])).text(), *signers)
        for signer, size in zip(signers, (10, 90), strict=True)
    )
    with pytest.raises(BadProof, match="of two logs"):
        proofs.verify_consistency_file(growth(10, 90, new), old, [each.verifier for each in signers])


GOOD = proof(7, extra=b"x")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", "cut short|first line"),
        ("\n", "first line"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\n", "first line"),
        ("c2sp.org/tlog-proof@v1\n", "index <number>"),
        (GOOD.replace("index 7", "index 07"), "index <number>"),
        (GOOD.replace("index 7", "index -7"), "index <number>"),
        (GOOD.replace("index 7", "index  7"), "index <number>"),
        (GOOD.replace("index 7", "index \u0667"), "index <number>"),
        (GOOD.replace("index 7", f"index {10**30}"), "index <number>"),
        (GOOD.replace("index 7\n", ""), "index <number>"),
        (GOOD.replace("extra eA==", "extra "), "holds nothing"),
        (GOOD.replace("extra eA==", "extra eB=="), "cannot be read"),
        (GOOD.replace("index 7\n", "index 7\nAAAA\n"), "32 bytes"),
        (GOOD.replace("index 7\n", "index 7\n!\n"), "cannot be read"),
        (GOOD.replace("index 7\n", "index 7\n" + f"{b64encode(bytes(32)).decode()}\n" * 60), "at most 63 hashes"),
        (GOOD.partition("\n\n")[0] + "\n", "brings no checkpoint"),
        (GOOD.partition("\n\n")[0] + "\n\n", "brings no checkpoint"),
        (GOOD.replace("\n", "\r\n"), "first line"),
        (" " + GOOD, "first line"),
        (GOOD + "x" * 200_000, "characters"),
    ],
)
def test_what_is_no_proof_file_is_refused(broken: str, said: str) -> None:
    with pytest.raises(BadProof, match=said):
        proofs.verify_proof(broken, ENTRIES[7], LOG)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from("\n \0Aé=7—"), st.sampled_from(["replace", "insert", "remove", "cut"]))
def test_no_damaged_file_proves_anything_else(at: int, letter: str, how: str) -> None:
    damaged = {
        "replace": GOOD[:at] + letter + GOOD[at + 1 :],
        "insert": GOOD[:at] + letter + GOOD[at:],
        "remove": GOOD[:at] + GOOD[at + 1 :],
        "cut": GOOD[:at],
    }[how]
    try:
        found = proofs.verify_proof(damaged, ENTRIES[7], LOG)
    except (BadProof, BadNote):
        return
    # Only the extra data, which nothing vouches for, can change without a word; and a further signature of nobody we know.
    assert found == Checkpoint(ORIGIN, 100, tree.root_of(LEAVES))
    assert proofs.read_proof(damaged).index == 7


def test_entries_of_the_published_log_are_proved_under_its_own_checkpoints() -> None:
    bundle, entries = b64decode(TESSERA["entry_bundles"][-1]), []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    leaves, verifier = tree.leaf_hashes(entries), Verifier.parse(TESSERA["vkey"])
    for size in range(1, 16):
        for index in range(size):
            text = proofs.write_proof(index, tree.inclusion_proof(leaves[:size], index), TESSERA["checkpoints"][size])
            assert proofs.verify_proof(text, entries[index], verifier).size == size
            with pytest.raises(BadProof):
                proofs.verify_proof(text, entries[index] + b"!", verifier)


def test_proofs_are_checked_without_anything_of_the_database() -> None:
    asked = "import sys, service.audit.proofs; print([m for m in sys.modules if m.partition('.')[0] in ('sqlalchemy', 'flask', 'psycopg')])"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_noise_is_refused_quickly() -> None:
    chance = random.Random(1)
    for _ in range(300):
        noise = "".join(chance.choice("\n =Aindex7—") for _ in range(chance.randrange(400)))
        for text in (noise, f"{proofs.INCLUSION}\n{noise}", f"{proofs.CONSISTENCY}\n{noise}"):
            with pytest.raises((BadProof, BadNote)):
                proofs.verify_proof(text, b"", LOG)
            with pytest.raises((BadProof, BadNote)):
                proofs.verify_consistency_file(text, point(1), LOG)
