"""How the signing key is handed on: a statement signed by the old key and the new. Read by the service, tablets and auditors.

A statement is a C2SP signed note under the deployment's origin. Its text has seven lines, each closed by a line feed:

    gridtrail-key-rotation/1
    <origin>
    <verifier key of the old key>
    <verifier key of the new key>
    <UTC time>
    <last size of the root log that the old key signed rightly, or - where it was not stolen>
    <reason>

Whoever trusts a key follows the statements that begin with it, oldest first. A thief of the old key can write such a statement as well: the
one that counts is the one that stands in the city's ledger, and so under the root log that witnesses cosigned, first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.ledger.note import BadNote, Signer, Verifier, open_note, sign_note

FORM = "gridtrail-key-rotation/1"
LONGEST_REASON = 500
MOST_STATEMENTS = 1_000
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class Rotation:
    """One statement: from this moment on the new key signs. last_valid is given where the old key is not to be believed any more."""

    origin: str
    old: Verifier
    new: Verifier
    at: str
    last_valid: int | None
    reason: str

    def text(self) -> str:
        """The text that is signed."""
        last = "-" if self.last_valid is None else str(self.last_valid)
        return "\n".join([FORM, self.origin, str(self.old), str(self.new), self.at, last, self.reason]) + "\n"

    def sign(self, old: Signer, new: Signer) -> str:
        """The statement, signed by both keys."""
        return sign_note(self.text(), old, new)

    @classmethod
    def read(cls, statement: str) -> "Rotation":
        """The rotation that a statement tells, if both keys signed it. BadNote otherwise."""
        lines = (statement.partition("\n\n")[0] + "\n").split("\n")
        if len(lines) != 8 or lines[0] != FORM or not TIME.fullmatch(lines[4]) or not re.fullmatch(r"-|0|[1-9][0-9]{0,18}", lines[5]):
            raise BadNote("this is no statement that a key was handed on")
        last = None if lines[5] == "-" else int(lines[5])
        found = cls(lines[1], Verifier.parse(lines[2]), Verifier.parse(lines[3]), lines[4], last, lines[6])
        if found.old.name != found.origin or found.new.name != found.origin or found.old.public == found.new.public:
            raise BadNote("both keys bear the origin's name, and are two")
        for each in (found.old, found.new):
            if open_note(statement, each) != found.text():
                raise BadNote("the statement is not the text that was signed")
        return found


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is believed after a chain was followed: the present key, and earlier ones that signed what was signed before."""

    key: bytes
    earlier: tuple[bytes, ...] = ()


def follow(statements: Iterable[str], origin: str, trusted: Trusted) -> Trusted:
    """Goes on from a trusted key, statement by statement. BadNote where one that begins with it does not hold.

    Statements before it are passed over. After a theft no earlier key is believed any more.
    """
    for statement in statements:
        rotation = Rotation.read(statement)
        if rotation.origin == origin and rotation.old.public == trusted.key:
            earlier = (*trusted.earlier, trusted.key) if rotation.last_valid is None else ()
            trusted = Trusted(rotation.new.public, earlier)
    return trusted
