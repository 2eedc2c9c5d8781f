"""Photos by content: bring one, see one. Read by tablets and by the console; a token of either kind is taken."""

from typing import Any

from flask import Response, g, request

from domain.areas import area_of, ledger_of
from service.problems import Problem
from service.routes.nouns import LOGGED_IN, bearer_token, gridtrail
from service.routes.tablet_noun import TabletNoun, open_stream
from service.schemas.entries import is_uuid
from service.scope import Actor, OutOfScope, authorise

blueprint = TabletNoun("photos", __name__, url_prefix="/v1/photos", description="Photos, by the SHA-256 of their bytes.")

FOREVER = "private, max-age=31536000, immutable"
IMAGE = {"schema": {"type": "string", "format": "binary"}}
TAKEN = {"requestBody": {"required": True, "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp"), IMAGE)}}
OF = {
    "in": "query",
    "name": "of",
    "description": "The case or visit that discloses the photo.",
    "schema": {"type": "string", "format": "uuid"},
}
GIVEN = {
    "parameters": [OF],
    "responses": {"200": {"description": "The photo.", "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp"), IMAGE)}},
}


def asker(*, reads: bool) -> tuple[Actor, str]:
    """Who is asking, by a tablet's token or a person's, and the ledger that what they bring belongs to."""
    pieces, token = gridtrail(), bearer_token()
    try:
        state = pieces.enrolment.tablet_of(token, reads=reads)
    except Problem as problem:
        if problem.code != "not_logged_in":
            raise
        g.visitor = pieces.identity.visitor(token)
        actor = g.visitor.actor
        return actor, ledger_of(area_of(actor.grants[0].unit)) if actor.grants else ""
    g.tablet_id = str(state.tablet)
    return pieces.identity.actor_of(str(state.person)), state.ledger


def _name(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise OutOfScope
    return sha256


@blueprint.photo_operation("PUT", policy=LOGGED_IN, status=201, errors=(404, 411, 413, 415, 422), doc=TAKEN)
def bring_photo(sha256: str) -> Any:
    """Bring a photo. Sending it again, whole, is how an interrupted upload is resumed; 200 says that it was there already."""
    pieces = gridtrail()
    # A revoked tablet may deliver entries, which are kept apart; its photos would be kept beside everybody's.
    actor, ledger = asker(reads=True)
    authorise(actor, "photo.write")
    said = request.headers.get("Content-Length", "")
    length = int(said[:20]) if said.isascii() and said.isdigit() else None
    new = pieces.photos.put(ledger, actor.person, _name(sha256), open_stream(), length)
    return Response(status=201 if new else 200)


@blueprint.photo_operation("GET", policy=LOGGED_IN, status=200, errors=(404,), doc=GIVEN, known=frozenset({"of"}))
def see_photo(sha256: str) -> Any:
    """See a photo that one brought, or that is shown in a case or visit within one's scope.

    A photo of persons is disclosed: name with ``of`` the case or visit whose values one may read; that read is on record, with its purpose.
    """
    actor, _ = asker(reads=True)
    authorise(actor, "photo.read")
    name, of = _name(sha256), request.args.get("of")
    if of is None:
        content, media_type = gridtrail().photos.get(actor, name)
    elif is_uuid(of):
        content, media_type = gridtrail().photos.get_disclosed(actor, name, of)
        g.access_recorded = True
    else:
        raise Problem("bad_parameter", "of is the id of a case or visit.", errors={"query": {"of": ["Not a UUID."]}})
    return Response(content, content_type=media_type, headers={"Cache-Control": FOREVER, "ETag": f'"{sha256}"'})
