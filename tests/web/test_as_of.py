"""The past over HTTP: for auditors of where it lies, from one subdistrict's ledger, in two senses, and the two side by side."""

from typing import Any
from uuid import uuid4

import pytest

from service.admission import PAST, QUERY, lane_of
from tests.web.city import CITY, COUNTY, GRID_A1, GRID_B1, SUBDISTRICT_A, SUBDISTRICT_B, City


@pytest.fixture(scope="module")
def story(city: City) -> dict[str, Any]:
    """A tablet without reception: what Li did with a case at 09:10 is known at 12:00, when Zhao had decided without it."""
    tablet, case = city.enrol("li"), str(uuid4())
    city.clock.forward(hours=1)
    tablet.record("case.reported", case, GRID_A1, {"category": "gridtrail/1/A01", "summary": "a broken lamp"})
    tablet.sync()
    city.catch_up()
    begun = city.clock().isoformat()
    city.clock.forward(minutes=10)
    tablet.record("case.self_handled", case, GRID_A1, {"result": "replaced"})
    city.clock.forward(minutes=50)
    meanwhile = city.clock().isoformat()
    city.clock.forward(hours=2)
    tablet.sync()
    city.catch_up()
    return {"case": case, "begun": begun, "meanwhile": meanwhile, "now": city.clock().isoformat()}


def listed(city: City, **query: Any) -> dict[str, Any]:
    answer = city.client("sun").get("/v1/cases", area=SUBDISTRICT_A, **query)
    assert answer.status_code == 200, answer.json
    return {row["case_id"]: row for row in answer.json["items"]}


def test_a_list_as_it_was_known_and_as_it_was(city: City, story: dict[str, Any]) -> None:
    case = story["case"]
    assert listed(city, as_of=story["meanwhile"])[case]["status"] == "reported"
    assert listed(city, as_of=story["meanwhile"], sense="happened")[case]["status"] == "self_handled"
    assert case not in listed(city, as_of="2026-11-20T01:00:00Z")
    assert listed(city, as_of=story["now"]) == listed(city)
    assert case in listed(city, as_of=story["meanwhile"], status="reported")
    assert case not in listed(city, as_of=story["meanwhile"], status="self_handled")


def test_a_position_names_its_ledger_and_needs_no_area(city: City, story: dict[str, Any]) -> None:
    position = city.client("sun").get(f"/v1/cases/{story['case']}/history").json["items"][0]["position"]
    answer = city.client("sun").get("/v1/cases", as_of=f"{SUBDISTRICT_A}:{position}")
    assert {row["case_id"]: row["status"] for row in answer.json["items"]}[story["case"]] == "reported"


