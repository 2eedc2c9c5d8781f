"""Roll-ups over HTTP: who sees which areas, nothing due is no share, and the quarter's file."""

from datetime import UTC, datetime

import pytest

from service.ledger.note import Verifier
from service.summaries import document
from tests.web.city import COMMUNITY_A, GRID_A1, SUBDISTRICT_A, SUBDISTRICT_B, City

PLACE = f"/v1/summaries/{SUBDISTRICT_A}/2026-Q4"


@pytest.fixture(scope="module")
def over(city: City) -> City:
    """The city, early in the next year."""
    city.clock.now = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    return city


def areas(city: City, name: str, **query: str) -> list[str]:
    return [item["area"] for item in city.client(name).get("/v1/summaries", period="2026-Q4", **query).json["items"]]


def test_officers_and_auditors_see_their_own_areas(over: City):
    assert areas(over, "chen") == [SUBDISTRICT_A]
    assert areas(over, "qian") == [SUBDISTRICT_B]
    assert areas(over, "sun") == [SUBDISTRICT_A, SUBDISTRICT_B]
    assert areas(over, "sun", area=SUBDISTRICT_B) == [SUBDISTRICT_B]
    assert areas(over, "zhao") == []
    assert areas(over, "zhao", by="community") == [COMMUNITY_A]
    assert areas(over, "feng", by="community") == []
    for name in ("li", "guan", "nobody"):
        assert over.client(name).get("/v1/summaries").status_code == 403


def test_a_page_goes_on_where_the_one_before_ended(over: City):
    first = over.client("sun").get("/v1/summaries", limit=1).json
    second = over.client("sun").get("/v1/summaries", limit=1, cursor=first["next"]).json
    assert [item["area"] for item in (*first["items"], *second["items"])] == [SUBDISTRICT_A, SUBDISTRICT_B]
    assert second["next"] is None
    assert over.client("sun").get("/v1/summaries", limit=1, cursor=first["next"], by="community").status_code == 400


def test_the_present_quarter_is_meant_where_none_is_named(over: City):
    assert over.client("chen").get("/v1/summaries").json["period"]["name"] == "2027-Q1"


def test_nothing_due_is_null_and_never_nought(over: City):
    (row,) = over.client("chen").get("/v1/summaries", period="2020-Q1").json["items"]
    assert {each["value"] for each in row["indicators"]} == {None}
    assert row["total"] == {"value": None, "weight": 0}


def test_the_numbers_are_what_happened(over: City):
    page = over.client("chen").get("/v1/summaries", period="2026-Q4").json
    (row,) = page["items"]
    assert (row["counts"]["reports"], row["counts"]["grids_due"], row["counts"]["grids_patrolled"]) == (2, 2, 2)
    shares = {each["code"]: each for each in row["indicators"]}
    assert (shares["patrol_coverage"]["numerator"], shares["patrol_coverage"]["denominator"]) == (2, 2 * 92)
    assert {each["code"] for each in page["book"]["indicators"]} == set(shares)
    assert page["period"]["complete"] is True
    assert set(page["names"]) == set(row["counts"])


def test_a_series_has_each_period_once(over: City):
    found = (
        over.client("chen").get("/v1/summaries/series", area=SUBDISTRICT_A, kind="month", from_day="2026-10-31", to_day="2027-01-01").json
    )
    assert [each["period"]["name"] for each in found["items"]] == ["2026-10", "2026-11", "2026-12", "2027-01"]
    assert [each["counts"]["reports"] for each in found["items"]] == [0, 2, 0, 0]
    for kind, count in (("week", 26), ("month", 12), ("quarter", 12), ("year", 12)):
        items = over.client("zhao").get("/v1/summaries/series", area=COMMUNITY_A, kind=kind).json["items"]
        assert len(items) == count, kind
        assert items[-1]["period"]["complete"] is False


def test_a_series_of_what_is_not_ones_own_is_nowhere(over: City):
    for name, area in (("zhao", SUBDISTRICT_A), ("qian", SUBDISTRICT_A), ("chen", SUBDISTRICT_B), ("sun", "411502999")):
        assert over.client(name).get("/v1/summaries/series", area=area).status_code == 404, (name, area)


@pytest.mark.parametrize(
    "query",
    [{"period": "2026-Q9"}, {"period": "1999"}, {"by": "grid"}, {"area": "x"}],
)
def test_what_is_no_question_is_refused(over: City, query: dict):
    assert over.client("chen").get("/v1/summaries", **query).status_code in (400, 409, 422)


@pytest.mark.parametrize(
    "query",
    [
        {"area": GRID_A1},
        {},
        {"area": SUBDISTRICT_A, "kind": "day"},
        {"area": SUBDISTRICT_A, "kind": "week", "from_day": "2000-01-03"},
        {"area": SUBDISTRICT_A, "from_day": "2026-12-01", "to_day": "2026-01-01"},
        {"area": SUBDISTRICT_A, "from_day": "1999-01-01"},
        {"area": SUBDISTRICT_A, "to_day": "9999-12-31"},
        {"area": SUBDISTRICT_A, "to_day": "0001-01-01"},
    ],
)
def test_a_series_that_cannot_be_is_refused(over: City, query: dict):
    assert over.client("chen").get("/v1/summaries/series", **query).status_code in (400, 409, 422), query


def test_an_officer_seals_the_quarter_and_everybody_verifies_the_file(over: City):
    chen, sun = over.client("chen"), over.client("sun")
    before = chen.get(PLACE).json
    assert (before["sealed"], before["differences"]) == (None, [])
    assert chen.get(f"{PLACE}/file").status_code == 404
    for name, status in (("zhao", 404), ("qian", 404), ("sun", 403), ("li", 403)):
        assert over.client(name).post(f"{PLACE}/seal").status_code == status, name
    assert chen.post(f"/v1/summaries/{SUBDISTRICT_A}/2027-Q1/seal").json["code"] == "period_not_over"
    saved = chen.post(f"{PLACE}/seal")
    assert (saved.status_code, saved.json["ledger"]) == (200, SUBDISTRICT_A)
    assert chen.post(f"{PLACE}/seal").json["code"] == "summary_sealed"
    told = sun.get(PLACE).json
    assert told["sealed"]["counts"] == before["counts"]
    assert told["sealed"]["differs"] is False
    assert told["sealed"]["size"] == saved.json["position"]
    answer = sun.get(f"{PLACE}/file", recipient=told["recipients"][0]["code"])
    assert told["recipients"][0]["code"] in answer.headers["Content-Disposition"]
    written = document.open_file(answer.text, Verifier.parse(told["key"]))
    assert document.digest(written) == told["sealed"]["digest"]
    assert document.read(written)["total"] == told["sealed"]["total"]
    (row,) = chen.get("/v1/summaries", period="2026-Q4").json["items"]
    assert row["sealed"]["digest"] == told["sealed"]["digest"]
    assert (row["sealed"]["differs"], row["counts"], row["total"]) == (None, told["sealed"]["counts"], told["sealed"]["total"])
    assert sun.get(f"{PLACE}/file", recipient="nobody").status_code == 404


@pytest.mark.parametrize("place", ["411502001/2026-Q9", "411502001/x123", "41150200x/2026-Q4", "4115020010/2026-Q4"])
def test_a_place_that_is_none_is_refused(over: City, place: str):
    for method in ("get", "post"):
        path = f"/v1/summaries/{place}" + ("/seal" if method == "post" else "")
        assert getattr(over.client("chen"), method)(path).status_code in (404, 422, 409), place
