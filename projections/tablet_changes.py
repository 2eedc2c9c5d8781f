"""What the tablets download: each item once as it stands, and for each audience when it last changed, came or went. Read by the download.

One table holds two kinds of rows. A *base* row (audience ``""``) is the item: its payload and the audiences it is meant for. An *audience*
row says at which position the item changed for that audience, and whether it has gone from it. All rows of an item's present
audiences stand at the position of its last change, so a page costs what changed in the scope since the cursor, however long the
history is, and an item that left one audience and entered another comes out present.

Audiences: an area code from community down (and so everything that lies within it), a unit, ``person:<id>``, or ``*``, which is
everyone who downloads from the ledger. Items (kind: id, audiences, payload):

    case        case id     where it lies, its holder, the units called; while open   the case's row of open_cases, without nulls
    visit       household   where the household was last visited; while a next visit is due
    area        code        everyone         the area without its outline
    outline     code        where it lies    the area's polygon
    rulebook    kind/name/version   everyone    the published version
    refusal     refusal id  the person whose entry it was, until it is re-applied
    person      person id   the person       home, last day, assignments
    tablet      tablet id   the person who holds it    its status
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from domain.areas import LENGTH_OF_LEVEL
from projections import areas, open_cases, people, personal_items, refusals, rulebooks, tablets, visit_log
from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import PROGRESS, WORD, canonical, given, key, maybe, read_model_table, text

NAME = "tablet_changes"

TABLE = read_model_table(
    "tablet_changes",
    key("audience", WORD),
    key("kind", text(16)),
    key("item", WORD),
    given("position", sa.BigInteger),
    given("gone", sa.Boolean),
    maybe("audiences", sa.Text),
    maybe("payload", sa.Text),
)
C = TABLE.c

BASE = ""
TO_SOMEBODY = C.audience != sa.literal_column("''")
"""Of the audience rows. The index holds these alone: over base rows it would be taken for a look by key, and walk a ledger's items."""
sa.Index("tablet_changes_position", C.ledger, C.audience, C.position, sqlite_where=TO_SOMEBODY, postgresql_where=TO_SOMEBODY)

EVERYONE = "*"
COMMUNITY = LENGTH_OF_LEVEL["community"]
GRID = LENGTH_OF_LEVEL["grid"]
COUNTY_LENGTH = LENGTH_OF_LEVEL["county"]

Item = tuple[dict[str, Any] | None, Sequence[str]]
"""An item's payload and its audiences; no audiences means that it has gone from everywhere."""


def person_audience(person: str) -> str:
    """The audience that is one person, on whichever tablet."""
    return f"person:{person}"


@lru_cache(maxsize=65_536)
def place_audiences(code: str) -> tuple[str, ...]:
    """The areas whose tablets hear of what happens at a code: itself and what it lies in, up to the community."""
    above = [code[:length] for length in (COMMUNITY, GRID) if len(code) > length]
    return (*above, code)


# ---- one function per kind: the item after the event, from the payload before


def _case(before: dict[str, Any] | None, event: Recorded) -> Item:
    row = open_cases.fold((), {**open_cases.NOT_YET, **before} if before else None, event)
    payload = {name: value for name, value in row.items() if value is not None}
    if not row["open"]:
        return payload, []
    called = orjson.loads(row["called"]) if row["called"] else []
    return payload, [*place_audiences(row["area"]), row["holder"], *called]


def _visit(before: dict[str, Any] | None, event: Recorded) -> Item:
    fields = event.fields
    if before is not None and (before["happened_at"], before["visit_id"]) > (fields["happened_at"], event.stream):
        payload = before
    else:
        payload = {
            "household": fields["household"],
            "area": fields["area"],
            "care_group": fields.get("care_group"),
            "next_due": visit_log.next_due(event),
            "outcome": fields["outcome"],
            "visit_id": event.stream,
            "happened_at": fields["happened_at"],
            "day": fields["day"],
        }
    # Whom the next visit's disclosures are about: the same id on every tablet, so that one erasure finds them all.
    subject = personal_items.subject_of(fields.get("personal")) or (before or {}).get("subject")
    payload = {**payload, "subject": subject} if subject else payload
    return payload, place_audiences(payload["area"]) if payload["next_due"] else ()


