"""What people's tablets still owe beside entries: photos and values that an event names and nobody brought. Read by the list of tablets.

Both belong to the person, not to one tablet: whichever of the person's tablets has them may bring them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from domain.clock import utc_text
from domain.personal import REFUSED_ENTRY
from projections import personal_items
from service.personal.brought import brought_values
from service.personal.tables import disclosures
from service.sync.tables import photo_uses, photos

OWED_DAYS = 60
"""Values of older events are not counted: a tablet keeps them for half that time, and nobody waits any longer."""
I, B, D = personal_items.C, brought_values.c, disclosures.c  # noqa: E741


def owed_by(conn: sa.Connection, persons: Collection[str], now: datetime) -> dict[str, dict[str, int]]:
    """For each person: photos_awaited, values_awaited. Two statements, however many there are."""
    photos_, values = _photos(conn, persons), _values(conn, persons, utc_text(now - timedelta(days=OWED_DAYS)))
    return {each: {"photos_awaited": photos_.get(each, 0), "values_awaited": values.get(each, 0)} for each in persons}


def _photos(conn: sa.Connection, persons: Collection[str]) -> dict[str, int]:
    uses, there = photo_uses.c, photos.c
    brought = sa.exists(sa.select(sa.literal(1)).where(there.sha256 == uses.sha256, there.person == uses.person))
    query = sa.select(uses.person, sa.func.count(uses.sha256.distinct())).where(uses.person.in_([UUID(each) for each in persons]), ~brought)
    return {str(person): count for person, count in conn.execute(query.group_by(uses.person))}


def _values(conn: sa.Connection, persons: Collection[str], since: str) -> dict[str, int]:
    """A value that is gone was erased, or its time is over: nobody waits for it."""
    brought = sa.exists(sa.select(sa.literal(1)).where(B.digest == I.digest, B.person == I.by_person))
    gone = sa.exists(sa.select(sa.literal(1)).where(D.digest == I.digest, D.gone_at.is_not(None)))
    query = sa.select(I.by_person, sa.func.count(I.digest.distinct()))
    query = query.where(I.by_person.in_(list(persons)), I.recorded_at >= since, I.field != REFUSED_ENTRY, ~brought, ~gone)
    return {person: count for person, count in conn.execute(query.group_by(I.by_person))}
