"""Takes in the values that tablets bring beside their entries. Read by the sync routes.

A value is judged alone: its form, that its field is declared, and that the value fits the field. Whether an event names it shows later; a
value that none names is seen by nobody and dropped in time. Nothing here ever holds an entry up.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.entries import KINDS
from domain.personal import FIELDS, LONGEST_DISCLOSURE, BadDisclosure, digest_of, read_disclosure, value_fault
from service.database import writing
from service.personal.brought import named_by, note_brought, unnamed_of
from service.personal.vault import Kept, Outcome
from service.problems import CATALOGUE, Problem
from service.schemas.entries import is_area, is_uuid
from service.sync.strict import NotStrict, strict_loads
from service.sync.tables import ACTIVE

CATALOGUE.update({"too_many_disclosures": (413, "Too many disclosures at once")})

MOST = 200
"""Disclosures of one request."""
MOST_UNNAMED = 5_000
"""Values of one person that no event names yet, at most."""
DEPTH = 4
Place = tuple[str, str]
NEEDED, MEMBERS = frozenset({"subject", "disclosure"}), frozenset({"subject", "area", "disclosure"})
TOLD = {Outcome.KEPT: "kept", Outcome.DUPLICATE: "duplicate", Outcome.ERASED: "erased", Outcome.CONTRADICTS: "refused"}


class Bringing:
    """The use case of bringing values."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.database = gridtrail.database

    def take(self, state: Any, body: bytes) -> list[dict[str, Any]]:
        """Keeps the values of a request; gives the outcome of each, in order. Problem where the request as a whole cannot be read."""
        items = _items_in(body)
        judged = [_judged(item, state.area) for item in items]
        fitting = [each for each in judged if isinstance(each, Kept)]
        person = str(state.person)
        with writing(self.database) as conn:
            refused = self._not_now(conn, state, person, fitting)
            ledgers = {head.ledger for head in self.gridtrail.ledgers.heads(conn, {each.ledger for each in fitting})}
            refused |= {(each.ledger, each.digest): "unknown_area" for each in fitting if each.ledger not in ledgers}
            wanted = [each for each in fitting if (each.ledger, each.digest) not in refused]
            kept = self.gridtrail.vault.keep(conn, wanted)
            brought = [each for each in wanted if kept[each.digest] in (Outcome.KEPT, Outcome.DUPLICATE)]
            note_brought(conn, brought, person, self.gridtrail.clock(), tablet=str(state.tablet))
        return [_outcome(item, each, refused, kept) for item, each in zip(items, judged, strict=True)]

    def _not_now(self, conn: sa.Connection, state: Any, person: str, fitting: Sequence[Kept]) -> dict[Place, str]:
        """Why values are not taken: of a tablet that is not active only what its entries named is, and of nobody too many."""
        digests = [each.digest for each in fitting]
        if state.status == ACTIVE and unnamed_of(conn, person) + len(digests) <= MOST_UNNAMED:
            return {}
        named = named_by(conn, person, digests)
        code = "too_many_unnamed" if state.status == ACTIVE else "tablet_not_active"
        return {(each.ledger, each.digest): code for each in fitting if each.digest not in named}


def _items_in(body: bytes) -> list[Any]:
    try:
        said = strict_loads(body, DEPTH)
    except NotStrict as wrong:
        raise Problem("bad_json", str(wrong)) from wrong
    if type(said) is not dict or said.keys() != {"items"} or type(said["items"]) is not list:
        raise Problem("bad_fields", 'Send {"items": [{"subject", "area", "disclosure"}, …]}.')
    if len(said["items"]) > MOST:
        raise Problem("too_many_disclosures", "Send fewer at a time.", max_items=MOST)
    return list(said["items"])


def _judged(item: Any, home: str) -> Kept | str:
    """The value to keep, or the sentence that says what is wrong with it. home: the tablet's area, where none is named."""
    if type(item) is not dict or not NEEDED <= item.keys() <= MEMBERS:
        return "A disclosure comes with subject and disclosure, and perhaps the entry's area."
    subject, area, text = item["subject"], item.get("area", home), item["disclosure"]
    if not is_uuid(subject) or not is_area(area):
        return "subject is a UUID in lower-case text, area an area code."
    if type(text) is not str or len(text) > LONGEST_DISCLOSURE:
        return f"A disclosure has at most {LONGEST_DISCLOSURE} characters."
    try:
        said = read_disclosure(text)
    except BadDisclosure as wrong:
        return str(wrong)
    declared = FIELDS.get(said.field)
    if declared is None or declared.topics.isdisjoint(KINDS):
        return "The field is not one that is declared for entries."
    return value_fault(said.field, said.value) or Kept(area[:9], UUID(subject), said.field, digest_of(text), text)


def _outcome(item: Any, judged: Kept | str, refused: dict[Place, str], kept: dict[str, Outcome]) -> dict[str, Any]:
    if isinstance(judged, str):
        text = item.get("disclosure") if isinstance(item, dict) else None
        digest = digest_of(text) if isinstance(text, str) and text.isascii() else None
        return {"digest": digest, "outcome": "refused", "code": "bad_disclosure", "detail": judged}
    digest, code = judged.digest, refused.get((judged.ledger, judged.digest))
    if code is not None:
        return {"digest": digest, "outcome": "refused", "code": code, "detail": WHY[code]}
    told = {"digest": digest, "outcome": TOLD[kept[digest]]}
    return {**told, "code": "contradicts", "detail": WHY["contradicts"]} if kept[digest] is Outcome.CONTRADICTS else told


WHY = {
    "unknown_area": "Nothing was ever recorded in the ledger of this area.",
    "too_many_unnamed": "So many values wait for an entry that names them that no more are taken. Upload the entries first.",
    "tablet_not_active": "The tablet is revoked or set aside; only values that its recorded entries name are taken.",
    "contradicts": "The same disclosure was brought for another subject or as another field.",
}
