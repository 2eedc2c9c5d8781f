"""The pages' own files (service/pages, tablet, console, texts, vendor): no build step, no third-party host, no inline code."""

import hashlib
import json
from functools import cache
from importlib.resources import files

from flask import Response, request

from service.routes.nouns import PUBLIC, Noun
from service.schemas.base_map import Release
from service.scope import OutOfScope

blueprint = Noun("page_files", __name__, description="The files of the pages.")

OF_THE_TABLET = ("tablet", "pages", "texts", "vendor")

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}


PART = "tablet-"
AREAS_OF_THE_TABLET = frozenset(
    (
        "app", "nav", "common", "sync", "storage", "enrol", "who", "today", "draft", "patrol", "visit", "report", "place", "cases", "case",
        "personal", "action", "field", "status", "outbox", "why", "todo", "kind", "more", "refusal",
    )
)  # fmt: skip
"""The areas of texts that the tablet says: the first part of their keys."""


def _of_the_tablet(content: bytes) -> bytes:
    texts = json.loads(content)
    said = {key: text for key, text in texts.items() if key.partition(".")[0] in AREAS_OF_THE_TABLET}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _files(folder: str) -> dict[str, tuple[bytes, str, str]]:
    """Content, media type and ETag of all that a folder has to serve, by name. Nothing is kept of a name that a stranger makes up."""
    contents = {each.name: each.read_bytes() for each in files("service").joinpath(folder).iterdir() if each.is_file()}
    if folder == "texts":
        contents |= {PART + name: _of_the_tablet(content) for name, content in contents.items()}
    kinds = {name: MEDIA_TYPES.get(name.rpartition(".")[2]) for name in contents}
    return {name: (contents[name], kind, hashlib.sha256(contents[name]).hexdigest()[:32]) for name, kind in kinds.items() if kind}


def _file(folder: str, name: str) -> tuple[bytes, str, str] | None:
    """Content, media type and ETag of a file that is there to be served, None for any other name."""
    return _files(folder).get(name)


@cache
def _release() -> str:
    """A digest over every file that the tablet keeps on the device."""
    tags = [tag for folder in OF_THE_TABLET for _, (_, _, tag) in sorted(_files(folder).items())]
    return hashlib.sha256("\n".join(tags).encode()).hexdigest()[:32]


def _answer(folder: str, name: str) -> Response:
    """The file; 304 where the browser has it. OutOfScope where there is none."""
    found = _file(folder, name)
    if found is None:
        raise OutOfScope
    content, media_type, tag = found
    response = Response(content, content_type=media_type)
    response.set_etag(tag)
    response.cache_control.no_cache = True
    response.make_conditional(request)
    return response


@blueprint.operation("GET", "/", policy=PUBLIC, answers=(200, None, "text/html"))
def show_start() -> Response:
    """Where to go from here: the tablet, the console, the documentation."""
    return _answer("pages", "start.html")


@blueprint.operation("GET", "/tablet/", policy=PUBLIC, answers=(200, None, "text/html"))
def show_tablet() -> Response:
    """The tablet: the app of grid workers."""
    return _answer("tablet", "index.html")


@blueprint.operation("GET", "/tablet/release.json", policy=PUBLIC, answers=(200, Release))
def show_tablet_release() -> dict[str, str]:
    """Which release of the tablet's files this is: its service worker fetches all of them anew when the answer changes."""
    return {"release": _release()}


@blueprint.operation("GET", "/tablet/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "text/html"), errors=(404,))
def show_tablet_file(name: str) -> Response:
    """A page, script or style of the tablet."""
    return _answer("tablet", name)


@blueprint.operation("GET", "/console/", policy=PUBLIC, answers=(200, None, "text/html"))
def show_console() -> Response:
    """The console: the pages of supervisors, auditors and administrators."""
    return _answer("console", "index.html")


@blueprint.operation("GET", "/console/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "text/html"), errors=(404,))
def show_console_file(name: str) -> Response:
    """A page, script or style of the console."""
    return _answer("console", name)


@blueprint.operation("GET", "/pages/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "text/javascript"), errors=(404,))
def show_shared_file(name: str) -> Response:
    """What the tablet and the console share."""
    return _answer("pages", name)


@blueprint.operation("GET", "/texts/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "application/json"), errors=(404,))
def show_texts(name: str) -> Response:
    """All texts of the pages in one language: zh.json, en.json. tablet-zh.json: those that the tablet says, which it carries with it."""
    return _answer("texts", name)


@blueprint.operation("GET", "/vendor/<string(maxlength=64):name>", policy=PUBLIC, answers=(200, None, "text/javascript"), errors=(404,))
def show_vendor_file(name: str) -> Response:
    """A library of the pages."""
    return _answer("vendor", name)
