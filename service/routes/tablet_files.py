"""The tablet's own files, as they lie in service/tablet: no build step, no third-party host, no inline code."""

import hashlib
from functools import cache
from importlib.resources import files

from flask import Response, request

from service.routes.nouns import PUBLIC, Noun
from service.scope import OutOfScope

blueprint = Noun("tablet_files", __name__, url_prefix="/tablet", description="The tablet's own files.")

MEDIA_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


@cache
def _file(name: str) -> tuple[bytes, str, str] | None:
    """Content, media type and ETag of a file that is there to be served, None for any other name."""
    media_type = MEDIA_TYPES.get(name.rpartition(".")[2])
    found = {each.name: each for each in files("service").joinpath("tablet").iterdir()}.get(name)
    if media_type is None or found is None:
        return None
    content = found.read_bytes()
    return content, f"{media_type}; charset=utf-8", hashlib.sha256(content).hexdigest()[:32]


@blueprint.operation("GET", "/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "text/html"), errors=(404,))
def show_tablet_file(name: str) -> Response:
    """A page, script or style of the tablet. Kept by the browser, which asks each time whether it changed."""
    found = _file(name)
    if found is None:
        raise OutOfScope
    content, media_type, tag = found
    response = Response(content, content_type=media_type)
    response.set_etag(tag)
    response.cache_control.no_cache = True
    response.make_conditional(request)
    return response
