"""Health and readiness on the wire."""

import marshmallow as ma


class Parked(ma.Schema):
    """A read model that stands still in one ledger."""

    ledger = ma.fields.String(required=True)
    read_model = ma.fields.String(required=True)
    position = ma.fields.Integer(required=True)
    since = ma.fields.String(required=True, allow_none=True)


class Health(ma.Schema):
    """ok, or degraded with what stands still."""

    status = ma.fields.String(required=True, validate=ma.validate.OneOf(["ok", "degraded"]))
    parked = ma.fields.List(ma.fields.Nested(Parked), required=True)


class Ready(ma.Schema):
    """Said only when it is so; otherwise the answer is a problem with status 503."""

    status = ma.fields.String(required=True, validate=ma.validate.Equal("ready"))
