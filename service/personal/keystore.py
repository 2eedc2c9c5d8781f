"""The key store: one AES-256 data key per subject, in a database of its own, each wrapped under the key-encryption key.

A key is durable before it is used. A destroyed key leaves a tombstone, so that it is never made again. Read by the vault and the erasure.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.clock import Clock, utc_text
from service.database import DatabaseRefused, is_sqlite, reading, writing
from service.ledger.bulk import insert_unless_present
from service.ledger.keys import KeyRefused
from service.personal.kek import KEY_BYTES, KeyEncryptionKeys
from service.personal.tables import KEYS, VERSION, subject_keys, vault_state

NONCE_BYTES = 12
CHUNK = 5000
MAKING = 7_415_160_000_411
"""The PostgreSQL advisory lock under which the tables are made."""
S = subject_keys.c


@dataclass(frozen=True, slots=True)
class DataKey:
    """A subject's key. open: its erasure has not begun. secret is None once it is destroyed, and where its row was changed from outside."""

    kid: UUID
    secret: bytes | None
    open: bool


class KeyStore:
    """The keys of one deployment. Holds connections and the key-encryption keys; never a subject's key beyond a call."""

    def __init__(self, opening: Callable[[], sa.Engine], keks: KeyEncryptionKeys, clock: Clock) -> None:
        self._opening = opening
        self.keks = keks
        self.clock = clock

    @cached_property
    def engine(self) -> sa.Engine:
        """The key store's database, with its tables."""
        engine = self._opening()
        make_tables(engine)
        self._name_the_first_kek(engine)
        return engine

    def _name_the_first_kek(self, engine: sa.Engine) -> None:
        with writing(engine) as conn:
            query = sa.select(vault_state.c.kek)
            if conn.scalar(query if is_sqlite(conn) else query.with_for_update()):
                return
            if conn.scalar(sa.select(sa.func.count()).select_from(subject_keys)):
                raise KeyRefused("The key store has keys and no name of the key that they are wrapped under. Restore it whole.")
            conn.execute(sa.update(vault_state).values(kek=self.keks.newest(make=True)))

    def dispose(self, *, close: bool = True) -> None:
        """Lets go of the connections."""
        engine = self.__dict__.pop("engine", None)
        if engine is not None:
            engine.dispose(close=close)

    # ---- keys

    def keys(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """The keys of those subjects that have one, destroyed ones too: one statement for up to 5,000."""
        with reading(self.engine) as conn:
            return self._read(conn, list(subjects))

    def keys_made(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """The key of each subject, made and durable where it had none. Those of erased subjects are not open."""
        wanted = list(dict.fromkeys(subjects))
        found = self.keys(wanted)
        missing = [subject for subject in wanted if subject not in found]
        if missing:
            with writing(self.engine) as conn:
                self._make(conn, missing)
            # Another process may have been quicker: what stands is what counts.
            found |= self.keys(missing)
        return found

    def _read(self, conn: sa.Connection, subjects: list[UUID]) -> dict[UUID, DataKey]:
        found = {}
        for start in range(0, len(subjects), CHUNK):
            query = sa.select(S.subject, S.kid, S.kek, S.wrapped, S.closed_at).where(S.subject.in_(subjects[start : start + CHUNK]))
            for subject, kid, kek, wrapped, closed_at in conn.execute(query):
                secret = None if wrapped is None else self._unwrap(kek, kid, subject, wrapped)
                found[subject] = DataKey(kid, secret, closed_at is None)
        return found

    def _make(self, conn: sa.Connection, subjects: list[UUID]) -> None:
        kek, made_at = self._wrapping_under(conn), utc_text(self.clock())
        rows = []
        for subject in subjects:
            kid = uuid4()
            wrapped = self._wrap(kek, kid, subject, AESGCM.generate_key(8 * KEY_BYTES))
            rows.append({"subject": subject, "kid": kid, "kek": kek, "wrapped": wrapped, "made_at": made_at})
        conn.execute(insert_unless_present(conn, subject_keys), rows)

    def _wrapping_under(self, conn: sa.Connection) -> str:
        """The name of the key-encryption key in force, held until the transaction ends, so that no key is wrapped under one that went."""
        query = sa.select(vault_state.c.kek)
        return str(conn.scalar(query if is_sqlite(conn) else query.with_for_update(read=True)))

    def _wrap(self, kek: str, kid: UUID, subject: UUID, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.keks.get(kek)).encrypt(nonce, secret, kid.bytes + subject.bytes)

    def _unwrap(self, kek: str, kid: UUID, subject: UUID, wrapped: bytes) -> bytes | None:
        try:
            return AESGCM(self.keks.get(kek)).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], kid.bytes + subject.bytes)
        except InvalidTag:
            return None

    # ---- erasure

    def close(self, subject: UUID) -> UUID | None:
        """From here on nothing new is kept for the subject; what is kept can still be opened. Gives the key's id, None where it has none.

        A subject without a key gets a tombstone, so that none is made for it any more.
        """
        now = utc_text(self.clock())
        with writing(self.engine) as conn:
            here = sa.update(subject_keys).where(S.subject == subject, S.closed_at.is_(None)).values(closed_at=now)
            conn.execute(here)
            row = conn.execute(sa.select(S.kid, S.made_at).where(S.subject == subject)).one_or_none()
            if row is not None:
                return row.kid if row.made_at else None
            stone = {"subject": subject, "kid": uuid4(), "kek": "", "made_at": "", "closed_at": now, "destroyed_at": now}
            conn.execute(insert_unless_present(conn, subject_keys), stone)
            # Where somebody made a key meanwhile, it is the one to close.
            conn.execute(here)
            return conn.scalar(sa.select(S.kid).where(S.subject == subject, S.made_at != ""))

    def destroy(self, subject: UUID) -> bool:
        """Removes the wrapped key; the tombstone stays. False where it was gone already."""
        now = utc_text(self.clock())
        gone = {"wrapped": None, "kek": "", "closed_at": sa.func.coalesce(S.closed_at, now), "destroyed_at": now}
        with writing(self.engine) as conn:
            return conn.execute(sa.update(subject_keys).where(S.subject == subject, S.destroyed_at.is_(None)).values(gone)).rowcount > 0

    def had_key(self, subject: UUID) -> bool:
        """Whether a key was ever made for the subject."""
        with reading(self.engine) as conn:
            return bool(conn.scalar(sa.select(S.made_at).where(S.subject == subject)))

    def closed(self) -> dict[UUID, bool]:
        """Every subject whose erasure has begun, and whether its key is destroyed."""
        query = sa.select(S.subject, S.destroyed_at).where(S.closed_at.is_not(None))
        with reading(self.engine) as conn:
            return {subject: destroyed_at is not None for subject, destroyed_at in conn.execute(query)}

    # ---- rotation of the key-encryption key

    def rewrap(self, chunk: int = 500) -> int:
        """Wraps every key anew under a new key-encryption key, or under the newest of GRIDTRAIL_VAULT_KEY. Gives how many it wrapped.

        Safe to run again after a crash at any step: the old key leaves the file only when nothing is wrapped under it.
        """
        kek = self._next_kek()
        with writing(self.engine) as conn:
            # Waits for whoever wraps under the old one now; whoever comes later sees the new one.
            conn.execute(sa.update(vault_state).values(kek=kek))
        count = 0
        while done := self._rewrap_some(kek, chunk):
            count += done
        if not self.keks.value:
            self.keks.drop_old()
        return count

    def _next_kek(self) -> str:
        with reading(self.engine) as conn:
            current = conn.scalar(sa.select(vault_state.c.kek))
        self.keks.load()
        newest = self.keks.newest(make=False)
        if self.keks.value or newest != current:
            # Given from outside, or a rotation that was cut short: it goes on with the key that it had made.
            return newest
        self.keks.add(secrets.token_bytes(KEY_BYTES))
        return self.keks.newest(make=False)

    def _rewrap_some(self, kek: str, chunk: int) -> int:
        with writing(self.engine) as conn:
            query = sa.select(S.subject, S.kid, S.kek, S.wrapped).where(S.wrapped.is_not(None), S.kek != kek).limit(chunk)
            rows = conn.execute(query if is_sqlite(conn) else query.with_for_update()).all()
            if not rows:
                return 0
            wrapped = [{"the_subject": row.subject, "wrapped": self._wrapped_anew(kek, row)} for row in rows]
            mine = sa.update(subject_keys).where(S.subject == sa.bindparam("the_subject"))
            conn.execute(mine.values(kek=kek, wrapped=sa.bindparam("wrapped")), wrapped)
            return len(rows)

    def _wrapped_anew(self, kek: str, row: Any) -> bytes:
        secret = self._unwrap(row.kek, row.kid, row.subject, row.wrapped)
        if secret is None:
            raise KeyRefused(f"The wrapped key {row.kid} does not open: its row in the key store was changed. Restore that row first.")
        return self._wrap(kek, row.kid, row.subject, secret)


def make_tables(engine: sa.Engine) -> None:
    """Makes the tables of a new key store. DatabaseRefused where a later release made them."""
    with writing(engine) as conn:
        if not is_sqlite(conn):
            conn.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING)))
        if not sa.inspect(conn).has_table(vault_state.name):
            KEYS.create_all(conn, checkfirst=False)
            conn.execute(vault_state.insert(), {"one": 1, "version": VERSION, "kek": ""})
        version = conn.scalar(sa.select(vault_state.c.version))
    if version != VERSION:
        raise DatabaseRefused(f"The key store has tables of version {version}; this release knows {VERSION}.")
