"""Area trees from CSV and outlines from GeoJSON, as what ``area.registered`` says. Read by ``gridtrail areas import``.

The codes of official files are 12 digits, padded with zeros to the right (411502000000 is county 411502); ours are as long as their
level. Rows come out parents first.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from domain.areas import GRID_KINDS, LENGTH_OF_LEVEL, level_of, parent_of
from service.imports.mapping import Mapping
from service.imports.table import BadValue, Flaw, Row, Source, Table, UnreadableFile, fault_of_text, read_rows, read_table, text_of

REQUIRED = ("level", "code", "name")
LEVEL_NAMES = {
    "prefecture": "city",
    "district": "county",
    "town": "subdistrict",
    "township": "subdistrict",
    "street": "subdistrict",
    "village": "community",
    "microgrid": "micro_grid",
    **{level: level for level in LENGTH_OF_LEVEL},
}
OFFICIAL_LENGTH = 12
PROPERTIES = ("code", "name", "kind", "effective_from", "reference")
"""What is read of a feature whose properties are ours already."""


@dataclass
class Areas:
    """What a file said: areas by what they say, the flaws of the rows that say nothing usable, and where each code stands."""

    total: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def take(self, line: int, said: dict[str, Any]) -> None:
        """Adds what a line said. A code that stands twice is a flaw of its second line."""
        first = self.lines.setdefault(said["code"], line)
        if first == line:
            self.found.append(said)
        else:
            self.flaws.append(Flaw(line, "code", "repeated", f"{said['code']} stands in line {first} already."))


def read_areas(path: Source, effective_from: str, mapping: Mapping | None = None, pairs: Path | None = None) -> Areas:
    """Reads a file by its suffix: .csv and .xlsx are an area tree, .json and .geojson are outlines of grids."""
    if path.suffix.lower() in (".json", ".geojson"):
        features = _features(path)
        areas = _mapped(features, mapping, pairs) if mapping and mapping.areas else _plain(features)
    else:
        areas = _tree(read_table(path, REQUIRED))
    for said in areas.found:
        said.setdefault("effective_from", effective_from)
    areas.found.sort(key=lambda said: (len(said["code"]), said["code"]))
    return areas


def code_of(level: str, official: str) -> str:
    """Our code of an official one: cut to the level's length; only zeros may be cut off. BadValue otherwise."""
    length = LENGTH_OF_LEVEL[level]
    if not (official.isascii() and official.isdigit()):
        raise BadValue("code", "not_a_code", f"{official!r} is not made of digits.")
    rest = official[length:]
    if len(official) < length or (rest and (len(official) != OFFICIAL_LENGTH or rest.strip("0"))):
        raise BadValue("code", "wrong_length", f"{official!r} is not the code of a {level}: {length} digits, or 12 padded with zeros.")
    return official[:length]


def _tree(table: Table) -> Areas:
    areas = Areas(table.total)
    for line, said in read_rows(table, lambda row: (row.line, _said(row))):
        areas.take(line, said)
    areas.flaws = sorted([*table.flaws, *areas.flaws], key=lambda flaw: flaw.line)
    return areas


def _said(row: Row) -> dict[str, Any]:
    level = LEVEL_NAMES.get(row.need("level").lower())
    if level is None:
        raise BadValue("level", "unknown_level", f"{row['level']!r} is not one of {', '.join(LENGTH_OF_LEVEL)}.")
    code = code_of(level, row.need("code"))
    parent = row["parent_code"]
    above = parent_of(code)
    if parent and above and code_of(level_of(above), parent) != above:
        raise BadValue("parent_code", "not_its_parent", f"{parent!r} is not the area above {code}, which is {above}.")
    said: dict[str, Any] = {"code": code, "name": row.need("name")}
    if row["kind"]:
        said["kind"] = _kind(row["kind"], code)
    if row["lon"] or row["lat"]:
        said["centre"] = [_degrees(row, "lon", 180), _degrees(row, "lat", 90)]
    if row["effective_from"]:
        said["effective_from"] = day_of(row, "effective_from")
    if row["reference"]:
        said["reference"] = row["reference"]
    return said


def _kind(kind: str, code: str) -> str:
    if kind not in GRID_KINDS:
        raise BadValue("kind", "unknown_kind", f"{kind!r} is not one of {', '.join(GRID_KINDS)}.")
    if level_of(code) not in ("grid", "micro_grid"):
        raise BadValue("kind", "kind_above_grid", "only a grid or a micro-grid has a kind.")
    return kind


def _degrees(row: Row, column: str, limit: int) -> float:
    try:
        value = float(row.need(column))
    except ValueError:
        raise BadValue(column, "not_a_number", f"{row[column]!r} is not a number.") from None
    if not -limit <= value <= limit:
        raise BadValue(column, "off_the_globe", f"{row[column]} lies off the globe: -{limit} to {limit}.")
    return value


def day_of(row: Row, column: str) -> str:
    """The row's value as a day, ``2026-11-21``."""
    try:
        return date.fromisoformat(row.need(column)).isoformat()
    except ValueError:
        raise BadValue(column, "not_a_day", f"{row[column]!r} is not a day such as 2026-11-21.") from None


# ---- outlines


