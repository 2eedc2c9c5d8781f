"""The OpenAPI document and the errors of flask-smorest, as problem documents. Read by ``routes.register``."""

from collections.abc import Callable
from threading import Lock
from typing import Any

import marshmallow as ma
import orjson
from flask import Flask
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from service import __version__, problems
from service.schemas import entries

DESCRIPTION = """The record and the sync of a city's grid workers.

Log in with `POST /v1/sessions`, then send `Authorization: Bearer <token>`. Every answer that is not a success is an RFC 9457 problem
document with a stable `code`. Lists are pages: `{"items": […], "next": "<cursor>"}`; send `cursor` back with the same filters.
What lies outside your scope is answered like what does not exist."""


class Problem(ma.Schema):
    """An RFC 9457 problem document. Some problems have further members."""

    type = ma.fields.String(required=True, metadata={"description": "urn:gridtrail:problem:<code>"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True, metadata={"description": "Stable for ever."})
    detail = ma.fields.String()
    errors = ma.fields.Dict(metadata={"description": "What is wrong, by place and field."})

    class Meta:
        unknown = ma.INCLUDE


class ProblemApi(Api):
    """flask-smorest's Api whose errors are problem documents, in its answers and in its document."""

    ERROR_SCHEMA = Problem
    DEFAULT_ERROR_RESPONSE_NAME = ""

    def __init__(self, app: Flask, **options: Any) -> None:
        self.undocumented: list[Callable[[], None]] = []
        """What puts each noun's operations into the document, once."""
        self._written = b""
        self._writing = Lock()
        super().__init__(app, **options)

    def document(self) -> bytes:
        """The OpenAPI document as it is served, written when it is first asked for."""
        with self._writing:
            if not self._written:
                for document in self.undocumented:
                    document()
                self._written = orjson.dumps(self.spec.to_dict())
            return self._written

    def handle_http_exception(self, error: HTTPException) -> Any:
        """The table of service.problems answers, with the headers that the error itself carries (Allow, Retry-After)."""
        return problems.answer(error)

    def _register_responses(self) -> None:
        """Documents every shared error answer under the media type that it really has."""
        usual = Api.DEFAULT_RESPONSE_CONTENT_TYPE
        self.DEFAULT_RESPONSE_CONTENT_TYPE = problems.MEDIA_TYPE
        try:
            super()._register_responses()
        finally:
            self.DEFAULT_RESPONSE_CONTENT_TYPE = usual


def said_limits(converter: Any, field: ma.fields.Field, ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What the fields of entries accept, as JSON Schema: their own check is no validator that apispec could read."""
    if isinstance(field, entries.Text):
        return {"minLength": field.shortest, "maxLength": field.longest}
    if isinstance(field, (entries.Whole, entries.Number)):
        return {"minimum": field.least, "maximum": field.most}
    if isinstance(field, entries.Many):
        return {"maxItems": field.most}
    if isinstance(field, entries.Matching):
        pattern = getattr(getattr(field.matches, "__self__", None), "pattern", None)
        return {"description": field.sentence, **({"pattern": f"^{pattern}$"} if pattern else {})}
    if isinstance(field, entries.Members):
        members = {name: converter.field2property(member) for name, member in field.members.items()}
        return {"properties": members, "required": list(field.needed), "additionalProperties": False}
    if isinstance(field, entries.Amounts):
        return {"maxProperties": 20, "additionalProperties": {"type": "number"}}
    return {}


def make_api(app: Flask) -> ProblemApi:
    """The API of an app, with its document's head."""
    app.config.update(API_TITLE="Gridtrail", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    spec: dict[str, Any] = {
        "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "security": [{"bearer": []}],
    }
    api = ProblemApi(app, spec_kwargs=spec)
    api.ma_plugin.converter.add_attribute_function(said_limits)
    return api
