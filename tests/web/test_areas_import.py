"""Areas from a file over HTTP: tried first, recorded once, what is wrong named line by line; and grids without a worker. On both stores."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest

from domain.areas import ledger_of
from service.routes import areas as routes
from tests.web.city import CITY, COMMUNITY_A, GRID_A1, GRID_A2, GRID_B1, SUBDISTRICT_A, SUBDISTRICT_B, City

CSV, XLSX, GEOJSON = routes.SUFFIX_OF
TREE = "level,code,name,parent_code,kind\ngrid,{0}8,Grid eight,411502001001,general\nmicrogrid,{0}801,Block 1,{0}8,micro\n"
SQUARE = [[[114.0, 32.0], [114.1, 32.0], [114.1, 32.1], [114.0, 32.0]]]
DAY = "2026-11-20"


def send(town: City, content: bytes | str, kind: str = CSV, by: str = "guan", **query: str):
    body = content.encode() if isinstance(content, str) else content
    query = {"from_day": DAY, **query}
    return town.app.test_client().post(
        "/v1/areas/import", query_string=query, data=body, content_type=kind, headers=town.client(by).headers
    )


def size(town: City, ledger: str = SUBDISTRICT_A) -> int:
    with town.gridtrail.database.connect() as conn:
        head = town.gridtrail.ledgers.head(conn, ledger)
    return head.size if head else 0


FIRST = '<sheet name="Areas" sheetId="1" r:id="rId7"/>'
WHERE = '<Relationship Id="rId7" Target="worksheets/first.xml"/>'


def workbook(rows: list[list[object]], *, shared: bool = False) -> bytes:
    """An XLSX file as Excel writes it: numbers as numbers, texts inline or shared, empty cells left out."""
    texts = [str(cell) for row in rows for cell in row if isinstance(cell, str) and cell]

    def cell(at: int, number: int, value: object) -> str:
        name = f"{chr(65 + at)}{number}"
        if value in ("", None):
            return ""
        if isinstance(value, int):
            return f'<c r="{name}"><v>{value}</v></c>'
        if shared:
            return f'<c r="{name}" t="s"><v>{texts.index(str(value))}</v></c>'
        return f'<c r="{name}" t="inlineStr"><is><t>{value}</t></is></c>'

    lines = "".join(
        f'<row r="{number}">{"".join(cell(at, number, each) for at, each in enumerate(row))}</row>' for number, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{FIRST}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">{WHERE}</Relationships>',
        "xl/worksheets/first.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def outlines(*features: dict) -> str:
    return json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", **feature} for feature in features]})


def test_a_dry_run_tells_what_would_change_and_changes_nothing(town: City) -> None:
    tree, before = TREE.format("41150200100101"), size(town)
    tried = send(town, tree, dry_run="true").json
    assert (tried["dry_run"], tried["rows"], tried["new"], tried["changed"], tried["same"], tried["refused"]) == (True, 2, 2, 0, 0, 0)
    assert [(change["code"], change["what"], change["line"]) for change in tried["changes"]] == [
        ("411502001001018", "new", 2),
        ("41150200100101801", "new", 3),
    ]
    assert size(town) == before
    done = send(town, tree).json
    assert {**done, "dry_run": True} == tried, "what is done is what was told"
    assert size(town) == before + 2
    again = send(town, tree).json
    assert (again["new"], again["changed"], again["same"], again["changes"]) == (0, 0, 2, [])
    assert size(town) == before + 2, "the same file again records nothing"


def test_what_differs_is_told_before_and_after(town: City) -> None:
    tree = TREE.format("41150200100102")
    send(town, tree)
    tried = send(town, tree.replace("Grid eight", "Grid 8").replace("general", "party"), dry_run="true").json
    assert tried["changes"][0]["differs"] == {
        "kind": {"before": "general", "after": "party"},
        "name": {"before": "Grid eight", "after": "Grid 8"},
    }
    assert send(town, tree.replace("Grid eight", "Grid 8")).json["changed"] == 1
    found = town.client("guan").get("/v1/areas", area="411502001001028", level="grid").json["items"]
    assert [each["name"] for each in found] == ["Grid 8"]


@pytest.mark.parametrize("shared", [False, True], ids=["inline", "shared"])
def test_a_workbook_is_read_like_the_same_table_as_csv(town: City, shared: bool) -> None:
    code = 411502001001037 + shared
    rows = [["level", "code", "name", "parent_code", "kind"], ["grid", code, "School 学校", "", "exclusive"], ["grid", "41x", "X", "", ""]]
    came = send(town, workbook(rows, shared=shared), XLSX).json
    assert (came["rows"], came["new"], came["refused"]) == (2, 1, 1)
    assert [(flaw["line"], flaw["column"], flaw["code"]) for flaw in came["flaws"]] == [(3, "code", "not_a_code")]
    found = town.client("guan").get("/v1/areas", area=str(code), level="grid").json["items"]
    assert [(each["name"], each["kind"]) for each in found] == [("School 学校", "exclusive")]


def test_outlines_are_told_by_their_points(town: City) -> None:
    feature = {"properties": {"code": GRID_A1, "name": f"area {GRID_A1}"}, "geometry": {"type": "Polygon", "coordinates": SQUARE}}
    came = send(town, outlines(feature), GEOJSON, dry_run="true").json
    assert came["changes"][0]["differs"]["polygon"] == {"before": None, "after": {"type": "Polygon", "points": 4}}


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        ({"type": "Point", "coordinates": [114, 32]}, "not_a_polygon"),
        ({"type": "Polygon", "coordinates": [[[[[[114, 32]]]]]]}, "not_a_polygon"),
        ({"type": "Polygon", "coordinates": [[[1e999, 32], [0, 0]]]}, "off_the_globe"),
        ({"type": "Polygon", "coordinates": [[[10**400, 32], [0, 0]]]}, "off_the_globe"),
        ({"type": "Polygon", "coordinates": [[[250, 32], [0, 0]]]}, "off_the_globe"),
        ({"type": "Polygon", "coordinates": [[["x", 32]]]}, "not_a_polygon"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_an_outline_that_is_none_is_named(town: City, geometry: dict, code: str) -> None:
    came = send(town, outlines({"properties": {"code": GRID_A1, "name": "x"}, "geometry": geometry}), GEOJSON, dry_run="true")
    assert came.status_code == 200, came.data
    assert [flaw["code"] for flaw in came.json["flaws"]] == [code]


def test_bad_lines_are_named_and_good_ones_recorded(town: City) -> None:
    lines = [
        "level,code,name,kind",
        "grid,411502001001048,Good,general",
        "grid,411502001001049,,general",
        "grid,41150200100105,Short,general",
        "grid,411502001001050,Kind,round",
        "grid,999902001001050,Elsewhere,general",
        "grid,411502001001051,Call 13900139000,general",
        "community,411502001001,Kind,general",
    ]
    came = send(town, "\n".join(lines)).json
    assert (came["new"], came["refused"]) == (1, 6)
    assert [(flaw["line"], flaw["code"]) for flaw in came["flaws"]] == [
        (3, "empty"),
        (4, "wrong_length"),
        (5, "unknown_kind"),
        (6, "another_city"),
        (7, "personal_number_in_text"),
        (8, "kind_above_grid"),
    ]


def test_an_outline_too_large_for_an_entry_stops_no_other(town: City) -> None:
    many = [[[114 + at / 1e6, 32.0] for at in range(6_000)]]
    features = [
        {"properties": {"code": "411502002001060", "name": "large"}, "geometry": {"type": "Polygon", "coordinates": many}},
        {"properties": {"code": "411502002001061", "name": "small"}, "geometry": {"type": "Polygon", "coordinates": SQUARE}},
    ]
    tried = send(town, outlines(*features), GEOJSON, dry_run="true").json
    done = send(town, outlines(*features), GEOJSON).json
    assert (tried["new"], tried["refused"], tried["flaws"][0]["code"]) == (1, 1, "too_large")
    assert {**done, "dry_run": True} == tried


def test_an_administrator_of_a_part_changes_that_part_only(town: City) -> None:
    town.hire("part", ("administrator", SUBDISTRICT_B))
    before = size(town)
    came = send(town, f"level,code,name\ngrid,{GRID_A2},Mine now\ngrid,{GRID_B1},B one\n", by="part").json
    assert (came["changed"], [(flaw["line"], flaw["code"]) for flaw in came["flaws"]]) == (1, [(2, "out_of_scope")])
    assert size(town) == before


@pytest.mark.parametrize("name", ["chen", "sun", "li", "nobody"])
def test_nobody_else_imports(town: City, name: str) -> None:
    assert send(town, TREE.format("41150200100107"), by=name).status_code == 403


BOMB = b"level,code,name\n" + b"grid,411502001001001,x\n" * 3


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"\n", CSV, 422, "unreadable_file"),
        (b"name\nx\n", CSV, 422, "unreadable_file"),
        (b"level,code,name,name\n", CSV, 422, "unreadable_file"),
        (b"{", GEOJSON, 422, "unreadable_file"),
        (b"[" * 100_000, GEOJSON, 422, "unreadable_file"),
        (b"7", GEOJSON, 422, "unreadable_file"),
        (b"PK nothing", XLSX, 422, "unreadable_file"),
        (b"level,code,name\n", "text/plain", 415, "unsupported_media_type"),
        (b"level,code,name\n", "application/json", 415, "unsupported_media_type"),
    ],
    ids=lambda part: str(part)[:24],
)
def test_a_file_that_cannot_be_read_has_a_named_answer(town: City, content: bytes, kind: str, status: int, code: str) -> None:
    answer = send(town, content, kind)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    assert "/" not in answer.json["detail"].split(":")[0] or kind not in (CSV, XLSX), "no path of the server's"


def broken_workbook(change: Callable[[str], str]) -> bytes:
    whole, file = zipfile.ZipFile(io.BytesIO(workbook([["level", "code", "name"], ["grid", 1, "x"]]))), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            text = whole.read(name).decode()
            archive.writestr(name, change(text) if name.startswith("xl/worksheets") else text)
    return file.getvalue()


ENTITY = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "change",
    [
        lambda text: ENTITY + text.replace("x</t>", "&b;</t>"),
        lambda text: text[:-20],
        lambda text: text + " " * 21_000_000,
        lambda text: text.replace('r="C2"', 'r="ZZZ2"'),
        lambda text: text.replace("<v>1</v>", "<v>one</v>"),
        lambda text: text.replace('t="inlineStr"', 't="s"').replace("<is><t>level</t></is>", "<v>99</v>"),
    ],
    ids=["entities", "cut", "bomb", "wide", "number", "shared"],
)
def test_a_workbook_that_would_hurt_is_refused(town: City, change: Callable[[str], str]) -> None:
    answer = send(town, broken_workbook(change), XLSX)
    assert (answer.status_code, answer.json["code"]) == (422, "unreadable_file"), answer.data


def test_too_much_is_refused_before_it_is_read(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    most = town.gridtrail.config.import_max_bytes
    large = send(town, b"x" * (most + 1))
    assert (large.status_code, large.json["code"], large.json["max_bytes"]) == (413, "too_large", most)
    monkeypatch.setattr(routes, "MOST_ROWS", 2)
    answer = send(town, BOMB)
    assert (answer.status_code, answer.json["code"]) == (422, "too_many_rows")


def test_without_a_length_nothing_is_read(town: City) -> None:
    headers = {**town.client("guan").headers, "Transfer-Encoding": "chunked"}
    answer = town.app.test_client().post(
        f"/v1/areas/import?from_day={DAY}", input_stream=io.BytesIO(b"level,code,name\n"), content_type=CSV, headers=headers
    )
    assert (answer.status_code, answer.json["code"]) == (411, "length_required")


def test_the_first_day_must_be_said(town: City) -> None:
    answer = town.app.test_client().post(
        "/v1/areas/import", data=b"level,code,name\n", content_type=CSV, headers=town.client("guan").headers
    )
    assert answer.status_code == 400
    assert send(town, "level,code,name\n", from_day="2026-02-30").status_code == 400


# ---- grids without a worker


def without(town: City, day: str, by: str = "guan", **query: str) -> set[str]:
    return {each["code"] for each in town.client(by).get("/v1/areas", without_worker=day, limit=500, **query).json["items"]}


def test_grids_without_a_worker_are_those_that_nobody_walks_on_that_day(town: City) -> None:
    code = "411502002001077"
    send(town, f"level,code,name\ngrid,{code},Empty grid\n", from_day="2026-11-01")
    assert {GRID_A1, GRID_A2, GRID_B1}.isdisjoint(without(town, DAY))
    assert code in without(town, DAY)
    assert code not in without(town, "2026-10-31"), "it was not there yet"
    assert without(town, "2026-10-31", area=COMMUNITY_A) == set(), "Li and Wang worked there already"
    made = town.client("guan").post("/v1/people", {"role": "worker", "unit": code, "from_day": "2026-11-10", "to_day": "2026-11-12"})
    assert made.status_code == 201, made.data
    days = {day: code in without(town, day) for day in ("2026-11-09", "2026-11-10", "2026-11-12", "2026-11-13")}
    assert days == {"2026-11-09": True, "2026-11-10": False, "2026-11-12": False, "2026-11-13": True}
    town.client("guan").post("/v1/people", {"role": "officer", "unit": code, "from_day": "2026-11-13"})
    assert code in without(town, "2026-11-13"), "an officer is no worker"
    town.client("guan").post("/v1/people", {"role": "worker", "unit": code[:12], "from_day": "2026-11-14"})
    assert code not in without(town, "2026-11-14"), "who works in the whole community works in its grids"


def test_grids_without_a_worker_end_where_the_own_subtree_ends(town: City) -> None:
    codes = without(town, "2026-01-01", by="qian", area=CITY)
    assert all(ledger_of(code) == SUBDISTRICT_B for code in codes)
    assert town.client("guan").get("/v1/areas", without_worker="yesterday").status_code == 400
