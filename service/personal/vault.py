"""Keeps personal values beside the ledgers, encrypted, and opens them again. Read by the sync, the use cases and the queries.

A value is a *disclosure* (RFC 9901 §4.2): base64url of JSON [salt, field, value]. The event holds its digest only; the text itself lies in
``disclosures``, AES-256-GCM under the subject's key from the key store, with the digest as associated data and a fresh 96-bit nonce.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.clock import Clock, utc_text
from projections import personal_items
from service.database import is_sqlite
from service.ledger.bulk import insert_unless_present
from service.ledger.keys import KeyRefused
from service.personal.keystore import NONCE_BYTES, DataKey, KeyStore
from service.personal.tables import disclosures

CHUNK = 5000
SHARE = sa.text("SELECT pg_advisory_xact_lock_shared(n) FROM unnest(CAST(:numbers AS bigint[])) AS n")
D, I = disclosures.c, personal_items.C  # noqa: E741


class Gone(Enum):
    """What stands where a value was: a word of its own type, so that nobody takes it for a value."""

    ERASED = "erased"


ERASED = Gone.ERASED
Erased = Literal[Gone.ERASED]


class Outcome(StrEnum):
    """What became of a value that was to be kept."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    """It was there already; nothing changed."""
    ERASED = "erased"
    """Its subject was erased, or its time is over: it is not kept, and never will be."""
    CONTRADICTS = "contradicts"
    """The same digest was kept for another subject or as another field."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One value to keep: the disclosure's text, and its digest as it stands in the event."""

    ledger: str
    subject: UUID
    field: str
    digest: str
    disclosure: str


class WrongDigest(ValueError):
    """A disclosure does not have the digest that it was brought under. Nothing was kept."""


def digest_of(disclosure: str) -> str:
    """The digest of a disclosure's text, as RFC 9901 §4.2 makes it: 43 characters of base64url."""
    return base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode("ascii")).digest()).rstrip(b"=").decode()


