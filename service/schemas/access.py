"""The record of reads on the wire: who read what, when and why."""

import marshmallow as ma

from service.access import LONGEST_OBJECT
from service.schemas.fields import Moment, Parsed, area_code, matching, shown, text
from service.schemas.pages import Listing

String = ma.fields.String


class AccessQuery(Listing):
    """Reads of an area's ledgers, by a person, of a subject's data, of one thing, by one operation, in a time. read_to is not included."""

    area = area_code()
    person = ma.fields.UUID()
    subject = ma.fields.UUID()
    object = text(LONGEST_OBJECT)
    act = matching(r"[a-z][a-z0-9_.]{0,79}", "show_case")
    read_from = Moment()
    read_to = Moment()


class Read(
    ma.Schema.from_dict(  # type: ignore[misc]
        shown(
            String,
            "id",
            "at",
            "day",
            "ledger",
            "role",
            "account",
            "token_kind",
            "act",
            optional=("person", "object", "subject", "purpose", "request_id", "address"),
        )
    )
):
    """One read. token_kind: session, api, tablet, or os for somebody at the server's own command line. rows: how many were told."""

    rows = ma.fields.Integer(required=True, allow_none=True)
    filters = Parsed(required=True, metadata={"type": "object"})
