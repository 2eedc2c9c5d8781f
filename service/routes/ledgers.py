"""The ledgers themselves, for auditors: which there are, and their stored entries verbatim."""

import base64
import re
from typing import Any

from projections.recorded import read_line
from service.database import reading
from service.routes.nouns import Noun, actor, gridtrail
from service.routes.parsing import POSITIONS, read_cursor, write_cursor
from service.schemas.fields import LEDGER
from service.schemas.pages import page_of
from service.schemas.uploads import EntryQuery, Ledgers, StoredEntry
from service.scope import OutOfScope, authorise, sight_of

LEDGER_NAME = re.compile(LEDGER, re.ASCII)

blueprint = Noun("ledgers", __name__, url_prefix="/v1", description="Stored entries, for auditors.")


@blueprint.operation("GET", "/ledgers", policy="ledger.read", answers=(200, Ledgers))
def list_ledgers() -> dict[str, Any]:
    """The ledgers that lie wholly in one's subtree."""
    sight = sight_of(actor(), "ledger.read")
    with reading(gridtrail().database) as conn:
        heads = [head for head in gridtrail().ledgers.heads(conn) if sight.covers(head.ledger)]
    return {
        "items": [
            {
                "ledger": head.ledger,
                "size": head.size,
                "root": base64.b64encode(head.root).decode(),
                "incarnation": head.incarnation,
                "recorded_at": head.recorded_at,
            }
            for head in heads
        ]
    }


@blueprint.operation(
    "GET",
    "/ledgers/<string(minlength=4, maxlength=9):ledger>/events",
    policy="ledger.read",
    query=EntryQuery,
    answers=(200, page_of(StoredEntry)),
    errors=(404,),
)
def list_entries(query: dict[str, Any], ledger: str) -> dict[str, Any]:
    """Stored entries in the order of their positions, each line verbatim."""
    if not LEDGER_NAME.fullmatch(ledger):
        raise OutOfScope
    authorise(actor(), "ledger.read", area=ledger)
    after = read_cursor(query, (POSITIONS,))
    with reading(gridtrail().database) as conn:
        if gridtrail().ledgers.head(conn, ledger) is None:
            raise OutOfScope
        lines = gridtrail().ledgers.find(
            conn,
            ledger,
            start=after[0] + 1 if after else query["start"],
            limit=query["limit"] + 1,
            stream=query.get("stream"),
            topic=query.get("topic"),
            by_person=query.get("person"),
            recorded_from=query.get("recorded_from"),
            recorded_to=query.get("recorded_to"),
        )
    items = [{"position": read_line(line).position, "line": bytes(line).decode()} for line in lines[: query["limit"]]]
    more = len(lines) > len(items)
    return {"items": items, "next": write_cursor([items[-1]["position"]], query) if more else None}
