"""The newest RFC 3161 timestamp of the root log's checkpoint, and the very bytes that it is over."""

from flask import Response

from service.audit.timestamps import REPLY, Stamped, latest
from service.database import reading
from service.problems import Problem
from service.routes.logs import BYTES, MOMENT, TEXT, TEXT_DOC, cacheable
from service.routes.nouns import Noun, gridtrail

REPLY_DOC = {"responses": {"200": {"description": "The authority's answer, DER.", "content": {REPLY: BYTES}}}}

blueprint = Noun("timestamps", __name__, url_prefix="/log/root/timestamp", description="Timestamps of the root log.")


@blueprint.operation("GET", "", policy="ledger.read", open_by="open_logs", answers=(200, None, REPLY), errors=(404,), doc=REPLY_DOC)
def show_timestamp() -> Response:
    """The authority's answer (RFC 3161, DER): openssl ts -verify -data checkpoint -in timestamp.tsr -CAfile …"""
    return cacheable(_latest().token, REPLY, MOMENT)


@blueprint.operation(
    "GET",
    "/checkpoint",
    policy="ledger.read",
    open_by="open_logs",
    answers=(200, None, "text/plain"),
    errors=(404,),
    doc=TEXT_DOC,
)
def show_stamped_checkpoint() -> Response:
    """The checkpoint that was stamped, with our signature alone: the bytes that the timestamp is over."""
    return cacheable(_latest().note.encode(), TEXT, MOMENT)


def _latest() -> Stamped:
    with reading(gridtrail().database) as conn:
        found = latest(conn)
    if found is None:
        raise Problem("not_found")
    return found
