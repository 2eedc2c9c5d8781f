"""The signing key: where it may come from, and who may read it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from service.ledger import keys
from service.ledger.keys import KeyRefused
from service.ledger.note import open_checkpoint
from service.ledger.store import Head


def never() -> bool:
    """A deployment that has signed nothing yet."""
    return False


def test_a_new_key_is_for_its_owner_only_and_is_never_made_over(tmp_path: Path) -> None:
    path = tmp_path / "var" / "signing.key"
    key = keys.new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load_key(path).private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(FileExistsError):
        keys.new_key(path)


def test_a_key_may_be_the_base64_of_its_seed(tmp_path: Path) -> None:
    key = keys.new_key(tmp_path / "pem")
    raw = tmp_path / "raw"
    raw.write_text(keys.seed_of(key) + "\n")
    raw.chmod(0o600)
    assert keys.load_key(raw).private_bytes_raw() == keys.parse_key(keys.seed_of(key)).private_bytes_raw() == key.private_bytes_raw()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    keys.new_key(path)
    path.chmod(0o640)
    with pytest.raises(KeyRefused, match="chmod 600"):
        keys.load_key(path)


@pytest.mark.parametrize("value", ["", "hunter2", "AAAA", "A" * 44, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_telling_it(value: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        keys.parse_key(value)
    assert not value or value not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRefused, match="not an Ed25519 key"):
        keys.parse_key(pem.decode())


def test_the_signer_takes_the_value_first_then_the_file_and_makes_the_file_at_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    made = keys.load_signer("", path, "gridtrail.example", never)
    assert keys.load_signer("", path, "gridtrail.example", never).verifier == made.verifier
    given = keys.new_key(tmp_path / "other")
    assert keys.load_signer(keys.seed_of(given), path, "gridtrail.example", never).verifier.public == given.public_key().public_bytes_raw()


def test_a_missing_file_is_no_first_start_where_something_was_signed(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match=r"signing\.key is missing, and this deployment has signed before\. Bring the file back"):
        keys.load_signer("", tmp_path / "var" / "signing.key", "gridtrail.example", lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="cannot be read"):
        keys.load_signer("", tmp_path, "gridtrail.example", never)


@pytest.mark.parametrize("signed", [False, True], ids=["has signed nothing yet", "has signed already"])
def test_whoever_is_slower_at_a_first_start_takes_the_key_of_the_quicker(tmp_path: Path, signed: bool) -> None:
    path, made = tmp_path / "signing.key", []

    def another_is_quicker() -> bool:
        made.append(keys.new_key(path))
        return signed

    signer = keys.load_signer("", path, "gridtrail.example", another_is_quicker)
    assert [each.private_bytes_raw() for each in made] == [signer.private_key.private_bytes_raw()]


def test_many_first_starts_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        signers = pool.map(lambda _: keys.SigningKey("", tmp_path / "signing.key", "gridtrail.example", never).signer(), range(32))
    assert len({signer.verifier.public for signer in signers}) == 1


def test_a_key_that_is_handed_on_while_the_old_one_is_read_is_seen_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, load = tmp_path / "signing.key", keys.load_key
    keys.new_key(path)
    after = keys.new_key(tmp_path / "next")

    def handed_on_meanwhile(path: str | Path) -> Ed25519PrivateKey:
        key = load(path)
        (tmp_path / "next").replace(path)
        return key

    watched = keys.SigningKey("", path, "gridtrail.example", never)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(keys, "load_key", handed_on_meanwhile)
        watched.signer()
    watched._look_at = 0.0
    assert watched.signer().private_key.private_bytes_raw() == after.private_bytes_raw()


def test_a_ledgers_checkpoint_is_signed_under_the_name_of_its_incarnation(tmp_path: Path) -> None:
    signer = keys.load_signer("", tmp_path / "signing.key", "gridtrail.example", never)
    head = Head("411502001", 7, bytes(32), "00112233445566aa", "2026-11-21T01:03:12.123Z")
    signed = keys.checkpoint_of(head, signer.name, signer.private_key)
    origin = "gridtrail.example/ledger/411502001/00112233445566aa"
    point = open_checkpoint(signed, type(signer)(origin, signer.private_key).verifier)
    assert (point.origin, point.size, point.root) == (origin, 7, bytes(32))
