"""The worked example of docs/sync-protocol.md, made again from its seed with nothing but SHA-256, Ed25519 and base64."""

import base64
import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.personal import read_disclosure, value_fault
from service.config import Config
from service.ledger import p256
from service.ledger.note import Verifier, open_checkpoint, verifier_of_tablet
from service.sync.batch import decode_batch
from service.sync.codes import canonical_code, proof_text
from service.sync.enrolment import _must_prove

PAGE = Path(__file__).parents[2] / "docs" / "sync-protocol.md"


def b64(plain: bytes) -> str:
    return base64.b64encode(plain).decode()


def sha256(plain: bytes) -> bytes:
    return hashlib.sha256(plain).digest()


@pytest.fixture(scope="module")
def example() -> SimpleNamespace:
    """The blocks of section 10, by the word that stands before each."""
    section = PAGE.read_text(encoding="utf-8").partition("## 10.")[2]
    blocks = re.findall(r"\*\*(.+?)\*\*[^\n]*\n\n```\n(.*?)```", section, re.S)
    return SimpleNamespace(**{name.replace(" ", "_"): text for name, text in blocks})


def test_the_key_and_the_proof(example: SimpleNamespace) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(example.seed.strip()))
    public = b64(key.public_key().public_bytes_raw())
    assert example.public_key == public + "\n"
    code = example.proof_text.split("\n")[1]
    assert canonical_code(code) == code
    assert example.proof_text == f"gridtrail-enrol/1\n{code}\n{public}\n"
    assert proof_text(code, public) == example.proof_text.encode()
    assert example.proof == b64(key.sign(example.proof_text.encode())) + "\n"
    _must_prove(base64.b64decode(public), example.proof_text.encode(), example.proof.strip())


def test_the_disclosure_and_its_digest(example: SimpleNamespace) -> None:
    def b64url(plain: bytes) -> str:
        return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()

    assert example.disclosure == b64url(example.disclosed.rstrip("\n").encode()) + "\n"
    assert example.digest == b64url(sha256(example.disclosure.strip().encode())) + "\n"
    first = json.loads(example.body.split("\n")[0])
    assert first["data"]["personal"][0]["digest"] == example.digest.strip()
    said = read_disclosure(example.disclosure.strip())
    assert value_fault(said.field, said.value) is None


def test_the_tree_and_the_seal(example: SimpleNamespace) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(example.seed.strip()))
    *entries, last = example.body.encode().split(b"\n")[:-1]
    leaves = [sha256(b"\x00" + entry) for entry in entries]
    assert example.leaf_hashes.split() == [leaf.hex() for leaf in leaves]
    root = sha256(b"\x01" + leaves[0] + leaves[1])
    assert example.root == b64(root) + "\n"
    origin = example.checkpoint.split("\n")[0]
    assert example.checkpoint == f"{origin}\n2\n{b64(root)}\n"
    key_id = sha256(origin.encode() + b"\n\x01" + key.public_key().public_bytes_raw())[:4]
    assert example.key_id == key_id.hex() + "\n"
    seal = f"{example.checkpoint}\n— {origin} {b64(key_id + key.sign(example.checkpoint.encode()))}\n"
    assert example.seal == seal
    told = json.loads(last)
    assert (told["seal"], told["base"]) == (seal, {"size": 0, "root": b64(sha256(b""))})
    assert example.digest_of_the_body == hashlib.sha256(example.body.encode()).hexdigest() + "\n"


def test_the_service_takes_the_body(example: SimpleNamespace) -> None:
    public = base64.b64decode(example.public_key.strip())
    batch = decode_batch(example.body.encode(), Verifier(example.checkpoint.split("\n")[0], public), Config())
    assert [line.fault for line in batch.lines] == [None, None]
    assert batch.seal.checkpoint.size == 2


def test_the_same_by_a_key_of_p256(example: SimpleNamespace) -> None:
    """Its signatures differ each time, so the page's own are verified, and whatever else follows from the key is made again."""
    key = p256.PrivateKey.from_private_bytes(bytes.fromhex(example.p256_secret.strip()))
    public = key.public_key().public_bytes_raw()
    assert example.p256_public_key == b64(public) + "\n"
    code = example.proof_text.split("\n")[1]
    _must_prove(public, proof_text(code, b64(public)), example.p256_proof.strip(), "p256")
    origin = example.checkpoint.split("\n")[0]
    key_id = sha256(origin.encode() + b"\n\xffgridtrail-p256" + public)[:4]
    assert example.p256_key_id == key_id.hex() + "\n"
    checkpoint = open_checkpoint(example.p256_seal, verifier_of_tablet(origin, public, "p256"))
    assert checkpoint.text() == example.checkpoint
