"""The ledgers themselves, for auditors: which there are and how they stand, their stored entries verbatim, and who verified them."""

import re
from typing import Any

from projections.recorded import read_line
from service.audit import standing, verified
from service.database import reading
from service.ledger.store import Head
from service.routes.nouns import Noun, actor, gridtrail
from service.routes.parsing import POSITIONS, read_cursor, write_cursor
from service.schemas.fields import LEDGER
from service.schemas.ledgers import (
    NEWEST_FIRST,
    EntryQuery,
    LedgerInFull,
    Ledgers,
    NewVerification,
    Signing,
    StoredEntry,
    Verification,
)
from service.schemas.pages import page_of
from service.scope import OutOfScope, authorise, sight_of

LEDGER_NAME = re.compile(LEDGER, re.ASCII)
ONE = "/ledgers/<string(minlength=4, maxlength=9):ledger>"

blueprint = Noun("ledgers", __name__, url_prefix="/v1", description="Stored entries, for auditors.")


@blueprint.operation("GET", "/ledgers", policy="ledger.read", answers=(200, Ledgers))
def list_ledgers() -> dict[str, Any]:
    """The ledgers that lie wholly in one's subtree: size, root, last publication, and the last word on their verification."""
    sight = sight_of(actor(), "ledger.read")
    with reading(gridtrail().database) as conn:
        heads = [head for head in gridtrail().ledgers.heads(conn) if sight.covers(head.ledger)]
        return {"items": standing.ledgers(gridtrail(), conn, heads)}


@blueprint.operation("GET", ONE, policy="ledger.read", answers=(200, LedgerInFull), errors=(404,))
def show_ledger(ledger: str) -> dict[str, Any]:
    """One ledger: its checkpoint, cosignatures, incarnations, and what is on record of its verifications."""
    head = _head(ledger, "ledger.read")
    with reading(gridtrail().database) as conn:
        return standing.ledger(gridtrail(), conn, head)


@blueprint.operation(
    "POST", f"{ONE}/verifications", policy="ledger.verify", body=NewVerification, answers=(201, Verification), errors=(404,)
)
def state_verification(body: dict[str, Any], ledger: str) -> dict[str, Any]:
    """Say that you verified a ledger outside (`gridtrail audit verify`, or any other tool): it goes on record, with your name.

    The service adds whether it has that root at that size. Where it has another, what you said is kept all the same.
    """
    return verified.state(gridtrail(), actor(), _head(ledger, "ledger.verify"), body)


@blueprint.operation("GET", f"{ONE}/events", policy="ledger.read", query=EntryQuery, answers=(200, page_of(StoredEntry)), errors=(404,))
def list_entries(query: dict[str, Any], ledger: str) -> dict[str, Any]:
    """Stored entries in the order of their positions, or latest first, each line verbatim."""
    _head(ledger, "ledger.read")
    after, backwards = read_cursor(query, (POSITIONS,)), query["sort"] == NEWEST_FIRST
    edge = {"below" if backwards else "start": after[0] + (0 if backwards else 1)} if after else {}
    with reading(gridtrail().database) as conn:
        lines = gridtrail().ledgers.find(
            conn,
            ledger,
            **{"start": query["start"], **edge},
            limit=query["limit"] + 1,
            stream=query.get("stream"),
            topic=query.get("topic"),
            by_person=query.get("person"),
            tablet=query.get("tablet"),
            recorded_from=query.get("recorded_from"),
            recorded_to=query.get("recorded_to"),
            newest_first=backwards,
        )
    items = [{"position": read_line(line).position, "line": bytes(line).decode()} for line in lines[: query["limit"]]]
    more = len(lines) > len(items)
    return {"items": items, "next": write_cursor([items[-1]["position"]], query) if more else None}


@blueprint.operation("GET", "/signing", policy="signing.read", answers=(200, Signing))
def show_signing() -> dict[str, Any]:
    """The key that signs the logs, how it was handed on, the root log, its witnesses and its timestamps."""
    with reading(gridtrail().database) as conn:
        return standing.signing(gridtrail(), conn)


def _head(ledger: str, action: str) -> Head:
    """The head of a ledger on which the caller may do this. OutOfScope where it is not theirs, or there is none."""
    if not LEDGER_NAME.fullmatch(ledger):
        raise OutOfScope
    authorise(actor(), action, area=ledger)
    with reading(gridtrail().database) as conn:
        head = gridtrail().ledgers.head(conn, ledger)
    if head is None:
        raise OutOfScope
    return head
