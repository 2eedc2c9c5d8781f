"""The import of areas on the wire: what a file came to, or would."""

import marshmallow as ma

from service.schemas.fields import Day, Parsed, flag, one_of, shown, text

String, Integer = ma.fields.String, ma.fields.Integer


class ImportQuery(ma.Schema):
    """from_day: first day of areas that name none. dry_run=true: say what would change, and change nothing. name: of the file."""

    from_day = Day(required=True)
    dry_run = flag(load_default=False)
    name = text(120, load_default="areas")


class AreaChange(ma.Schema.from_dict(shown(String, "code", "name") | shown(Integer, "line"))):  # type: ignore[misc]
    """An area that is new or changes. differs: {member: {before, after}}; an outline is told by its type and its number of points."""

    what = one_of("new", "changed", required=True)
    differs = Parsed(required=True, metadata={"type": "object"})


class ImportFlaw(ma.Schema.from_dict(shown(String, "column", "code", "sentence") | shown(Integer, "line"))):  # type: ignore[misc]
    """What is wrong in one place of the file. line is 0 where none is known, column is empty where the whole row is meant."""


class AreasImported(ma.Schema.from_dict(shown(Integer, "rows", "new", "changed", "same", "refused"))):  # type: ignore[misc]
    """What the file came to. The first changes and flaws are listed; the numbers count all."""

    dry_run = ma.fields.Boolean(required=True)
    changes = ma.fields.List(ma.fields.Nested(AreaChange), required=True)
    flaws = ma.fields.List(ma.fields.Nested(ImportFlaw), required=True)
