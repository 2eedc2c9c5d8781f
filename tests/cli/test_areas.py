"""Area trees and outlines from files: good rows recorded, bad ones named, the same again changes nothing."""

import json
from pathlib import Path

import pytest

from service.imports.areas import code_of, read_areas
from service.imports.mapping import load_mapping
from service.imports.table import BadValue, UnreadableFile
from tests.cli.conftest import DATA, ST_LOUIS, Terminal

TREE = """level,code,name,parent_code
city,411500000000,信阳市,410000000000
county,411502000000,浉河区,411500000000
town,411502001000,老城街道,411502000000
community,411502001001,义阳居委会,411502001000
grid,411502001001001,Grid 1,411502001001
"""


def written(folder: Path, text: str, name: str = "areas.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def test_official_codes_become_as_long_as_their_level(tmp_path: Path) -> None:
    areas = read_areas(written(tmp_path, TREE), "2020-01-01")
    assert [said["code"] for said in areas.found] == ["4115", "411502", "411502001", "411502001001", "411502001001001"]
    assert not areas.flaws


@pytest.mark.parametrize(
    ("level", "official"), [("county", "411502001000"), ("city", "41"), ("subdistrict", "4115020010"), ("city", "41a5")]
)
def test_a_code_that_is_not_of_its_level_is_refused(level: str, official: str) -> None:
    with pytest.raises(BadValue):
        code_of(level, official)


@pytest.mark.parametrize(
    ("row", "line", "column", "code"),
    [
        ("hamlet,411502,X,4115", 7, "level", "unknown_level"),
        ("county,4115020011,X,4115", 7, "code", "wrong_length"),
        ("county,41x502,X,4115", 7, "code", "not_a_code"),
        ("county,411503,,4115", 7, "name", "empty"),
        ("county,411503,X,4116", 7, "parent_code", "not_its_parent"),
        ("county,411502,X,4115", 7, "code", "repeated"),
        ("county,411503,X", 7, "", "ragged"),
        ("county,411503,X\x01,4115", 7, "name", "control_character"),
        ("county,411503,\udcff,4115", 7, "name", "not_utf8"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column_and_the_good_ones_stay(tmp_path: Path, row: str, line: int, column: str, code: str) -> None:
    areas = read_areas(written(tmp_path, TREE + row + "\n"), "2020-01-01")
    assert [(flaw.line, flaw.column, flaw.code) for flaw in areas.flaws] == [(line, column, code)]
    assert len(areas.found) == 5
    assert areas.total == 6


def test_a_quote_that_never_ends_does_not_hide_the_rows_before_it(tmp_path: Path) -> None:
    areas = read_areas(written(tmp_path, TREE + 'county,411503,"X,4115\n'), "2020-01-01")
    assert [flaw.code for flaw in areas.flaws] == ["not_csv"]
    assert len(areas.found) == 5


@pytest.mark.parametrize("text", ["", "code,name\n4115,X\n", "level,code,name,name\n"])
def test_a_file_without_the_columns_is_no_area_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableFile):
        read_areas(written(tmp_path, text), "2020-01-01")


def test_importing_twice_records_once_and_a_new_name_is_a_change(terminal: Terminal, tmp_path: Path) -> None:
    path = written(tmp_path, TREE)
    for _ in range(2):
        assert "Nothing is recorded. 5 rows: 5 areas registered" in terminal("areas", "import", path, "--dry-run").output
    assert "5 areas registered, 0 changed, 0 as they were" in terminal("areas", "import", path).output
    assert "0 areas registered, 0 changed, 5 as they were" in terminal("areas", "import", path).output
    path.write_text(TREE.replace("Grid 1", "Grid one"), "utf-8")
    assert "0 areas registered, 1 changed, 4 as they were" in terminal("areas", "import", path).output


def test_an_area_of_another_city_is_refused_in_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    path = written(tmp_path, "level,code,name\ncity,9999,Elsewhere\n")
    assert "lies outside of city 4115" in terminal("areas", "import", path, code=1).output


def test_a_neighbourhood_in_two_wards_becomes_a_grid_in_each() -> None:
    areas = read_areas(DATA / "neighborhoods.geojson", "2000-01-01", load_mapping("stlouis"), DATA / "requests.csv")
    grids = {said["code"]: said for said in areas.found if len(said["code"]) == 15}
    assert list(grids) == ["295100001001001", "295100001001002", "295100002001001", "295100002001002"]
    assert grids["295100001001002"]["polygon"] == grids["295100002001002"]["polygon"]
    assert [(flaw.line, flaw.column) for flaw in areas.flaws] == [(3, "geometry")]


def test_outlines_are_registered_with_polygon_and_centre(terminal: Terminal) -> None:
    options = ("--mapping", "stlouis", "--pairs", DATA / "requests.csv")
    result = terminal("areas", "import", DATA / "neighborhoods.geojson", *options, code=1, **ST_LOUIS)
    assert "3 rows: 10 areas registered" in result.output
    assert "line 3, column geometry: feature 3 has no Polygon" in result.output


def test_plain_geojson_names_its_areas_itself(tmp_path: Path) -> None:
    ring = "[[[114,32],[114.1,32],[114.1,32.1],[114,32]]]"
    feature = (
        '{"type":"Feature","properties":{"code":"411502001001001","name":"G","kind":"%s"},"geometry":{"type":"Polygon","coordinates":%s}}'
    )
    good, bad, off = feature % ("general", ring), feature % ("round", ring), feature % ("general", ring.replace("114.1", "190"))
    path = written(tmp_path, f'{{"type":"FeatureCollection","features":[{good},{bad},{off}]}}', "grids.geojson")
    areas = read_areas(path, "2020-01-01")
    assert [said["centre"] for said in areas.found] == [[114.05, 32.05]]
    assert [(flaw.line, flaw.code) for flaw in areas.flaws] == [(2, "unknown_kind"), (3, "off_the_globe")]


def outlines(*features: tuple[str, str, int]) -> str:
    def outline(points: int) -> list[list[float]]:
        return [[round(100 + n * 1e-6, 6), round(30 + n * 1e-6, 6)] for n in range(points)]

    told = [
        {"type": "Feature", "properties": {"code": code, "name": name}, "geometry": {"type": "Polygon", "coordinates": [outline(points)]}}
        for code, name, points in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": told})


def test_what_no_ledger_or_table_can_hold_is_named_and_the_good_outlines_stay(any_terminal: Terminal, tmp_path: Path) -> None:
    text = outlines(
        ("411502001001001", "nul\0inside", 4),
        ("411502001001002", "half a character \ud800", 4),
        ("411502001001003", "too detailed", 4000),
        ("411502001001004", "good", 4),
        ("411502001001004", "again", 4),
    )
    result = any_terminal("areas", "import", written(tmp_path, text, "g.geojson"), code=1)
    assert "line 1, column name: holds a control character" in result.output
    assert "line 2, column name: holds bytes that are not UTF-8" in result.output
    assert "line 3, column geometry: 411502001001003 would take" in result.output
    assert "line 5, column code: 411502001001004 stands in line 4 already" in result.output
    assert "1 areas registered" in result.output
    any_terminal("engine", "catch-up")
    any_terminal("engine", "status")


def test_json_that_nests_without_end_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal("areas", "import", written(tmp_path, "[" * 200_000, "deep.geojson"), code=1)
    assert result.output.startswith("Error:")


def test_an_area_of_another_city_is_named_by_its_line(terminal: Terminal, tmp_path: Path) -> None:
    assert "line 7, column code: 9999" in terminal("areas", "import", written(tmp_path, TREE + "city,9999,X,\n"), code=1).output
