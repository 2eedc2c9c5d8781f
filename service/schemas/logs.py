"""The logs and the proofs on the wire, where they are JSON; all else is text or bytes of C2SP formats."""

import marshmallow as ma

from service.schemas.fields import QueryInteger, shown

String, Integer = ma.fields.String, ma.fields.Integer


class Log(ma.Schema.from_dict(shown(String, "log", "origin", "vkey") | shown(Integer, "size"))):  # type: ignore[misc]
    """A published log: read it at /log/<log>/checkpoint and /log/<log>/tile/…"""


class Logs(ma.Schema):
    """The published logs within sight."""

    items = ma.fields.List(ma.fields.Nested(Log), required=True)


class Between(ma.Schema):
    """Two sizes of a tree. Without the second it is that of the latest checkpoint."""

    old = QueryInteger(data_key="from", attribute="old", required=True, validate=ma.validate.Range(1, 2**53 - 1))
    new = QueryInteger(data_key="to", attribute="new", validate=ma.validate.Range(1, 2**53 - 1))
