"""The OpenAPI document, and a small page of our own to try it: no third-party host, no inline code. Read by whoever writes a client."""

from importlib.resources import files

from flask import Response, current_app

from service.routes.nouns import PUBLIC, Noun
from service.schemas.pages import Anything

blueprint = Noun("docs", __name__, description="This document, and a page to try it.")

ASSETS = {"try.html": "text/html", "try.js": "text/javascript", "try.css": "text/css"}


def _asset(name: str) -> Response:
    return Response(files("service").joinpath("static", name).read_bytes(), content_type=f"{ASSETS[name]}; charset=utf-8")


@blueprint.operation("GET", "/openapi.json", policy=PUBLIC, answers=(200, Anything))
def show_openapi() -> Response:
    """This document, made from the code."""
    return Response(current_app.extensions["gridtrail-api"].document(), content_type="application/json")


@blueprint.operation("GET", "/docs", policy=PUBLIC, answers=(200, None, "text/html"))
def show_try_page() -> Response:
    """A page that lists the operations and sends requests."""
    return _asset("try.html")


@blueprint.operation("GET", "/docs/try.js", policy=PUBLIC, answers=(200, None, "text/javascript"))
def show_try_script() -> Response:
    """The page's script."""
    return _asset("try.js")


@blueprint.operation("GET", "/docs/try.css", policy=PUBLIC, answers=(200, None, "text/css"))
def show_try_style() -> Response:
    """The page's style."""
    return _asset("try.css")
