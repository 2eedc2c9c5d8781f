"""People, assignments and accounts as administrators write them over HTTP: on both stores."""

from uuid import uuid4

import pytest

from service.identity import LONGEST_LOGIN
from tests.web.city import CITY, COMMUNITY_A, FIRE, GRID_A1, GRID_A2, GRID_B1, PASSWORD, SUBDISTRICT_A, SUBDISTRICT_B, City, person_id

TODAY, YESTERDAY, TOMORROW = "2026-11-20", "2026-11-19", "2026-11-21"
NEW = {"role": "worker", "unit": GRID_A2, "from_day": TODAY}


def registered(town: City, **said: str) -> dict:
    answer = town.client("guan").post("/v1/people", {**NEW, **said})
    assert answer.status_code == 201, answer.data
    return answer.json


def person(town: City, who: str, by: str = "guan") -> dict:
    return town.client(by).get(f"/v1/people/{who}").json


def county_admin(town: City) -> str:
    """An administrator of subdistrict B only."""
    name = f"admin {uuid4()}"
    town.hire(name, ("administrator", SUBDISTRICT_B))
    return name


def test_a_person_is_registered_with_a_first_assignment_and_works_at_once(town: City) -> None:
    made = registered(town)
    told = person(town, made["person"])
    assert (told["home"], told["registered_on"], told["left_on"]) == (GRID_A2, TODAY, None)
    assert [(each["role"], each["unit"], each["from_day"], each["to_day"]) for each in told["assignments"]] == [
        ("worker", GRID_A2, TODAY, None)
    ]
    grants = town.gridtrail.identity.actor_of(made["person"]).grants
    assert [(grant.role, grant.unit) for grant in grants] == [("worker", GRID_A2)]


def test_the_same_request_again_registers_nobody_twice(town: City) -> None:
    said = {**NEW, "person": str(uuid4()), "assignment": str(uuid4())}
    assert town.client("guan").post("/v1/people", said).status_code == 201
    again = town.client("guan").post("/v1/people", said)
    assert (again.status_code, again.json["code"]) == (409, "already_begun")
    assert len(person(town, said["person"])["assignments"]) == 1


def test_an_assignment_is_given_and_ended_and_the_day_decides(town: City) -> None:
    who = registered(town)["person"]
    said = {"role": "officer", "unit": FIRE, "from_day": TODAY, "assignment": str(uuid4())}
    assert town.client("guan").post(f"/v1/people/{who}/assignments", said).status_code == 201
    again = town.client("guan").post(f"/v1/people/{who}/assignments", said)
    assert (again.status_code, again.json["code"]) == (409, "assignment_known")
    assert town.client("guan").post(f"/v1/people/{who}/assignments/{said['assignment']}/end", {"to_day": TODAY}).status_code == 200
    ends = {each["assignment"]: each["to_day"] for each in person(town, who)["assignments"]}
    assert ends[said["assignment"]] == TODAY
    assert FIRE in {grant.unit for grant in town.gridtrail.identity.actor_of(who, TODAY).grants}
    assert FIRE not in {grant.unit for grant in town.gridtrail.identity.actor_of(who, TOMORROW).grants}


