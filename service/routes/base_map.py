"""The base map under the grids: whichever tiles the city configured, told to the pages. Read by the maps of tablet and console."""

from typing import Any

from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.schemas.base_map import BaseMap

blueprint = Noun("base_map", __name__, url_prefix="/v1", description="The base map that the city configured.")


@blueprint.operation("GET", "/base-map", policy=PUBLIC, answers=(200, BaseMap))
def show_base_map() -> dict[str, Any]:
    """Tiles and datum of the base map. Coordinates of this service are WGS-84, always: whoever draws on GCJ-02 tiles converts."""
    config = gridtrail().config
    return {"tiles": config.map_tiles or None, "datum": config.map_datum, "attribution": config.map_attribution or None}
