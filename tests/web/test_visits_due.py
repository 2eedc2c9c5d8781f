"""Visits due, the calendar of patrols, and what tablets owe, as officers and workers read them."""

from uuid import uuid4

import pytest

from tests.web.city import CANARY, COMMUNITY_A, GRID_A1, GRID_A2, GRID_B1, City, person_id

MONTH = {"from_day": "2026-11-01", "to_day": "2026-11-30"}


def due(city: City, name: str, **query: str) -> dict:
    answer = city.client(name).get("/v1/visits/due", **query)
    assert answer.status_code == 200, answer.json
    return answer.json


def visit(city: City, name: str, area: str, household: str, **said: str) -> None:
    city.tablets[name].record("visit.made", str(uuid4()), area, {"household": household, "outcome": "met", **said})
    city.tablets[name].sync()
    city.catch_up()


def test_a_household_becomes_due_as_its_care_group_wants_it_and_overdue_when_the_day_is_over(city: City):
    visit(city, "li", GRID_A1, "H-0815", care_group="extreme_poverty")
    before = due(city, "zhao", due_by="2026-11-30")
    assert [(each["household"], each["next_due"], each["met_on"]) for each in before["items"]] == [("H-0815", "2026-11-27", "2026-11-20")]
    assert (before["today"], before["counts"]) == ("2026-11-20", {"overdue": 0, "today": 0, "later": 1})
    assert due(city, "zhao")["items"] == []
    city.clock.forward(days=8)
    late = due(city, "zhao")
    assert [each["household"] for each in late["items"]] == ["H-0815"]
    assert (late["today"], late["counts"]) == ("2026-11-28", {"overdue": 1, "today": 0, "later": 0})
    visit(city, "li", GRID_A1, "H-0815", care_group="extreme_poverty")
    assert due(city, "zhao")["items"] == []


def test_the_list_is_narrowed_by_worker_care_group_and_tier(city: City):
    visit(city, "li", GRID_A1, "H-1", care_group="extreme_poverty")
    visit(city, "wang", GRID_A2, "H-2", care_group="empty_nest")
    far = {"due_by": "2027-12-31"}
    named = {each["care_group"]: each for each in due(city, "chen", **far)["care_groups"]}
    assert (named["extreme_poverty"]["tier"], named["extreme_poverty"]["days"], named["extreme_poverty"]["zh"]) == ("high", 7, "特困")
    found = {name: {each["household"] for each in due(city, "chen", **far, **{name: value})["items"]} for name, value in {
        "worker": person_id("wang"), "care_group": "empty_nest", "tier": "high", "area": GRID_A2,
    }.items()}  # fmt: skip
    assert found["worker"] == found["area"] == {"H-2", CANARY.format(GRID_A2)}
    assert found["care_group"] == {"H-2"}
    assert "H-1" in found["tier"]
    assert "H-2" not in found["tier"]
    assert due(city, "chen", **far, worker=person_id("bai"))["items"] == []
    assert due(city, "chen", **far, tier="none")["items"] == []


def test_pages_follow_each_other_and_only_the_first_counts(city: City):
    for number in range(5):
        visit(city, "li", GRID_A1, f"P-{number}", care_group="living_alone")
    whole = due(city, "chen", due_by="2028-01-01")
    seen, cursor = [], {}
    while True:
        page = due(city, "chen", due_by="2028-01-01", limit="2", **cursor)
        assert (page["counts"] is None) == bool(cursor)
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == whole["items"]
    assert sum(whole["counts"].values()) == len(seen)


def test_a_worker_sees_what_is_due_in_the_own_grids_and_asks_after_no_colleague(city: City):
    assert {each["area"] for each in due(city, "li", due_by="2028-01-01")["items"]} == {GRID_A1}
    assert due(city, "li", due_by="2028-01-01", worker=person_id("li"))["items"]
    assert city.client("li").get("/v1/visits/due", worker=person_id("wang")).status_code == 403
    assert due(city, "qian", due_by="2028-01-01", area=COMMUNITY_A)["items"] == []
    assert due(city, "feng", due_by="2028-01-01")["items"] == []
    assert city.client("guan").get("/v1/visits/due").status_code == 403


WRONG = [("due_by", "2026-02-30"), ("due_by", "soon"), ("worker", "x"), ("tier", "HIGH"), ("area", "4"), ("cursor", "x")]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_no_filter_of_visits_due_is_400(city: City, name: str, value: str):
    assert city.client("zhao").get("/v1/visits/due", **{name: value}).status_code == 400


