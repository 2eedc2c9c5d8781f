"""Single proofs as text files, for auditors: that an entry stands in a ledger, and that a ledger only grew."""

from typing import Any

from flask import Response

from service.audit import proofs
from service.audit.tiles import NotRecorded
from service.database import reading
from service.problems import CATALOGUE, EXCEPTIONS, Problem
from service.routes.logs import FOREVER, MOMENT, TEXT, TEXT_DOC, cacheable, readable
from service.routes.nouns import Noun, gridtrail
from service.schemas.logs import Between

CATALOGUE["entries_missing"] = (500, "Entries that a published checkpoint vouches for are missing")
EXCEPTIONS[NotRecorded] = "entries_missing"

blueprint = Noun("proofs", __name__, url_prefix="/v1/ledgers", description="Proofs that need no server to be checked.")


@blueprint.operation(
    "GET",
    "/<string(maxlength=9):ledger>/events/<int(max=9007199254740991):position>/proof",
    policy="ledger.read",
    answers=(200, None, "text/plain"),
    errors=(404,),
    doc=TEXT_DOC,
)
def prove_entry(ledger: str, position: int) -> Response:
    """Proof that an entry stands in a ledger (or in `root`), under its latest checkpoint: a c2sp.org/tlog-proof@v1 file."""
    with reading(gridtrail().database) as conn:
        point = readable(conn, ledger, openly=False)
        if position >= point.size:
            raise Problem("not_published", f"The latest checkpoint of {ledger} has {point.size} entries.", size=point.size)
        hashes = gridtrail().tiles.inclusion(conn, ledger, position, point.size)
    return cacheable(proofs.write_proof(position, hashes, point.note).encode(), TEXT, MOMENT)


@blueprint.operation(
    "GET",
    "/<string(maxlength=9):ledger>/consistency",
    policy="ledger.read",
    query=Between,
    answers=(200, None, "text/plain"),
    errors=(404,),
    doc=TEXT_DOC,
)
def prove_consistency(query: dict[str, Any], ledger: str) -> Response:
    """Proof that a ledger (or `root`) only grew between two sizes. It brings the newer checkpoint where that is the latest."""
    with reading(gridtrail().database) as conn:
        point = readable(conn, ledger, openly=False)
        old, new = query["from"], query.get("to", point.size)
        if max(old, new) > point.size:
            raise Problem("not_published", f"The latest checkpoint of {ledger} has {point.size} entries.", size=point.size)
        if old > new:
            raise Problem("bad_parameter", "from is the earlier size, to the later.", errors={"query": {"from": ["Larger than to."]}})
        hashes = gridtrail().tiles.consistency(conn, ledger, old, new)
    note = point.note if new == point.size else ""
    text = proofs.write_consistency(old, new, hashes, note)
    return cacheable(text.encode(), TEXT, FOREVER if "to" in query and not note else MOMENT)