def test_who_leaves_has_no_rights_after_that_day(town: City) -> None:
    who = registered(town)["person"]
    assert town.client("guan").post(f"/v1/people/{who}/leave", {"to_day": TODAY}).status_code == 200
    assert person(town, who)["left_on"] == TODAY
    assert town.gridtrail.identity.actor_of(who, TOMORROW).grants == ()
    late = town.client("guan").post(f"/v1/people/{who}/assignments", NEW)
    assert (late.status_code, late.json["code"]) == (409, "person_left")


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"role": "mayor"}, 422, "bad_fields"),
        ({"unit": "4115x"}, 422, "bad_fields"),
        ({"from_day": "2026-02-30"}, 422, "bad_fields"),
        ({"to_day": YESTERDAY}, 422, "bad_fields"),
        ({"unit": "411502001001999"}, 409, "unknown_unit"),
        ({"from_day": "2025-12-31"}, 409, "unknown_unit"),
        ({"unit": "9999"}, 404, "not_found"),
        ({"home": "9999"}, 404, "not_found"),
        ({"name": "Li"}, 422, "bad_fields"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_nobody_can_be_assigned_to_is_refused(town: City, wrong: dict, status: int, code: str) -> None:
    answer = town.client("guan").post("/v1/people", {**NEW, **wrong})
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data


def test_nobody_hands_out_what_is_not_theirs(town: City) -> None:
    name = county_admin(town)
    admin = town.client(name)
    assert admin.post("/v1/people", {**NEW, "unit": GRID_B1}).status_code == 201
    assert admin.post("/v1/people", NEW).status_code == 404
    assert admin.post("/v1/people", {**NEW, "unit": GRID_B1, "home": COMMUNITY_A}).status_code == 404
    theirs = registered(town)["person"]
    for path, body in ((f"/v1/people/{theirs}/assignments", {**NEW, "unit": GRID_B1}), (f"/v1/people/{theirs}/leave", {"to_day": TODAY})):
        assert admin.post(path, body).status_code == 404, path
    assert admin.get(f"/v1/people/{theirs}").status_code == 404
    for other in ("chen", "sun", "li"):
        assert town.client(other).post("/v1/people", NEW).status_code == 403, other


def test_an_officer_sees_a_person_who_works_in_the_own_area_wherever_registered(town: City) -> None:
    assert person(town, person_id("li"), by="zhao")["assignments"][0]["unit"] == GRID_A1
    assert town.client("qian").get(f"/v1/people/{person_id('li')}").status_code == 404
    assert town.client("li").get(f"/v1/people/{person_id('li')}").status_code == 403


def test_unknown_people_and_assignments_are_told_apart_from_known_ones(town: City) -> None:
    nobody = uuid4()
    assert town.client("guan").get(f"/v1/people/{nobody}").status_code == 404
    assert town.client("guan").post(f"/v1/people/{nobody}/assignments", NEW).status_code == 404
    answer = town.client("guan").post(f"/v1/people/{person_id('li')}/assignments/none/end", {"to_day": TODAY})
    assert (answer.status_code, answer.json["code"]) == (409, "unknown_assignment")


# ---- accounts


def test_an_account_is_made_and_its_password_set_and_the_account_closed(town: City) -> None:
    who, login = registered(town)["person"], f"new-{uuid4().hex[:8]}"
    said = {"login": login, "label": "New 新", "password": "a first password"}
    made = town.client("guan").post(f"/v1/people/{who}/account", said)
    assert (made.status_code, made.json["label"], made.json["disabled_at"]) == (201, "New 新", None)
    assert "password" not in made.text
    assert town.client("guan").post(f"/v1/people/{who}/account", said).json["code"] == "login_taken"
    logged_in = town.client().post("/v1/sessions", {"login": login, "password": "a first password"})
    assert logged_in.status_code == 201
    assert town.client("guan").post(f"/v1/people/{who}/account/password", {"password": "another password"}).status_code == 204
    held = {"Authorization": f"Bearer {logged_in.json['token']}"}
    assert town.app.test_client().get("/v1/me", headers=held).status_code == 401, "every session has ended"
    assert town.client().post("/v1/sessions", {"login": login, "password": "another password"}).status_code == 201
    assert town.client("guan").post(f"/v1/people/{who}/account/disable").status_code == 204
    assert town.client().post("/v1/sessions", {"login": login, "password": "another password"}).status_code == 401
    acts = {row["act"] for row in town.client("sun").get("/v1/access-log", object=who).json["items"]}
    assert acts == {"account.create", "account.password", "account.disable"}


def test_accounts_are_found_by_name_login_or_id_in_the_own_subtree(town: City) -> None:
    found = town.client("guan").get("/v1/accounts", text="LABEL of l").json["items"]
    assert {each["login"] for each in found} == {"li"}
    ids = f"{person_id('li')},{person_id('wang')}"
    assert {each["login"] for each in town.client("guan").get("/v1/accounts", persons=ids).json["items"]} == {"li", "wang"}
    assert town.client("guan").get("/v1/accounts", text="50%_").json["items"] == []
    # The cast is registered in the city itself, which an administrator of one subdistrict does not administer.
    name = county_admin(town)
    assert town.client(name).get("/v1/accounts", persons=ids).json["items"] == []
    assert town.client("guan").get("/v1/accounts", persons=ids, area=SUBDISTRICT_A).json["items"] == []


def test_accounts_come_in_pages_without_a_gap(town: City) -> None:
    logins, query = [], {"limit": 3, "area": CITY}
    while True:
        page = town.client("guan").get("/v1/accounts", **query).json
        logins += [each["login"] for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert {"li", "wang", "sun", "guan", "nobody"} <= set(logins)
    assert len(logins) == len(set(logins))


@pytest.mark.parametrize("persons", ["x", "", ",".join(str(uuid4()) for _ in range(51)), "\x00"])
def test_ids_of_another_form_are_refused(town: City, persons: str) -> None:
    assert town.client("guan").get("/v1/accounts", persons=persons).status_code == 400


def test_a_password_reaches_only_whom_the_administrator_reaches_whole(town: City) -> None:
    """Whoever sets a password could act as the person: somebody with a right elsewhere stays out of reach."""
    name = county_admin(town)
    made = town.client("guan").post("/v1/people", {**NEW, "unit": GRID_B1}).json["person"]
    said = {"login": f"both-{uuid4().hex[:8]}", "password": "a first password"}
    assert town.client(name).post(f"/v1/people/{made}/account", said).status_code == 201
    town.client("guan").post(f"/v1/people/{made}/assignments", {**NEW, "unit": SUBDISTRICT_A, "role": "officer"})
    assert town.client(name).post(f"/v1/people/{made}/account/password", {"password": "another password"}).status_code == 404
    assert town.client(name).post(f"/v1/people/{person_id('guan')}/account/password", {"password": PASSWORD + "x"}).status_code == 404
    assert town.client("chen").post(f"/v1/people/{made}/account/password", {"password": "another password"}).status_code == 403


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"login": "x" * (LONGEST_LOGIN + 1), "password": "a first password"}, "bad_fields"),
        ({"login": "weak", "password": "short"}, "bad_fields"),
        ({"login": "weak-one", "password": "aaaaaaaaaaaa"}, "password_too_weak"),
        ({"login": "", "password": "a first password"}, "bad_fields"),
    ],
    ids=str,
)
def test_a_weak_account_is_refused(town: City, said: dict, code: str) -> None:
    who = registered(town)["person"]
    answer = town.client("guan").post(f"/v1/people/{who}/account", said)
    assert (answer.status_code, answer.json["code"]) == (422, code)


def test_an_account_that_is_not_there_is_404(town: City) -> None:
    who = registered(town)["person"]
    assert town.client("guan").post(f"/v1/people/{who}/account/password", {"password": "a first password"}).status_code == 404
    assert town.client("guan").post(f"/v1/people/{who}/account/disable").status_code == 404
    assert town.client("guan").post(f"/v1/people/{uuid4()}/account", {"login": "ghost", "password": "a first password"}).status_code == 404
