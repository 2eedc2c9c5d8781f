"""Areas and people: the reference data that everything else names. Read by every client that shows a place or an assignment."""

from typing import Any

from projections import areas, people
from service.database import reading
from service.routes.nouns import Noun, actor, filters, gridtrail, paged
from service.schemas.pages import page_of
from service.schemas.places import Area, AreaQuery, Assignment, Names, NamesQuery, PersonQuery
from service.scope import places_of, sight_of

blueprint = Noun("places", __name__, url_prefix="/v1", description="Areas, and who is assigned to them.")


@blueprint.operation("GET", "/areas", policy="area.read", query=AreaQuery, answers=(200, page_of(Area)), reads="areas", errors=(404,))
def list_areas(query: dict[str, Any]) -> dict[str, Any]:
    """Areas of one's subtree, by code; a department's is its area's."""
    wanted = filters(query)
    if "codes" in wanted:
        wanted["codes"] = wanted["codes"].split(",")
    with reading(gridtrail().database) as conn:
        sight = places_of(actor())
        return paged(query, lambda **at: areas.list_areas(conn, sight, **wanted, **at), code=str)


@blueprint.operation(
    "GET", "/people", policy="person.read", query=PersonQuery, answers=(200, page_of(Assignment)), reads="people", errors=(404,)
)
def list_people(query: dict[str, Any]) -> dict[str, Any]:
    """Who is assigned where, by person. Ids only."""
    with reading(gridtrail().database) as conn:
        sight = sight_of(actor(), "person.read")
        return paged(query, lambda **at: people.people_of(conn, sight, **filters(query), **at), person=str, assignment=str)


@blueprint.operation("GET", "/people/names", policy="person.read", query=NamesQuery, answers=(200, Names))
def list_names(query: dict[str, Any]) -> dict[str, Any]:
    """What the offices call some people, by their ids: for pages on which somebody has to be known. Who is out of sight is left out."""
    with reading(gridtrail().database) as conn:
        seen = people.seen_among(conn, sight_of(actor(), "person.read"), set(query["persons"].split(",")))
        labels = gridtrail().identity.labels_of(conn, seen)
    return {"items": [{"person": person, "label": labels[person]} for person in seen if person in labels]}
