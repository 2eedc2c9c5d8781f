"""Accounts, login sessions and named tokens: who is asking. Read by every route; rights come from the recorded assignments, not from here.

A token is 32 random bytes; only its SHA-256 is stored. A password is stored as argon2id. An unknown login costs the same work as a
wrong password, and logins are throttled.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.ext.compiler import compiles

from domain.clock import Clock, local_day, utc_text
from projections import people
from projections.tables import METADATA
from service.config import Config
from service.database import glancing, reading, writing
from service.problems import Problem
from service.scope import Actor, Grant
from service.throttle import ADDRESS_FACTOR as ADDRESS_FACTOR
from service.throttle import Throttle

LONGEST_LOGIN, LONGEST_LABEL = 64, 120
ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("person", sa.Uuid, primary_key=True),
    sa.Column("login", sa.String(LONGEST_LOGIN), nullable=False, unique=True),
    sa.Column("label", sa.String(LONGEST_LABEL), nullable=False),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("made_at", sa.String(24), nullable=False),
    sa.Column("disabled_at", sa.String(24)),
)
TOKENS = sa.Table(
    "tokens",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("id", sa.Uuid, nullable=False, unique=True),
    sa.Column("person", sa.Uuid, nullable=False, index=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("made_at", sa.String(24), nullable=False),
    sa.Column("expires_at", sa.String(24), nullable=False),
    sa.Column("revoked_at", sa.String(24)),
    sa.Column("last_used_on", sa.String(10)),
)
ATTEMPTS = sa.Table(
    "login_attempts",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("at", sa.String(24), nullable=False),
    sa.Index("login_attempts_subject_at", "subject", "at"),
)


class dashed(sa.sql.functions.GenericFunction[str]):
    """A person's id as events write it: SQLite keeps UUIDs as 32 digits."""

    type = sa.String(36)
    inherit_cache = True


@compiles(dashed)
def _as_text(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS VARCHAR)"


@compiles(dashed, "sqlite")
def _with_dashes(element: Any, compiler: Any, **options: Any) -> str:
    digits = compiler.process(element.clauses, **options)
    return "(" + " || '-' || ".join(f"substr({digits}, {first}, {length})" for first, length in UUID_PARTS) + ")"


UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
IN_FORCE = (
    sa.select(TOKENS, ACCOUNTS.c.label, ACCOUNTS.c.login, people.C.role, people.C.unit)
    .join(ACCOUNTS, ACCOUNTS.c.person == TOKENS.c.person)
    .outerjoin(people.TABLE, people.held_by(dashed(TOKENS.c.person), sa.bindparam("today")))
    .where(
        TOKENS.c.token_hash == sa.bindparam("hashed"),
        TOKENS.c.revoked_at.is_(None),
        TOKENS.c.expires_at > sa.bindparam("now"),
        ACCOUNTS.c.disabled_at.is_(None),
    )
    .order_by(people.C.from_day, people.C.assignment)
)
"""A row for each assignment that holds today, one without a role where none does. Made once: every request asks it."""

