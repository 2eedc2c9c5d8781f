"""Personal values on the wire: what is brought, and what is read."""

import marshmallow as ma

from domain.personal import FIELDS
from service.schemas.fields import shown

String = ma.fields.String
STATES = ("held", "erased", "awaited")


class Value(ma.Schema.from_dict(shown(String, "subject", "field", "digest", "topic", "happened_at", "person", "state"))):  # type: ignore[misc]
    """One value that an event vouches for. state: held, erased for good, or awaited since nobody brought it; value is null unless held."""

    value = ma.fields.Raw(required=True, allow_none=True, metadata={"description": f"By field: {', '.join(sorted(FIELDS))}."})


class Values(ma.Schema):
    """What is said of persons in one case, or on the visits to one household."""

    items = ma.fields.List(ma.fields.Nested(Value), required=True)


class RefusedEntryRead(ma.Schema.from_dict(shown(String, "refusal_id", "subject", "digest", "state", optional=("raw",)))):  # type: ignore[misc]
    """What a refused entry said: as JSON, or its bytes in base64 where it is no JSON object; neither once it was erased."""

    entry = ma.fields.Dict(required=True, allow_none=True)


class TaskQuery(ma.Schema):
    """Whose values: of one case, or of one household."""

    case = ma.fields.UUID()
    household = String(validate=ma.validate.Regexp(r"^[A-Za-z0-9._:/-]{1,64}\Z"))

    @ma.validates_schema
    def _is_one(self, data: dict[str, object], **_: object) -> None:
        if len(data) != 1:
            raise ma.ValidationError("Name a case or a household, one of the two.")


class BroughtOutcome(ma.Schema.from_dict(shown(String, "outcome", optional=("digest", "code", "detail")))):  # type: ignore[misc]
    """What became of one disclosure: kept, duplicate, erased or refused."""


class Brought(ma.Schema):
    """One outcome for each disclosure that was sent, in order."""

    items = ma.fields.List(ma.fields.Nested(BroughtOutcome), required=True)
