"""Visits, coverage and workload as officers and workers read them."""

from uuid import uuid4

from tests.web.city import CITY, COMMUNITY_A, FIRE, GRID_A1, GRID_A2, GRID_B1, SUBDISTRICT_A, City, person_id

PERIOD = {"from_day": "2026-11-01", "to_day": "2026-11-30"}


def test_an_officer_reads_the_visits_of_the_subtree(city: City):
    items = city.client("zhao").get("/v1/visits").json["items"]
    assert {item["area"] for item in items} == {GRID_A1, GRID_A2}
    assert items[0]["personal"] == []
    assert {item["area"] for item in city.client("zhao").get("/v1/visits", area=GRID_A2).json["items"]} == {GRID_A2}
    assert city.client("zhao").get("/v1/visits", person=person_id("bai")).json["items"] == []


def test_coverage_counts_grids_and_says_nothing_where_nothing_was_due(city: City):
    covered = city.client("zhao").get("/v1/coverage", **PERIOD).json
    assert (covered["patrolled"], covered["due"], covered["rate"]) == (2, 2, 1.0)
    assert {(item["area"], item["started"], item["checkpoints"]) for item in covered["items"]} == {(GRID_A1, 1, 1), (GRID_A2, 1, 1)}
    before = city.client("zhao").get("/v1/coverage", from_day="2020-01-01", to_day="2020-01-02").json
    assert (before["due"], before["rate"]) == (0, None)


def test_an_officer_reads_the_work_of_the_subtree_in_no_order_of_merit(city: City):
    work = city.client("zhao").get("/v1/workload", **PERIOD).json
    persons = {item["person"] for item in work["items"]}
    assert {person_id("li"), person_id("wang")} <= persons
    assert person_id("bai") not in persons
    assert not {"score", "rank", "points", "kilometres"} & set(work["items"][0])
    keys = [(item["day"], item["person"]) for item in work["items"]]
    assert keys == sorted(keys)
    desk = {each["person"]: each for each in work["desk"]}
    assert desk[person_id("li")]["held"] >= 1


def test_a_worker_reads_the_own_work_and_no_colleagues(city: City):
    own = city.client("li").get("/v1/workload", **PERIOD).json["items"]
    assert {item["person"] for item in own} == {person_id("li")}
    assert (own[0]["patrols"], own[0]["checkpoints"], own[0]["visits"]) == (1, 1, 1)
    assert city.client("li").get("/v1/workload", **PERIOD, person=person_id("wang")).status_code == 404


def test_an_officer_may_ask_for_one_person(city: City):
    items = city.client("chen").get("/v1/workload", **PERIOD, person=person_id("wang"), area=COMMUNITY_A).json["items"]
    assert {item["person"] for item in items} == {person_id("wang")}
    assert city.client("chen").get("/v1/workload", **PERIOD, person=person_id("bai")).json["items"] == []


def test_a_department_has_no_subtree_and_so_no_fieldwork(city: City):
    assert city.client("feng").get("/v1/visits").json["items"] == []
    assert city.client("feng").get("/v1/workload", **PERIOD).json["items"] == []


def test_a_department_reads_the_own_work_and_refusals_and_the_areas_around_it(city: City):
    feng, me = city.client("feng"), person_id("feng")
    case, chen = city.report(GRID_A1), city.client("chen")
    big = {"reason": "big"}
    for verb, body in (("escalate", big), ("escalate", big), ("accept", {}), ("register", {}), ("dispatch", {"to": FIRE})):
        chen.post(f"/v1/cases/{case}/{verb}", body, If_Match="*")
    city.catch_up()
    handled = feng.post(f"/v1/cases/{case}/handle", {"result": "put out"}, If_Match="*")
    assert handled.status_code == 200, handled.json
    refused_work(city, "feng", GRID_A1)
    assert [item["person"] for item in feng.get("/v1/workload", **PERIOD, person=me).json["items"]] == [me]
    assert [item["person"] for item in feng.get("/v1/refusals", person=me).json["items"]] == [me, me]
    assert feng.get("/v1/workload", **PERIOD, person=me, area=GRID_B1).json["items"] == []
    assert feng.get("/v1/refusals", person=person_id("li")).json["items"] == []
    assert [item["code"] for item in feng.get("/v1/areas").json["items"]] == [SUBDISTRICT_A, COMMUNITY_A, GRID_A1, GRID_A2]
    assert feng.get("/v1/areas", area=GRID_B1).json["items"] == []


