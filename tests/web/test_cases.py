"""The lists of cases, one case, its trail, and acting on it."""

from datetime import timedelta
from uuid import uuid4

from tests.web.city import CANARY, COMMUNITY_A, GRID_A1, GRID_A2, GRID_B1, SUBDISTRICT_A, City


def etag(hand, case: str) -> str:
    return hand.get(f"/v1/cases/{case}").headers["ETag"]


def test_each_sees_the_cases_of_the_own_subtree(city: City):
    def areas(name: str) -> set[str]:
        return {item["area"] for item in city.client(name).get("/v1/cases").json["items"]}

    assert areas("li") == {GRID_A1}
    assert areas("wang") == {GRID_A2}
    assert areas("zhao") == {GRID_A1, GRID_A2}
    assert areas("qian") == {GRID_B1}
    assert areas("feng") == set()
    assert areas("sun") == {GRID_A1, GRID_A2, GRID_B1}


def test_a_list_is_filtered_by_every_filter(city: City):
    sun = city.client("sun")
    case = city.report(GRID_A1, summary="a broken lamp at the gate", category="gridtrail/1/E01", reference="REF-77")

    def found(**query: str) -> list[str]:
        answer = sun.get("/v1/cases", **query)
        assert answer.status_code == 200, answer.json
        return [item["case_id"] for item in answer.json["items"]]

    assert case in found(area=COMMUNITY_A)
    assert case not in found(area=GRID_B1)
    assert found(text="broken LAMP") == [case]
    assert found(text="REF-77") == [case]
    assert found(text="%") == []
    assert found(category="gridtrail/1/E01") == [case]
    assert case in found(status="reported", level="grid", open="true")
    assert case not in found(open="false")
    assert case in found(urgency="normal", from_day="2026-11-20", to_day="2026-11-20")
    assert case not in found(urgency="urgent")
    assert case not in found(from_day="2026-11-21")
    assert case not in found(to_day="2026-11-19", sort="reported_at")
    assert case not in found(overdue="true")
    city.clock.forward(hours=5)
    assert case in found(overdue="true")


def test_a_day_is_one_of_the_city_and_days_of_no_age_are_refused(city: City):
    sun = city.client("sun")
    city.clock.now = city.clock.now.replace(hour=16, minute=30)
    case = city.report(GRID_A1)

    def found(**query: str) -> set[str]:
        return {item["case_id"] for item in sun.get("/v1/cases", limit="500", **query).json["items"]}

    day = city.clock.now.date()
    assert case not in found(to_day=str(day))
    assert case in found(from_day=str(day + timedelta(1)), to_day=str(day + timedelta(1)))
    for query in ({"to_day": "9999-12-31"}, {"from_day": "0001-01-01"}, {"from_day": "yesterday"}):
        assert sun.get("/v1/cases", **query).status_code == 400, query


def test_a_list_that_did_not_change_is_not_sent_again(city: City):
    zhao = city.client("zhao")
    first = zhao.get("/v1/cases")
    zhao.headers["If-None-Match"] = first.headers["ETag"]
    same = zhao.get("/v1/cases")
    assert (same.status_code, same.data) == (304, b"")
    city.report(GRID_A1)
    assert zhao.get("/v1/cases").status_code == 200


def test_a_list_tells_where_the_place_of_a_report_is_and_of_a_private_matter_nothing(city: City):
    place = {"lat": 32.125, "lon": 114.075, "purpose": "find_matter"}
    zhao, case = city.client("zhao"), city.report(GRID_A1, place=place)
    hidden = city.report(GRID_A1, category="gridtrail/1/D", summary="a quarrel", place=place)
    rows = {item["case_id"]: item for item in zhao.get("/v1/cases", limit="500").json["items"]}
    assert (rows[case]["lat"], rows[case]["lon"]) == (32.125, 114.075)
    assert (rows[hidden]["lat"], rows[hidden]["lon"], rows[hidden]["summary"]) == (None, None, None)


