"""Personal values: read by who has a task there, with a purpose that goes on record. Read by the console."""

from typing import Any
from uuid import UUID

from flask import g

from service.routes.nouns import Noun, actor, gridtrail
from service.schemas.pages import Waiting
from service.schemas.personal import RefusedEntryRead, Values


def recorded(answer: Any) -> Any:
    """An answer whose read is on record already, subject by subject."""
    g.access_recorded = True
    return answer


blueprint = Noun("personal", __name__, url_prefix="/v1", description="What is said of persons, for who works with them.")


@blueprint.operation(
    "GET",
    "/cases/<uuid:case>/personal",
    policy="personal.read",
    query=Waiting,
    answers=(200, Values),
    reads="personal_items",
    errors=(404,),
)
def show_case_values(query: dict[str, Any], case: UUID) -> Any:
    """What a case says of persons, for its officers and for the worker who has it to do. On record; other officers name a purpose."""
    return recorded(gridtrail().personal.of_case(actor(), str(case)))


@blueprint.operation(
    "GET",
    "/households/<path:reference>/personal",
    policy="personal.read",
    query=Waiting,
    answers=(200, Values),
    reads="personal_items",
    errors=(404,),
)
def show_household_values(query: dict[str, Any], reference: str) -> Any:
    """What was said on visits to a household, latest first, for whoever works in its area. On record; other officers name a purpose."""
    return recorded(gridtrail().personal.of_household(actor(), reference))


@blueprint.operation("GET", "/refusals/<uuid:refusal>/entry", policy="personal.read", answers=(200, RefusedEntryRead), errors=(404,))
def show_refused_entry(refusal: UUID) -> Any:
    """What a refused entry said, for its worker and for the officers who decide on it. On record; other officers name a purpose."""
    return recorded(gridtrail().personal.of_refusal(actor(), str(refusal)))