def _features(path: Source) -> list[dict[str, Any]]:
    try:
        whole = json.loads(text_of(path))
    except (ValueError, RecursionError) as wrong:
        raise UnreadableFile(f"{path}: not JSON: {wrong}.") from wrong
    features = whole.get("features") if isinstance(whole, dict) else None
    if not isinstance(features, list):
        raise UnreadableFile(f"{path}: not a GeoJSON FeatureCollection.")
    return features


def _outline(number: int, feature: Any, read: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The properties and the polygon of the number-th feature, which stands for a line here. BadValue where it is none.

    read: the properties that will be read; what others hold does not matter.
    """
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        raise BadValue("properties", "not_a_feature", f"feature {number} has no properties.")
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        raise BadValue("geometry", "not_a_polygon", f"feature {number} has no Polygon or MultiPolygon.")
    for lon, lat in points_of(geometry.get("coordinates")):
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise BadValue("geometry", "off_the_globe", f"feature {number} has the point {lon}, {lat}, which lies off the globe.")
    for name in read:
        fault = fault_of_text(str(feature["properties"].get(name, "")))
        if fault:
            raise BadValue(name, *fault)
    return feature["properties"], {"type": geometry["type"], "coordinates": geometry["coordinates"]}


def points_of(coordinates: Any, depth: int = 3) -> Iterable[tuple[float, float]]:
    """All points of a Polygon or MultiPolygon as (lon, lat). BadValue where they are none."""
    if isinstance(coordinates, list) and len(coordinates) >= 2 and all(isinstance(each, int | float) for each in coordinates[:2]):
        yield _float(coordinates[0]), _float(coordinates[1])
    elif isinstance(coordinates, list) and coordinates and depth:
        for each in coordinates:
            yield from points_of(each, depth - 1)
    else:
        raise BadValue("geometry", "not_a_polygon", "the coordinates are not nested lists of numbers.")


def _float(number: int | float) -> float:
    """The number; one that is too large for a float lies off the globe as well."""
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def centre_of(polygon: dict[str, Any]) -> list[float]:
    """The middle of the outline's box, for a map that shows a pin."""
    points = list(points_of(polygon["coordinates"]))
    lons, lats = [lon for lon, _ in points], [lat for _, lat in points]
    return [round((min(lons) + max(lons)) / 2, 6), round((min(lats) + max(lats)) / 2, 6)]


def _plain(features: list[dict[str, Any]]) -> Areas:
    """Features whose properties are ours already: code, name, kind, effective_from, reference."""
    areas = Areas(len(features))
    for number, feature in enumerate(features, 1):
        try:
            properties, polygon = _outline(number, feature, PROPERTIES)
            row = Row(number, {name: str(value) for name, value in properties.items() if value is not None})
            level = _level_of(row.need("code"))
            areas.take(number, {**_said(Row(number, {**row.values, "level": level})), "polygon": polygon, "centre": centre_of(polygon)})
        except BadValue as bad:
            areas.flaws.append(Flaw(number, bad.column, bad.code, bad.sentence))
    return areas


def _level_of(code: str) -> str:
    try:
        return level_of(code)
    except ValueError as wrong:
        raise BadValue("code", "not_a_code", f"{wrong}.") from None


def _mapped(features: list[dict[str, Any]], mapping: Mapping, pairs: Path | None) -> Areas:
    """Outlines under the names of a mapping: each becomes a grid in every subdistrict that the table of pairs puts it in."""
    areas = Areas(len(features))
    outlines: dict[str, dict[str, Any]] = {}
    for number, feature in enumerate(features, 1):
        try:
            properties, polygon = _outline(number, feature, (mapping.areas["feature_code"], mapping.areas["feature_name"]))
            key = mapping.grid_key(str(properties.get(mapping.areas["feature_code"], "")))
            name = str(properties.get(mapping.areas["feature_name"], "")) or key
            said = {"name": name, "kind": "general", "reference": f"{key} {name}"}
            outlines[key] = {**said, "polygon": polygon, "centre": centre_of(polygon)}
        except BadValue as bad:
            areas.flaws.append(Flaw(number, bad.column, bad.code, bad.sentence))
    if pairs is None:
        raise UnreadableFile("the mapping puts outlines into subdistricts: name the table that says which, with --pairs FILE.")
    areas.found.extend(mapping.upper_areas())
    for ward, grids in sorted(_pairs(mapping, pairs).items()):
        areas.found.extend(mapping.ward_areas(ward))
        areas.found.extend({"code": mapping.grid_code(ward, key), **outlines[key]} for key in sorted(grids) if key in outlines)
    return areas


def _pairs(mapping: Mapping, pairs: Path) -> dict[str, set[str]]:
    """Which grids lie in which subdistrict, by the table's rows; rows that name none are the other import's concern."""
    found: dict[str, set[str]] = {}
    columns = mapping.columns
    for row in read_table(pairs, (columns["subdistrict"], columns["grid"])).rows:
        try:
            ward = mapping.ward_key(row[columns["subdistrict"]])
            grids = found.setdefault(ward, set())
            if row[columns["grid"]]:
                grids.add(mapping.grid_key(row[columns["grid"]]))
        except BadValue:
            continue
    return found
