"""Gives tablets to people: one-time codes, proof of the key, tokens. Read by the enrolment routes, the sync routes and the command line.

A code and a token are stored as hashes only. A tablet shows that it holds its private key by signing the code, which is used once and so
serves as the nonce. An answer that was lost can be asked for again with the same code and the same key, until the tablet uploads.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import sqlalchemy as sa

from domain.aggregate import Act, Fact
from domain.areas import ledger_of, lies_within
from domain.clock import local_day, utc_text
from domain.tablet import Tablet
from projections import areas, people
from service.database import reading, writing
from service.identity import ADDRESS_FACTOR, ATTEMPTS, digest_of
from service.ledger.mapper import draft_of
from service.ledger.note import ALGORITHMS, BadNote, WeakKey, refuse_weak_key, unbase64, verifier_of_tablet
from service.ledger.tree import Frontier
from service.problems import CATALOGUE, Problem
from service.scope import OFFICER, WORKER, Actor, OutOfScope, authorise
from service.sync.codes import canonical_code, new_code, proof_text
from service.sync.facts import b64
from service.sync.states import state_of_token
from service.sync.tables import ACTIVE, REVOKED, SET_ASIDE, enrolment_codes, tablet_states

CATALOGUE.update(
    {
        "no_assignment": (409, "The person has no assignment today"),
        "code_unknown": (404, "No such enrolment code"),
        "code_expired": (410, "The enrolment code has expired"),
        "code_used": (409, "The enrolment code was used"),
        "code_locked": (429, "The enrolment code was tried too often"),
        "bad_key": (422, "The public key cannot be used"),
        "weak_key": (422, "Anybody can sign for this public key"),
        "bad_proof": (422, "The proof does not show the private key"),
        "tablet_revoked": (403, "The tablet was revoked"),
        "tablet_set_aside": (403, "The tablet is set aside"),
    }
)

CODE_ATTEMPTS = 5
ALGORITHM = "ed25519"
"""What a tablet signs with that does not say it."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code just made: the only moment at which it is known. url is what the QR code holds; its fragment is never sent by browsers."""

    id: str
    code: str
    url: str
    person: str
    area: str
    expires_at: str


