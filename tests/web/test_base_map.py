"""The base map that a city configures: told to the pages, admitted by the policy of their content, and refused where it is none."""

from pathlib import Path

import pytest

from service.config import BadConfiguration, Config
from tests.web.city import City, build


def test_without_a_base_map_the_pages_load_pictures_from_here_alone(city: City):
    answer = city.client().get("/v1/base-map")
    assert answer.json == {"tiles": None, "datum": "wgs84", "attribution": None}
    assert "img-src 'self' data: blob:;" in city.client().get("/tablet/").headers["Content-Security-Policy"]


def test_a_configured_base_map_admits_exactly_its_host(tmp_path: Path):
    tiles = "https://tiles.city.example:8443/gcj/{z}/{x}/{y}.png?k=1"
    city = build("sqlite://", tmp_path, map_tiles=tiles, map_datum="gcj02", map_attribution="GS(2026)1号")
    assert city.client().get("/v1/base-map").json == {"tiles": tiles, "datum": "gcj02", "attribution": "GS(2026)1号"}
    policy = city.client().get("/tablet/app.js").headers["Content-Security-Policy"]
    assert "img-src 'self' data: blob: https://tiles.city.example:8443;" in policy
    assert policy.count("https://") == 1
    city.gridtrail.database.dispose()


@pytest.mark.parametrize(
    "template",
    [
        "tiles",
        "https://a.example/",
        "javascript:{z}{x}{y}",
        "https://a.example; script-src *//{z}/{x}/{y}",
        "https://{s}.a.example/{z}/{x}/{y}",
        "//a/{z}/{x}/{y}",
    ],
)
def test_what_is_no_address_of_tiles_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, template: str):
    monkeypatch.setenv("GRIDTRAIL_MAP_TILES", template)
    with pytest.raises(BadConfiguration, match="GRIDTRAIL_MAP_TILES"):
        Config.from_environment()


def test_the_release_of_the_tablet_s_files_is_told(city: City):
    told = city.client().get("/tablet/release.json").json["release"]
    assert len(told) == 32
    assert city.client().get("/tablet/release.json").json["release"] == told