def _area(before: dict[str, Any] | None, event: Recorded) -> Item:
    row = areas.fold((event["code"],), before, event)
    return {**row, "polygon": None}, [EVERYONE]


def _outline(before: dict[str, Any] | None, event: Recorded) -> Item:
    return {"code": event["code"], "polygon": event["polygon"]}, place_audiences(event["code"])


def _rulebook(before: dict[str, Any] | None, event: Recorded) -> Item:
    payload = {name: event[name] for name in ("kind", "name", "version", "effective_from", "content")}
    return payload, [EVERYONE]


def _refusal(before: dict[str, Any] | None, event: Recorded) -> Item:
    row = refusals.fold((), before, event)
    payload = {name: row[name] for name in row if name not in ("subject", "digest")}
    return payload, [person_audience(row["person"])] if row["state"] != "reapplied" else []


def _person(before: dict[str, Any] | None, event: Recorded) -> Item:
    return people.fold((), before, event), [person_audience(event.stream)]


def _tablet(before: dict[str, Any] | None, event: Recorded) -> Item:
    row = tablets.fold((), {**before, "recorded": 0, "refused": 0} if before else None, event)
    payload = {name: row[name] for name in TABLET_STATUS}
    return payload, [person_audience(row["person"])]


TABLET_STATUS = ("tablet_id", "area", "person", "status", "label", "last_valid", "reason", "version")

KINDS = {
    "case": _case,
    "visit": _visit,
    "area": _area,
    "outline": _outline,
    "rulebook": _rulebook,
    "refusal": _refusal,
    "person": _person,
    "tablet": _tablet,
}
KIND_OF = {
    **dict.fromkeys(open_cases.TOPICS, "case"),
    **dict.fromkeys(visit_log.TOPICS, "visit"),
    **dict.fromkeys(areas.TOPICS, "area"),
    **dict.fromkeys(rulebooks.TOPICS, "rulebook"),
    **dict.fromkeys(refusals.TOPICS, "refusal"),
    **dict.fromkeys(people.TOPICS, "person"),
    # An upload changes nothing that the tablet needs to be told: each download would bring news of the upload before it.
    **dict.fromkeys(tablets.TOPICS - {"tablet.uploaded"}, "tablet"),
}
TOPICS = frozenset(KIND_OF)


# ---- the fold


def keys(event: Recorded) -> Iterable[tuple[Any, ...]]:
    kind = KIND_OF[event.topic]
    if kind == "visit":
        return ((BASE, kind, event["household"]),)
    if kind == "rulebook":
        return ((BASE, kind, "/".join((event["kind"], event["name"], event["version"]))),)
    if kind == "area":
        outline = ((BASE, "outline", event["code"]),) if event.get("polygon") is not None else ()
        return ((BASE, kind, event["code"]), *outline)
    return ((BASE, kind, event.stream),)


def fold(key: tuple[Any, ...], row: Row | None, event: Recorded) -> Row:
    kind = key[1]
    payload, audiences = KINDS[kind](orjson.loads(row["payload"]) if row is not None else None, event)
    return {
        "audience": BASE,
        "kind": kind,
        "item": key[2],
        "position": event.position,
        "gone": not audiences,
        "audiences": "\n".join(dict.fromkeys(audiences)),
        "payload": canonical(payload),
    }


def spread(before: Row | None, after: Row | None, event: Recorded) -> Iterator[tuple[tuple[Any, ...], Row | None]]:
    """The audience rows that follow from an item's base row: present in its audiences, gone from those that it left."""
    assert after is not None
    now, then = after["audiences"], before["audiences"] if before is not None else ""
    present = now.split("\n") if now else []
    for audience in present:
        yield _told_to(audience, after, gone=False)
    if then and then != now:
        for audience in then.split("\n"):
            if audience not in present:
                yield _told_to(audience, after, gone=True)


