"""Signed notes and checkpoints against the published examples, and against forgeries."""

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.ledger import note, tree
from service.ledger.note import BadNote, Checkpoint, Signer, Verifier, WeakKey

VECTORS = Path(__file__).parents[1] / "vectors"
KNOWN = json.loads((VECTORS / "known_answers.json").read_text("utf-8"))
LOW_ORDER = json.loads((VECTORS / "ed25519_low_order_public_keys.json").read_text("utf-8"))["keys"]
TESSERA = json.loads((VECTORS / "tessera_log.json").read_text("utf-8"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OURS = Signer("gridtrail.example/tablet/1", KEY)
OTHER = Signer("gridtrail.example/tablet/2", Ed25519PrivateKey.from_private_bytes(bytes(32)))


@pytest.mark.parametrize("vkey", KNOWN["vkeys"]["valid"])
def test_a_published_verifier_key_reads_and_writes_back(vkey: str) -> None:
    assert str(Verifier.parse(vkey)) == vkey


@pytest.mark.parametrize(
    "vkey",
    [*KNOWN["vkeys"]["invalid"], "", "a+b", "a b+00000000+AQ==", "PeterNeumann+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(BadNote):
        Verifier.parse(vkey)


def test_the_key_id_of_sum_golang_org_is_033de0ae() -> None:
    key = next(vkey for vkey in KNOWN["vkeys"]["valid"] if vkey.startswith("sum.golang.org+"))
    assert note.key_id("sum.golang.org", Verifier.parse(key).public).hex() == "033de0ae"


@pytest.mark.parametrize("known", KNOWN["signed_notes"], ids=lambda known: known["source"])
def test_a_published_note_opens(known: dict[str, str]) -> None:
    assert note.open_note(known["note"], Verifier.parse(known["vkey"])) == known["note"].rpartition("\n\n")[0] + "\n"


def entries_of(bundle: str) -> list[bytes]:
    """Entries of a C2SP entry bundle: each after its length in two bytes."""
    rest, found = b64decode(bundle), []
    while rest:
        length = int.from_bytes(rest[:2], "big")
        found.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    return found


def test_a_published_log_is_reproduced_byte_for_byte_at_every_size() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b64decode(TESSERA["test_seed_published_with_the_log"]))
    origin = TESSERA["vkey"].partition("+")[0]
    for size, published in enumerate(TESSERA["checkpoints"]):
        entries = entries_of(TESSERA["entry_bundles"][size - 1]) if size else []
        leaves = tree.leaf_hashes(entries)
        if size:
            assert b"".join(leaves) == b64decode(TESSERA["tiles"][size - 1])
        assert Checkpoint(origin, size, tree.root_of(leaves)).sign(key) == published
        assert note.open_checkpoint(published, Verifier.parse(TESSERA["vkey"])) == Checkpoint(origin, size, tree.root_of(leaves))


def test_the_log_grew_without_changing_what_it_had_said() -> None:
    verifier = Verifier.parse(TESSERA["vkey"])
    leaves = tree.leaf_hashes(entries_of(TESSERA["entry_bundles"][-1]))
    points = [note.open_checkpoint(text, verifier) for text in TESSERA["checkpoints"]]
    for earlier in points[1:]:
        for later in points[earlier.size :]:
            proof = tree.consistency_proof(leaves[: later.size], earlier.size)
            tree.verify_consistency(earlier.size, later.size, proof, earlier.root, later.root)


def test_every_key_of_small_order_is_refused_and_the_list_is_the_published_one() -> None:
    assert {key.hex() for key in note.WEAK_KEYS} == set(LOW_ORDER)
    for encoded in LOW_ORDER:
        with pytest.raises(WeakKey, match="small order"):
            note.refuse_weak_key(bytes.fromhex(encoded))
    note.refuse_weak_key(OURS.verifier.public)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(WeakKey, match="32 bytes"):
        note.refuse_weak_key(b"x" * length)


def test_what_we_sign_we_can_open_and_a_stranger_cannot_have_signed_it() -> None:
    signed = note.sign_note("one\ntwo\n", OURS)
    assert note.open_note(signed, [OTHER.verifier, OURS.verifier]) == "one\ntwo\n"
    with pytest.raises(BadNote, match="not signed by a key that is known"):
        note.open_note(signed, OTHER.verifier)


def test_a_changed_text_or_signature_is_refused() -> None:
    signed = note.sign_note("one\ntwo\n", OURS)
    with pytest.raises(BadNote, match="wrong"):
        note.open_note(signed.replace("two", "too"), OURS.verifier)
    body, blank, coded = signed.rpartition(" ")
    raw = bytearray(b64decode(coded))
    raw[-1] ^= 1
    with pytest.raises(BadNote, match="wrong"):
        note.open_note(body + blank + b64encode(bytes(raw)).decode() + "\n", OURS.verifier)


def test_one_wrong_signature_of_a_known_key_spoils_a_note_that_another_signed_well() -> None:
    good = note.sign_note("text\n", OTHER)
    forged = note.sign_note("other\n", OURS).rpartition("\n\n")[2]
    with pytest.raises(BadNote, match="wrong"):
        note.open_note(good + forged, [OURS.verifier, OTHER.verifier])
    assert note.open_note(good + forged, OTHER.verifier) == "text\n"


def test_a_cosignature_is_checked_over_its_time() -> None:
    witness = Verifier("witness.example", OURS.verifier.public, note.COSIGNATURE)
    text, time = "log.example\n1\nAAAA\n", 1_795_000_000
    signature = KEY.sign(f"cosignature/v1\ntime {time}\n{text}".encode())

    def cosigned(claimed: int) -> str:
        coded = b64encode(witness.id + claimed.to_bytes(8, "big") + signature).decode()
        return f"{text}\n— {witness.name} {coded}\n"

    assert note.open_note(cosigned(time), witness) == text
    with pytest.raises(BadNote, match="wrong"):
        note.open_note(cosigned(time + 1), witness)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name AAAAAAAA\n\n",
        "te\0xt\n\n— name AAAAAAAA\n",
        "te\rxt\n\n— name AAAAAAAA\n",
        "te\ud800xt\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 101,
    ],
)
def test_what_is_no_signed_note_is_refused(broken: str) -> None:
    with pytest.raises(BadNote):
        note.open_note(broken, OURS.verifier)


@pytest.mark.parametrize("text", ["", "no line feed", "tab\there\n", "nul\0\n", "\ud800\n"])
def test_a_text_that_cannot_be_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(BadNote):
        note.sign_note(text, OURS)


def test_a_checkpoint_reads_back() -> None:
    point = Checkpoint("gridtrail.example/ledger/411502001/0011223344556677", 70_000, bytes(range(32)))
    assert Checkpoint.parse(point.text()) == point
    assert Checkpoint.parse(point.text() + "an extension line\n") == point


ROOT = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        f"origin\n5\n{ROOT}",
        f"\n5\n{ROOT}\n",
        f"origin\n05\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n\u0665\n{ROOT}\n",
        f"origin\n{10**30}\n{ROOT}\n",
        "origin\n5\nAAAA\n",
        f"origin\n5\n{ROOT[:-1]}\n",
        f"origin\n5\n{ROOT}\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.parse(text)


def test_a_checkpoint_signed_under_another_name_is_refused() -> None:
    text = Checkpoint("gridtrail.example/tablet/9", 1, bytes(32)).text()
    with pytest.raises(BadNote, match=r"is of gridtrail\.example/tablet/9"):
        note.open_checkpoint(note.sign_note(text, OURS), OURS.verifier)
