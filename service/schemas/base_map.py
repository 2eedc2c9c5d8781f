"""What the pages ask of their own service, on the wire: the base map, and which release of their files it serves."""

import marshmallow as ma


class BaseMap(ma.Schema):
    """Where tiles come from, and the datum that they are drawn in. tiles is null where the city has configured none: polygons only."""

    tiles = ma.fields.String(required=True, allow_none=True, metadata={"description": "With {z}, {x} and {y}."})
    datum = ma.fields.String(required=True, validate=ma.validate.OneOf(["wgs84", "gcj02"]))
    attribution = ma.fields.String(required=True, allow_none=True, metadata={"description": "What the maps' owner wants to be named as."})


class Release(ma.Schema):
    """A digest over the files of a page; another digest, other files."""

    release = ma.fields.String(required=True)
