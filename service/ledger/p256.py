"""ECDSA over P-256 with SHA-256, as WebCrypto makes it: what tablets sign with whose browser has no Ed25519. Read by notes and enrolment.

The two classes say what ``cryptography``'s Ed25519 keys say, so that whoever signs or verifies need not know which it has. A public
key is the uncompressed point (0x04, x, y), a signature r and s side by side (IEEE P1363): one length each, and the form that browsers
give and take.

Whoever sees a signature (r, s) can write (r, n - s), which verifies as well, and a tablet that signs twice writes two signatures. That does
no harm here, since nothing is known or compared by the bytes of a signature: what is sealed is the note's text, and a seal's recorded bytes
lie under the ledger's tree. The curve has no points of small order, and the point at infinity has no encoding of this length.
"""

from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES = 65
SIGNATURE_BYTES = 64
UNCOMPRESSED = 0x04
NUMBER_BYTES = 32


class BadPoint(ValueError):
    """Bytes that are no point of the curve, or not in the one form that is taken."""


class PublicKey:
    """A point of the curve, with which signatures are verified. BadPoint where the bytes are none."""

    def __init__(self, public: bytes) -> None:
        if len(public) != KEY_BYTES or public[0] != UNCOMPRESSED:
            raise BadPoint(f"A P-256 public key is an uncompressed point: 04 and then x and y, {KEY_BYTES} bytes together.")
        try:
            self._key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public)
        except ValueError as wrong:
            raise BadPoint("These bytes are no point of the curve P-256.") from wrong
        self._public = public

    def public_bytes_raw(self) -> bytes:
        """The uncompressed point."""
        return self._public

    def verify(self, signature: bytes, message: bytes) -> None:
        """InvalidSignature unless the holder of the private key signed the message."""
        if len(signature) != SIGNATURE_BYTES:
            raise InvalidSignature
        r, s = (int.from_bytes(half, "big") for half in (signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]))
        self._key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))


class PrivateKey:
    """A private key, for clients, tests and the worked example."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(generate_private_key(SECP256R1()))

    @classmethod
    def from_private_bytes(cls, secret: bytes) -> Self:
        """The key of a secret number, 32 bytes with the most significant first."""
        return cls(derive_private_key(int.from_bytes(secret, "big"), SECP256R1()))

    def private_bytes_raw(self) -> bytes:
        """The secret number, 32 bytes."""
        return self._key.private_numbers().private_value.to_bytes(NUMBER_BYTES, "big")

    def public_key(self) -> PublicKey:
        """The public key."""
        return PublicKey(self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes, another one each time."""
        r, s = decode_dss_signature(self._key.sign(message, ECDSA(SHA256())))
        return r.to_bytes(NUMBER_BYTES, "big") + s.to_bytes(NUMBER_BYTES, "big")