SESSION, API = "session", "api"
PASSWORD_LENGTHS = (10, 256)
TOKEN_DAYS = 90
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
NOBODY = HASHER.hash(secrets.token_urlsafe(16))
"""Verified against for unknown logins, so that their answer takes as long."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token just made: the only moment at which its text is known."""

    id: str
    token: str
    person: str
    name: str
    made_at: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a token stands for, and which token it was."""

    actor: Actor
    kind: str
    token_id: str
    label: str
    expires_at: str
    login: str = ""


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _strong_enough(login: str, password: str) -> None:
    """Length decides; a password that holds the login, or hardly varies, is none."""
    shortest, longest = PASSWORD_LENGTHS
    if not shortest <= len(password) <= longest:
        raise Problem("password_too_weak", f"A password has {shortest} to {longest} characters.")
    if login.lower() in password.lower() or len(set(password)) < 5:
        raise Problem("password_too_weak", "A password does not hold the login and has at least five different characters.")


class Identity:
    """Accounts and tokens in the database. Times come from the clock that is passed in."""

    def __init__(self, engine: sa.Engine, clock: Clock, config: Config) -> None:
        self.engine = engine
        self.clock = clock
        self.config = config
        self.throttle = Throttle(engine, ATTEMPTS, clock, config.login_attempts, timedelta(minutes=config.login_window_minutes))

    # ---- accounts

    def create_account(self, person: str, login: str, password: str, label: str = "") -> None:
        """Gives a person a login. Problem login_taken, bad_fields or password_too_weak otherwise."""
        if not 1 <= len(login) <= LONGEST_LOGIN or len(label) > LONGEST_LABEL:
            raise Problem("bad_fields", f"A login has 1 to {LONGEST_LOGIN} characters, a label at most {LONGEST_LABEL}.")
        _strong_enough(login, password)
        row = {
            "person": uuid.UUID(person),
            "login": login,
            "label": label,
            "password_hash": HASHER.hash(password),
            "made_at": utc_text(self.clock()),
        }
        try:
            with writing(self.engine) as conn:
                conn.execute(ACCOUNTS.insert(), row)
        except sa.exc.IntegrityError as taken:
            raise Problem("login_taken", "The person has an account already, or the login belongs to somebody else.") from taken

    def labels_of(self, conn: sa.Connection, persons: Iterable[str]) -> dict[str, str]:
        """What their offices call people, by person; who has no account is not called anything."""
        wanted = [uuid.UUID(person) for person in persons]
        rows = conn.execute(sa.select(ACCOUNTS.c.person, ACCOUNTS.c.label).where(ACCOUNTS.c.person.in_(wanted)))
        return {str(person): label for person, label in rows if label}

    def label_of(self, person: str) -> str | None:
        """How the account is called, None where there is none."""
        with reading(self.engine) as conn:
            return conn.execute(sa.select(ACCOUNTS.c.label).where(ACCOUNTS.c.person == uuid.UUID(person))).scalar()

    def set_password(self, person: str, password: str) -> None:
        """An administrator's way: sets a new password and ends every session and token of the person."""
        with writing(self.engine) as conn:
            row = conn.execute(sa.select(ACCOUNTS.c.login).where(ACCOUNTS.c.person == uuid.UUID(person))).one_or_none()
            if row is None:
                raise Problem("not_found")
            _strong_enough(row.login, password)
            self._store_password(conn, person, password)

    def change_password(self, visitor: Visitor, old: str, new: str, address: str = "") -> None:
        """A person's own way: the old password is asked for, throttled as a login is; every other session and token ends."""
        person = uuid.UUID(visitor.actor.person)
        with reading(self.engine) as conn:
            row = conn.execute(sa.select(ACCOUNTS.c.login, ACCOUNTS.c.password_hash).where(ACCOUNTS.c.person == person)).one()
        attempt = self.throttle.count(row.login, address)
        if not _matches(row.password_hash, old):
            raise Problem("wrong_login", "The old password is wrong.")
        _strong_enough(row.login, new)
        with writing(self.engine) as conn:
            self._store_password(conn, visitor.actor.person, new, keep=visitor.token_id)
        self.throttle.forget(row.login, attempt)

    def disable(self, person: str) -> None:
        """The account can be used no more: no login, and its tokens end with it."""
        now = utc_text(self.clock())
        with writing(self.engine) as conn:
            conn.execute(ACCOUNTS.update().where(ACCOUNTS.c.person == uuid.UUID(person)).values(disabled_at=now))
            self._revoke_all(conn, person, None)

    def _store_password(self, conn: sa.Connection, person: str, password: str, keep: str | None = None) -> None:
        values = {"password_hash": HASHER.hash(password)}
        conn.execute(ACCOUNTS.update().where(ACCOUNTS.c.person == uuid.UUID(person)).values(values))
        self._revoke_all(conn, person, keep)

    def _revoke_all(self, conn: sa.Connection, person: str, keep: str | None) -> None:
        which = (TOKENS.c.person == uuid.UUID(person)) & TOKENS.c.revoked_at.is_(None)
        if keep is not None:
            which &= TOKENS.c.id != uuid.UUID(keep)
        conn.execute(TOKENS.update().where(which).values(revoked_at=utc_text(self.clock())))

    # ---- sessions and tokens

    def log_in(self, login: str, password: str, address: str = "") -> Issued:
        """A session for the right password. Problem wrong_login or too_many_attempts otherwise."""
        attempt = self.throttle.count(login, address)
        with reading(self.engine) as conn:
            row = conn.execute(
                sa.select(ACCOUNTS.c.person, ACCOUNTS.c.password_hash).where(ACCOUNTS.c.login == login, ACCOUNTS.c.disabled_at.is_(None))
            ).one_or_none()
        right = _matches(row.password_hash if row else NOBODY, password)
        if row is None or not right:
            raise Problem("wrong_login")
        self.throttle.forget(login, attempt)
        if HASHER.check_needs_rehash(row.password_hash):
            with writing(self.engine) as conn:
                conn.execute(ACCOUNTS.update().where(ACCOUNTS.c.person == row.person).values(password_hash=HASHER.hash(password)))
        return self._issue(str(row.person), SESSION, "session", timedelta(hours=self.config.session_hours))

    def make_token(self, person: str, name: str, days: int = TOKEN_DAYS) -> Issued:
        """A named token for programs, in force for some days."""
        return self._issue(person, API, name, timedelta(days=days))

    def _issue(self, person: str, kind: str, name: str, life: timedelta) -> Issued:
        token = secrets.token_urlsafe(32)
        now = self.clock()
        issued = Issued(str(uuid.uuid4()), token, person, name, utc_text(now), utc_text(now + life))
        row = {
            "token_hash": digest_of(token),
            "id": uuid.UUID(issued.id),
            "person": uuid.UUID(person),
            "kind": kind,
            "name": name,
            "made_at": issued.made_at,
            "expires_at": issued.expires_at,
        }
        with writing(self.engine) as conn:
            conn.execute(
                TOKENS.delete().where(TOKENS.c.person == row["person"], TOKENS.c.kind == SESSION, TOKENS.c.expires_at < issued.made_at)
            )
            conn.execute(TOKENS.insert(), row)
        return issued

    def tokens_of(self, person: str) -> list[dict[str, Any]]:
        """The person's tokens and sessions that are still in force, newest first."""
        columns = [TOKENS.c[name] for name in ("id", "kind", "name", "made_at", "expires_at", "last_used_on")]
        query = (
            sa.select(*columns)
            .where(TOKENS.c.person == uuid.UUID(person), TOKENS.c.revoked_at.is_(None), TOKENS.c.expires_at > utc_text(self.clock()))
            .order_by(TOKENS.c.made_at.desc(), TOKENS.c.id)
        )
        with reading(self.engine) as conn:
            return [{**row._mapping, "id": str(row.id)} for row in conn.execute(query)]

    def revoke_token(self, person: str, token_id: str) -> None:
        """Ends one of the person's own tokens. Problem not_found where it is none of theirs or has ended."""
        which = (TOKENS.c.id == uuid.UUID(token_id)) & (TOKENS.c.person == uuid.UUID(person)) & TOKENS.c.revoked_at.is_(None)
        with writing(self.engine) as conn:
            done = conn.execute(TOKENS.update().where(which).values(revoked_at=utc_text(self.clock())))
        if not done.rowcount:
            raise Problem("not_found")

    # ---- who is asking

    def visitor(self, token: str) -> Visitor:
        """Who a token stands for, with the grants in force today. Problem not_logged_in for any token that is not in force."""
        now = utc_text(self.clock())
        today = local_day(now, self.config.zone)
        hashed = digest_of(token)
        with glancing(self.engine) as conn:
            rows = conn.execute(IN_FORCE, {"hashed": hashed, "now": now, "today": today}).all()
        if not rows or not hmac.compare_digest(rows[0].token_hash, hashed):
            raise Problem("not_logged_in", "The token is unknown, has expired or was revoked.")
        row, grants = rows[0], tuple(Grant(each.role, each.unit) for each in rows if each.role is not None)
        if row.last_used_on != today:
            with writing(self.engine) as conn:
                conn.execute(TOKENS.update().where(TOKENS.c.token_hash == hashed).values(last_used_on=today))
        return Visitor(Actor(str(row.person), grants), row.kind, str(row.id), row.label, row.expires_at, row.login)

    def actor_for_token(self, token: str) -> Actor:
        """The actor that a session or a named token stands for."""
        return self.visitor(token).actor

    def actor_of(self, person: str, day: str | None = None) -> Actor:
        """A person as an actor, with the grants in force on a day (today if none is named)."""
        on = day or local_day(utc_text(self.clock()), self.config.zone)
        with reading(self.engine) as conn:
            return Actor(person, tuple(Grant(each["role"], each["unit"]) for each in people.assignments_of(conn, person, on)))
