"""People and their assignments, written by administrators: who may act where, from a day on. Ids only; names stand with accounts."""

from typing import Any
from uuid import UUID, uuid4

from domain.areas import area_of
from domain.refusals import AlreadyBegun, UnknownUnit
from projections import areas, people
from service.database import reading
from service.inspection import Saved
from service.routes.nouns import Noun, actor, gridtrail
from service.schemas.pages import Waiting
from service.schemas.people import Assigned, Assigning, LastDay, NewPerson, Person
from service.schemas.uploads import Saved as SavedShown
from service.scope import NotYourRole, OutOfScope, authorise

blueprint = Noun("people", __name__, url_prefix="/v1/people", description="People and their assignments, for administrators.")

ONE = "/<uuid:person>"
ASSIGNMENT = f"{ONE}/assignments/<string(maxlength=80):assignment>"


@blueprint.operation("GET", ONE, policy="person.read", query=Waiting, answers=(200, Person), reads="people", errors=(404,))
def show_person(query: dict[str, Any], person: UUID) -> dict[str, Any]:
    """One person by id, with every assignment, past and to come."""
    home = _home(person, "person.read")
    with reading(gridtrail().database) as conn:
        assignments = people.assignments_of(conn, str(person))
    told = {"person": str(person), "home": home["unit"], "registered_on": home["from_day"], "left_on": home["to_day"]}
    return {**told, "assignments": assignments}


@blueprint.operation("POST", "", policy="person.manage", body=NewPerson, answers=(201, Assigned), errors=(404, 409))
def register_person(body: dict[str, Any]) -> dict[str, Any]:
    """Register a person with a first assignment. The id is all that the record knows of them; who is known already is 409."""
    said, home, given = _said(body), body.get("home") or area_of(body["unit"]), body.get("person")
    _must_be_there(home, said["from_day"])
    with reading(gridtrail().database) as conn:
        if given is not None and people.get_person(conn, str(given)) is not None:
            raise AlreadyBegun(id=str(given))
    person, saved = gridtrail().inspection.register_person(actor(), home, given, said)
    return {"person": person, "assignment": said["assignment"], "ledger": saved.ledger, "position": saved.position}


@blueprint.operation("POST", f"{ONE}/assignments", policy="person.manage", body=Assigning, answers=(201, Assigned), errors=(404, 409))
def assign_person(body: dict[str, Any], person: UUID) -> dict[str, Any]:
    """Give a person a role in a unit, from a day on."""
    said = _said(body)
    saved = _change(person, "assign", said)
    return {"person": str(person), "assignment": said["assignment"], "ledger": saved.ledger, "position": saved.position}


@blueprint.operation("POST", f"{ASSIGNMENT}/end", policy="person.manage", body=LastDay, answers=(200, SavedShown), errors=(404, 409))
def end_assignment(body: dict[str, Any], person: UUID, assignment: str) -> Saved:
    """End an assignment: to_day is its last day. What was done until then stays done in that role."""
    return _change(person, "end_assignment", {"assignment": assignment, **body})


@blueprint.operation("POST", f"{ONE}/leave", policy="person.manage", body=LastDay, answers=(200, SavedShown), errors=(404, 409))
def record_leaving(body: dict[str, Any], person: UUID) -> Saved:
    """Record that a person no longer works here after a day: all assignments end with it, and logging in gives no rights any more."""
    return _change(person, "leave", body)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """What person.assigned says. The unit's area must be in force on the first day: an assignment to nowhere reaches nothing."""
    said: dict[str, Any] = {name: body[name] for name in ("role", "unit", "from_day", "to_day") if name in body}
    _must_be_there(said["unit"], said["from_day"])
    return {"assignment": str(body.get("assignment") or uuid4()), **said}


def _must_be_there(unit: str, day: str) -> None:
    authorise(actor(), "person.manage", area=area_of(unit))
    with reading(gridtrail().database) as conn:
        if not areas.in_force(conn, area_of(unit), day):
            raise UnknownUnit(unit=unit)


def _home(person: UUID, action: str) -> dict[str, Any]:
    """The person's own row. OutOfScope where it is not the caller's to see or to change.

    A person is seen by who may see the home or one of the units; and changed by who administers the home.
    """
    with reading(gridtrail().database) as conn:
        home = people.get_person(conn, str(person))
        units = [each["unit"] for each in people.assignments_of(conn, str(person))]
    if home is None:
        raise OutOfScope
    wrong: type[Exception] = OutOfScope
    for unit in (home["unit"], *(units if action == "person.read" else ())):
        try:
            authorise(actor(), action, area=area_of(unit), units=(unit,))
            return home
        except OutOfScope:
            continue
        except NotYourRole:
            wrong = NotYourRole
    raise wrong


def _change(person: UUID, method: str, said: dict[str, Any]) -> Saved:
    home = _home(person, "person.manage")
    return gridtrail().inspection.change_person(actor(), home["unit"], str(person), method, said)