class Vault:
    """Keeps and opens values. The keys come from the key store, the ciphertexts from the connection that is given."""

    def __init__(self, keystore: KeyStore, clock: Clock) -> None:
        self.keystore = keystore
        self.clock = clock

    def keep(self, conn: sa.Connection, items: Sequence[Kept]) -> dict[str, Outcome]:
        """Keeps values inside the caller's writing transaction; gives the outcome of each by its digest.

        The subjects' keys are durable before the ciphertexts are written. Nothing is kept for a subject whose erasure has begun, and an
        erasure that begins now waits for this transaction and then removes what it wrote. Call it before the ledger's head is taken.
        WrongDigest where a text has another digest.
        """
        for item in items:
            if digest_of(item.disclosure) != item.digest:
                raise WrongDigest(f"The disclosure for {item.field} does not have the digest {item.digest}.")
        wanted = {(item.ledger, item.digest): item for item in items}
        if not wanted:
            return {}
        self._share(conn, {item.subject for item in wanted.values()})
        keys = self.keystore.keys_made(item.subject for item in wanted.values())
        present = self._present(conn, list(wanted))
        now, rows, outcomes = utc_text(self.clock()), [], {}
        for place, item in wanted.items():
            if place in present:
                outcomes[item.digest] = _outcome_of(item, present[place])
            else:
                rows.append(_row_of(item, keys[item.subject], now))
                outcomes[item.digest] = Outcome.KEPT if keys[item.subject].open else Outcome.ERASED
        if rows:
            conn.execute(insert_unless_present(conn, disclosures), rows)
        return outcomes

    def hold(self, conn: sa.Connection, subject: UUID) -> None:
        """Waits for whoever keeps values of a subject, and keeps others from it until the transaction ends."""
        if not is_sqlite(conn):
            conn.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_of(subject))))

    def _share(self, conn: sa.Connection, subjects: Iterable[UUID]) -> None:
        """Holds off the removal of these subjects' values until the transaction ends. On SQLite the transaction itself does."""
        if not is_sqlite(conn):
            conn.execute(SHARE, {"numbers": sorted(lock_of(subject) for subject in subjects)})

    def _present(self, conn: sa.Connection, places: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
        found: dict[tuple[str, str], Any] = {}
        for start in range(0, len(places), CHUNK):
            digests = [digest for _, digest in places[start : start + CHUNK]]
            query = sa.select(D.ledger, D.digest, D.subject, D.field, D.gone_at).where(D.digest.in_(digests))
            found |= {(row.ledger, row.digest): row for row in conn.execute(query)}
        return found

    def open(self, conn: sa.Connection, digests: Iterable[str], *, closing: bool = False) -> dict[str, str | Erased | None]:
        """The text of each disclosure, ERASED where its value is gone for good, None where nothing is held: it may still come.

        A ciphertext that does not open (its row or its key was changed behind the service's back) is None too; the audit names it.
        closing: also those of a subject whose erasure has begun, for the erasure's own use.
        """
        wanted = list(dict.fromkeys(digests))
        opened: dict[str, str | Erased | None] = dict.fromkeys(wanted)
        query, rows = sa.select(D.digest, D.subject, D.kid, D.nonce, D.ciphertext, D.gone_at), list[Any]()
        for start in range(0, len(wanted), CHUNK):
            rows += conn.execute(query.where(D.digest.in_(wanted[start : start + CHUNK]))).all()
        keys = self.keystore.keys({row.subject for row in rows if row.gone_at is None})
        for row in rows:
            text = _text_of(row, keys.get(row.subject), closing)
            if text is not None:
                opened[row.digest] = text
        never_brought = [digest for digest, text in opened.items() if text is None]
        return opened | dict.fromkeys(self._of_erased(conn, never_brought), ERASED) if never_brought else opened

    def _of_erased(self, conn: sa.Connection, digests: list[str]) -> list[str]:
        """Those of the digests that events vouch for as values of erased subjects: nobody brought them, and nobody can any more."""
        named: list[Any] = []
        for start in range(0, len(digests), CHUNK):
            query = sa.select(I.digest, I.subject).where(I.digest.in_(digests[start : start + CHUNK])).distinct()
            named += conn.execute(query).all()
        keys = self.keystore.keys({UUID(row.subject) for row in named})
        return [row.digest for row in named if (key := keys.get(UUID(row.subject))) is not None and not key.open]


def lock_of(subject: UUID) -> int:
    """The PostgreSQL advisory lock of a subject: shared by who keeps a value, alone for who removes them."""
    return int.from_bytes(hashlib.sha256(b"gridtrail subject\0" + subject.bytes).digest()[:8], "big", signed=True)


def _row_of(item: Kept, key: DataKey, now: str) -> dict[str, Any]:
    row: dict[str, Any] = {"ledger": item.ledger, "digest": item.digest, "subject": item.subject, "field": item.field, "kept_at": now}
    if not key.open:
        return {**row, "kid": None, "nonce": None, "ciphertext": None, "gone_at": now}
    if key.secret is None:
        raise KeyRefused(f"The wrapped key {key.kid} does not open: its row in the key store was changed. Restore that row first.")
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key.secret).encrypt(nonce, item.disclosure.encode("ascii"), item.digest.encode("ascii"))
    return {**row, "kid": key.kid, "nonce": nonce, "ciphertext": sealed, "gone_at": None}


def _outcome_of(item: Kept, row: Any) -> Outcome:
    if (row.subject, row.field) != (item.subject, item.field):
        return Outcome.CONTRADICTS
    return Outcome.DUPLICATE if row.gone_at is None else Outcome.ERASED


def _text_of(row: Any, key: DataKey | None, closing: bool) -> str | Erased | None:
    if row.gone_at is not None or (key is not None and not key.open and not (closing and key.secret)):
        return ERASED
    if key is None or key.secret is None or row.ciphertext is None or row.kid != key.kid:
        return None
    try:
        return AESGCM(key.secret).decrypt(row.nonce, row.ciphertext, row.digest.encode("ascii")).decode("ascii")
    except InvalidTag:
        return None
