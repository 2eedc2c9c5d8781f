"""What cannot be read gets a named answer in 4xx, never a 500."""

import pytest

from service.routes.parsing import write_cursor
from tests.web.city import CITY, GRID_A1, PASSWORD, SUBDISTRICT_A, City

MALFORMED = [
    {"cursor": "x"},
    {"cursor": "e30"},
    {"cursor": "W10"},
    {"cursor": "\ud800".encode("utf-8", "surrogatepass")},
    {"limit": "0"},
    {"limit": "501"},
    {"limit": "1_0"},
    {"limit": "\u0663"},
    {"limit": "9" * 400},
    {"area": "41\x0015"},
    {"area": "4115 "},
    {"area": "\uff14\uff11\uff11\uff15"},
    {"text": "a\x00b"},
    {"text": "x" * 5000},
    {"sort": "summary"},
    {"open": "maybe"},
    {"overdue": "false"},
    {"status": "lost"},
    {"holder": "'; DROP TABLE events; --"},
    {"min_position": "x:1"},
    {"min_position": f"{SUBDISTRICT_A}:{10**30}"},
    {"unheard_of": "1"},
]


@pytest.mark.parametrize("query", MALFORMED, ids=lambda query: "-".join(query)[:20])
def test_a_malformed_query_is_400(city: City, query: dict):
    answer = city.client("sun").get("/v1/cases", **query)
    assert answer.status_code == 400, answer.data
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] in ("bad_parameter", "bad_cursor", "bad_request")


@pytest.mark.parametrize("after", [[1, 2], ["x"], ["x", "y", "z"], [None, "x"], ["a\x00", "b"], [{"a": 1}, "b"], "xy", 5, [10**400, "x"]])
def test_a_forged_cursor_never_reaches_the_database(city: City, after: object):
    query = {"limit": 50, "sort": "due_at"}
    answer = city.client("sun").get("/v1/cases", cursor=write_cursor(after, query))
    assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor")


def test_a_repeated_query_parameter_is_refused(city: City):
    answer = city.client("sun").get("/v1/cases?limit=1&limit=2")
    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")


def test_a_query_where_none_is_read_is_refused(city: City):
    assert city.client("sun").get("/v1/me", colour="red").status_code == 400


BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"nonsense", 400),
    (b'{"login": NaN}', 400),
    (b'{"login": "li", "login": "wang"}', 400),
    (b'{"login": "\\ud800", "password": "x"}', 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"login": 1e999, "password": "x"}', 400),
    (b'{"login": {}, "password": []}', 422),
    (b'{"login": "a\\u0000b", "password": "x"}', 422),
    (b'{"login": null, "password": "x"}', 422),
    (b"[]", 422),
    (b"7", 422),
    (b'{"login": "' + b"x" * 300_000 + b'"}', 413),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=lambda value: str(value)[:24])
def test_a_malformed_body_has_a_named_answer(city: City, body: bytes, status: int):
    answer = city.app.test_client().post("/v1/sessions", data=body, content_type="application/json")
    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"]


def test_a_body_of_another_type_is_415(city: City):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""):
        answer = city.app.test_client().post("/v1/sessions", data=b'{"login":"li"}', content_type=content_type)
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type"), content_type


@pytest.mark.parametrize(
    "path",
    ["/v1/cases/1", "/v1/cases/%00", "/v1/ledgers/4115%00/events", "/v1/ledgers/41150/events", "/v1/ledgers/x'y/events", "/%ff", "/v2"],
)
def test_a_path_that_names_nothing_is_404(city: City, path: str):
    answer = city.client("sun").get(path)
    assert answer.status_code == 404, answer.data
    assert answer.json["code"] == "not_found"


def test_another_method_is_405_and_says_which_there_are(city: City):
    for method in ("PUT", "PATCH", "TRACE", "OPTIONS", "DELETE"):
        answer = city.app.test_client().open("/v1/cases", method=method)
        assert answer.status_code == 405, method
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("header", ["", "Basic bGk6cHc=", "Bearer", "Bearer ", "Bearer x\u00e9", "Bearer " + "x" * 5000, "bearer\tx"])
def test_without_a_valid_token_there_is_nothing(city: City, header: str):
    answer = city.app.test_client().get("/v1/cases", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json["code"]) == (401, "not_logged_in")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["1", 'W/"1"', '"x"', '"1", "2"', '"' + "9" * 40 + '"'])
def test_an_if_match_that_names_no_version_is_stale(city: City, header: str):
    answer = city.client("zhao").post(f"/v1/cases/{city.cases[GRID_A1]}/accept", {}, If_Match=header)
    assert (answer.status_code, answer.json["code"]) == (412, "version_changed")


def test_a_password_longer_than_any_is_refused_before_it_is_hashed(city: City):
    answer = city.client().post("/v1/sessions", {"login": "li", "password": PASSWORD * 100})
    assert answer.status_code == 422


def test_a_period_that_runs_backwards_or_for_years_is_refused(city: City):
    for to_day in ("2026-10-01", "2028-01-01", "2026-02-30", "9999-12-31"):
        answer = city.client("sun").get("/v1/coverage", from_day="2026-11-01", to_day=to_day, area=CITY)
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request"), to_day
