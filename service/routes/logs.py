"""The logs as C2SP tlog-tiles, for auditors, witnesses and any client of that format: checkpoints, tiles, entry bundles, keys.

What is served never changes, but for the checkpoint; nothing is served that no published checkpoint vouches for. Where the setting
GRIDTRAIL_OPEN_LOGS is on, everybody reads; otherwise an auditor, the ledgers of the own subtree and the root log.
"""

import gzip
import hashlib
import re
from typing import Any

import sqlalchemy as sa
from flask import Response, request

from service.audit.tables import ROOT, Published, all_published, published
from service.audit.tiles import HEIGHT, WIDTH
from service.database import reading
from service.ledger.note import Verifier
from service.routes.nouns import Noun, actor, gridtrail
from service.schemas.fields import LEDGER
from service.schemas.logs import Logs
from service.scope import OutOfScope, authorise, sight_of

LOG_NAME = re.compile(rf"{LEDGER}|{ROOT}", re.ASCII)
TILE = re.compile(
    r"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<number>(?!x000/)(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
"""``<L>/<N>[.p/<W>]`` or ``entries/<N>[.p/<W>]``: no leading zeros but those that fill a group of three digits."""
FOREVER, MOMENT = "max-age=31536000, immutable", "max-age=3"
OCTETS, TEXT = "application/octet-stream", "text/plain; charset=utf-8"
GZIP_LEVEL = 6
BYTES = {"schema": {"type": "string", "format": "binary"}}
TILE_DOC = {"responses": {"200": {"description": "The tile or the bundle.", "content": {OCTETS: BYTES}}}}
TEXT_DOC = {"responses": {"200": {"description": "A text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}}

blueprint = Noun("logs", __name__, url_prefix="/log", description="The ledgers and the root log as C2SP tlog-tiles.")


@blueprint.operation("GET", "", policy="ledger.read", open_by="open_logs", answers=(200, Logs))
def list_logs() -> dict[str, Any]:
    """The published logs within sight, the root log too: origin, key, and size of the latest checkpoint."""
    pieces = gridtrail()
    sees = None if pieces.config.open_logs else sight_of(actor(), "ledger.read")
    with reading(pieces.database) as conn:
        points = all_published(conn)
    return {"items": [_described(each) for each in points.values() if sees is None or each.log == ROOT or sees.covers(each.log)]}


@blueprint.operation(
    "GET",
    "/<string(maxlength=9):log>/checkpoint",
    policy="ledger.read",
    open_by="open_logs",
    answers=(200, None, "text/plain"),
    errors=(404,),
    doc=TEXT_DOC,
)
def show_checkpoint(log: str) -> Response:
    """The latest published checkpoint: a C2SP signed note (tlog-checkpoint), the root log's with its witnesses' cosignatures."""
    with reading(gridtrail().database) as conn:
        point = readable(conn, log)
    return cacheable(point.note.encode(), TEXT, MOMENT)


@blueprint.operation(
    "GET",
    "/<string(maxlength=9):log>/vkey",
    policy="ledger.read",
    open_by="open_logs",
    answers=(200, None, "text/plain"),
    errors=(404,),
    doc=TEXT_DOC,
)
def show_vkey(log: str) -> Response:
    """The log's public key as verifiers want it (a C2SP vkey). Compare it with one that came another way before you trust it."""
    with reading(gridtrail().database) as conn:
        point = readable(conn, log)
    return cacheable(f"{vkey_of(point)}\n".encode(), TEXT, MOMENT)


@blueprint.operation(
    "GET",
    "/<string(maxlength=9):log>/tile/<path:tile>",
    policy="ledger.read",
    open_by="open_logs",
    answers=(200, None, OCTETS),
    errors=(404,),
    doc=TILE_DOC,
)
def read_tile(log: str, tile: str) -> Response:
    """A tile `<L>/<N>[.p/<W>]`, or a bundle of entries `entries/<N>[.p/<W>]`, within the latest checkpoint (C2SP tlog-tiles)."""
    level, number, width = parse_tile(tile)
    tiles = gridtrail().tiles
    with reading(gridtrail().database) as conn:
        point = readable(conn, log)
        if (number * WIDTH + width) << HEIGHT * (level or 0) > point.size:
            raise OutOfScope
        if level is not None:
            return cacheable(tiles.tile(conn, log, level, number, width), OCTETS, FOREVER)
        bundle = tiles.bundle(conn, log, number, width)
    return cacheable(bundle, OCTETS, FOREVER, packed=True)


def parse_tile(path: str) -> tuple[int | None, int, int]:
    """Level (None for entries), number and width of a tile's path. OutOfScope where it is none: such a path is nowhere."""
    match = TILE.fullmatch(path)
    width = int(match["width"] or WIDTH) if match else 0
    if match is None or width > WIDTH or (width == WIDTH and match["width"]):
        raise OutOfScope
    level = None if match["level"] == "entries" else int(match["level"])
    return level, int(match["number"].replace("x", "").replace("/", "")), width


def readable(conn: sa.Connection, log: str, *, openly: bool = True) -> Published:
    """The checkpoint of a log as it is served to a caller who may read it. OutOfScope where it is not theirs, or has none yet.

    openly: the operation is open to everybody where the setting says so.
    """
    if not LOG_NAME.fullmatch(log):
        raise OutOfScope
    if log != ROOT and not (openly and gridtrail().config.open_logs):
        authorise(actor(), "ledger.read", area=log)
    point = published(conn, log)
    if point is None:
        raise OutOfScope
    return gridtrail().publisher.witnesses.shown(conn, point) if log == ROOT else point


def vkey_of(point: Published) -> Verifier:
    """The key that signs a log, under the name that its checkpoint bears."""
    return Verifier(point.origin, gridtrail().signer.verifier.public)


def cacheable(body: bytes, content_type: str, age: str, *, packed: bool = False) -> Response:
    """The answer with its ETag and for how long it holds; 304 where the caller has it. packed: as gzip where the caller takes that."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    response = Response(body, content_type=content_type)
    if packed:
        response.headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings.quality("gzip") > 0:
            # No time inside, so that the same entries are the same bytes, and their ETag a strong one.
            response.data, tag = gzip.compress(body, GZIP_LEVEL, mtime=0), f"{tag}-gzip"
            response.headers["Content-Encoding"] = "gzip"
    response.set_etag(tag)
    shared = "public" if gridtrail().config.open_logs else "private"
    response.headers["Cache-Control"] = f"{shared}, {age}"
    return response.make_conditional(request.environ)  # type: ignore[return-value]


def _described(point: Published) -> dict[str, Any]:
    return {"log": point.log, "origin": point.origin, "vkey": str(vkey_of(point)), "size": point.size}
