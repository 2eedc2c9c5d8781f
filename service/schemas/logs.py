"""The logs and the proofs on the wire, where they are JSON; all else is text or bytes of C2SP formats."""

from typing import Any

import marshmallow as ma

from service.schemas.fields import QueryInteger, shown

String, Integer = ma.fields.String, ma.fields.Integer


class Log(ma.Schema.from_dict(shown(String, "log", "origin", "vkey") | shown(Integer, "size"))):  # type: ignore[misc]
    """A published log: read it at /log/<log>/checkpoint and /log/<log>/tile/…"""


class Logs(ma.Schema):
    """The published logs within sight."""

    items = ma.fields.List(ma.fields.Nested(Log), required=True)


def _size(**more: Any) -> QueryInteger:
    return QueryInteger(validate=ma.validate.Range(1, 2**53 - 1), **more)


class Between(ma.Schema.from_dict({"from": _size(required=True), "to": _size()})):  # type: ignore[misc]
    """Two sizes of a tree. Without the second it is that of the latest checkpoint."""
