"""ECDSA over P-256: the forms that WebCrypto gives, and what is refused."""

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.ledger import note, p256
from service.ledger.note import BadNote, Checkpoint, Signer, Verifier, verifier_of_tablet

KEY = p256.PrivateKey.from_private_bytes(bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))
"""The key of RFC 6979 section A.2.5."""
PUBLIC = KEY.public_key().public_bytes_raw()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SAMPLE = bytes.fromhex(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
"""The signature of "sample" under SHA-256 that the same section prints, r and s side by side."""


def uncompressed(curve: ec.EllipticCurve) -> bytes:
    return ec.generate_private_key(curve).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_the_key_and_the_signature_of_the_rfc() -> None:
    assert PUBLIC.hex() == (
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    )
    p256.PublicKey(PUBLIC).verify(SAMPLE, b"sample")
    with pytest.raises(InvalidSignature):
        p256.PublicKey(PUBLIC).verify(SAMPLE, b"Sample")


def test_what_is_signed_verifies_and_the_private_number_comes_back() -> None:
    key = p256.PrivateKey.generate()
    signature = key.sign(b"text")
    assert len(signature) == 64
    key.public_key().verify(signature, b"text")
    again = p256.PrivateKey.from_private_bytes(key.private_bytes_raw())
    assert again.public_key().public_bytes_raw() == key.public_key().public_bytes_raw()


def test_small_numbers_keep_their_length() -> None:
    key = p256.PrivateKey.from_private_bytes((1).to_bytes(32, "big"))
    assert key.private_bytes_raw() == bytes(31) + b"\x01"
    assert {len(key.sign(bytes([each]))) for each in range(64)} == {64}


def test_the_twin_of_a_signature_verifies_too_and_nothing_rests_on_its_bytes() -> None:
    r, s = SAMPLE[:32], int.from_bytes(SAMPLE[32:], "big")
    p256.PublicKey(PUBLIC).verify(r + (ORDER - s).to_bytes(32, "big"), b"sample")


POINTS = {
    "nothing": b"",
    "zeros": bytes(65),
    "one byte": b"\x00",
    "without its first byte": PUBLIC[1:],
    "cut short": PUBLIC[:-1],
    "too long": PUBLIC + b"\x00",
    "compressed": b"\x02" + PUBLIC[1:33],
    "hybrid": b"\x06" + PUBLIC[1:],
    "the origin": b"\x04" + bytes(64),
    "beside the curve": PUBLIC[:-1] + bytes([PUBLIC[-1] ^ 1]),
    "beyond the field": b"\x04" + b"\xff" * 64,
    "of secp256k1": uncompressed(ec.SECP256K1()),
    "of P-384": uncompressed(ec.SECP384R1()),
    "of brainpoolP256r1": uncompressed(ec.BrainpoolP256R1()),
}


@pytest.mark.parametrize("public", POINTS.values(), ids=POINTS)
def test_what_is_no_uncompressed_point_of_this_curve_is_refused(public: bytes) -> None:
    with pytest.raises(p256.BadPoint, match=r"P-256"):
        p256.PublicKey(public)
    with pytest.raises(BadNote, match=r"P-256"):
        verifier_of_tablet("t", public, "p256")


SIGNATURES = {
    "nothing": b"",
    "cut short": SAMPLE[:-1],
    "too long": SAMPLE + b"\x00",
    "zeros": bytes(64),
    "no s": SAMPLE[:32] + bytes(32),
    "no r": bytes(32) + SAMPLE[32:],
    "s is the order": SAMPLE[:32] + ORDER.to_bytes(32, "big"),
    "r is the order": ORDER.to_bytes(32, "big") + SAMPLE[32:],
    "beyond the order": b"\xff" * 64,
    "halves swapped": SAMPLE[32:] + SAMPLE[:32],
    "as DER": encode_dss_signature(int.from_bytes(SAMPLE[:32], "big"), int.from_bytes(SAMPLE[32:], "big")),
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_what_is_no_signature_verifies_nothing(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        p256.PublicKey(PUBLIC).verify(signature, b"sample")


def test_a_note_is_signed_and_opened_under_the_type_of_its_key() -> None:
    origin = "gridtrail.test/tablet/1"
    sealed = Checkpoint(origin, 3, bytes(32)).sign(KEY)
    verifier = verifier_of_tablet(origin, PUBLIC, "p256")
    assert note.open_checkpoint(sealed, verifier) == Checkpoint(origin, 3, bytes(32))
    assert verifier.id == note.key_id(origin, PUBLIC, note.P256)
    with pytest.raises(BadNote, match="wrong"):
        note.open_checkpoint(sealed.replace("\n3\n", "\n4\n"), verifier)
    short = sealed.rpartition(" ")[0] + " " + base64.b64encode(verifier.id + KEY.sign(b"x")[:-1]).decode() + "\n"
    with pytest.raises(BadNote, match="has 63 bytes"):
        note.open_checkpoint(short, verifier)


def test_a_key_of_one_algorithm_is_none_of_the_other() -> None:
    with pytest.raises(BadNote, match="32 bytes"):
        verifier_of_tablet("t", PUBLIC, "ed25519")
    with pytest.raises(BadNote, match=r"P-256"):
        verifier_of_tablet("t", bytes(32), "p256")
    for algorithm in ("", "P256", "es256", "rsa"):
        with pytest.raises(BadNote, match="not an algorithm"):
            verifier_of_tablet("t", PUBLIC, algorithm)


def test_no_log_and_no_witness_signs_with_it() -> None:
    vkey = str(Signer("log.example", KEY).verifier)
    with pytest.raises(BadNote, match="only a tablet"):
        Verifier.parse(vkey)