def test_pages_of_the_past_go_on_where_they_ended(city: City, story: dict[str, Any]) -> None:
    query: dict[str, Any] = {"area": SUBDISTRICT_A, "as_of": story["now"], "limit": 1}
    seen = []
    while True:
        page = city.client("sun").get("/v1/cases", **query).json
        seen += [row["case_id"] for row in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(seen) == len(set(seen)) == len(listed(city))
    query["as_of"] = story["meanwhile"]
    assert city.client("sun").get("/v1/cases", **query, cursor_of="x").status_code == 400
    assert city.client("sun").get("/v1/cases", **query).json["code"] == "bad_cursor"


def test_one_case_and_its_trail_as_they_were(city: City, story: dict[str, Any]) -> None:
    sun, path = city.client("sun"), f"/v1/cases/{story['case']}"
    assert sun.get(path, as_of=story["meanwhile"]).json["status"] == "reported"
    assert sun.get(path, as_of=story["meanwhile"], sense="happened").json["status"] == "self_handled"
    assert sun.get(path, as_of=story["now"]).json == sun.get(path).json
    assert sun.get(path, as_of="2026-11-20T00:00:00Z").status_code == 404
    topics = [
        [step["topic"] for step in sun.get(f"{path}/history", as_of=story["meanwhile"], sense=sense).json["items"]]
        for sense in ("known", "happened")
    ]
    assert topics == [["case.reported"], ["case.reported", "case.self_handled"]]


def test_hindsight_shows_both_and_what_was_late_by_how_much(city: City, story: dict[str, Any]) -> None:
    answer = city.client("sun").get(f"/v1/cases/{story['case']}/hindsight", as_of=story["meanwhile"])
    assert answer.status_code == 200, answer.json
    seen = answer.json
    assert (seen["known"]["status"], seen["happened"]["status"]) == ("reported", "self_handled")
    assert {"status", "result", "handler"} <= set(seen["differs"])
    (late,) = seen["late"]
    assert (late["topic"], late["step"]) == ("case.self_handled", "handle")
    assert late["late_s"] == pytest.approx(2 * 3600 + 50 * 60, abs=2)
    assert late["unknown_s"] == pytest.approx(2 * 3600, abs=2)
    before = city.client("sun").get(f"/v1/cases/{story['case']}/hindsight", as_of=story["begun"]).json
    assert (before["late"], before["differs"]) == ([], [])
    assert before["known"] == before["happened"]


@pytest.mark.parametrize("name", ["li", "wang", "zhao", "chen", "feng"])
def test_the_past_is_for_auditors(city: City, story: dict[str, Any], name: str) -> None:
    hand, path = city.client(name), f"/v1/cases/{story['case']}"
    inside = hand.get(path).status_code == 200
    for asked in (path, f"{path}/history", f"{path}/hindsight"):
        assert hand.get(asked, as_of=story["now"]).status_code == (403 if inside or asked.endswith("hindsight") else 404), asked
    assert hand.get("/v1/cases", area=SUBDISTRICT_A, as_of=story["now"]).status_code in ((403,) if name in ("chen",) else (403, 404))


def test_an_auditor_sees_the_past_of_the_own_subtree_only(city: City, story: dict[str, Any]) -> None:
    city.hire("he", ("auditor", SUBDISTRICT_B))
    he = city.client("he")
    assert he.get("/v1/cases", area=SUBDISTRICT_B, as_of=story["now"]).status_code == 200
    assert he.get("/v1/cases", area=SUBDISTRICT_A, as_of=story["now"]).status_code == 404
    assert he.get("/v1/cases", as_of=f"{SUBDISTRICT_A}:1").status_code == 404
    for path in ("", "/history", "/hindsight"):
        assert he.get(f"/v1/cases/{story['case']}{path}", as_of=story["now"]).status_code == 404
        assert he.get(f"/v1/cases/{city.cases[GRID_B1]}{path}", as_of=story["now"]).status_code == 200


WRONG = [
    ({"as_of": "now"}, 400, "bad_request"),
    ({"as_of": "2026-11-20T01:00:00"}, 400, "bad_request"),
    ({"as_of": "2099-01-01T00:00:00Z", "area": SUBDISTRICT_A}, 400, "bad_parameter"),
    ({"as_of": f"{SUBDISTRICT_A}:999999"}, 400, "bad_parameter"),
    ({"as_of": f"{SUBDISTRICT_B}:0", "area": SUBDISTRICT_A}, 400, "bad_parameter"),
    ({"as_of": "2026-11-20T01:00:00Z", "area": SUBDISTRICT_A, "sense": "dreamt"}, 400, "bad_request"),
    ({"sense": "happened"}, 400, "bad_request"),
    ({"as_of": "2026-11-20T01:00:00Z"}, 400, "area_needed"),
    ({"as_of": "2026-11-20T01:00:00Z", "area": COUNTY}, 400, "area_needed"),
    ({"as_of": f"{CITY}:0"}, 400, "area_needed"),
]


@pytest.mark.parametrize(("query", "status", "code"), WRONG)
def test_what_is_no_past_is_refused_with_a_sentence(city: City, query: dict[str, str], status: int, code: str) -> None:
    answer = city.client("sun").get("/v1/cases", **query)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert answer.json.get("detail") or answer.json.get("errors")


def test_few_pasts_are_folded_at_once(city: City) -> None:
    assert lane_of("GET", "/v1/cases", "area=411502001&as_of=411502001:7") is PAST
    assert lane_of("GET", "/v1/cases", "area=411502001") is QUERY
    assert PAST.share + QUERY.share < 1
