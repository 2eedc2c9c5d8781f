"""What tablets exchange with the service: batches up, changes down. Read by tablets; docs/sync-protocol.md is the contract."""

import time
from typing import Any

import orjson
from flask import Response, request

from service.measures import count_batch
from service.problems import Problem
from service.routes.nouns import gridtrail
from service.routes.parsing import read_position
from service.routes.personal import recorded
from service.routes.tablet_noun import TABLET, TABLET_READS, TabletNoun, open_stream, tablet
from service.schemas.personal import Brought, TaskQuery, Values
from service.schemas.sync import ChangesPage, ChangesQuery, ProofsAsked, ProofsTold, Receipt, Standing
from service.scope import Actor
from service.sync.batch import MEDIA_TYPE, decode_batch, read_body

blueprint = TabletNoun("sync", __name__, url_prefix="/v1/sync", description="The exchange with tablets.")

DISCLOSURES = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "description": '{"items": [{"subject", "area", "disclosure"}, …]}, at most 200. See docs/sync-protocol.md.',
}
BATCH = {
    "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    "description": "Newline-delimited JSON: the tablet's next entries, then the seal. gzip is allowed. See docs/sync-protocol.md.",
}


@blueprint.tablet_operation(
    "POST", "/batches", policy=TABLET, answers=(200, Receipt), errors=(408, 409, 411, 413, 415, 422, 429), doc=BATCH
)
def upload_batch() -> Any:
    """Upload a batch of entries: each becomes an event or a kept refusal, all at once, and the receipt says which."""
    pieces, state, began = gridtrail(), tablet(), time.perf_counter()
    body = read_body(request.headers, open_stream(), pieces.config)
    batch = decode_batch(body, state.verifier, pieces.config)
    receipt = pieces.uploads.take(state, batch)
    count_batch(receipt["outcomes"], time.perf_counter() - began)
    return Response(orjson.dumps(receipt), content_type="application/json")


@blueprint.tablet_operation("PUT", "/disclosures", policy=TABLET, answers=(200, Brought), errors=(411, 413, 415, 422), doc=DISCLOSURES)
def bring_disclosures() -> Any:
    """Bring the values that entries vouch for, before the entries or after them; sending again is always right."""
    pieces = gridtrail()
    if request.mimetype != "application/json":
        raise Problem("unsupported_media_type", "Disclosures are application/json.")
    if request.content_length is None:
        raise Problem("length_required", "Say how many bytes the body has.")
    if request.content_length > pieces.config.body_max_bytes:
        raise Problem("too_large", "Send fewer at a time.", max_bytes=pieces.config.body_max_bytes)
    return {"items": pieces.bringing.take(tablet(), request.get_data())}


@blueprint.tablet_operation("GET", "/personal", policy=TABLET_READS, answers=(200, Values), query=TaskQuery, errors=(403, 404))
def fetch_values(query: dict[str, Any]) -> Any:
    """What is said of persons in one task of the tablet's worker, to be at hand without network. On record."""
    pieces, state = gridtrail(), tablet()
    known = pieces.identity.actor_of(str(state.person))
    actor = Actor(known.person, known.grants, str(state.tablet))
    if "case" in query:
        return recorded(pieces.personal.of_case(actor, str(query["case"])))
    return recorded(pieces.personal.of_household(actor, query["household"]))


@blueprint.tablet_operation("GET", "/standing", policy=TABLET, answers=(200, Standing))
def show_standing() -> Any:
    """What the service holds of this tablet: size, root and frontier of its tree, and whether it may go on."""
    return gridtrail().uploads.standing(tablet())


@blueprint.tablet_operation("GET", "/changes", policy=TABLET_READS, answers=(200, ChangesPage), query=ChangesQuery, errors=(404,))
def download_changes(query: dict[str, Any]) -> Any:
    """What changed for this tablet since a cursor: its cases, visits, areas, books, refused entries."""
    pieces, state = gridtrail(), tablet()
    if "min_position" in query:
        ledger, position = read_position(query["min_position"])
        pieces.changes.must_hear_of(state, ledger, position)
        if not pieces.follower.wait_for(ledger, "tablet_changes", position, pieces.config.wait_for_position_s):
            raise Problem("read_model_behind", f"Position {position} of {ledger} is not to be downloaded yet.", ledger=ledger)
    page = pieces.changes.since(state, query.get("since"), query["limit"])
    return Response(orjson.dumps(page), content_type="application/json")


@blueprint.tablet_operation("POST", "/proofs", policy=TABLET_READS, answers=(200, ProofsTold), body=ProofsAsked, errors=(404,))
def prove_own_entries(asked: dict[str, Any]) -> Any:
    """Prove that this tablet's entries stand in a ledger, and that the ledger only grew since the checkpoint that the tablet saw."""
    told = gridtrail().tablet_proofs.of(tablet(), asked["ledger"], asked["positions"], asked.get("seen"))
    return Response(orjson.dumps(told), content_type="application/json")
