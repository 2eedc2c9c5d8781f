"""GCJ-02: what is stored is WGS-84, and lies where it belongs on a base map of the other datum. Compared with npm's gcoord."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.books import shipped_items
from service.imports.recording import publish_books
from tests.browser.conftest import Served
from tests.web.city import build

pytestmark = pytest.mark.browser
TOLD = json.loads((Path(__file__).parent / "gcj02_points.json").read_text())
CONVERT = """async ([name, points]) => {
    const found = await import("/pages/gcj02.js");
    return points.map(found[name]);
}"""
TO_A_CENTIMETRE = 1e-7
GCOORD_STOPS_AT = 1.5e-6


@pytest.fixture
def page(context: Any, served: Served) -> Any:
    """A page of the service, from which the module is imported."""
    page = context.new_page()
    page.goto(f"{served.url}/tablet/embed.html")
    return page


def apart(one: list[float], other: list[float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def test_both_ways_agree_with_gcoord(page: Any):
    forth = page.evaluate(CONVERT, ["toGcj02", [each["point"] for each in TOLD["points"]]])
    back = page.evaluate(CONVERT, ["toWgs84", [each["point"] for each in TOLD["points"]]])
    for each, seen, meant in zip(TOLD["points"], forth, back, strict=True):
        assert apart(seen, each["to_gcj02"]) < TO_A_CENTIMETRE, each["name"]
        assert apart(meant, each["to_wgs84"]) < GCOORD_STOPS_AT, each["name"]


def test_there_and_back_is_the_same_point_to_a_hundredth_of_a_millimetre(page: Any):
    points = [each["point"] for each in TOLD["points"]]
    there = page.evaluate(CONVERT, ["toGcj02", points])
    for point, again in zip(points, page.evaluate(CONVERT, ["toWgs84", there]), strict=True):
        assert apart(point, again) < 1e-9
    assert any(apart(point, seen) > 1e-3 for point, seen in zip(points, there, strict=True))


def test_outside_of_the_mainland_nothing_is_shifted(page: Any):
    abroad = [[-0.1278, 51.5074], [151.2093, -33.8688], [139.6917, 35.6895]]
    assert page.evaluate(CONVERT, ["toGcj02", abroad]) == abroad
    assert page.evaluate(CONVERT, ["toWgs84", abroad]) == abroad


def test_a_point_is_seen_where_a_gcj02_map_shows_it_and_a_tap_there_means_the_point(page: Any):
    told = page.evaluate(
        """async () => {
            const { baseOf } = await import("/pages/basemap.js");
            const shifted = baseOf({ tiles: "https://tiles.example/{z}/{x}/{y}.png", datum: "gcj02", attribution: null });
            const plain = baseOf({ tiles: null, datum: "gcj02", attribution: null });
            const seen = shifted.seen([114.0755, 32.1235]);
            return { seen, meant: shifted.meant(seen), plain: plain.seen([114.0755, 32.1235]) };
        }"""
    )
    assert told["meant"] == {"lat": 32.1235, "lon": 114.0755}
    assert told["plain"] == {"lat": 32.1235, "lng": 114.0755}
    assert 1e-3 < abs(told["seen"]["lng"] - 114.0755) < 1e-2


def test_tiles_come_from_the_configured_host_and_from_no_other(browser: Any, tmp_path: Path):
    city = build(f"sqlite:///{tmp_path}/gridtrail.db", tmp_path, map_tiles="https://tiles.city.example/{z}/{x}/{y}.png", map_datum="gcj02")
    publish_books(city.gridtrail, list(shipped_items()))
    served = Served(city)
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    context.route(
        "https://**/*", lambda route: (asked.append(route.request.url), route.fulfill(status=200, content_type="image/png", body=b""))[0]
    )
    page.goto(f"{served.url}/tablet/embed.html")
    load = "(url) => new Promise((done) => Object.assign(new Image(), { onload: () => done(1), onerror: () => done(0), src: url }))"
    page.evaluate(load, "https://tiles.city.example/14/13000/6700.png")
    page.evaluate(load, "https://elsewhere.example/1.png")
    assert asked == ["https://tiles.city.example/14/13000/6700.png"]
    context.close()
    served.stop()
    city.gridtrail.database.dispose()
