"""What a tablet must hold, as changes since a cursor. Read by the download route.

A cursor names a position of every ledger that the tablet hears of, the incarnation of each, and the scope that it was made for. Where
the scope or an incarnation is another now, the answer begins at 0 with ``reset``, and the tablet drops what it holds.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import area_of, ledger_of, parent_of
from domain.clock import local_day, utc_text
from projections import people, tablet_changes
from projections.tables import PROGRESS
from service.database import glancing, reading
from service.ledger.store import Head
from service.ledger.tables import ledgers
from service.problems import Problem
from service.scope import OutOfScope
from service.sync.facts import standing_facts

MOST_CURSOR = 20_000
L = ledgers.c
HEADS_AND_REACH = sa.select(
    L.ledger, L.size, L.root, L.incarnation, L.recorded_at, sa.func.coalesce(PROGRESS.c.position, 0).label("reach")
).outerjoin(PROGRESS, sa.and_(PROGRESS.c.ledger == L.ledger, PROGRESS.c.read_model == tablet_changes.NAME))
"""Heads, and how far the read model is in each ledger: a page never goes beyond it, or later changes would be skipped."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a tablet listens as, in which ledgers, and how far those are that there are. The fingerprint changes with the assignments."""

    audiences: tuple[str, ...]
    ledgers: frozenset[str]
    heads: dict[str, Head]
    reach: dict[str, int]

    @property
    def fingerprint(self) -> str:
        """Short, stable text for the audiences."""
        return hashlib.sha256("\n".join(self.audiences).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Place:
    """How far a tablet is in one ledger."""

    position: int
    incarnation: str


def ledgers_above(area: str) -> list[str]:
    """The ledgers that tell of an area: its own, and those of the areas that it lies in."""
    found, code = [], area
    while code:
        found.append(ledger_of(code))
        code = parent_of(code) or ""
    return list(dict.fromkeys(found))


class Changes:
    """The use case of downloading."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.config = gridtrail.config

    def since(self, state: Any, cursor: str | None, limit: int) -> dict[str, Any]:
        """About limit changes after a cursor, the next cursor, and whether there are more. state is the tablet's row."""
        # Each statement may see a later moment than the one before: what moves on meanwhile lies beyond the reach, and comes next time.
        with glancing(self.gridtrail.database) as conn:
            scope = self._scope(conn, state)
            heads, reach = scope.heads, scope.reach
            places = self._places(cursor, scope)
            reset = places is None
            places = places or {}
            items: list[dict[str, Any]] = []
            more = False
            for ledger in sorted(heads):
                place = places.setdefault(ledger, Place(0, heads[ledger].incarnation))
                if place.position >= reach[ledger]:
                    continue
                if len(items) >= limit:
                    more = True
                    continue
                page = tablet_changes.changes(conn, ledger, scope.audiences, place.position, reach[ledger], limit - len(items))
                items += [{"ledger": ledger, **item} for item in page.items]
                place.position = page.following
                more = more or not page.complete
        return {
            "reset": reset,
            "items": items,
            "next": _written(scope, places),
            "more": more,
            "ledgers": {name: {"position": places[name].position, "incarnation": heads[name].incarnation} for name in sorted(heads)},
            "upload": {"status": state.status, **standing_facts(heads.get(state.ledger), state)},
            "received_at": utc_text(self.gridtrail.clock()),
        }

    def must_hear_of(self, state: Any, ledger: str, position: int) -> None:
        """What a tablet waits for must be recorded, in a ledger that it hears of. OutOfScope or Problem otherwise."""
        with reading(self.gridtrail.database) as conn:
            scope = self._scope(conn, state)
        if ledger not in scope.ledgers:
            raise OutOfScope
        if ledger not in scope.heads or position >= scope.heads[ledger].size:
            raise Problem("bad_parameter", f"No entry was recorded at position {position} of {ledger}.", ledger=ledger)

    def _scope(self, conn: sa.Connection, state: Any) -> Scope:
        person = str(state.person)
        today = local_day(utc_text(self.gridtrail.clock()), self.config.zone)
        home, assignments = people.person_on(conn, person, today)
        units = [each["unit"] for each in assignments if each["role"] in ("worker", "officer")]
        places = [*units, state.area, *([home["unit"]] if home else [])]
        named = {state.ledger, *(ledger for unit in places for ledger in ledgers_above(area_of(unit)))}
        audiences = {*units, tablet_changes.person_audience(person)}
        if units:
            audiences.add(tablet_changes.EVERYONE)
        # A department or an office far above, or far away, holds cases where they lie.
        heard = sa.or_(L.ledger.in_(sorted(named)), L.ledger.in_(tablet_changes.telling(person, units)))
        rows = conn.execute(HEADS_AND_REACH.where(heard)).all()
        heads = {row.ledger: Head(*row[:-1]) for row in rows}
        return Scope(tuple(sorted(audiences)), frozenset(named | heads.keys()), heads, {row.ledger: row.reach for row in rows})

    def _places(self, cursor: str | None, scope: Scope) -> dict[str, Place] | None:
        """Where the tablet is, or None where it must begin again."""
        if cursor is None:
            return None
        fingerprint, places = _read(cursor)
        if fingerprint != scope.fingerprint:
            return None
        for ledger, place in places.items():
            head = scope.heads.get(ledger)
            if head is None or head.incarnation != place.incarnation or place.position > head.size:
                return None
            # A read model that is being rebuilt may stand behind the cursor for a while; there is nothing to tell until it is back.
            scope.reach[ledger] = max(scope.reach[ledger], place.position)
        return places


def _written(scope: Scope, places: dict[str, Place]) -> str:
    told = {"s": scope.fingerprint, "l": {name: [place.position, place.incarnation] for name, place in sorted(places.items())}}
    return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


def _read(cursor: str) -> tuple[str, dict[str, Place]]:
    """Scope and places of a cursor. Problem bad_cursor for anything that this service did not write."""
    try:
        if len(cursor) > MOST_CURSOR:
            raise ValueError("too long")
        told = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        places = {}
        for name, (position, incarnation) in told["l"].items():
            if type(position) is not int or not 0 <= position < 2**53 or type(incarnation) is not str:
                raise ValueError("not a place")
            places[name] = Place(position, incarnation)
        if type(told["s"]) is not str:
            raise ValueError("not a scope")
        return told["s"], places
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as wrong:
        raise Problem("bad_cursor", "Send a cursor as it was given.") from wrong