def test_the_calendar_has_every_grid_and_day_also_where_nothing_was_done(city: City):
    told = city.client("qian").get("/v1/coverage/days", **MONTH).json
    assert [(each["area"], each["days"]) for each in told["items"]] == [
        (GRID_B1, [{"day": "2026-11-20", "started": 1, "finished": 1, "checkpoints": 1}])
    ]
    days = {each["day"]: (each["patrolled"], each["due"]) for each in told["days"]}
    assert len(days) == 30
    assert (days["2026-11-20"], days["2026-11-19"]) == ((1, 1), (0, 1))
    before = city.client("qian").get("/v1/coverage/days", from_day="2025-12-31", to_day="2026-01-01").json
    assert [(each["day"], each["due"]) for each in before["days"]] == [("2025-12-31", 0), ("2026-01-01", 1)]
    first = city.client("zhao").get("/v1/coverage/days", **MONTH, limit=1).json
    second = city.client("zhao").get("/v1/coverage/days", **MONTH, limit=1, cursor=first["next"]).json
    assert [first["items"][0]["area"], second["items"][0]["area"], second["next"], second["days"]] == [GRID_A1, GRID_A2, None, None]


def test_a_patrol_of_a_micro_grid_counts_for_its_grid(city: City):
    micro = GRID_B1 + "01"
    said = {"code": micro, "name": "stair 1", "effective_from": "2026-01-01"}
    city.gridtrail.inspection.register_area(city.root, said)
    day = city.clock().date().isoformat()
    city.tablets["bai"].record("patrol.started", str(uuid4()), micro, {})
    city.tablets["bai"].sync()
    city.catch_up()
    told = city.client("qian").get("/v1/coverage/days", from_day=day, to_day=day).json
    assert [(each["area"], each["days"][0]["started"]) for each in told["items"]] == [(GRID_B1, 1)]
    assert told["days"] == [{"day": day, "patrolled": 1, "due": 1}]


def test_a_calendar_is_no_longer_than_two_months(city: City):
    zhao = city.client("zhao")
    assert zhao.get("/v1/coverage/days", from_day="2026-10-01", to_day="2026-12-01").status_code == 200
    assert zhao.get("/v1/coverage/days", from_day="2026-10-01", to_day="2026-12-02").status_code == 400
    assert zhao.get("/v1/coverage/days", from_day="2026-12-01", to_day="2026-10-01").status_code == 400


def test_what_a_tablet_owes_counts_photos_and_values_that_nobody_brought(city: City):
    tablet = city.tablets["bai"]

    def owed() -> tuple[int, int]:
        (mine,) = city.client("qian").get("/v1/tablets", person=person_id("bai")).json["items"]
        return mine["photos_awaited"], mine["values_awaited"]

    assert owed() == (0, 0)
    photo = b"\xff\xd8\xff" + b"a photo"
    said = {"category": "gridtrail/1/A01", "summary": "rubbish", "photos": [tablet.add_photo(photo)]}
    tablet.record("case.reported", str(uuid4()), GRID_B1, said)
    tablet.record("visit.made", str(uuid4()), GRID_B1, {"household": "H-9", "outcome": "met"}, personal={"need_voiced": "a ramp"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tablet, "_send_photos", lambda: (0, 0))
        patch.setattr(tablet, "_send_disclosures", lambda *_, **__: None)
        tablet.sync()
    city.catch_up()
    assert owed() == (1, 1)
    tablet.sync()
    city.catch_up()
    assert owed() == (0, 0)


def test_a_visit_log_is_narrowed_by_outcome(city: City):
    visit(city, "bai", GRID_B1, "H-10", outcome="no_one_home")
    found = city.client("qian").get("/v1/visits", outcome="no_one_home").json["items"]
    assert [each["household"] for each in found] == ["H-10"]
    assert city.client("qian").get("/v1/visits", outcome="asleep").status_code == 400


def test_a_code_is_drawn_as_rows_of_a_square(city: City):
    code = city.client("guan").post("/v1/enrolment-codes", {"person": person_id("li")}).json
    assert {len(row) for row in code["qr"]} == {len(code["qr"])}
    assert set("".join(code["qr"])) == {"0", "1"}
    assert code["qr"][0].startswith("1111111")
