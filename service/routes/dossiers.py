"""Dossiers over HTTP, for auditors: one case with all its proofs, as a zip."""

from typing import Any
from uuid import UUID

from flask import Response

from service.routes.nouns import Noun, actor, gridtrail
from service.routes.reads import reads
from service.schemas.dossiers import DossierQuery
from service.scope import authorise, sight_of

blueprint = Noun("dossiers", __name__, url_prefix="/v1", description="Cases as folders that prove themselves, for auditors.")

ZIP = "application/zip"
GIVEN = {"responses": {"200": {"description": "The dossier.", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}}}


@blueprint.operation(
    "GET", "/cases/<uuid:case>/dossier", policy="ledger.read", query=DossierQuery, answers=(200, None, ZIP), errors=(404, 409), doc=GIVEN
)
def download_dossier(query: dict[str, Any], case: UUID) -> Response:
    """One case with its lines, tablets' entries, photos and all proofs, a page for people, and a verifier that needs no Gridtrail.

    With personal=true the values that the vault holds are opened; say why in Gridtrail-Purpose.
    """
    pieces, sight = gridtrail(), sight_of(actor(), "ledger.read")
    ledger, area = pieces.dossiers.ledger_of(str(case), sight)
    authorise(actor(), "ledger.read", area=area)
    reads(ledger=ledger, object=str(case), own=False if query["personal"] else None)
    dossier = pieces.dossiers.make(str(case), sight=sight, personal=query["personal"], photos=query["photos"])
    named = {"Content-Disposition": f'attachment; filename="dossier-{case}.zip"'}
    return Response(pieces.dossiers.stream(dossier), content_type=ZIP, headers=named)
