"""What the console refuses so that no matter is lost: unknown places, units of nowhere, merges into what is over."""

import pytest

from tests.check import check_everything
from tests.web.city import CITY, GRID_A1, SUBDISTRICT_A, City

NEW = {"category": "gridtrail/1/E01", "summary": "a lamp is out", "source": "hotline"}


def step(city: City, name: str, case: str, action: str, **said):
    city.catch_up()
    hand = city.client(name)
    return hand.post(f"/v1/cases/{case}/{action}", said, **{"If-Match": "*"})


def report(city: City, name: str, **said):
    return city.client(name).post("/v1/cases", {"area": GRID_A1, **NEW, **said})


def test_nothing_is_reported_where_no_area_is(city: City):
    answer = report(city, "zhao", area=GRID_A1[:12] + "999")
    assert (answer.status_code, answer.json["code"]) == (409, "unknown_area")


@pytest.mark.parametrize("name", ["patrol", "visit"])
def test_a_report_names_only_what_is_recorded(city: City, name: str):
    answer = report(city, "zhao", **{name: "0f0e2c1e-2b6a-4a8e-9f1d-5a2f1c3b4d5e"})
    assert (answer.status_code, answer.json["code"]) == (409, "no_such_reference")


def test_a_case_is_never_sent_to_a_unit_of_no_area(city: City):
    case = report(city, "zhao").json["case_id"]
    assert step(city, "zhao", case, "accept").status_code == 200
    assert step(city, "zhao", case, "register").status_code == 200
    answer = step(city, "zhao", case, "dispatch", to=CITY + "02999999")
    assert (answer.status_code, answer.json["code"]) == (409, "unknown_unit")
    assert step(city, "zhao", case, "dispatch", to=SUBDISTRICT_A + "/fire").status_code == 200


def test_two_cases_never_disappear_into_each_other(city: City):
    one, other = report(city, "zhao").json["case_id"], report(city, "zhao").json["case_id"]
    assert step(city, "zhao", one, "merge", into=other, reason="the same lamp").status_code == 200
    answer = step(city, "zhao", other, "merge", into=one, reason="the same lamp")
    assert (answer.status_code, answer.json["code"]) == (409, "merged_into_closed")
    assert check_everything(city.gridtrail)
