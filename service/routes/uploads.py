"""Tablets, and the entries that a rule refused: seen and decided by officers, seen by workers as far as they are their own."""

from typing import Any
from uuid import UUID

from projections import refusals, tablets
from service.database import reading
from service.routes.fieldwork import as_text, own_or_overseen
from service.routes.nouns import Noun, actor, gridtrail, paged
from service.schemas.pages import Waiting, page_of
from service.schemas.uploads import Reapplication, Reason, RefusalQuery, RefusedEntry, Revocation, Saved, Tablet, TabletQuery
from service.scope import OutOfScope, sight_of
from service.sync.owing import owed_by

blueprint = Noun("uploads", __name__, url_prefix="/v1", description="Tablets and refused entries.")

DECISION: dict[str, Any] = {"answers": (200, Saved), "errors": (404, 409)}


@blueprint.operation(
    "GET", "/tablets", policy="tablet.read", query=TabletQuery, answers=(200, page_of(Tablet)), reads="tablets", errors=(404,)
)
def list_tablets(query: dict[str, Any]) -> dict[str, Any]:
    """Tablets by area: last contact, skew, what each still owes."""
    with reading(gridtrail().database) as conn:
        sight = sight_of(actor(), "tablet.read")
        page = paged(query, lambda **at: tablets.list_tablets(conn, sight, **as_text(query), **at), area=str, tablet_id=str)
        owed = owed_by(conn, {row["person"] for row in page["items"]}, gridtrail().clock())
    return {**page, "items": [{**row, **owed[row["person"]]} for row in page["items"]]}


@blueprint.operation(
    "GET", "/tablets/<uuid:tablet>", policy="tablet.read", query=Waiting, answers=(200, Tablet), reads="tablets", errors=(404,)
)
def show_one_tablet(query: dict[str, Any], tablet: UUID) -> dict[str, Any]:
    """One tablet, as the list tells it."""
    with reading(gridtrail().database) as conn:
        row = tablets.get_tablet(conn, sight_of(actor(), "tablet.read"), str(tablet))
        if row is None:
            raise OutOfScope
        return {**row, **owed_by(conn, {row["person"]}, gridtrail().clock())[row["person"]]}


@blueprint.operation("POST", "/tablets/<uuid:tablet>/revoke", policy="tablet.manage", body=Revocation, **DECISION)
def revoke_tablet(body: dict[str, Any], tablet: UUID) -> Any:
    """Revoke a tablet that was lost or given back: it reads nothing more, and what it sends beyond last_valid is kept as refused."""
    return _change_tablet(tablet, "revoke", body)


@blueprint.operation("POST", "/tablets/<uuid:tablet>/reinstate", policy="tablet.manage", body=Reason, **DECISION)
def reinstate_tablet(body: dict[str, Any], tablet: UUID) -> Any:
    """Let a tablet upload again after its loss or fork was looked into."""
    return _change_tablet(tablet, "reinstate", body)


def _change_tablet(tablet: UUID, method: str, said: dict[str, Any]) -> Any:
    with reading(gridtrail().database) as conn:
        row = tablets.get_tablet(conn, sight_of(actor(), "tablet.read"), str(tablet))
    if row is None:
        raise OutOfScope
    return gridtrail().inspection.change_tablet(actor(), row["ledger"], str(tablet), method, said)


@blueprint.operation(
    "GET", "/refusals", policy="refusal.read", query=RefusalQuery, answers=(200, page_of(RefusedEntry)), reads="refusals", errors=(404,)
)
def list_refusals(query: dict[str, Any]) -> dict[str, Any]:
    """Refused entries, latest first; a worker sees their own."""
    wanted = as_text(query)
    sight, wanted["person"] = own_or_overseen("refusal.oversee", wanted.get("person"))
    with reading(gridtrail().database) as conn:
        return paged(query, lambda **at: refusals.list_refusals(conn, sight, **wanted, **at), recorded_at=str, refusal_id=str)


@blueprint.operation(
    "GET",
    "/refusals/<uuid:refusal>",
    policy="refusal.read",
    query=Waiting,
    answers=(200, RefusedEntry),
    reads="refusals",
    errors=(404,),
)
def show_refusal(query: dict[str, Any], refusal: UUID) -> dict[str, Any]:
    """One refused entry: an officer's or auditor's of the subtree, or one's own. What it said is asked for apart."""
    with reading(gridtrail().database) as conn:
        row = refusals.get_refusal(conn, sight_of(actor(), "refusal.oversee"), str(refusal))
        row = row or refusals.own_refusal(conn, actor().person, str(refusal))
    if row is None:
        raise OutOfScope
    return row


@blueprint.operation("POST", "/refusals/<uuid:refusal>/reapply", policy="refusal.decide", body=Reapplication, **DECISION)
def reapply_refused(body: dict[str, Any], refusal: UUID) -> Any:
    """Decide a refused entry again under the rules and rights that hold now."""
    return gridtrail().inspection.reapply_refused(actor(), _ledger_of(refusal), str(refusal), body.get("reason"))


@blueprint.operation("POST", "/refusals/<uuid:refusal>/dismiss", policy="refusal.decide", body=Reason, **DECISION)
def dismiss_refused(body: dict[str, Any], refusal: UUID) -> Any:
    """Decide that a refused entry stays refused."""
    return gridtrail().inspection.dismiss_refused(actor(), _ledger_of(refusal), str(refusal), body["reason"])


def _ledger_of(refusal: UUID) -> str:
    with reading(gridtrail().database) as conn:
        row = refusals.get_refusal(conn, sight_of(actor(), "refusal.decide"), str(refusal))
    if row is None:
        raise OutOfScope
    return str(row["ledger"])
