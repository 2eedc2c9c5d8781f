"""Persons whose data is held: the report to them, and their erasure. Read by the console; both go on record."""

from typing import Any
from uuid import UUID

from service.access import purpose_said
from service.personal.erasure import Order
from service.personal.report import report_of
from service.problems import Problem
from service.routes.nouns import Noun, actor, gridtrail
from service.routes.personal import recorded
from service.schemas.subjects import Erasing, ErasureDone, SubjectReport
from service.scope import Grant, OutOfScope, authorise

blueprint = Noun("subjects", __name__, url_prefix="/v1/subjects", description="Persons, by random id: what is held, and its erasure.")


def _all_of(subject: UUID, action: str) -> tuple[list[str], Grant]:
    """Every ledger with something of the subject, each of which must lie within the actor's rights: a person is not erased in halves."""
    ledgers = gridtrail().erasure.ledgers_of(subject)
    if not ledgers:
        raise OutOfScope
    grants = [authorise(actor(), action, area=ledger) for ledger in ledgers]
    return ledgers, grants[0]


@blueprint.operation("GET", "/<uuid:subject>", policy="subject.report", answers=(200, SubjectReport), personal=True, errors=(404,))
def show_subject(subject: UUID) -> Any:
    """What is held of a person, for the officer who answers them. On record, with the purpose."""
    purpose = purpose_said()
    if purpose is None:
        raise Problem("purpose_needed", "Say in the header Gridtrail-Purpose why you read this; it goes on record.")
    ledgers, _ = _all_of(subject, "subject.report")
    for ledger in ledgers:
        gridtrail().access.record(None, actor(), "subject.report", ledger=ledger, subject=subject, purpose=purpose)
    return recorded(report_of(gridtrail(), subject, ledgers))


@blueprint.operation("POST", "/<uuid:subject>/erasure", policy="subject.erase", body=Erasing, answers=(200, ErasureDone), errors=(404, 409))
def erase_subject(said: dict[str, Any], subject: UUID) -> Any:
    """Erase a person everywhere. Again it changes nothing; after 503 database_busy all is destroyed, and the rest follows by itself."""
    pieces = gridtrail()
    ledgers, grant = _all_of(subject, "subject.erase")
    act = pieces.inspection.act_for(actor(), grant.role)
    for ledger in ledgers:
        pieces.access.record(None, actor(), "subject.erase", ledger=ledger, subject=subject, purpose=said["reason"])
    order = Order(said["reason"], said.get("requested_at") or act.day, act, said.get("reference"))
    return pieces.erasure.erase(subject, order)
