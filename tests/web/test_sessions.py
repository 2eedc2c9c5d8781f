"""Logging in and out, named tokens, passwords."""

from uuid import UUID, uuid4

import pytest

from service.database import reading
from service.identity import ACCOUNTS, TOKENS, digest_of
from service.problems import Problem
from tests.web.city import GRID_A1, PASSWORD, City, person_id

NEW_PASSWORD = "another long password"


def log_in(city: City, login: str, password: str = PASSWORD):
    return city.client().post("/v1/sessions", {"login": login, "password": password})


def as_session(city: City, login: str):
    hand = city.client()
    hand.headers = {"Authorization": f"Bearer {log_in(city, login).json['token']}"}
    return hand


def test_the_right_password_gives_a_session_that_ends(city: City):
    hand = as_session(city, "li")
    me = hand.get("/v1/me").json
    assert me["person"] == person_id("li")
    assert me["grants"] == [{"role": "worker", "unit": GRID_A1}]
    city.clock.forward(hours=13)
    assert hand.get("/v1/me").json["code"] == "not_logged_in"


def test_an_unknown_login_and_a_wrong_password_get_the_same_answer(city: City):
    wrong = log_in(city, "wang", "not the password")
    unknown = log_in(city, "no such login", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.data == unknown.data


def test_many_failures_for_one_login_make_it_wait_even_with_the_right_password(city: City):
    answers = [log_in(city, "feng", f"guess number {n}").status_code for n in range(city.gridtrail.config.login_attempts + 1)]
    assert answers[-1] == 429
    held = log_in(city, "feng")
    assert held.status_code == 429
    assert int(held.headers["Retry-After"]) > 0
    assert held.json["code"] == "too_many_attempts"
    city.clock.forward(minutes=16)
    assert log_in(city, "feng").status_code == 201


def test_one_address_cannot_guess_at_many_logins(city: City):
    allowed = city.gridtrail.config.login_attempts * 5
    throttle = city.gridtrail.identity.throttle
    for n in range(allowed):
        throttle.count(f"login {n}", "192.0.2.7")
    with pytest.raises(Problem, match="Wait") as held:
        throttle.count("yet another", "192.0.2.7")
    assert held.value.code == "too_many_attempts"
    throttle.count("yet another", "192.0.2.8")


def test_an_office_may_log_in_as_often_as_it_likes_and_its_failures_still_count(city: City):
    allowed = city.gridtrail.config.login_attempts * 5
    throttle = city.gridtrail.identity.throttle
    for n in range(allowed):
        throttle.forget(f"login {n}", throttle.count(f"login {n}", "192.0.2.20"))
    for n in range(allowed):
        throttle.count(f"guess {n}", "192.0.2.20")
    with pytest.raises(Problem, match="Wait"):
        throttle.count("yet another", "192.0.2.20")


def test_logging_out_ends_the_session_and_no_other(city: City):
    one, other = as_session(city, "zhao"), as_session(city, "zhao")
    assert one.delete("/v1/sessions").status_code == 204
    assert one.get("/v1/me").status_code == 401
    assert other.get("/v1/me").status_code == 200


def test_a_named_token_is_made_listed_and_revoked_by_its_person(city: City):
    hand = as_session(city, "wang")
    made = hand.post("/v1/tokens", {"name": "my report", "days": 2})
    assert made.status_code == 201
    program = city.client()
    program.headers = {"Authorization": f"Bearer {made.json['token']}"}
    assert program.get("/v1/me").status_code == 200
    assert "my report" in [token["name"] for token in hand.get("/v1/tokens").json["items"]]
    assert "token" not in hand.get("/v1/tokens").json["items"][0]
    assert city.client("li").delete(f"/v1/tokens/{made.json['id']}").status_code == 404
    assert hand.delete(f"/v1/tokens/{made.json['id']}").status_code == 204
    assert program.get("/v1/me").status_code == 401


def test_a_named_token_cannot_make_others_nor_change_the_password(city: City):
    program = city.client("li")
    assert program.post("/v1/tokens", {"name": "another"}).json["code"] == "session_needed"
    answer = program.post("/v1/me/password", {"old": PASSWORD, "new": NEW_PASSWORD})
    assert answer.json["code"] == "session_needed"


def test_a_changed_password_ends_every_other_session_and_token(city: City):
    hand, other = as_session(city, "chen"), as_session(city, "chen")
    assert hand.post("/v1/me/password", {"old": "wrong password", "new": NEW_PASSWORD}).json["code"] == "wrong_login"
    assert hand.post("/v1/me/password", {"old": PASSWORD, "new": "chen is my name"}).json["code"] == "password_too_weak"
    assert hand.post("/v1/me/password", {"old": PASSWORD, "new": NEW_PASSWORD}).status_code == 204
    assert hand.get("/v1/me").status_code == 200
    assert other.get("/v1/me").status_code == 401
    assert city.client("chen").get("/v1/me").status_code == 401
    assert log_in(city, "chen").status_code == 401
    assert log_in(city, "chen", NEW_PASSWORD).status_code == 201


def test_a_disabled_account_is_out_at_once(city: City):
    hand = as_session(city, "nobody")
    city.gridtrail.identity.disable(person_id("nobody"))
    assert hand.get("/v1/me").status_code == 401
    assert log_in(city, "nobody").status_code == 401


def test_neither_tokens_nor_passwords_are_stored(city: City):
    token = log_in(city, "qian").json["token"]
    with reading(city.gridtrail.database) as conn:
        stored = str(conn.execute(TOKENS.select()).all()) + str(conn.execute(ACCOUNTS.select()).all())
    assert token not in stored
    assert digest_of(token) in stored
    assert PASSWORD not in stored
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored


def test_a_login_belongs_to_one_person(city: City):
    with pytest.raises(Problem) as taken:
        city.gridtrail.identity.create_account(person_id("a namesake"), "li", PASSWORD)
    assert taken.value.code == "login_taken"


def test_an_assignment_that_ended_gives_no_rights_the_next_day(city: City):
    inspection, person = city.gridtrail.inspection, person_id("hu")
    assignment = str(uuid4())
    inspection.register_person(city.root, "4115", UUID(person))
    said = {"assignment": assignment, "role": "worker", "unit": GRID_A1, "from_day": "2026-01-01"}
    inspection.change_person(city.root, "4115", person, "assign", said)
    today = city.clock().date().isoformat()
    inspection.change_person(city.root, "4115", person, "end_assignment", {"assignment": assignment, "to_day": today})
    assert city.gridtrail.identity.actor_of(person).grants
    city.clock.forward(days=2)
    assert city.gridtrail.identity.actor_of(person).grants == ()
