"""Pages and what every list may be asked. Read by the schemas of each noun."""

from functools import cache

import marshmallow as ma

from service.schemas.fields import QueryInteger, matching

PAGE_DEFAULT = 50
PAGE_LIMIT = 500


class Listing(ma.Schema):
    """What every list takes."""

    cursor = ma.fields.String(validate=ma.validate.Length(1, 1_500), metadata={"description": "From the page before."})
    limit = QueryInteger(load_default=PAGE_DEFAULT, validate=ma.validate.Range(1, PAGE_LIMIT), metadata={"description": "Rows of a page."})


class Waiting(ma.Schema):
    """Read your writes."""

    min_position = matching(
        r"(\d{4}|\d{6}|\d{9}):\d{1,15}",
        "411502001:17",
    )


class Nothing(ma.Schema):
    """No members."""


@cache
def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The page of an item: the rows, and the cursor of the next page or null."""
    members = {
        "items": ma.fields.List(ma.fields.Nested(item), required=True),
        "next": ma.fields.String(required=True, allow_none=True, metadata={"description": "Cursor of the next page; null at the end."}),
    }
    return type(f"{item.__name__}Page", (ma.Schema,), {**members, "__doc__": f"A page of {item.__name__}."})


class Anything(ma.Schema):
    """Any JSON object."""

    class Meta:
        unknown = ma.INCLUDE