def test_pages_join_without_gap_or_repetition_in_every_sort(city: City):
    for _ in range(5):
        city.report(GRID_A1)
        city.clock.forward(minutes=1)
    sun = city.client("sun")
    for sort in ("due_at", "reported_at", "-reported_at"):
        whole = [item["case_id"] for item in sun.get("/v1/cases", sort=sort).json["items"]]
        found, cursor = [], {}
        while True:
            page = sun.get("/v1/cases", sort=sort, limit=2, **cursor).json
            found += [item["case_id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert found == whole
        assert len(set(found)) == len(found) >= 6


def test_a_cursor_belongs_to_its_filters(city: City):
    sun = city.client("sun")
    cursor = sun.get("/v1/cases", limit=1).json["next"]
    other = sun.get("/v1/cases", limit=1, cursor=cursor, sort="reported_at")
    assert (other.status_code, other.json["code"]) == (400, "bad_cursor")


def test_an_officer_acts_on_the_version_that_was_seen(city: City):
    zhao, case = city.client("zhao"), city.report(GRID_A1)
    seen = etag(zhao, case)
    assert zhao.post(f"/v1/cases/{case}/accept").json["code"] == "if_match_needed"
    done = zhao.post(f"/v1/cases/{case}/accept", {"note": "on it"}, If_Match=seen)
    assert done.status_code == 200, done.json
    assert done.json["ledger"] == SUBDISTRICT_A
    assert done.headers["ETag"] == f'"{done.json["version"]}"'
    stale = zhao.post(f"/v1/cases/{case}/register", {}, If_Match=seen)
    assert (stale.status_code, stale.json["code"], stale.json["current"]) == (412, "version_changed", done.json["version"])


def test_a_step_that_the_rules_refuse_is_409_with_its_code(city: City):
    zhao, case = city.client("zhao"), city.report(GRID_A1)
    refused = zhao.post(f"/v1/cases/{case}/close", {}, If_Match=etag(zhao, case))
    assert (refused.status_code, refused.json["status"]) == (409, 409)
    assert refused.json["code"] == "not_yet_checked"
    assert refused.json["current_status"] == "reported"
    assert refused.json["detail"]


def test_the_body_of_an_action_is_what_its_event_says_and_nothing_else(city: City):
    zhao, case = city.client("zhao"), city.cases[GRID_A1]
    seen = etag(zhao, case)
    for body in ({"surprise": 1}, {"reason": 7}, {"reason": "\x00"}, {"personal": [{"field": "case_reason"}]}, [], "text"):
        wrong = zhao.post(f"/v1/cases/{case}/reject", body, If_Match=seen)
        assert (wrong.status_code, wrong.json["code"]) == (422, "bad_fields"), body


def test_a_reader_may_wait_for_the_own_write(city: City):
    zhao, case = city.client("zhao"), city.report(GRID_A1)
    done = zhao.post(f"/v1/cases/{case}/accept", {}, If_Match=etag(zhao, case)).json
    position = f"{done['ledger']}:{done['position']}"
    behind = zhao.get(f"/v1/cases/{case}", min_position=position)
    assert (behind.status_code, behind.json["code"]) == (503, "read_model_behind")
    assert behind.headers["Retry-After"]
    city.catch_up()
    reached = zhao.get(f"/v1/cases/{case}", min_position=position)
    assert reached.json["version"] == done["version"]


def test_nobody_waits_for_what_was_never_recorded(city: City):
    answer = city.client("sun").get("/v1/cases", min_position=f"{SUBDISTRICT_A}:99999")
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")


def test_nobody_waits_on_a_ledger_outside_the_own_scope(city: City):
    assert city.client("qian").get("/v1/cases", min_position=f"{SUBDISTRICT_A}:0").status_code == 404


def test_the_trail_tells_each_step_and_can_be_read_as_of_a_moment(city: City):
    zhao, case = city.client("zhao"), city.report(GRID_A1)
    before = city.clock().isoformat()
    city.clock.forward(minutes=5)
    zhao.post(f"/v1/cases/{case}/accept", {"note": "seen"}, If_Match=etag(zhao, case))
    city.catch_up()
    steps = zhao.get(f"/v1/cases/{case}/history").json["items"]
    assert [step["topic"] for step in steps] == ["case.reported", "case.accepted"]
    assert [step["occurred_at"] for step in steps] == [None, None]
    assert steps[0]["step"] == "report"
    assert steps[1]["fields"]["note"] == "seen"
    then = city.client("sun").get(f"/v1/cases/{case}/history", as_of=before).json["items"]
    assert [step["topic"] for step in then] == ["case.reported"]


def test_the_trail_tells_what_a_tablets_wrong_clock_said(city: City):
    tablet, case = city.enrol("li"), str(uuid4())
    tablet.wall = lambda: city.clock() - timedelta(days=400)
    tablet.record("case.reported", case, GRID_A1, {"category": "gridtrail/1/A01", "summary": "rubbish"})
    tablet.sync()
    city.catch_up()
    (step,) = city.client("zhao").get(f"/v1/cases/{case}/history").json["items"]
    assert step["occurred_at"][:4] == str(city.clock().year - 1)
    assert step["happened_at"] == step["recorded_at"]


def test_who_registered_a_case_is_told_by_unit(city: City):
    zhao, case = city.client("zhao"), city.report(GRID_A1)
    assert zhao.get(f"/v1/cases/{case}").json["registrar"] is None
    for step in ("accept", "register"):
        assert zhao.post(f"/v1/cases/{case}/{step}", {}, If_Match=etag(zhao, case)).status_code == 200
        city.catch_up()
    assert zhao.get(f"/v1/cases/{case}").json["registrar"] == COMMUNITY_A


def test_a_case_can_be_reported_at_the_counter(city: City):
    zhao = city.client("zhao")
    made = zhao.post("/v1/cases", {"area": GRID_A2, "category": "gridtrail/1/E01", "summary": "told at the counter", "source": "resident"})
    assert made.status_code == 201, made.json
    city.catch_up()
    shown = zhao.get(made.headers["Location"]).json
    assert (shown["summary"], shown["version"]) == ("told at the counter", 1)
    assert zhao.post("/v1/cases", {"area": GRID_B1, "category": "gridtrail/1/E01", "summary": "elsewhere"}).status_code == 404


def test_a_case_outside_ones_scope_is_answered_like_one_that_does_not_exist(city: City):
    qian, absent = city.client("qian"), "00000000-0000-4000-8000-000000000000"
    for path in ("/v1/cases/{}", "/v1/cases/{}/history"):
        hidden, none = qian.get(path.format(city.cases[GRID_A1])), qian.get(path.format(absent))
        assert hidden.status_code == none.status_code == 404
        assert hidden.data == none.data
    hidden = qian.post(f"/v1/cases/{city.cases[GRID_A1]}/accept", {}, If_Match='"1"')
    none = qian.post(f"/v1/cases/{absent}/accept", {}, If_Match='"1"')
    assert hidden.status_code == none.status_code == 404
    assert hidden.data == none.data
    assert CANARY.format(GRID_A1).encode() not in hidden.data


def test_a_department_sees_a_case_from_the_moment_it_holds_it(city: City):
    from tests.web.city import FIRE

    chen, feng, case = city.client("chen"), city.client("feng"), city.report(GRID_A1)
    assert feng.get(f"/v1/cases/{case}").status_code == 404
    for verb, body in (("escalate", {"reason": "too big"}), ("escalate", {"reason": "too big"}), ("accept", {}), ("register", {})):
        chen.post(f"/v1/cases/{case}/{verb}", body, If_Match="*")
    done = chen.post(f"/v1/cases/{case}/dispatch", {"to": FIRE}, If_Match="*")
    assert done.status_code == 200, done.json
    city.catch_up()
    assert feng.get(f"/v1/cases/{case}").json["holder"] == FIRE
    assert [item["case_id"] for item in feng.get("/v1/cases").json["items"]] == [case]
