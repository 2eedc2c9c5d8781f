"""Mappings: TOML files that say which column of a foreign table is what, and how its words are ours. Read by the area and case imports.

The shipped ones lie beside this module; ``stlouis`` names the shipped file, anything else is a path.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.areas import level_of
from service.imports.table import BadValue, UnreadableFile

SHIPPED = Path(__file__).parent
CASE_COLUMNS = (
    "reference", "status", "opened", "handled", "closed", "cancelled", "department", "subdistrict", "grid", "category", "summary",
)  # fmt: skip
OUTCOMES = ("closed", "cancelled", "open")
COMMUNITY = "001"
"""Foreign cities have no communities: every subdistrict gets one, so that grids have the parent that they need."""


@dataclass(frozen=True)
class Mapping:
    """One mapping, checked. Codes are made of the county's code, the subdistrict's number and the grid's number."""

    name: str
    city: str
    city_name: str
    county: str
    county_name: str
    time_zone: str
    scheme: str
    ward_name: str
    columns: dict[str, Any]
    statuses: dict[str, str]
    departments: dict[str, str]
    categories: dict[str, dict[str, Any]]
    blank_times: tuple[str, ...]
    areas: dict[str, str]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the table's times."""
        return ZoneInfo(self.time_zone)

    def ward_key(self, text: str) -> str:
        """A subdistrict's number as three digits."""
        return _three_digits("subdistrict", self.columns["subdistrict"], text)

    def grid_key(self, text: str) -> str:
        """A grid's number as three digits."""
        return _three_digits("grid", self.columns["grid"], text)

    def ward_code(self, ward: str) -> str:
        """The subdistrict's code."""
        return self.county + ward

    def grid_code(self, ward: str, grid: str) -> str:
        """The code of the part of a grid that lies in a subdistrict."""
        return self.county + ward + COMMUNITY + grid

    def category_code(self, group: str) -> str | None:
        """Our category of one of the table's groups, None where the mapping does not know it."""
        known = self.categories.get(group)
        return f"{self.scheme}/{known['code']}" if known else None

    def is_private(self, category: str) -> bool:
        """Whether what is said of requests of our category is disclosed."""
        return any(category == f"{self.scheme}/{each['code']}" and each.get("private", False) for each in self.categories.values())

    def upper_areas(self) -> list[dict[str, Any]]:
        """City and county."""
        return [{"code": self.city, "name": self.city_name}, {"code": self.county, "name": self.county_name}]

    def ward_areas(self, ward: str) -> list[dict[str, Any]]:
        """A subdistrict and its one community."""
        name = self.ward_name.format(ward=int(ward))
        code = self.ward_code(ward)
        return [{"code": code, "name": name}, {"code": code + COMMUNITY, "name": name}]

    def outcome_of(self, status: str) -> str | None:
        """What a row's status means: closed, cancelled or open. Upper and lower case are the same word."""
        return self.statuses.get(status.casefold())


def load_mapping(name: str) -> Mapping:
    """Reads and checks a mapping. UnreadableFile says what is missing or wrong in it."""
    shipped = SHIPPED / f"{name}.toml"
    path = shipped if shipped.exists() else Path(name)
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        known = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        raise UnreadableFile(f"mapping {name}: {wrong}. Shipped mappings: {known}.") from wrong
    try:
        mapping = _mapping(path.stem, said)
    except KeyError as missing:
        raise UnreadableFile(f"mapping {path}: {missing.args[0]} is missing.") from missing
    _check(path, mapping)
    return mapping


def _mapping(name: str, said: dict[str, Any]) -> Mapping:
    city = said["city"]
    return Mapping(
        name=name,
        city=city["code"],
        city_name=city["name"],
        county=city["county"],
        county_name=city.get("county_name", city["name"]),
        time_zone=city["time_zone"],
        scheme=city["scheme"],
        ward_name=city.get("ward_name", "{ward}"),
        columns=said["columns"],
        statuses={status.casefold(): outcome for status, outcome in said["statuses"].items()},
        departments=said["departments"],
        categories=said["categories"],
        blank_times=tuple(said.get("blank_times", ())),
        areas=said.get("areas", {}),
    )


def _check(path: Path, mapping: Mapping) -> None:
    missing = [name for name in CASE_COLUMNS if name not in mapping.columns]
    if missing:
        raise UnreadableFile(f"mapping {path}: columns lacks {', '.join(missing)}.")
    wrong = sorted(set(mapping.statuses.values()) - set(OUTCOMES))
    if wrong:
        raise UnreadableFile(f"mapping {path}: statuses must mean one of {', '.join(OUTCOMES)}, not {', '.join(wrong)}.")
    try:
        levels = level_of(mapping.city), level_of(mapping.county)
        ZoneInfo(mapping.time_zone)
    except (ValueError, ZoneInfoNotFoundError) as bad:
        raise UnreadableFile(f"mapping {path}: {bad}.") from bad
    if levels != ("city", "county") or not mapping.county.startswith(mapping.city):
        raise UnreadableFile(f"mapping {path}: county must be a 6-digit code that begins with the city's 4 digits.")


def _three_digits(what: str, column: str, text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text.lstrip("0")) <= 3 and int(text)):
        raise BadValue(column, f"unknown_{what}", f"{text!r} is not the number of a {what}.")
    return f"{int(text):03d}"