def _told_to(audience: str, base: Row, *, gone: bool) -> tuple[tuple[Any, ...], Row]:
    kind, item = base["kind"], base["item"]
    row = {
        "audience": audience,
        "kind": kind,
        "item": item,
        "position": base["position"],
        "gone": gone,
        "audiences": None,
        "payload": None,
    }
    return (audience, kind, item), row


# ---- the query

AS_TEXT = ("place", "photos", "called", "mustered", "time_limit", "quantities", "centre", "successors", "changes", "assigned", "facts")
"""Members that stand in a payload as JSON text, because the rows of other read models hold them so."""


def _told(payload: dict[str, Any]) -> dict[str, Any]:
    opened = {name: orjson.loads(payload[name]) for name in AS_TEXT if isinstance(payload.get(name), str)}
    return {**payload, **opened}


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in the order of their positions. ``following`` is where to ask on from; ``complete`` says that upto was reached."""

    items: list[Row]
    following: int
    complete: bool


def changes(conn: sa.Connection, ledger: str, audiences: Sequence[str], since: int, upto: int, limit: int) -> Page:
    """What changed for the audiences at positions since..upto-1, about limit items, never half of a position.

    Each item: kind, id, position, gone, data (the payload as it stands now; None where it has gone).
    """
    rows = _changed(conn, ledger, audiences, since, upto, limit + 1)
    following = upto
    if len(rows) > limit:
        following = rows[-1].position
        if following == rows[0].position:
            following += 1
            rows = _changed(conn, ledger, audiences, rows[0].position, following, None)
        else:
            rows = [row for row in rows if row.position < following]
    return Page(list(_items(rows)), following, following >= upto)


def telling(person: str, units: Sequence[str]) -> sa.CompoundSelect[Any]:
    """A query of the ledgers that tell a person, or the units that one works for, something, or did.

    One look into the index for each audience and ledger, however long the histories are. A case goes to units of its own county only.
    """
    parts = [_telling([person_audience(person)], sa.true())]
    for county in sorted({unit[:COUNTY_LENGTH] for unit in units}):
        mine = [unit for unit in units if unit.startswith(county)]
        parts.append(_telling(mine, PROGRESS.c.ledger.startswith(county, autoescape=True)))
    return sa.union_all(*parts)


def _telling(audiences: Sequence[str], where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    told = sa.select(C.position).where(C.ledger == PROGRESS.c.ledger, C.audience.in_(audiences), TO_SOMEBODY).limit(1)
    return sa.select(PROGRESS.c.ledger).where(PROGRESS.c.read_model == NAME, where, told.correlate(PROGRESS).scalar_subquery().is_not(None))


def _changed(conn: sa.Connection, ledger: str, audiences: Sequence[str], since: int, upto: int, limit: int | None) -> Sequence[Any]:
    base = TABLE.alias("base")
    same = sa.and_(base.c.ledger == C.ledger, base.c.audience == BASE, base.c.kind == C.kind, base.c.item == C.item)
    query = (
        sa.select(C.kind, C.item, C.position, C.gone, base.c.payload)
        .join_from(TABLE, base, same)
        .where(C.ledger == ledger, C.audience.in_(list(audiences)), TO_SOMEBODY, C.position >= since, C.position < upto)
        .order_by(C.position, C.kind, C.item, C.gone.desc())
        .limit(limit)
    )
    return conn.execute(query).all()


def _items(rows: Sequence[Any]) -> Iterator[Row]:
    """One item for each (kind, id): its last row, and a row that is present wins over one of the same position that has gone."""
    last = {(row.kind, row.item): row for row in rows}
    for row in sorted(last.values(), key=lambda row: (row.position, row.kind, row.item)):
        data = None if row.gone else _told(orjson.loads(row.payload))
        yield {"kind": row.kind, "id": row.item, "position": row.position, "gone": row.gone, "data": data}