def test_areas_are_told_as_they_were_on_a_day(city: City):
    zhao = city.client("zhao")
    grids = zhao.get("/v1/areas", level="grid").json["items"]
    assert [item["code"] for item in grids] == [GRID_A1, GRID_A2]
    assert grids[0]["kind"] == "general"
    assert zhao.get("/v1/areas", day="2025-12-31").json["items"] == []
    assert city.client("qian").get("/v1/areas", area=GRID_B1).json["items"][0]["parent"] == GRID_B1[:12]


def test_areas_are_told_by_their_codes_within_ones_sight(city: City):
    zhao = city.client("zhao")
    some = zhao.get("/v1/areas", codes=f"{GRID_A2},{GRID_B1}", outlines="false").json["items"]
    assert [(item["code"], item["name"], item["polygon"]) for item in some] == [(GRID_A2, f"area {GRID_A2}", None)]
    for wrong in ("", "x", f"{GRID_A1},", ",".join([GRID_A1] * 101)):
        assert zhao.get("/v1/areas", codes=wrong).status_code == 400, wrong


def test_who_is_assigned_where_is_told_by_ids_only(city: City):
    items = city.client("chen").get("/v1/people", role="worker").json["items"]
    assert {(item["person"], item["unit"]) for item in items} == {(person_id("li"), GRID_A1), (person_id("wang"), GRID_A2)}
    assert set(items[0]) == {"person", "assignment", "role", "unit", "from_day", "to_day"}
    assert city.client("chen").get("/v1/people", unit=f"{SUBDISTRICT_A}/fire").json["items"][0]["role"] == "officer"


def test_names_are_told_to_those_who_run_the_persons_area_and_to_nobody_else(city: City):
    asked = ",".join(person_id(name) for name in ("li", "bai", "feng", "nobody"))

    def names(who: str) -> set[str]:
        answer = city.client(who).get("/v1/people/names", persons=asked)
        assert answer.status_code == 200, answer.json
        return {each["label"] for each in answer.json["items"]}

    assert names("zhao") == {"label of li"}
    assert names("chen") == {"label of li", "label of feng"}
    assert names("qian") == {"label of bai"}
    assert names("sun") == names("guan") == {f"label of {name}" for name in ("li", "bai", "feng", "nobody")}
    assert city.client("li").get("/v1/people/names", persons=asked).status_code == 403
    for wrong in ("", "li", asked + ",", ",".join([person_id("li")] * 101)):
        assert city.client("zhao").get("/v1/people/names", persons=wrong).status_code == 400
    assert city.client("zhao").get("/v1/people/names").status_code == 400


def refused_work(city: City, name: str, area: str) -> None:
    """A visit, which is not a department's to make, and a report that is refused to everybody."""
    tablet = city.enrol(name)
    tablet.record("visit.made", str(uuid4()), area, {"household": "H", "outcome": "met"})
    tablet.record("case.reported", str(uuid4()), area, {"category": "no/such/category", "summary": "none"})
    tablet.sync()
    city.catch_up()


def test_a_worker_who_moved_still_reads_what_was_refused_before(city: City):
    city.hire("moved", ("worker", GRID_A2), to_day="2026-11-20")
    refused_work(city, "moved", GRID_A2)
    person = person_id("moved")
    said = {"assignment": str(uuid4()), "role": "worker", "unit": GRID_B1, "from_day": "2026-11-21"}
    city.gridtrail.inspection.change_person(city.root, CITY, person, "assign", said)
    city.clock.forward(days=1)
    moved = city.client("moved")
    assert [item["area"] for item in moved.get("/v1/refusals").json["items"]] == [GRID_A2]
    assert [item["visits"] for item in moved.get("/v1/workload", **PERIOD).json["items"]] == [1]
    assert moved.get("/v1/visits").json["items"] == city.client("bai").get("/v1/visits").json["items"]
