"""Login, sessions, named tokens and oneself on the wire."""

import marshmallow as ma

from service.identity import PASSWORD_LENGTHS
from service.schemas.fields import text


class Login(ma.Schema):
    """A login and its password."""

    login = text(64, required=True)
    password = ma.fields.String(required=True, validate=ma.validate.Length(1, PASSWORD_LENGTHS[1]), load_only=True)


class NewToken(ma.Schema):
    """A named token for programs."""

    name = text(80, required=True)
    days = ma.fields.Integer(strict=True, load_default=90, validate=ma.validate.Range(1, 366))


class PasswordChange(ma.Schema):
    """The old password and the new one."""

    old = ma.fields.String(required=True, validate=ma.validate.Length(1, PASSWORD_LENGTHS[1]), load_only=True)
    new = ma.fields.String(required=True, validate=ma.validate.Length(*PASSWORD_LENGTHS), load_only=True)


class Issued(ma.Schema):
    """A token just made. Its text is shown this once."""

    id = ma.fields.UUID(required=True)
    token = ma.fields.String(required=True)
    person = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True)
    made_at = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)


class Token(ma.Schema):
    """A session or named token in force."""

    id = ma.fields.UUID(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["session", "api"]))
    name = ma.fields.String(required=True)
    made_at = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)
    last_used_on = ma.fields.String(required=True, allow_none=True)


class Tokens(ma.Schema):
    """All sessions and tokens of the person."""

    items = ma.fields.List(ma.fields.Nested(Token), required=True)


class Granted(ma.Schema):
    """A role in a unit, in force today."""

    role = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)


class Me(ma.Schema):
    """Who is asking."""

    person = ma.fields.UUID(required=True)
    label = ma.fields.String(required=True)
    grants = ma.fields.List(ma.fields.Nested(Granted), required=True)
    session_expires_at = ma.fields.String(required=True)