class Enrolment:
    """Codes, tablets and their tokens."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database = gridtrail.database
        self.config = gridtrail.config
        self.clock = gridtrail.clock

    # ---- codes

    def make_code(self, actor: Actor, person: str, area: str | None = None) -> Code:
        """A code that lets a person enrol one tablet. area decides the tablet's ledger; without it, the person's first assignment does.

        Whoever has the tablet acts as the person: the actor's right must reach all that the person has or will have. OutOfScope otherwise.
        """
        authorise(actor, "tablet.enrol")
        today = self._today()
        with reading(self.database) as conn:
            home, assigned = people.get_person(conn, person), people.assignments_of(conn, person)
            if home is None:
                raise OutOfScope
            for each in (home, *_lasting(assigned, today)):
                authorise(actor, "tablet.enrol", area=each["area"])
            places = _places(assigned, today)
            begun = _places([each for each in assigned if each["from_day"] <= today], today)
            where = area or next(iter(begun), None)
            if where is None or not places:
                raise Problem("no_assignment", "Only a worker or an officer with an assignment in force can be given a tablet.")
            if not areas.in_force(conn, where, today) or not _meets(where, places):
                raise OutOfScope
        grant = authorise(actor, "tablet.enrol", area=where)
        now = self.clock()
        code = new_code()
        made = Code(
            str(uuid4()), code, f"{self.config.base_url.rstrip('/')}/tablet/#enrol={code}", person, where,
            utc_text(now + timedelta(hours=self.config.enrolment_hours)),
        )  # fmt: skip
        row = {
            "code_hash": digest_of(code), "id": UUID(made.id), "ledger": ledger_of(where), "area": where, "person": UUID(person),
            "made_by": _uuid_or_none(actor.person), "made_role": grant.role, "made_at": utc_text(now), "expires_at": made.expires_at,
            "attempts": 0,
        }  # fmt: skip
        with writing(self.database) as conn:
            conn.execute(enrolment_codes.delete().where(enrolment_codes.c.expires_at < utc_text(now - timedelta(days=30))))
            conn.execute(enrolment_codes.insert(), row)
        return made

    def _today(self) -> str:
        return local_day(utc_text(self.clock()), self.config.zone)

    # ---- enrolling

    def enrol(
        self, code: str, public_key: str, proof: str, label: str | None = None, *, algorithm: str = ALGORITHM, address: str = ""
    ) -> dict[str, Any]:
        """Makes a tablet of the holder of a code and a key, and gives it its token. Problem where anything is wrong with either."""
        self._must_not_be_guessing(address)
        public = _public_key(public_key, algorithm)
        hashed = digest_of(canonical_code(code))
        with reading(self.database) as conn:
            row = conn.execute(sa.select(enrolment_codes).where(enrolment_codes.c.code_hash == hashed)).one_or_none()
        if row is None:
            self._count_guess(address)
            raise Problem("code_unknown", "Look at the code again, or ask for a new one.")
        if row.expires_at <= utc_text(self.clock()):
            raise Problem("code_expired", "Ask for a new code.")
        self._must_be_proved(hashed, public, proof_text(code, public_key), proof, algorithm)
        token = secrets.token_urlsafe(32)
        with writing(self.database) as conn:
            row = conn.execute(sa.select(enrolment_codes).where(enrolment_codes.c.code_hash == hashed).with_for_update()).one()
            state = (
                self._again(conn, row, public, algorithm, token)
                if row.used_at
                else self._enrolled(conn, row, public, algorithm, label, token)
            )
        self.gridtrail.follower.catch_up(state["ledger"], models=["tablets"])
        return self._welcome(state, token)

    def _must_be_proved(self, hashed: str, public: bytes, text: bytes, proof: str, algorithm: str) -> None:
        """Looks at a proof, and counts a wrong one before anybody hears of it. A right one costs nothing: its answer may get lost.

        The code is held meanwhile: of many tries at once no more are looked at than are left.
        """
        mine = enrolment_codes.c.code_hash == hashed
        with writing(self.database) as conn:
            tried = conn.execute(sa.select(enrolment_codes.c.attempts).where(mine).with_for_update()).scalar_one()
            if tried >= CODE_ATTEMPTS:
                raise Problem("code_locked", "Ask for a new code.", max_attempts=CODE_ATTEMPTS)
            try:
                _must_prove(public, text, proof, algorithm)
            except Problem as no:
                conn.execute(enrolment_codes.update().where(mine).values(attempts=tried + 1))
                wrong = no
            else:
                return
        raise wrong

    def _enrolled(self, conn: sa.Connection, code: Any, public: bytes, algorithm: str, label: str | None, token: str) -> dict[str, Any]:
        if not _meets(code.area, _places(people.assignments_of(conn, str(code.person)), self._today())):
            raise Problem("no_assignment", "The person does not work there any more; ask for a new code.")
        tablet, now = uuid4(), utc_text(self.clock())
        origin = f"{self.config.origin}/tablet/{tablet}"
        by = str(code.made_by) if code.made_by else "system"
        act = Act(by, code.made_role, now, local_day(now, self.config.zone))
        made = Tablet.enrol(
            act, None, tablet, public_key=b64(public), algorithm=algorithm, label=label, origin=origin,
            person=str(code.person), area=code.area,
        )  # fmt: skip
        state = {
            "ledger": code.ledger, "tablet": tablet, "person": code.person, "area": code.area, "origin": origin, "public_key": public,
            "algorithm": algorithm, "token_hash": digest_of(token), "status": ACTIVE, "last_valid": None, "size": 0,
            "frontier": Frontier().to_bytes(), "stream_version": 1, "enrolled_at": now,
        }  # fmt: skip
        used = enrolment_codes.update().where(enrolment_codes.c.code_hash == code.code_hash, enrolment_codes.c.used_at.is_(None))
        if not conn.execute(used.values(used_at=now, tablet=tablet)).rowcount:
            raise Problem("code_used", "Ask for a new code.")
        conn.execute(tablet_states.insert(), state)
        drafts = [draft_of(cast(Fact, event)) for event in made.collect_events()]
        self.gridtrail.ledgers.append(conn, code.ledger, drafts)
        return state

    def _again(self, conn: sa.Connection, code: Any, public: bytes, algorithm: str, token: str) -> dict[str, Any]:
        """The answer got lost: the same code and key get the same tablet with a new token, as long as it has uploaded nothing."""
        mine = (tablet_states.c.ledger == code.ledger) & (tablet_states.c.tablet == code.tablet)
        row = conn.execute(sa.select(tablet_states).where(mine)).mappings().one()
        if (row["public_key"], row["algorithm"]) != (public, algorithm) or row["size"] or row["status"] != ACTIVE:
            raise Problem("code_used", "Ask for a new code.")
        conn.execute(tablet_states.update().where(mine).values(token_hash=digest_of(token)))
        return dict(row)

    def _welcome(self, state: dict[str, Any], token: str) -> dict[str, Any]:
        return {
            "tablet": str(state["tablet"]),
            "token": token,
            "origin": state["origin"],
            "ledger": state["ledger"],
            "area": state["area"],
            "person": str(state["person"]),
            "ledger_origin": f"{self.config.origin}/ledger/<ledger>/<incarnation>",
            "checkpoint_key": b64(self.gridtrail.signer.verifier.public),
            "received_at": utc_text(self.clock()),
            "limits": limits_of(self.config),
        }

    # ---- throttle for codes that nobody gave out

    def _must_not_be_guessing(self, address: str) -> None:
        since = utc_text(self.clock() - timedelta(minutes=self.config.login_window_minutes))
        subject = _guesser(address)
        with reading(self.database) as conn:
            query = sa.select(sa.func.count()).where(ATTEMPTS.c.subject == subject, ATTEMPTS.c.at >= since)
            tries = conn.execute(query).scalar_one()
        if tries >= self.config.login_attempts * ADDRESS_FACTOR:
            wait = str(self.config.login_window_minutes * 60)
            raise Problem("too_many_attempts", "Too many wrong codes came from this address.", headers={"Retry-After": wait})

    def _count_guess(self, address: str) -> None:
        with writing(self.database) as conn:
            conn.execute(ATTEMPTS.insert(), {"id": uuid4(), "subject": _guesser(address), "at": utc_text(self.clock())})

    # ---- tokens

    def tablet_of(self, token: str, *, reads: bool) -> Any:
        """The state row of the tablet that a token stands for. A revoked tablet or one set aside may deliver, and reads nothing."""
        row = state_of_token(self.database, digest_of(token))
        if row is None:
            raise Problem("not_logged_in", "The token is no tablet's.")
        if reads and row.status == REVOKED:
            raise Problem("tablet_revoked", "The tablet was revoked; give it to your officer.")
        if reads and row.status == SET_ASIDE:
            raise Problem("tablet_set_aside", "An officer looks into what the tablet sent; until then it reads nothing.")
        return row


def _lasting(assigned: list[dict[str, Any]], today: str) -> list[dict[str, Any]]:
    """The assignments that are in force or to come."""
    return [each for each in assigned if each["to_day"] is None or each["to_day"] >= today]


def _places(assigned: list[dict[str, Any]], today: str) -> list[str]:
    """The areas of the units that the person works for in the field, or will."""
    return [each["area"] for each in _lasting(assigned, today) if each["role"] in (WORKER, OFFICER)]


def _meets(area: str, places: list[str]) -> bool:
    """Whether an area covers one of the places, or lies within one."""
    return any(lies_within(area, place) or lies_within(place, area) for place in places)


def limits_of(config: Any) -> dict[str, int]:
    """The limits that a tablet must keep to."""
    return {
        "batch_bytes": config.batch_max_bytes,
        "batch_inflated_bytes": config.batch_max_inflated_bytes,
        "batch_entries": config.batch_max_entries,
        "entry_bytes": config.entry_max_bytes,
        "entry_depth": config.entry_max_depth,
        "photo_bytes": config.photo_max_bytes,
    }


def _public_key(text: str, algorithm: str) -> bytes:
    """The bytes of a key that the algorithm can verify with. Problem otherwise."""
    if algorithm not in ALGORITHMS:
        raise Problem("bad_key", f"The algorithm must be one of {', '.join(ALGORITHMS)}.", algorithms=list(ALGORITHMS))
    try:
        public = unbase64(text)
        if algorithm == ALGORITHM and len(public) != 32:
            raise Problem("bad_key", "An Ed25519 public key has 32 bytes, sent as standard base64.")
        verifier_of_tablet("tablet", public, algorithm)
        if algorithm == ALGORITHM:
            refuse_weak_key(public)
    except BadNote as wrong:
        raise Problem("bad_key", str(wrong)) from wrong
    except WeakKey as wrong:
        raise Problem("weak_key", "Make another key.") from wrong
    return public


def _must_prove(public: bytes, text: bytes, proof: str, algorithm: str = ALGORITHM) -> None:
    """Problem unless the proof is a signature of the text, under the key and its algorithm."""
    try:
        verifier_of_tablet("tablet", public, algorithm).check(text.decode(), unbase64(proof))
    except BadNote as wrong:
        said = f"proof must be the {algorithm} signature, 64 bytes in base64, of the text that the protocol names"
        raise Problem("bad_proof", f"{said}: {wrong}.") from wrong


def _guesser(address: str) -> str:
    return hashlib.sha256(f"enrol:{address}".encode()).hexdigest()


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
