"""Health and readiness on the wire."""

import marshmallow as ma


class Parked(ma.Schema):
    """A read model that stands still in one ledger."""

    ledger = ma.fields.String(required=True)
    read_model = ma.fields.String(required=True)
    position = ma.fields.Integer(required=True)
    since = ma.fields.String(required=True, allow_none=True)


class Behind(ma.Schema):
    """A log of which the service has signed more than the database holds, or something else. Nothing is recorded in it."""

    ledger = ma.fields.String(required=True)
    signed = ma.fields.Integer(required=True)
    held = ma.fields.Integer(required=True)


class Alive(ma.Schema):
    """Said by any process that can answer at all."""

    status = ma.fields.String(required=True, validate=ma.validate.Equal("ok"))


class Health(ma.Schema):
    """ok, or degraded with what stands still."""

    status = ma.fields.String(required=True, validate=ma.validate.OneOf(["ok", "degraded"]))
    parked = ma.fields.List(ma.fields.Nested(Parked), required=True)


class Ready(ma.Schema):
    """Said only when it is so; otherwise the answer is a problem with status 503."""

    status = ma.fields.String(required=True, validate=ma.validate.Equal("ready"))


class Readiness(ma.Schema):
    """ready, or degraded: reads are served, and lists are older than they should be or a history is behind what was signed.

    Otherwise the answer is a problem, 503.
    """

    status = ma.fields.String(required=True, validate=ma.validate.OneOf(["ready", "degraded"]))
    migration = ma.fields.String(required=True, metadata={"description": "The newest migration, at which the database stands."})
    behind_positions = ma.fields.Integer(required=True, metadata={"description": "Events not yet folded by the read model most behind."})
    behind_seconds = ma.fields.Float(required=True, metadata={"description": "Age of the oldest event not yet folded."})
    parked = ma.fields.List(ma.fields.Nested(Parked), required=True)
    history_behind = ma.fields.List(
        ma.fields.Nested(Behind), required=True, metadata={"description": "Logs that are not recorded in: gridtrail ledger continue."}
    )
