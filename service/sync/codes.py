"""Enrolment codes as people type them, and what a tablet signs with one. Read by both ends of the enrolment; knows no web."""

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 16, 4
MISREAD = str.maketrans("OIL", "011")
PROOF = "gridtrail-enrol/1\n{code}\n{public_key}\n"


def new_code() -> str:
    """A code of 80 random bits."""
    return canonical_code("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def canonical_code(typed: str) -> str:
    """A code as it was given out, from whatever somebody typed: case, spaces, hyphens and the usual misreadings do not matter."""
    plain = re.sub(r"[^0-9A-Z]", "", typed.upper()[:80]).translate(MISREAD)
    return "-".join(plain[at : at + GROUP] for at in range(0, len(plain), GROUP))


def proof_text(code: str, public_key: str) -> bytes:
    """What a tablet signs to enrol. public_key is base64 of its 32 bytes."""
    return PROOF.format(code=canonical_code(code), public_key=public_key).encode()
