"""The key that signs the ledgers' checkpoints, as far as it is on record: that it was handed on. Read by the audit."""

from typing import Any
from uuid import UUID

from domain.aggregate import Act, Aggregate, Derived, FirstFact, Said
from domain.refusals import ReasonNeeded

LONGEST_REASON = 500


def must_be_a_reason(reason: str) -> None:
    """ReasonNeeded unless the text can stand in a statement: asked before a key is made, since a statement cannot be taken back."""
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise ReasonNeeded(f"Say in one line of 1 to {LONGEST_REASON} characters why the key is handed on.")


class SigningKey(Aggregate):
    """One handing on of the key: a stream of a single fact, in the city's ledger."""

    TOPIC = "signing_key"

    class Rotated(FirstFact):
        """换签名密钥: another key signs from here on; the statement is signed by the old key and the new.

        last_valid is given where the old key was stolen: what it signed of the root log beyond that size counts for nothing.
        """

        TOPIC = "signing_key.rotated"
        reason: Said[str]
        old_key: Derived[str]
        new_key: Derived[str]
        statement: Derived[str]
        last_valid: Said[int | None] = None

        def apply(self, key: "SigningKey") -> None:
            key.old_key, key.new_key = self.old_key, self.new_key

    old_key: str
    new_key: str

    def __init__(self) -> None:
        """State is set by facts only."""

    @classmethod
    def rotate(cls, act: Act, books: Any, stream: UUID, *, reason: str, last_valid: int | None, **found: Any) -> "SigningKey":
        """换签名密钥: records a statement that was made. found: the server's part of the fact."""
        must_be_a_reason(reason)
        return cls.begin(cls.Rotated, act, stream, reason=reason, last_valid=last_valid, **found)
