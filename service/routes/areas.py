"""The import of areas over HTTP, for administrators: a file, tried first, then recorded. What is wrong in it is named line by line."""

from dataclasses import asdict
from typing import Any

from flask import request

from service.imports.areas import Areas, read_areas
from service.imports.flaws import Sent, UnreadableFile
from service.imports.recording import record_areas
from service.problems import CATALOGUE, EXCEPTIONS, Problem
from service.routes.nouns import Noun, actor, gridtrail
from service.schemas.areas import AreasImported, ImportQuery

CATALOGUE.update({"unreadable_file": (422, "The file cannot be read"), "too_many_rows": (422, "The file has too many rows")})
EXCEPTIONS[UnreadableFile] = "unreadable_file"

blueprint = Noun("areas", __name__, url_prefix="/v1/areas", description="The import of areas, for administrators.")

SUFFIX_OF = {
    "text/csv": ".csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/geo+json": ".geojson",
}
MOST_ROWS, SHOWN = 25_000, 500
"""More than a city of 18,100 grids has; and how many changes and flaws are listed."""
BODY = {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in SUFFIX_OF}}}


@blueprint.operation(
    "POST", "/import", policy="area.manage", query=ImportQuery, answers=(200, AreasImported), errors=(411, 413, 415, 422), doc=BODY
)
def import_areas(query: dict[str, Any]) -> dict[str, Any]:
    """Import areas from CSV or XLSX (level,code,name,parent_code,…) or outlines of grids from GeoJSON.

    Good rows are recorded, ledger by ledger, and bad ones named. The same file again records nothing; what differs is recorded as a change.
    """
    areas = _read(query)
    recorded = record_areas(gridtrail(), areas, actor(), dry_run=query["dry_run"])
    return {
        "dry_run": query["dry_run"],
        "rows": areas.total,
        **{what: recorded.counts[what] for what in ("new", "changed", "same")},
        "refused": len(areas.flaws),
        "changes": recorded.changes[:SHOWN],
        "flaws": [asdict(flaw) for flaw in areas.flaws[:SHOWN]],
    }


def _read(query: dict[str, Any]) -> Areas:
    """The areas of the body. Problem where it is none that is read here, is too large, or holds too many."""
    suffix = SUFFIX_OF.get(request.mimetype)
    if suffix is None:
        raise Problem("unsupported_media_type", f"Send the file as one of {', '.join(SUFFIX_OF)}.")
    if request.content_length is None:
        raise Problem("length_required", "Say how many bytes the file has.")
    most = gridtrail().config.import_max_bytes
    if request.content_length > most:
        raise Problem("too_large", f"A file of areas has at most {most} bytes. Send it in parts, those above first.", max_bytes=most)
    request.max_content_length = most
    areas = read_areas(Sent(query["name"], suffix, request.get_data(cache=False)), query["from_day"])
    if areas.total > MOST_ROWS:
        raise Problem("too_many_rows", f"{areas.total} rows are too many for one request: at most {MOST_ROWS}.", most=MOST_ROWS)
    return areas
