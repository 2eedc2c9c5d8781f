"""The demo city: one district, two subdistricts, four communities, twelve grids, and its cast. Data for the seed; pure."""

from typing import Any

from service.fleet.plan import Member

PASSWORD = "demo-grid-2026"
FROM_DAY = "2020-01-01"

SUBDISTRICTS = {"001": "Old Town 老城街道", "002": "Riverside 河滨街道"}
COMMUNITIES = {
    "001001": "Yiyang 义阳社区",
    "001002": "Sanlidian 三里店社区",
    "002001": "Willow Bank 柳岸社区",
    "002002": "Pine Hill 松岗社区",
}
GRIDS = {"001": ("Grid 1", "general"), "002": ("Grid 2", "general"), "003": ("School grid 3", "exclusive")}
CENTRE = (114.0750, 32.1230)


def county_of(city: str) -> str:
    """The demo city's one district."""
    return city + "02"


def areas_of(city: str) -> list[dict[str, Any]]:
    """All areas, parents first."""
    county = county_of(city)
    areas: list[dict[str, Any]] = [{"code": city, "name": "Demo city 示范市"}, {"code": county, "name": "East district 东区"}]
    areas.extend({"code": county + code, "name": name} for code, name in SUBDISTRICTS.items())
    areas.extend({"code": county + code, "name": name} for code, name in COMMUNITIES.items())
    for at, (community, name) in enumerate(COMMUNITIES.items()):
        for grid, (label, kind) in GRIDS.items():
            west, south = CENTRE[0] + 0.012 * at, CENTRE[1] + 0.004 * int(grid)
            areas.append({"code": county + community + grid, "name": f"{name} {label}", "kind": kind, **_square(west, south)})
    return [{"effective_from": FROM_DAY, **area} for area in areas]


def _square(west: float, south: float, side: float = 0.004) -> dict[str, Any]:
    east, north = west + side, south + side
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    rounded = [[round(lon, 6), round(lat, 6)] for lon, lat in ring]
    return {
        "polygon": {"type": "Polygon", "coordinates": [rounded]},
        "centre": [round(west + side / 2, 6), round(south + side / 2, 6)],
    }


def cast_of(city: str) -> list[Member]:
    """Who works here. The key is the login; every one of them logs in with PASSWORD."""
    county = county_of(city)

    def grids(community: str, *numbers: str) -> tuple[str, ...]:
        return tuple(county + community + number for number in numbers)

    everyone = [
        ("li", "worker", grids("001001", "001", "002"), "Li 李, grid worker"),
        ("wang", "worker", grids("001001", "002", "003"), "Wang 王, grid worker"),
        ("chen", "worker", grids("001002", *GRIDS), "Chen 陈, grid worker"),
        ("liu", "worker", grids("002001", *GRIDS), "Liu 刘, grid worker"),
        ("yang", "worker", grids("002002", *GRIDS), "Yang 杨, grid worker"),
        ("zhao", "officer", (county + "001001",), "Zhao 赵, community officer"),
        ("zhou", "officer", (county + "001002",), "Zhou 周, community officer"),
        ("wu", "officer", (county + "002001",), "Wu 吴, community officer"),
        ("xu", "officer", (county + "002002",), "Xu 徐, community officer"),
        ("he", "officer", (county + "001",), "He 何, subdistrict officer"),
        ("ma", "officer", (county + "002",), "Ma 马, subdistrict officer"),
        ("urban", "officer", (county + "/urban_management",), "Hu 胡, urban management"),
        ("fire", "officer", (county + "/fire",), "Gao 高, fire department"),
        ("police", "officer", (county + "/police",), "Lin 林, police"),
    ]
    offices = [("sun", "auditor", (city,), "Sun 孙, auditor"), ("admin", "administrator", (city,), "Administrator")]
    with_tablets = [Member(key, role, units, FROM_DAY, label) for key, role, units, label in everyone]
    return [*with_tablets, *(Member(key, role, units, FROM_DAY, label, tablet=False) for key, role, units, label in offices)]
