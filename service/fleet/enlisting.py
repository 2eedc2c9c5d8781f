"""A whole city enlisted at once: areas, people and tablets, one transaction for each ledger. Read by ``simulate`` and the bench.

What people do one by one goes through the use cases and their rights; this is for fleets of many thousand, whose keys the caller makes.
The events are those that the use cases would record.
"""

import base64
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tqdm import tqdm

from domain.aggregate import Act, Aggregate
from domain.areas import Area, area_of, ledger_of
from domain.clock import local_day, utc_text
from domain.people import Person
from domain.tablet import Tablet
from service.database import writing
from service.fleet.plan import Member
from service.fleet.settling import person_of
from service.identity import digest_of
from service.imports.people import Assignment
from service.inspection import area_stream, drafts_of
from service.ledger.tree import Frontier
from service.sync.enrolment import ALGORITHM
from service.sync.tables import ACTIVE, tablet_states
from service.wiring import Gridtrail


@dataclass(frozen=True, slots=True)
class Enlisted:
    """A tablet that may upload: who holds it, and what it needs to seal and to send. seed: of its Ed25519 key."""

    member: Member
    tablet: str
    origin: str
    token: str
    seed: bytes


def enlist(pieces: Gridtrail, areas: Sequence[dict[str, Any]], cast: Sequence[Member]) -> list[Enlisted]:
    """Records areas and people that are not known yet, and a new tablet for each of the cast. The read models are caught up after it."""
    act = _act(pieces)
    made: dict[str, list[Aggregate]] = {}
    for said in areas:
        made.setdefault(ledger_of(said["code"]), []).append(Area.register(act, None, area_stream(said["code"]), **said))
    tablets = []
    states: dict[str, list[dict[str, Any]]] = {}
    for member in cast:
        home = area_of(member.units[0])
        ledger = ledger_of(home)
        enlisted, tablet, state = _tablet(pieces, act, member, home)
        tablets.append(enlisted)
        made.setdefault(ledger, []).extend((_person(pieces, act, member, home), tablet))
        states.setdefault(ledger, []).append(state)
    for ledger in tqdm(sorted(made), desc="enlist", unit="ledger", disable=None, leave=False):
        _record(pieces, ledger, made[ledger], states.get(ledger, []))
    pieces.follower.catch_up()
    return tablets


def _act(pieces: Gridtrail) -> Act:
    now = utc_text(pieces.clock())
    return Act(by="system", role="administrator", happened_at=now, day=local_day(now, pieces.config.zone))


def _person(pieces: Gridtrail, act: Act, member: Member, home: str) -> Person:
    stream = person_of(pieces.config.city, member.key)
    person = Person.register(act, None, stream, home=home)
    for assignment in _assignments(member):
        said = {"assignment": assignment.id(pieces.config.city), "role": member.role, "unit": assignment.unit, "from_day": member.from_day}
        person.assign(act, None, **said)
    return person


def _assignments(member: Member) -> Iterator[Assignment]:
    for unit in member.units:
        yield Assignment(0, member.key, member.label or member.key, member.role, unit, member.from_day, None, None)


def _tablet(pieces: Gridtrail, act: Act, member: Member, area: str) -> tuple[Enlisted, Tablet, dict[str, Any]]:
    key, token, tablet = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32), uuid4()
    person, public = person_of(pieces.config.city, member.key), key.public_key().public_bytes_raw()
    origin = f"{pieces.config.origin}/tablet/{tablet}"
    made = Tablet.enrol(
        act, None, tablet, public_key=base64.b64encode(public).decode(), algorithm=ALGORITHM, label=member.key, origin=origin,
        person=str(person), area=area,
    )  # fmt: skip
    state = {
        "ledger": ledger_of(area), "tablet": tablet, "person": person, "area": area, "origin": origin, "public_key": public,
        "algorithm": ALGORITHM, "token_hash": digest_of(token), "status": ACTIVE, "last_valid": None, "size": 0,
        "frontier": Frontier().to_bytes(), "stream_version": 1, "enrolled_at": act.happened_at,
    }  # fmt: skip
    return Enlisted(member, str(tablet), origin, token, key.private_bytes_raw()), made, state


def _record(pieces: Gridtrail, ledger: str, made: Iterable[Aggregate], states: list[dict[str, Any]]) -> None:
    """One ledger's share. A stream that is known already stays as it is."""
    by_stream: dict[UUID, Aggregate] = {each.id: each for each in made}
    with writing(pieces.database) as conn:
        known = pieces.ledgers.streams(conn, ledger, by_stream)
        drafts = [draft for stream, each in by_stream.items() if stream not in known for draft in drafts_of(each)]
        if states:
            conn.execute(tablet_states.insert(), states)
        if drafts:
            pieces.ledgers.append(conn, ledger, drafts)
