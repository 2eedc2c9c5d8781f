"""People, their assignments and their accounts on the wire, as administrators write them. Names stand with accounts, never in a ledger."""

from datetime import date
from typing import Any
from uuid import UUID

import marshmallow as ma

from domain.people import ROLES
from service.identity import LONGEST_LABEL, LONGEST_LOGIN, PASSWORD_LENGTHS
from service.schemas.fields import Day, area_code, one_of, shown, text, unit
from service.schemas.pages import Listing
from service.schemas.places import Assignment

String = ma.fields.String


class Assigning(ma.Schema):
    """A role in a unit from a day on, to a day where it is known. assignment: an id of your own, so that sending twice assigns once."""

    assignment = ma.fields.UUID()
    role = one_of(*ROLES, required=True)
    unit = unit(required=True)
    from_day = Day(required=True)
    to_day = Day()

    @ma.validates_schema
    def _begins_before_it_ends(self, data: dict[str, str], **_: object) -> None:
        if date.fromisoformat(data.get("to_day", data["from_day"])) < date.fromisoformat(data["from_day"]):
            raise ma.ValidationError("It ends before it begins.", "to_day")


class NewPerson(Assigning):
    """A person with a first assignment. person: an id of your own; home: the area whose organisation it is, the unit's if left out."""

    person = ma.fields.UUID()
    home = area_code()


class LastDay(ma.Schema):
    """The last day that counts."""

    to_day = Day(required=True)


class Assigned(ma.Schema.from_dict(shown(String, "person", "assignment", "ledger"))):  # type: ignore[misc]
    """Who is assigned by what, and where that was recorded."""

    position = ma.fields.Integer(required=True)


class Person(ma.Schema.from_dict(shown(String, "person", "home", "registered_on", optional=("left_on",)))):  # type: ignore[misc]
    """A person by id, with every assignment, past and to come."""

    assignments = ma.fields.List(ma.fields.Nested(Assignment), required=True)


MOST_PERSONS = 50


class Persons(ma.fields.String):
    """Ids of people with commas between, given on as a list."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[UUID]:  # type: ignore[override]
        said = str(super()._deserialize(value, attr, data, **kwargs)).split(",")
        try:
            found = [UUID(each) for each in said]
        except ValueError as wrong:
            raise ma.ValidationError("Not ids with commas between.") from wrong
        if len(found) > MOST_PERSONS:
            raise ma.ValidationError(f"At most {MOST_PERSONS} ids at a time.")
        return found


class AccountQuery(Listing):
    """Accounts of people of an area's subtree; text: part of the login or the label; persons: those of some people by their ids."""

    area = area_code()
    text = text(64)
    persons = Persons()


class Account(ma.Schema.from_dict(shown(String, "person", "login", "label", "made_at", optional=("disabled_at",)))):  # type: ignore[misc]
    """How a person logs in, and how they are called on pages."""


def _password() -> ma.fields.String:
    return ma.fields.String(required=True, validate=ma.validate.Length(*PASSWORD_LENGTHS), load_only=True)


class NewAccount(ma.Schema):
    """A login for a person, with a first password that they change themselves."""

    login = text(LONGEST_LOGIN, required=True)
    label = text(LONGEST_LABEL)
    password = _password()


class NewPassword(ma.Schema):
    """A new password; every session and token of the person ends."""

    password = _password()
