"""Who read what: the record of reads, for auditors. That they look at it is on record as well."""

from typing import Any

from service.database import reading
from service.routes.nouns import Noun, actor, filters, gridtrail, paged
from service.schemas.access import AccessQuery, Read
from service.schemas.pages import page_of
from service.scope import sight_of

blueprint = Noun("access", __name__, url_prefix="/v1", description="The record of reads, for auditors.")


@blueprint.operation("GET", "/access-log", policy="access.read", query=AccessQuery, answers=(200, page_of(Read)))
def list_reads(query: dict[str, Any]) -> dict[str, Any]:
    """Reads by auditors and reads of personal data, latest first, in the ledgers that lie wholly in one's subtree."""
    wanted: dict[str, Any] = {name: str(value) for name, value in filters(query).items()}
    sight = sight_of(actor(), "access.read")
    with reading(gridtrail().database) as conn:
        return paged(query, lambda **at: gridtrail().access.list_reads(conn, sight, **wanted, **at), at=str, id=str)
